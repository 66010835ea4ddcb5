"""The access log: one JSON line per call that says what happened and holds nothing private."""

import json
import re
from decimal import Decimal

import pytest

from programs import until


def entry(stack, request_id: str) -> dict:
    """The line of one call."""
    def find():
        for line in stack.envoy.output().splitlines():
            if request_id in line:
                return line
        return None
    lines = until(find, f"the access log line of {request_id}", 10)
    return json.loads(lines)


def entries(stack, request_id: str) -> int:
    return sum(request_id in line for line in stack.envoy.output().splitlines())


@pytest.mark.parametrize(("model", "stream"), [("gpt-4o", False), ("gpt-4o", True), ("claude-sonnet", False), ("claude-sonnet", True)])
def test_a_call_is_one_line_with_workspace_requested_model_and_attempts(stack, gateway, sim, model, stream):
    sim.fault("groq", "status", status=500)
    answer = gateway.chat("llama-3.3-70b", text=stack.secrets.prompt, stream=stream, route={"fallbacks": [model]})

    line = entry(stack, answer.header("x-request-id"))

    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/chat/completions", 200)
    assert (line["workspace"], line["key"], line["model"]) == ("acme", "only", "llama-3.3-70b")
    attempts = json.dumps(line["attempts"])
    assert 0 < attempts.index("llama-3.3-70b") < attempts.index(model)
    assert line["usage"]
    assert line["duration_ms"] >= 0 and entries(stack, answer.header("x-request-id")) == 1


def test_a_refused_call_is_a_line_too(stack, gateway):
    refused = gateway.chat(key="nr-wrong-key-canary")
    line = entry(stack, refused.header("x-request-id"))
    assert line["status"] == 401 and not line["workspace"]
    assert "canary" not in json.dumps(line)


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(("traceparent", "trace"), [
    (f"00-{TRACE}-b7ad6b7169203331-01", TRACE), (f"00-{TRACE}-b7ad6b7169203331-00", TRACE), (None, None), ("nonsense", None),
    (f"00-{TRACE}ff-b7ad6b7169203331-01", None), (f"00-{TRACE}-b7ad6b7169203331-01, 00-{TRACE}-b7ad6b7169203331-01", None),
    ("00-prompt-canary-01", None),
], ids=["sampled", "not sampled", "none", "no traceparent", "too long", "two", "words"])
def test_a_line_has_the_id_of_its_callers_trace(stack, gateway, traceparent, trace):
    """Of an Envoy without a tracer."""
    answer = gateway.chat(headers=[("traceparent", traceparent)] if traceparent else [])
    line = entry(stack, answer.header("x-request-id"))
    assert line["trace_id"] == trace and "canary" not in json.dumps(line)


def test_a_query_is_not_logged(stack, gateway):
    answer = gateway.call("GET", "/v1/models?api_key=query-canary")
    line = entry(stack, answer.header("x-request-id"))
    assert line["path"] == "/v1/models" and "query-canary" not in json.dumps(line)


def test_every_line_of_the_log_is_a_json_object(stack, gateway):
    answer = gateway.raw(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nuser-agent: \"\\\xff\x80\"\r\nauthorization: Bearer "
                         + gateway.key.encode() + b"\r\n\r\n")
    entry(stack, answer.header("x-request-id"))
    lines = stack.envoy.output().splitlines()
    assert lines and all(isinstance(json.loads(line), dict) for line in lines)


def test_the_logs_so_far_hold_no_trap_and_no_secret(stack, gateway):
    assert gateway.chat(text=stack.secrets.prompt).status == 200
    assert stack.faults_in_logs() == []


def test_a_line_says_how_the_call_ended_whose_doing_it_was_and_who_served_it(stack, gateway, sim):
    def end_of(answer) -> dict:
        return json.loads(entry(stack, answer.header("x-request-id"))["end"])
    sim.fault("groq", "status", status=500)
    served = end_of(gateway.chat("llama-3.3-70b", stream=True, route={"fallbacks": ["gpt-4o"]}))
    first_token_ms = served.pop("first_token_ms")
    assert served == {"outcome": "ok", "fault": "none", "model": "gpt-4o", "provider": "openai"} and 0 <= first_token_ms < 5_000
    assert end_of(gateway.chat()) == {"outcome": "ok", "fault": "none", "model": "gpt-4o", "provider": "openai"}
    assert end_of(gateway.chat("llama-3.3-70b")) == {
        "outcome": "no_provider", "fault": "provider", "model": "llama-3.3-70b", "provider": "groq"}
    assert end_of(gateway.chat("no-such-model")) == {
        "outcome": "model_not_found", "fault": "caller", "model": "none", "provider": "none", "code": "model_not_found"}
    assert end_of(gateway.chat(key="nr-wrong"))["outcome"] == "unauthenticated"


def test_a_line_has_all_that_is_promised_of_it(stack, gateway):
    answer = gateway.chat("auto", text=stack.secrets.prompt)
    line = entry(stack, answer.header("x-request-id"))
    decision, usage, end = (json.loads(line[name]) for name in ("decision", "usage", "end"))
    [attempt] = json.loads(line["attempts"])
    assert (line["workspace"], line["key"], line["model"]) == ("acme", "only", "auto")
    assert answer.json()["id"] == "nrc_" + line["request_id"].replace("-", "")
    assert {"objective", "task_class", "policy"} <= decision.keys() and decision["policy"] == answer.routing["policy"]
    assert (end["model"], end["provider"]) == (attempt["model"], attempt["provider"]) == (answer.routing["selected"], answer.routing["provider"])
    assert (usage["total_tokens"], usage["cost_usd"]) == (answer.json()["usage"]["total_tokens"], answer.routing["cost_usd"])
    assert attempt["latency_ms"] <= line["duration_ms"] + 1 and line["first_byte_ms"] >= 0


TOLD_EVERY = 512  # bytes of an answer between what the log is told
CHUNK = "word " * 10


@pytest.mark.parametrize(("model", "provider"), [("meter", "openai"), ("meter-anthropic", "anthropic")])
@pytest.mark.parametrize("chunks", [1, 30])
def test_a_stream_whose_client_left_has_its_usage_so_far(stack, fresh, sim, model, provider, chunks):
    caller = fresh("metered")
    sim.behave(provider, text=CHUNK * 60, chunks=60, chunk_interval_ms=15)
    with caller.held(model, max_tokens=900) as stream:
        stream.chunks(chunks)
    spent = until(caller.spent, "a charge")
    line = entry(stack, re.search(rb"x-request-id: (\S+)", stream.seen)[1].decode())
    usage = json.loads(line["usage"], parse_float=Decimal)
    assert usage["so_far"] is True and usage["estimated"] is True and usage["prompt_tokens"] > 0
    assert 0 < usage["cost_usd"] <= spent
    assert usage["completion_tokens"] * 5 >= len(CHUNK) * (chunks - 1) - TOLD_EVERY
