"""A provider of OpenAI's protocol over HTTP/2 by prior knowledge, whose every answer ends with trailers."""

import json
import socket

import h2.config
import h2.connection
import h2.events

from accepting import Server

TRAILERS = [("x-trailer", "1"), ("grpc-status", "0")]
TEXT = "Hello."


class Provider(Server):
    """Answers every call alike."""

    def serve(self, conn: socket.socket) -> None:
        _serve(conn)


def _serve(conn: socket.socket) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    bodies: dict[int, bytes] = {}
    with conn:
        conn.sendall(connection.data_to_send())
        while data := _received(conn):
            for event in connection.receive_data(data):
                match event:
                    case h2.events.DataReceived(stream_id=stream):
                        bodies[stream] = bodies.get(stream, b"") + event.data
                        connection.acknowledge_received_data(event.flow_controlled_length, stream)
                    case h2.events.StreamEnded(stream_id=stream):
                        _answer(connection, stream, json.loads(bodies.pop(stream)))
            conn.sendall(connection.data_to_send())


def _received(conn: socket.socket) -> bytes:
    try:
        return conn.recv(65_536)
    except OSError:
        return b""


def _answer(connection: h2.connection.H2Connection, stream: int, request: dict) -> None:
    common = {"id": "c1", "created": 1, "model": request["model"]}
    if request.get("stream"):
        kind, chunk = "text/event-stream", common | {"object": "chat.completion.chunk"}
        deltas = [{"role": "assistant", "content": TEXT}, {}]
        chunks = [chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]} for delta in deltas]
        body = "".join(f"data: {json.dumps(one)}\n\n" for one in chunks) + "data: [DONE]\n\n"
    else:
        kind = "application/json"
        choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
        body = json.dumps(common | {"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    connection.send_headers(stream, [(":status", "200"), ("content-type", kind)])
    connection.send_data(stream, body.encode())
    connection.send_headers(stream, TRAILERS, end_stream=True)
