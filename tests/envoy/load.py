"""Many calls at once from one thread: keep-alive connections on epoll, one call at a time on each.

What is written is bytes made beforehand, and what is read is looked at for its status, its end and its
usage only, so that two cores have time for Envoy as well.
"""

import heapq
import re
import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

PATIENCE = 60.0
USAGE = re.compile(rb'"prompt_tokens":(\d+),"completion_tokens":(\d+)')
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Leave(Enum):
    """When the client goes away."""

    NEVER = 0
    AT_ONCE = 1  # as soon as the request is sent
    WAITING = 2  # a moment later, most likely before the answer
    AMID = 3  # as soon as something of the answer's body is there


@dataclass(frozen=True)
class Call:
    """The bytes of a request, and when its client leaves."""

    request: bytes
    leave: Leave = Leave.NEVER


@dataclass
class Outcome:
    """What became of all calls. Times are Unix times."""

    statuses: Counter = field(default_factory=Counter)
    usages: Counter = field(default_factory=Counter)
    left: Counter = field(default_factory=Counter)
    torn: int = 0
    began: float = 0.0
    first_answer: float = 0.0
    last_sent: float = 0.0
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        """From before the first request until after the last answer."""
        return self.ended - self.began

    @property
    def saturated(self) -> float:
        """From the first answer to the last request: what a limit gives back in this time somebody asked for."""
        return self.last_sent - self.first_answer

    @property
    def tokens(self) -> tuple[int, int]:
        """Prompt and completion tokens that the answers reported."""
        return (sum(prompt * count for (prompt, _), count in self.usages.items()),
                sum(completion * count for (_, completion), count in self.usages.items()))


class Unanswered(AssertionError):
    """The load did not come to its end."""


def chat(port: int, key: str, body: bytes, headers: tuple[bytes, ...] = ()) -> bytes:
    """The bytes of a chat call."""
    return b"\r\n".join([
        b"POST /v1/chat/completions HTTP/1.1", b"host: 127.0.0.1:%d" % port, b"authorization: Bearer " + key.encode(),
        b"content-type: application/json", b"content-length: %d" % len(body), *headers, b"", body])


def run(at: int | list[tuple[str, int]], calls: int, call: Callable[[int], Call], connections: int = 64,
        waiting: float = 0.003) -> Outcome:
    """Makes so many calls, of which the n-th is `call(n)`; a client that leaves `WAITING` does so after `waiting` seconds.

    `at` is a port of this machine, or several addresses, which take turns with the connections. A connection that is
    refused counts as torn, and the next address is tried.
    """
    load = _Load([("127.0.0.1", at)] if isinstance(at, int) else at, calls, call, waiting)
    try:
        return load.run(connections)
    finally:
        load.close()


@dataclass
class _Connection:
    sock: socket.socket
    leave: Leave = Leave.NEVER
    turn: int = 0
    held: bytearray = field(default_factory=bytearray)
    body_at: int = 0
    length: int | None = None


