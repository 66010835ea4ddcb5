"""What `docker compose up` promises: the same demo as `make up`, through containers."""

import json
import time

from conftest import DEMO_KEY

PROVIDERS = {"openai", "anthropic", "groq"}


def ask(**more) -> dict:
    """A chat call's body."""
    return {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}], **more}


def events(answer) -> list[str]:
    """The data of each event of a stream."""
    return [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")]


def test_a_call_is_answered_by_a_provider_in_another_container(gateway, simulator):
    answer = gateway.post("/v1/chat/completions", json=ask())
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["id"].startswith("nrc_")
    assert body["choices"][0]["message"]["content"]
    assert [attempt["outcome"] for attempt in body["routing"]["attempts"]] == ["ok"]
    served_by = body["routing"]["provider"]
    assert served_by in PROVIDERS
    received = {name: len(simulator.get(f"/providers/{name}/requests").json()) for name in PROVIDERS}
    assert received == {name: int(name == served_by) for name in PROVIDERS}


def test_a_stream_arrives_event_by_event_and_ends_as_promised(gateway, simulator):
    for name in PROVIDERS:
        simulator.put(f"/providers/{name}/behaviour", json={"chunks": 5, "chunk_interval_ms": 100}).raise_for_status()
    body = ask(stream=True, stream_options={"include_usage": True})
    with gateway.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200, answer.read()
        arrived, seen = [], []
        for line in answer.iter_lines():
            if line.startswith("data: "):
                arrived.append(time.monotonic())
                seen.append(line.removeprefix("data: "))
    assert seen[-1] == "[DONE]"
    chunks = [json.loads(data) for data in seen[:-1]]
    assert chunks[0]["routing"]["provider"] in PROVIDERS
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert arrived[-1] - arrived[0] > 0.2, "the stream was held back and came in one piece"


def test_a_call_fails_over_to_the_next_provider_and_says_so(gateway, simulator):
    first = gateway.post("/v1/chat/completions", json=ask()).json()["routing"]["provider"]
    simulator.put(f"/providers/{first}/fault", json={"kind": "status", "status": 503}).raise_for_status()
    answer = gateway.post("/v1/chat/completions", json=ask())
    assert answer.status_code == 200, answer.text
    attempts = answer.json()["routing"]["attempts"]
    assert [(attempt["outcome"], attempt["status"]) for attempt in attempts[:1]] == [("status", 503)]
    assert attempts[0]["provider"] == first
    assert attempts[-1]["outcome"] == "ok"
    assert attempts[-1]["provider"] != first


def test_a_stream_fails_over_when_the_provider_refuses_connections(gateway, simulator):
    first = gateway.post("/v1/chat/completions", json=ask()).json()["routing"]["provider"]
    simulator.put(f"/providers/{first}/fault", json={"kind": "refuse"}).raise_for_status()
    with gateway.stream("POST", "/v1/chat/completions", json=ask(stream=True)) as answer:
        assert answer.status_code == 200, answer.read()
        seen = events(answer)
    attempts = json.loads(seen[0])["routing"]["attempts"]
    assert attempts[0]["provider"] == first
    assert attempts[0]["outcome"] == "connect_failure"
    assert seen[-1] == "[DONE]"


def test_the_models_are_listed(gateway):
    answer = gateway.get("/v1/models")
    assert answer.status_code == 200, answer.text
    listed = {model["id"] for model in answer.json()["data"]}
    assert {"claude-sonnet", "gpt-4o", "llama-3.3-70b"} <= listed


def test_a_call_without_a_key_is_refused(gateway):
    answer = gateway.post("/v1/chat/completions", json=ask(), headers={"authorization": "Bearer nr-wrong"})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "unauthenticated"


def test_the_log_has_a_json_line_for_the_call_and_no_key(gateway, simulator, logs):
    asked = gateway.post("/v1/chat/completions", json=ask())
    request_id = asked.headers["x-request-id"]
    end = time.monotonic() + 30  # Envoy flushes its access log every ten seconds
    while request_id not in (text := logs()) and time.monotonic() < end:
        time.sleep(0.5)
    lines = [line for line in text.splitlines() if request_id in line]
    assert lines, f"no line for {request_id} in:\n{text[-3000:]}"
    assert isinstance(json.loads(lines[0][lines[0].index("{"):]), dict)
    assert DEMO_KEY not in text
