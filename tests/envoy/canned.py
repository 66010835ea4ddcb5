"""A provider of OpenAI's protocol over HTTP/1.1 that answers every call with the bytes it was told, whatever they are."""

import json
import socket
import time

from accepting import Server

TEXT = "Hello there."
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
DONE = b"data: [DONE]\n\n"
PAUSE = 0.005  # between pieces, so that Envoy sees them apart


class Provider(Server):
    """Answers every call with `pieces`, and then ends the connection if `closes`."""

    def __init__(self):
        self.pieces: list[bytes] = []
        self.closes = False
        super().__init__()

    def will(self, *pieces: bytes, closes: bool = False) -> None:
        """From now on it answers so."""
        self.pieces, self.closes = list(pieces), closes

    def serve(self, conn: socket.socket) -> None:
        with conn:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while _read_request(conn):
                    for piece in self.pieces:
                        conn.sendall(piece)
                        time.sleep(PAUSE)
                    if self.closes:
                        return
            except OSError:
                pass


def _read_request(conn: socket.socket) -> bool:
    held = b""
    while b"\r\n\r\n" not in held:
        if not (more := conn.recv(65_536)):
            return False
        held += more
    head, _, body = held.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    missing = int(lengths[0]) - len(body) if lengths else 0
    while missing > 0:
        if not (more := conn.recv(65_536)):
            return False
        missing -= len(more)
    return True


def whole(body: bytes, status: str = "200 OK", headers: str = "content-type: application/json\r\n") -> bytes:
    """An answer with this body."""
    return f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body


def completion(usage="", text: str = TEXT) -> bytes:
    """The body of a completion; `usage` as it is written, or none."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = json.dumps({"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})
    return (body[:-1] + f',"usage":{usage}}}' if usage else body).encode()


def stream(*events: bytes, ends: bool = True) -> list[bytes]:
    """The pieces of a streamed answer: its headers, each event in a chunk of its own, and the end."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%s\r\n" % (len(event), event) for event in events), *([b"0\r\n\r\n"] if ends else [])]


def chunk(text: str = "", finish: str | None = None, index: int = 0, usage: str = "null") -> bytes:
    """A chunk with one choice; `usage` as it is written."""
    delta = {"content": text} if text else {}
    body = json.dumps({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": index, "delta": delta, "finish_reason": finish}]})
    return f'data: {body[:-1]},"usage":{usage}}}\n\n'.encode()


def usage_chunk(usage: str) -> bytes:
    """The chunk without choices that tells what was used; `usage` as it is written."""
    return f'data: {{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{usage}}}\n\n'.encode()
