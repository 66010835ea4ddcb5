"""HTTP/2 clients that make many calls on one connection and know what GOAWAY means.

The library's connection is over for it once a GOAWAY has come. RFC 9113 (section 6.8) means otherwise:
streams up to the number it names go on, and only new calls belong on another connection. Go's, Rust's and
nghttp2's clients do so, and what they would notice of a change is what counts.
"""

import json
import socket

import h2.config
import h2.connection
import h2.events
from hyperframe.frame import GoAwayFrame

from http2 import Http2Response, request_headers


class _Connection(h2.connection.H2Connection):
    """The library's, except that GOAWAY ends nothing by itself."""

    def __init__(self):
        super().__init__(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.last_taken: int | None = None
        self._frame_dispatch_table[GoAwayFrame] = self._noted

    def _noted(self, frame: GoAwayFrame):
        self.last_taken = frame.last_stream_id
        return [], []


class Http2Client:
    """Calls the gateway; a new connection is made only when the old one takes no more calls."""

    def __init__(self, port: int, key: str):
        self.port, self.key = port, key
        self.connections = 0
        self.sock: socket.socket | None = None

    def post(self, path: str, body: bytes) -> Http2Response:
        """One call, repeated on another connection only if the gateway has said that it did not take it."""
        while True:
            if self.sock is None:
                self._connect()
            stream = self.connection.get_next_available_stream_id()
            self.connection.send_headers(stream, request_headers(self.port, "POST", path, self.key))
            self.connection.send_data(stream, body, end_stream=True)
            self.sock.sendall(self.connection.data_to_send())
            answer = self._answer(stream)
            leaving = self.connection.last_taken is not None
            if leaving:
                self.close()
            if answer is not None:
                return answer

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def _connect(self) -> None:
        self.connections += 1
        self.connection = _Connection()
        self.connection.initiate_connection()
        self.sock = socket.create_connection(("127.0.0.1", self.port), 30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _answer(self, stream: int) -> Http2Response | None:
        """The answer; none if the gateway has not taken the call."""
        answer = Http2Response(0, [])
        while True:
            data = self.sock.recv(262_144)
            assert data, "the connection ended during a call"
            for event in self.connection.receive_data(data):
                match event:
                    case h2.events.ResponseReceived(stream_id=at, headers=headers) if at == stream:
                        answer.status = int(dict(headers)[":status"])
                        answer.headers = list(headers)
                    case h2.events.DataReceived(stream_id=at) if at == stream:
                        answer.body += event.data
                        self.connection.acknowledge_received_data(event.flow_controlled_length, stream)
                    case h2.events.StreamEnded(stream_id=at) if at == stream:
                        return answer
                    case h2.events.StreamReset(stream_id=at) if at == stream:
                        raise AssertionError(f"the call was reset: {event.error_code}")
            self.sock.sendall(self.connection.data_to_send())
            if self.connection.last_taken is not None and self.connection.last_taken < stream:
                return None


class Multiplexed:
    """Several streams at once on one connection, for as long as the gateway keeps it."""

    def __init__(self, port: int, key: str):
        self.port, self.key = port, key
        self.connection = _Connection()
        self.connection.initiate_connection()
        self.sock = socket.create_connection(("127.0.0.1", port), 30)
        self.bodies: dict[int, bytes] = {}
        self.ended: dict[int, bool] = {}

    @property
    def last_taken(self) -> int | None:
        """The last stream that the gateway has taken, once it has said that it takes no more."""
        return self.connection.last_taken

    def begin(self, model: str) -> int:
        """Begins a stream; returns its number."""
        number = self.connection.get_next_available_stream_id()
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Say hello."}]}
        self.connection.send_headers(number, request_headers(self.port, "POST", "/v1/chat/completions", self.key))
        self.connection.send_data(number, json.dumps(body).encode(), end_stream=True)
        self.bodies[number], self.ended[number] = b"", False
        self.sock.sendall(self.connection.data_to_send())
        return number

    def read(self, number: int) -> bytes:
        """What has come of a stream, after a look at the connection."""
        self._look(0.01)
        return self.bodies[number]

    def end(self) -> None:
        """Reads until the gateway has closed the connection."""
        with self.sock:
            while self._look(30):
                pass

    def _look(self, seconds: float) -> bool:
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(262_144)
        except TimeoutError:
            assert seconds < 1, "the gateway has neither answered nor closed the connection"
            return True
        except ConnectionResetError:
            return False
        for event in self.connection.receive_data(data):
            match event:
                case h2.events.DataReceived(stream_id=at):
                    self.bodies[at] += event.data
                    self.connection.acknowledge_received_data(event.flow_controlled_length, at)
                case h2.events.StreamEnded(stream_id=at):
                    self.ended[at] = True
        if data and (answer := self.connection.data_to_send()):
            try:
                self.sock.sendall(answer)
            except OSError:
                return False
        return bool(data)
