"""A client of the gateway on a bare socket: it can send any bytes, and tells a clean end from a torn one."""

import json
import socket
import time
from dataclasses import dataclass, field

TIMEOUT = 15.0


@dataclass
class Response:
    """An HTTP answer. `torn`: the connection ended before the message did."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    torn: bool = False
    seconds: float = 0.0
    first_byte: float | None = None
    arrivals: list[float] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """All values of one header."""
        return [value for key, value in self.headers if key == name.lower()]

    def header(self, name: str) -> str | None:
        """The value of a header that may come at most once."""
        values = self.values(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def json(self):
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def routing(self) -> dict:
        """The `routing` object of a JSON answer, of a completion or of a 503."""
        return self.json()["routing"]

    @property
    def text(self) -> str:
        """The assistant's text of a completion."""
        return self.json()["choices"][0]["message"]["content"]

    @property
    def events(self) -> list[str]:
        """The data of every SSE event; fails if the body is not framed as this API frames streams."""
        assert self.header("content-type").partition(";")[0] == "text/event-stream", self.headers
        whole, _, rest = self.body.rpartition(b"\n\n")
        assert self.torn or not rest, f"the stream ends inside an event: {rest!r}"
        events = []
        for block in whole.split(b"\n\n") if whole else []:
            assert block.startswith(b"data: ") and b"\n" not in block, f"not one data line: {block!r}"
            events.append(block.removeprefix(b"data: ").decode())
        return events

    @property
    def chunks(self) -> list[dict]:
        """The completion chunks of a stream."""
        return [chunk for event in self.events if event != "[DONE]" and "error" not in (chunk := json.loads(event))]

    @property
    def stream_errors(self) -> list[dict]:
        """The error events of a stream."""
        parsed = [json.loads(event) for event in self.events if event != "[DONE]"]
        return [event["error"] for event in parsed if "error" in event]

    @property
    def done(self) -> bool:
        """Whether `[DONE]` came, and came last."""
        events = self.events
        assert "[DONE]" not in events[:-1], "something follows [DONE]"
        return bool(events) and events[-1] == "[DONE]"

    @property
    def streamed_text(self) -> str:
        """The assistant's text, put together from its deltas."""
        return "".join(
            choice["delta"].get("content") or "" for chunk in self.chunks for choice in chunk["choices"])


class Gateway:
    """The gateway under test, with the key that its calls carry by default."""

    def __init__(self, port: int, key: str, host: str = "127.0.0.1"):
        self.host, self.port, self.key = host, port, key

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://{self.host}:{self.port}"

    def raw(self, request, head: bool = False, timeout: float = TIMEOUT) -> Response:
        """Sends these bytes (or pieces of bytes) on a new connection and reads one answer."""
        pieces = [request] if isinstance(request, bytes) else request
        started = time.monotonic()
        with socket.create_connection((self.host, self.port), timeout) as conn:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                for piece in pieces:
                    conn.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused while we were sending; the answer may be there all the same
            return _read(conn, head, started)

    def sequence(self, requests: list[bytes], timeout: float = TIMEOUT) -> list[Response]:
        """Sends one request after the other on one connection."""
        answers = []
        with socket.create_connection((self.host, self.port), timeout) as conn:
            for request in requests:
                conn.sendall(request)
                answers.append(_read(conn, False, time.monotonic()))
        return answers

    def call(self, method: str, path: str, headers=(), body: bytes | None = None, key: str | None = "",
             chunked: bool = False, timeout: float = TIMEOUT) -> Response:
        """One call. `key`: "" for the default one, None for no Authorization header."""
        lines = [b"%s %s HTTP/1.1" % (method.encode(), path.encode()), f"host: {self.host}:{self.port}".encode()]
        if key is not None:
            lines.append(b"authorization: Bearer " + (key or self.key).encode())
        lines += [_bytes(name) + b": " + _bytes(value) for name, value in headers]
        pieces = []
        if body is not None:
            if not any(_bytes(name).lower() == b"content-type" for name, _ in headers):
                lines.append(b"content-type: application/json")
            lines.append(b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(body))
            pieces = _chunks(body) if chunked else [body]
        return self.raw([b"\r\n".join(lines) + b"\r\n\r\n", *pieces], head=method == "HEAD", timeout=timeout)

    def post(self, body: bytes, **options) -> Response:
        """POSTs these bytes to the chat endpoint."""
        return self.call("POST", "/v1/chat/completions", body=body, **options)

    def chat(self, model: str = "gpt-4o", text: str = "Say hello.", key: str | None = "", headers=(),
             timeout: float = TIMEOUT, **fields) -> Response:
        """A chat call; a field given as None is left out."""
        payload = {"model": model, "messages": [{"role": "user", "content": text}]} | fields
        payload = {name: value for name, value in payload.items() if value is not None}
        return self.post(json.dumps(payload).encode(), key=key, headers=headers, timeout=timeout)


