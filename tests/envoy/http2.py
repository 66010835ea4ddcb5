"""A small HTTP/2 client without TLS (prior knowledge), with trailers in both directions."""

import socket
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events

from gateway import Response


@dataclass
class Http2Response(Response):
    """An answer over HTTP/2."""

    trailers: list[tuple[str, str]] = field(default_factory=list)
    reset: int | None = None


def exchange(port: int, headers: list[tuple[str, str]], body: bytes = b"", trailers: list[tuple[str, str]] | None = None,
             timeout: float = 15.0) -> Http2Response:
    """One request on a new connection; `headers` holds the pseudo-headers too."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(
        client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
    connection.initiate_connection()
    answer = Http2Response(0, [])
    with socket.create_connection(("127.0.0.1", port), timeout) as conn:
        stream = connection.get_next_available_stream_id()
        connection.send_headers(stream, headers, end_stream=not body and trailers is None)
        conn.sendall(connection.data_to_send())
        ended = _send_body(connection, conn, stream, body, trailers, answer) if body or trailers is not None else False
        while not ended:
            ended = _receive(connection, conn, stream, answer)
    return answer


def request_headers(port: int, method: str, path: str, key: str | None, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """The headers of a usual request."""
    headers = [(":method", method), (":scheme", "http"), (":authority", f"127.0.0.1:{port}"), (":path", path)]
    if key is not None:
        headers.append(("authorization", f"Bearer {key}"))
    if method == "POST":
        headers.append(("content-type", "application/json"))
    return [*headers, *more]


def _send_body(connection, conn, stream, body, trailers, answer) -> bool:
    rest = memoryview(body)
    while rest:
        window = min(connection.local_flow_control_window(stream), connection.max_outbound_frame_size, len(rest))
        if window == 0:
            if _receive(connection, conn, stream, answer):
                return True
            continue
        last = window == len(rest)
        connection.send_data(stream, bytes(rest[:window]), end_stream=last and trailers is None)
        conn.sendall(connection.data_to_send())
        rest = rest[window:]
    if trailers is not None:
        connection.send_headers(stream, trailers, end_stream=True)
        conn.sendall(connection.data_to_send())
    return False


def _receive(connection, conn, stream, answer: Http2Response) -> bool:
    """Reads once; true when the answer is complete, reset or cut."""
    try:
        data = conn.recv(262_144)
    except ConnectionResetError:
        data = b""
    if not data:
        answer.torn = True
        return True
    ended = False
    for event in connection.receive_data(data):
        match event:
            case h2.events.ResponseReceived(stream_id=at, headers=headers) if at == stream:
                pairs = [(_text(name), _text(value)) for name, value in headers]
                answer.status = int(dict(pairs)[":status"])
                answer.headers = [pair for pair in pairs if not pair[0].startswith(":")]
            case h2.events.DataReceived(stream_id=at) if at == stream:
                answer.body += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, stream)
            case h2.events.TrailersReceived(stream_id=at) if at == stream:
                answer.trailers = [(_text(name), _text(value)) for name, value in event.headers]
            case h2.events.StreamEnded(stream_id=at) if at == stream:
                ended = True
            case h2.events.StreamReset(stream_id=at) if at == stream:
                answer.reset, answer.torn, ended = event.error_code, True, True
            case h2.events.ConnectionTerminated():
                answer.torn = ended = True
    conn.sendall(connection.data_to_send())
    return ended


def _text(value) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
