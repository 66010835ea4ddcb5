"""Spans as a collector receives them: what they say, how they hang together, and that calls never depend on them."""

import json
import secrets
import socket

import pytest

import collector as collectors
import programs
import stack as stacks
from configuration import PROVIDER_OF, UPSTREAM_NAME

FLUSH_MS = 50


def beside(stack, folder, collector, **settings):
    """An Envoy that traces to this collector, and sends spans sooner than the rendered configuration has it."""
    def configure(config):
        config["telemetry"] = {"traces": {"endpoint": collector.endpoint, "protocol": collector.protocol} | settings}

    def edit(bootstrap):
        layer = next(layer for layer in bootstrap["layered_runtime"]["layers"] if layer["name"] == "traces")
        layer["static_layer"]["tracing.opentelemetry.flush_interval_ms"] = FLUSH_MS
    folder.mkdir()
    return stacks.beside(stack, folder, configure=configure, edit=edit)


@pytest.fixture(scope="module", params=["grpc", "http"])
def traced(request, stack, tmp_path_factory):
    """A gateway that traces every call, and the collector of its spans, in which nothing secret may be found."""
    collector = collectors.serve(request.param)
    with beside(stack, tmp_path_factory.mktemp("traced") / "envoy", collector) as running:
        yield running, collector
    collector.stop()
    received = collector.everything()
    words = [*stack.secrets.workspace.values(), *stack.secrets.provider.values(), stack.secrets.prompt, stack.secrets.phrase, "query-canary"]
    assert received and not [word for word in words if word.encode() in received]


@pytest.fixture
def gateway(traced, sim):
    """The gateway that traces, before healthy providers."""
    return traced[0].gateway


@pytest.fixture
def collector(traced):
    """What it sent."""
    return traced[1]


class Caller:
    """A caller's own trace, which a call is made in."""

    def __init__(self, sampled: bool = True):
        self.trace, self.ident = secrets.token_hex(16), secrets.token_hex(8)
        self.headers = [("traceparent", f"00-{self.trace}-{self.ident}-{sampled:02x}"), ("tracestate", "vendor=opaque")]


def said(span, *names):
    """Some attributes of a span; None for one that it does not have."""
    return [span.attributes.get(name) for name in names]


def is_error(span) -> bool:
    """Whether a viewer shows the span as failed: by its status, or by Envoy's mark where there was no answer at all."""
    return span.failed or span.attributes.get("error") == "true"


def logged(running, answer) -> dict:
    """The line of the access log of a call."""
    ident = answer.header("x-request-id")
    return json.loads(programs.until(lambda: next((line for line in running.envoy.output().splitlines() if ident in line), None), "its line", 10))


def test_the_access_log_has_the_trace_of_the_spans(traced, sim, collector):
    running, caller = traced[0], Caller()
    line = logged(running, running.gateway.chat(headers=caller.headers))
    assert line["trace_id"] == caller.trace and collector.trace(caller.trace, 2)
    # A trace that begins here.
    line = logged(running, running.gateway.chat())
    assert collector.trace(line["trace_id"], 2)
    # One that is not sampled has no span, and yet is the caller's.
    caller = Caller(sampled=False)
    assert logged(running, running.gateway.chat(headers=caller.headers))["trace_id"] == caller.trace
    assert logged(running, running.gateway.chat(headers=[("traceparent", "prompt-canary")]))["trace_id"] is None