class _Load:
    def __init__(self, addresses: list[tuple[str, int]], calls: int, call: Callable[[int], Call], waiting: float):
        self.addresses, self.calls, self.call, self.waiting = addresses, calls, call, waiting
        self.turn = 0
        self.next, self.open = 0, {}
        self.epoll = select.epoll()
        self.leaving: list[tuple[float, int, int]] = []
        self.outcome = Outcome()

    def run(self, connections: int) -> Outcome:
        outcome, end = self.outcome, time.monotonic() + PATIENCE
        outcome.began = time.time()
        for _ in range(min(connections, self.calls)):
            self.ask(self.connect())
        while self.open:
            for at, _ in self.epoll.poll(self.pause()):
                if connection := self.open.get(at):
                    self.read(connection)
            while self.leaving and self.leaving[0][0] <= time.monotonic():
                _, at, turn = heapq.heappop(self.leaving)
                connection = self.open.get(at)
                if connection and connection.turn == turn:
                    self.depart(connection)
            if time.monotonic() > end:
                raise Unanswered(f"{len(self.open)} calls unanswered after {PATIENCE} s: {outcome}")
        outcome.ended = time.time()
        return outcome

    def pause(self) -> float:
        return max(self.leaving[0][0] - time.monotonic(), 0.0) if self.leaving else 1.0

    def close(self) -> None:
        for connection in self.open.values():
            connection.sock.close()
        self.epoll.close()

    def connect(self) -> _Connection:
        sock = self.reach()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(sock)
        self.open[sock.fileno()] = connection
        self.epoll.register(sock.fileno(), select.EPOLLIN)
        return connection

    def reach(self) -> socket.socket:
        """A connection to the first address, from the one whose turn it is, that takes one."""
        for _ in self.addresses[1:]:
            try:
                return self.dial()
            except ConnectionRefusedError:
                self.outcome.torn += 1
        return self.dial()

    def dial(self) -> socket.socket:
        """A connection to the address whose turn it is."""
        self.turn += 1
        return socket.create_connection(self.addresses[self.turn % len(self.addresses)], PATIENCE)

    def ask(self, connection: _Connection) -> None:
        """The next call on this connection; closes it when there is none."""
        if self.next >= self.calls:
            self.drop(connection)
            return
        call = self.call(self.next)
        self.next += 1
        connection.leave, connection.body_at, connection.length = call.leave, 0, None
        connection.turn = self.next
        connection.held.clear()
        self.outcome.last_sent = time.time()
        try:
            connection.sock.sendall(call.request)
        except (BrokenPipeError, ConnectionResetError):
            self.end_of_file(connection)
            return
        if call.leave is Leave.AT_ONCE:
            self.depart(connection)
        elif call.leave is Leave.WAITING:
            heapq.heappush(self.leaving, (time.monotonic() + self.waiting, connection.sock.fileno(), connection.turn))

    def drop(self, connection: _Connection) -> None:
        at = connection.sock.fileno()
        self.epoll.unregister(at)
        del self.open[at]
        connection.sock.close()

    def again(self, connection: _Connection) -> None:
        """The next call on a new connection."""
        self.drop(connection)
        if self.next < self.calls:
            self.ask(self.connect())

    def depart(self, connection: _Connection) -> None:
        self.outcome.left[connection.leave] += 1
        self.again(connection)

    def end_of_file(self, connection: _Connection) -> None:
        self.outcome.torn += 1
        self.again(connection)

    def read(self, connection: _Connection) -> None:
        try:
            piece = connection.sock.recv(65_536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            self.end_of_file(connection)
            return
        held = connection.held
        held += piece
        if not connection.body_at:
            head = held.find(b"\r\n\r\n")
            if head < 0:
                return
            self.outcome.first_answer = self.outcome.first_answer or time.time()
            connection.body_at = head + 4
            length = LENGTH.search(held, 0, head + 2)
            connection.length = int(length[1]) if length else None
        if connection.leave is Leave.AMID and len(held) > connection.body_at:
            self.outcome.statuses[_status(held)] += 1
            self.depart(connection)
        elif _complete(connection):
            self.answered(connection)

    def answered(self, connection: _Connection) -> None:
        held, outcome = connection.held, self.outcome
        status = _status(held)
        outcome.statuses[status] += 1
        if status == 200 and (usage := USAGE.search(held, connection.body_at)):
            outcome.usages[int(usage[1]), int(usage[2])] += 1
        if b"\r\nconnection: close\r\n" in held[:connection.body_at]:
            self.again(connection)
        else:
            self.ask(connection)


def _status(held: bytearray) -> int:
    return int(held[9:12])


def _complete(connection: _Connection) -> bool:
    if connection.length is not None:
        return len(connection.held) >= connection.body_at + connection.length
    # Nothing in an SSE stream can look like this end of a chunked body.
    return connection.held.endswith(b"\r\n0\r\n\r\n") or connection.held[connection.body_at:] == b"0\r\n\r\n"
