"""A small OTLP receiver: keeps the spans that it is sent, over gRPC or over HTTP, and can be taken away."""

import threading
from concurrent import futures
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

import programs

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
KINDS = {2: "server", 3: "client"}


@dataclass
class Span:
    """One span as it arrived; attributes are texts and numbers."""

    trace: str
    ident: str
    parent: str
    name: str
    kind: str
    failed: bool
    start_ns: int
    end_ns: int
    attributes: dict
    resource: dict
    state: str


@dataclass
class Collector:
    """The spans so far, and where they are taken."""

    protocol: str
    port: int
    spans: list[Span] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: object = None

    @property
    def endpoint(self) -> str:
        """As `telemetry.traces.endpoint` names it."""
        return f"http://127.0.0.1:{self.port}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keeps what one export holds."""
        with self.lock:
            self.raw.append(request.SerializeToString())
            for resource in request.resource_spans:
                of = _attributes(resource.resource.attributes)
                self.spans += [_span(span, of) for scope in resource.scope_spans for span in scope.spans]

    def trace(self, trace: str, spans: int) -> list[Span]:
        """The spans of a trace, the earliest first, once there are that many."""
        def found():
            with self.lock:
                those = [span for span in self.spans if span.trace == trace]
            return those if len(those) >= spans else None
        try:
            those = programs.until(found, f"{spans} spans of the trace {trace}", 10)
        except AssertionError as gave_up:
            with self.lock:
                seen = [(span.trace, span.name) for span in self.spans]
            raise AssertionError(f"{gave_up}; there are {seen}") from None
        return sorted(those, key=lambda span: (span.start_ns, span.kind != "server"))

    def everything(self) -> bytes:
        """All that was ever received."""
        with self.lock:
            return b"".join(self.raw)


def serve(protocol: str, port: int | None = None) -> Collector:
    """A receiver on a port of its own, or on this one."""
    collector = Collector(protocol, port or programs.free_ports(1)[0])
    collector.stop = {"grpc": _serve_grpc, "http": _serve_http}[protocol](collector)
    return collector


def _serve_grpc(collector: Collector):
    def export(request, _context):
        collector.take(request)
        return ExportTraceServiceResponse()

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method != EXPORT:
                return None
            return grpc.unary_unary_rpc_method_handler(
                export, ExportTraceServiceRequest.FromString, ExportTraceServiceResponse.SerializeToString)

    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Handler(),))
    assert server.add_insecure_port(f"127.0.0.1:{collector.port}") == collector.port
    server.start()
    return lambda: server.stop(0).wait()


def _serve_http(collector: Collector):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self._chunks() if self.headers["transfer-encoding"] == "chunked" else self.rfile.read(int(self.headers["content-length"]))
            known = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
            if known:
                collector.take(ExportTraceServiceRequest.FromString(body))
            self.send_response(200 if known else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", collector.port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop():
        server.shutdown()
        server.server_close()
    return stop


def _span(span, resource: dict) -> Span:
    return Span(
        span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name, KINDS.get(span.kind, str(span.kind)),
        span.status.code == 2, span.start_time_unix_nano, span.end_time_unix_nano, _attributes(span.attributes), resource, span.trace_state)


def _attributes(pairs) -> dict:
    values = {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
    assert len(values) == len(pairs), f"an attribute came twice: {[pair.key for pair in pairs]}"
    return values