def test_the_span_of_a_call_says_what_was_asked_and_what_it_took(gateway, collector, stack):
    caller = Caller()
    answer = gateway.chat(text=stack.secrets.prompt, headers=caller.headers)

    call, attempt = collector.trace(caller.trace, 2)

    assert (call.kind, call.name, call.parent, is_error(call)) == ("server", "chat gpt-4o", caller.ident, False)
    assert (attempt.kind, attempt.name, attempt.parent) == ("client", "chat gpt-4o-2024-11-20", call.ident)
    usage = answer.json()["usage"]
    for span in (call, attempt):
        assert said(span, "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model") == [
            "chat", "openai", "gpt-4o", "gpt-4o"]
        assert said(span, "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens") == [
            str(usage["prompt_tokens"]), str(usage["completion_tokens"])]
        assert said(span, "nr.workspace", "nr.key", "nr.objective", "nr.attempts", "nr.provider.status", "error.type") == [
            "acme", "only", answer.routing["objective"], "1", "200", None]
        assert said(span, "nr.task_class", "nr.policy", "nr.model", "nr.provider", "nr.deployment") == [
            answer.routing["task_class"], answer.routing["policy"], "gpt-4o", "openai", UPSTREAM_NAME["gpt-4o"]]
        assert float(span.attributes["nr.cost_usd"]) == answer.routing["cost_usd"]
    assert said(call, "http.request.method", "http.response.status_code", "url.path", "http.url") == [
        "POST", "200", "/v1/chat/completions", "/v1/chat/completions"]
    assert call.attributes["guid:x-request-id"] == answer.header("x-request-id")
    assert call.resource["service.name"] == "neural-router"
    assert call.start_ns <= attempt.start_ns <= attempt.end_ns <= call.end_ns


def test_a_provider_is_handed_the_span_of_its_attempt(gateway, collector, sim):
    caller = Caller()
    sim.fault("anthropic", "status", status=429)
    assert gateway.chat("claude-sonnet", headers=caller.headers, route={"fallbacks": ["gpt-4o"]}).status == 200

    _, first, second = collector.trace(caller.trace, 3)

    for span, provider in ((first, "anthropic"), (second, "openai")):
        assert sim.only(provider).values("traceparent") == [f"00-{caller.trace}-{span.ident}-01"]
        assert sim.only(provider).values("tracestate") == ["vendor=opaque"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("fault", "settings", "status", "error"), [
    ("status", {"status": 429}, "429", "rate_limited"),
    ("status", {"status": 500}, "500", "unavailable"),
    ("refuse", {}, None, "connect_failure"),
    ("hang", {}, None, "timeout"),
    ("headers_then_silence", {}, "200", "timeout"),
    ("html", {}, "200", "malformed"),
], ids=lambda value: value if isinstance(value, str) else None)
def test_a_failover_is_two_spans_each_with_its_own_end(gateway, collector, sim, fault, settings, status, error, stream):
    caller = Caller()
    sim.fault("anthropic", fault, **settings)
    answer = gateway.chat("claude-sonnet", headers=caller.headers, route={"fallbacks": ["gpt-4o"]}, stream=stream)
    assert answer.status == 200 and (not stream or answer.done)

    call, first, second = collector.trace(caller.trace, 3)

    assert [first.parent, second.parent] == [call.ident, call.ident]
    assert said(first, "nr.model", "nr.provider", "nr.attempts", "nr.provider.status", "error.type") == [
        "claude-sonnet", "anthropic", "1", status, error]
    assert said(first, "gen_ai.provider.name", "gen_ai.response.model", "gen_ai.usage.output_tokens") == ["anthropic", None, None]
    assert is_error(first) and not is_error(second) and not is_error(call)
    for span in (second, call):
        assert said(span, "nr.model", "nr.provider", "nr.attempts", "nr.provider.status", "error.type") == [
            "gpt-4o", "openai", "2", "200", None]
        assert said(span, "gen_ai.request.model", "gen_ai.response.model", "gen_ai.provider.name") == ["claude-sonnet", "gpt-4o", "openai"]
    assert first.end_ns <= second.start_ns


def test_the_spans_of_a_stream_last_as_long_as_it_and_have_its_usage(gateway, collector, sim):
    caller = Caller()
    sim.behave("openai", text="one two three four five six", chunk_interval_ms=60)
    answer = gateway.chat(headers=caller.headers, stream=True, stream_options={"include_usage": True})
    usage = next(chunk["usage"] for chunk in answer.chunks if chunk["usage"])

    call, attempt = collector.trace(caller.trace, 2)

    for span in (call, attempt):
        assert said(span, "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens") == [
            str(usage["prompt_tokens"]), str(usage["completion_tokens"])]
        assert (span.end_ns - span.start_ns) / 1e9 > 0.2


