"""A rate-limit service for the fleet's limits that answers when the test has it so."""

import threading
from collections import Counter
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

import programs
from mortal import unsigned

PATH = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
GRANTED = b"\x08\x01"
DELIMITED = 2


@dataclass
class Service:
    """Grants everything, and adds it up. While it is held its answers wait."""

    port: int
    granted: Counter = field(default_factory=Counter)
    waiting: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    free: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: bytes, _) -> bytes:
        """One question: the scope, the limit and the hits it is about."""
        message = _fields(request)
        entries = dict(_entry(entry) for entry in _fields(message[2][-1])[1])
        with self.lock:
            self.waiting += 1
        self.free.wait(60)
        with self.lock:
            self.waiting -= 1
            self.granted[entries["nr_scope"], entries["nr_limit"]] += message[3][-1]
        return GRANTED

    @contextmanager
    def held(self):
        """Nothing is answered in this block."""
        self.free.clear()
        try:
            yield
        finally:
            self.free.set()

    def settings(self, **others) -> dict:
        """The `limits` of a configuration."""
        return {"scope": "fleet", "service": {"address": "127.0.0.1", "port": self.port}} | others


@contextmanager
def serving():
    """The service, as long as the block lasts."""
    [port] = programs.free_ports(1)
    service = Service(port)
    service.free.set()
    server = grpc.server(futures.ThreadPoolExecutor(32))
    method = grpc.unary_unary_rpc_method_handler(service.answer)
    name, call = PATH.strip("/").split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {call: method}),))
    assert server.add_insecure_port(f"127.0.0.1:{port}") == port
    server.start()
    try:
        yield service
    finally:
        service.free.set()
        server.stop(0).wait()


def _fields(message: bytes) -> dict[int, list]:
    found: dict[int, list] = {}
    at = 0
    while at < len(message):
        tag, at = unsigned(message, at)
        value, at = unsigned(message, at)
        if tag & 7 == DELIMITED:
            value, at = message[at:at + value], at + value
        found.setdefault(tag >> 3, []).append(value)
    return found


def _entry(entry: bytes) -> tuple[str, str]:
    fields = _fields(entry)
    return fields[1][-1].decode(), fields[2][-1].decode()
