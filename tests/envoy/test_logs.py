"""The access log: one JSON line per call that says what happened and holds nothing private."""

import json

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