def test_a_stream_that_breaks_is_an_error(gateway, collector, sim):
    caller = Caller()
    sim.fault("openai", "reset_mid_stream", after_chunks=2)
    assert not gateway.chat(headers=caller.headers, stream=True).done
    for span in collector.trace(caller.trace, 2):
        assert span.attributes["error.type"] == "reset"


def test_embeddings_are_an_operation_of_their_own(gateway, collector):
    caller = Caller()
    body = json.dumps({"model": "text-embedding-3-small", "input": ["Say hello."]}).encode()
    assert gateway.call("POST", "/v1/embeddings", body=body, headers=caller.headers).status == 200
    call, attempt = collector.trace(caller.trace, 2)
    assert call.name == attempt.name == "embeddings text-embedding-3-small"
    assert said(call, "gen_ai.operation.name", "nr.task_class") == ["embeddings", None]


def test_a_call_that_nobody_answers_says_why(gateway, collector, sim):
    caller = Caller()
    for provider in PROVIDER_OF.values():
        sim.fault(provider, "status", status=529)
    assert gateway.chat(headers=caller.headers).status == 503
    call, attempt = collector.trace(caller.trace, 2)
    assert said(call, "error.type", "http.response.status_code", "gen_ai.response.model") == ["overloaded", "503", None]
    assert is_error(call) and attempt.attributes["error.type"] == "overloaded"


@pytest.mark.parametrize(("ask", "name", "error"), [
    (lambda gateway, headers: gateway.chat(key="nr-wrong-key", headers=headers), "POST", "unauthenticated"),
    (lambda gateway, headers: gateway.chat(model="name-of-nothing", headers=headers), "chat", "model_not_found"),
    (lambda gateway, headers: gateway.post(b"{}", headers=headers), "chat", "invalid_request"),
    (lambda gateway, headers: gateway.call("GET", "/v1/nowhere?key=query-canary", headers=headers), "GET", "invalid_request"),
    (lambda gateway, headers: gateway.call("GET", "/v1/models?key=query-canary", headers=headers), "GET", None),
], ids=["no key", "no such model", "no request", "no such path", "models"])
def test_what_reaches_no_provider_is_one_span(gateway, collector, ask, name, error):
    caller = Caller()
    ask(gateway, caller.headers)
    [call] = collector.trace(caller.trace, 1)
    assert (call.name, call.attributes.get("error.type"), call.parent) == (name, error, caller.ident)
    assert "name-of-nothing" not in json.dumps(call.attributes)


def test_a_call_without_a_trace_begins_one(gateway, collector, sim):
    assert gateway.chat().status == 200
    [sent] = sim.only("openai").values("traceparent")
    version, trace, parent, flags = sent.split("-")
    assert (version, flags) == ("00", "01")
    call, attempt = collector.trace(trace, 2)
    assert call.parent == "" and attempt.ident == parent