def assert_error(answer: Response, status: int, kind: str, code: str | None = "", param: str | None = "",
                 more: tuple[str, ...] = ()) -> dict:
    """The answer is a refusal in the API's form. Returns the error object; "" for code or param: any; `more`: its further members."""
    assert answer.status == status, f"{answer.status} {answer.body[:600]!r}"
    assert not answer.torn
    assert answer.header("content-type") == "application/json"
    assert answer.header("content-length") == str(len(answer.body))
    assert answer.header("x-request-id"), answer.headers
    error = answer.json()["error"]
    assert set(error) == {"type", "message", "code", "param", *more}, error
    assert error["type"] == kind, error
    assert isinstance(error["message"], str) and error["message"].strip(), error
    if code != "":
        assert error["code"] == code, error
    if param != "":
        assert error["param"] == param, error
    return error


def _bytes(value) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def _chunks(body: bytes, size: int = 65_536):
    for start in range(0, len(body), size):
        piece = body[start:start + size]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


class _Torn(Exception):
    pass


class _Reader:
    def __init__(self, conn: socket.socket, started: float):
        self.conn, self.started = conn, started
        self.held = bytearray()
        self.first_byte: float | None = None

    def more(self) -> bool:
        try:
            piece = self.conn.recv(262_144)
        except ConnectionResetError:
            raise _Torn from None
        if piece and self.first_byte is None:
            self.first_byte = time.monotonic() - self.started
        self.held += piece
        return bool(piece)

    def line(self) -> bytes:
        while (at := self.held.find(b"\r\n")) < 0:
            if not self.more():
                raise _Torn
        line = bytes(self.held[:at])
        del self.held[:at + 2]
        return line

    def exactly(self, count: int) -> bytes:
        while len(self.held) < count:
            if not self.more():
                raise _Torn
        piece = bytes(self.held[:count])
        del self.held[:count]
        return piece


def _read(conn: socket.socket, head: bool, started: float) -> Response:
    reader = _Reader(conn, started)
    try:
        status_line = reader.line()
        while status_line.split()[1:2] == [b"100"]:
            while reader.line():
                pass
            status_line = reader.line()
    except _Torn:
        raise AssertionError("the gateway closed the connection without an answer") from None
    answer = Response(int(status_line.split()[1]), [])
    try:
        while line := reader.line():
            name, _, value = line.partition(b":")
            answer.headers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
        _read_body(reader, answer, head)
    except _Torn:
        answer.torn = True
    answer.seconds = time.monotonic() - started
    answer.first_byte = reader.first_byte
    return answer


def _read_body(reader: _Reader, answer: Response, head: bool) -> None:
    if head or answer.status in (204, 304):
        return
    if length := answer.header("content-length"):
        answer.body = reader.exactly(int(length))
    elif answer.header("transfer-encoding") == "chunked":
        body = bytearray()
        try:
            while size := int(reader.line().partition(b";")[0], 16):
                body += reader.exactly(size)
                answer.arrivals.append(time.monotonic() - reader.started)
                reader.line()
            while reader.line():
                pass
        finally:
            answer.body = bytes(body)
    else:
        while reader.more():
            pass
        answer.body = bytes(reader.held)
