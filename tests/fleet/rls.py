"""A client of Envoy's rate-limit protocol: gRPC over HTTP/2 by hand, many calls at once on one connection."""

import socket
import struct
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events

from mortal import unsigned

PATH = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
OK, OVER_LIMIT = 1, 2
GRPC_OK, GRPC_UNIMPLEMENTED, GRPC_UNAVAILABLE = 0, 12, 14
VARINT, DELIMITED = 0, 2


@dataclass(frozen=True)
class Answer:
    """gRPC's status, and of an answer the decision, with what is left where the service says so."""

    status: int
    code: int = 0
    remaining: int | None = None


def should_rate_limit(port: int, entries: dict[str, str], hits: int = 1, times: int = 1, domain: str = "neural-router",
                      host: str = "127.0.0.1", path: str = PATH) -> list[Answer]:
    """Asks so many times at once, on one connection; the answers in the order of the questions."""
    request = _message(domain, entries, hits)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    bodies: dict[int, bytes] = {}
    statuses: dict[int, int] = {}
    with socket.create_connection((host, port), 10) as conn:
        waiting, open_streams = times, set()
        while waiting or open_streams:
            while waiting and len(open_streams) < min(connection.remote_settings.max_concurrent_streams, 100):
                stream = connection.get_next_available_stream_id()
                connection.send_headers(stream, [
                    (":method", "POST"), (":scheme", "http"), (":authority", host), (":path", path),
                    ("content-type", "application/grpc"), ("te", "trailers")])
                connection.send_data(stream, request, end_stream=True)
                open_streams.add(stream)
                bodies[stream] = b""
                waiting -= 1
            conn.sendall(connection.data_to_send())
            data = conn.recv(65_536)
            assert data, "the service closed the connection"
            for event in connection.receive_data(data):
                match event:
                    case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                        found = dict(event.headers)
                        if "grpc-status" in found:
                            statuses[event.stream_id] = int(found["grpc-status"])
                    case h2.events.DataReceived():
                        bodies[event.stream_id] += event.data
                        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    case h2.events.StreamEnded():
                        open_streams.discard(event.stream_id)
                    case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                        raise AssertionError(f"the service broke off: {event}")
    return [_answer(statuses[stream], body) for stream, body in sorted(bodies.items())]


def _answer(status: int, body: bytes) -> Answer:
    if status != GRPC_OK:
        return Answer(status)
    fields = _fields(body[5:])
    described = _fields(fields[2]) if 2 in fields else {}
    return Answer(status, fields.get(1, 0), described.get(3, 0) if described else None)


def _message(domain: str, entries: dict[str, str], hits: int) -> bytes:
    descriptor = b"".join(_text(1, _text(1, key.encode()) + _text(2, value.encode())) for key, value in entries.items())
    message = _text(1, domain.encode()) + _text(2, descriptor) + bytes([3 << 3 | VARINT]) + _varint(hits)
    return struct.pack(">BI", 0, len(message)) + message


def _text(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | DELIMITED]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7f:
        found.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes([*found, value])


def _fields(message: bytes) -> dict[int, int | bytes]:
    """The fields of a message; of a repeated one the last."""
    found, at = {}, 0
    while at < len(message):
        tag, at = unsigned(message, at)
        value, at = unsigned(message, at)
        if tag & 7 == DELIMITED:
            value, at = message[at:at + value], at + value
        found[tag >> 3] = value
    return found