@pytest.mark.parametrize("sent", [
    [("traceparent", b"")],
    [("traceparent", b"garbage")],
    [("traceparent", b"\xff\xfe-\x80")],
    [("traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01")],
    [("traceparent", b"ff-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01")],
    [("traceparent", b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"), ("traceparent", b"00-" + b"3" * 32 + b"-" + b"4" * 16 + b"-01")],
    [("traceparent", b"0" * 8_000)],
    [("traceparent", b"00-" + b"5" * 32 + b"-" + b"6" * 16 + b"-01"), ("tracestate", b"\xff=" + b"x" * 4_000)],
    [("tracestate", b"without=a,parent")],
], ids=["empty", "garbage", "not text", "zeros", "version ff", "two", "long", "state", "state alone"])
def test_a_hostile_trace_does_no_harm(traced, gateway, collector, sim, sent):
    assert gateway.chat(headers=sent).status in (200, 400)
    own = Caller()
    assert gateway.chat(headers=own.headers).status == 200
    assert len(collector.trace(own.trace, 2)) == 2
    assert not stacks.TRAP_MARKS.search(traced[0].envoy.errors())


@pytest.mark.parametrize(("name", "value"), [
    ("tracestate", b"\xff=x"),
    ("user-agent", b"\xffx"),
    ("x-client-trace-id", b"\x80"),
    ("content-type", b"application/grpc\xff"),
    ("content-type", b"application/grpc+\xfe"),
    ("grpc-timeout", b"\xff"),
], ids=str)
@pytest.mark.parametrize("key", ["", "nr-wrong-key"], ids=["caller", "stranger"])
def test_bytes_that_are_no_text_do_not_spoil_the_message_that_spans_are_sent_in(gateway, collector, name, value, key):
    own, headers = Caller(), [("content-type", "application/grpc")] if name == "grpc-timeout" else []
    gateway.chat(key=key, headers=[own.headers[0], (name, value), *headers])
    collector.trace(own.trace, 1 if key else 2)


def test_a_caller_that_does_not_sample_is_not_traced_but_its_trace_goes_on(gateway, collector, sim):
    quiet, loud = Caller(sampled=False), Caller()
    assert gateway.chat(headers=quiet.headers).status == 200
    [sent] = sim.only("openai").values("traceparent")
    assert sent.startswith(f"00-{quiet.trace}-") and sent.endswith("-00") and quiet.ident not in sent
    assert gateway.chat(headers=loud.headers).status == 200
    collector.trace(loud.trace, 2)
    assert not [span for span in collector.spans if span.trace == quiet.trace]


@pytest.fixture
def receiver():
    """A collector for one test."""
    running = collectors.serve("grpc")
    yield running
    running.stop()


def test_without_sampling_only_callers_that_sample_are_traced(stack, sim, tmp_path, receiver):
    with beside(stack, tmp_path / "envoy", receiver, sampling=0.0) as running:
        for headers in ([], [("x-client-trace-id", "me")], [("x-envoy-force-trace", "true")]):
            assert running.gateway.chat(headers=headers).status == 200
        assert [request.values("traceparent")[0][-2:] for request in sim.requests("openai")] == ["00"] * 3
        caller = Caller()
        assert running.gateway.chat(headers=caller.headers).status == 200
        receiver.trace(caller.trace, 2)
    assert {span.trace for span in receiver.spans} == {caller.trace}


def test_a_share_of_the_calls_is_sampled(stack, sim, tmp_path, receiver):
    sim.record(False)
    calls = 400
    with beside(stack, tmp_path / "envoy", receiver, sampling=0.25, service_name="quarter") as running:
        for _ in range(calls):
            assert running.gateway.call("GET", "/v1/models").status == 200
        caller = Caller()
        running.gateway.chat(headers=caller.headers)
        receiver.trace(caller.trace, 2)
    sampled = {span.trace for span in receiver.spans} - {caller.trace}
    # 100 are expected; beyond five standard deviations would be no quarter.
    assert 57 <= len(sampled) <= 143
    assert {span.resource["service.name"] for span in receiver.spans} == {"quarter"}
    sim.record(True)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_calls_go_on_without_a_collector_and_spans_come_when_it_is_back(stack, sim, tmp_path, receiver):
    with beside(stack, tmp_path / "envoy", receiver) as running:
        receiver.stop()
        programs.until(lambda: not listens(receiver.port), "the collector to be gone")
        for stream in (False, True) * 20:
            answer = running.gateway.chat(stream=stream)
            assert answer.status == 200 and not answer.torn and answer.seconds < 2
        back = collectors.serve("grpc", receiver.port)
        try:
            def traced_again():
                caller = Caller()
                assert running.gateway.chat(headers=caller.headers).status == 200
                return bool(back.spans)
            programs.until(traced_again, "spans at the collector that is back", 20, every=0.2)
        finally:
            back.stop()


def test_a_collector_that_takes_the_connection_and_says_nothing_holds_nobody_up(stack, sim, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = collectors.Collector("grpc", silent.getsockname()[1])
        with beside(stack, tmp_path / "envoy", mute) as running:
            for _ in range(30):
                answer = running.gateway.chat()
                assert answer.status == 200 and answer.seconds < 2


def test_without_the_section_nothing_is_rendered_for_traces(stack):
    bootstrap = stack.bootstrap.read_text()
    assert not [word for word in ("opentelemetry", "traced_as", "nr.span", "\"traces\"") if word in bootstrap]
