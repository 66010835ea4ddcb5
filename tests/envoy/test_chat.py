"""`POST /v1/chat/completions`: what arrives at an OpenAI-protocol provider, and what comes back."""

import json

import pytest

from configuration import UPSTREAM_NAME
from gateway import assert_error
from requests_json import JSON_SCHEMA, UNUSUAL, WEATHER_TOOL, members

MESSAGES = '[{"role":"user",  "content":"Say \\u0022hello\\u0022 to caf\\u00e9 \\ud83d\\ude00."}]'
DOCUMENTED = {
    "messages": MESSAGES,
    "temperature": "0.70",
    "max_tokens": "64",
    "tools": json.dumps([WEATHER_TOOL], indent=1),
    "response_format": '{ "type": "text" }',
}


def compact(fields: dict[str, str]) -> bytes:
    return ("{" + ",".join(f'"{key}":{value}' for key, value in fields.items()) + "}").encode()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("extra", [{}, UNUSUAL], ids=["documented", "unusual"])
def test_every_field_reaches_an_openai_provider_as_it_was_written(gateway, sim, stream, extra):
    fields = {"model": '"gpt-4o"'} | DOCUMENTED
    fields["route"] = '{"objective":"quality","fallbacks":["llama-3.3-70b"],"max_latency_ms":5000,"task_class":"code"}'
    if stream:
        fields["stream"] = "true"
    fields |= extra

    answer = gateway.post(compact(fields))

    assert answer.status == 200, answer.body[:600]
    received = members(sim.only("openai").body.decode())
    ours = {key: json.loads(value) for key, value in received if key in ("model", "stream_options")}
    usage = {"stream_options": {"include_usage": True}} if stream else {}
    assert ours == {"model": UPSTREAM_NAME["gpt-4o"]} | usage
    assert [pair for pair in received if pair[0] not in ours] == [
        pair for pair in fields.items() if pair[0] not in ("model", "route")]


def test_a_field_nobody_knows_is_the_provider_s_to_judge(gateway, sim):
    body = b'{"model":"gpt-4o","a_field_of_next_year":{"nested":[1.50, null,{"deep":true}]},"messages":' + MESSAGES.encode() + b"}"

    answer = gateway.post(body)

    error = assert_error(answer, 400, "invalid_request")
    assert "a_field_of_next_year" in error["message"]
    assert members(sim.only("openai").body.decode())[1] == ("a_field_of_next_year", '{"nested":[1.50, null,{"deep":true}]}')


def test_stream_options_of_the_client_keep_their_other_fields(gateway, sim):
    answer = gateway.chat(stream=True, stream_options={"include_usage": False, "include_obfuscation": False})

    assert answer.status == 200
    assert sim.only("openai").json()["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert all(chunk.get("usage") is None for chunk in answer.chunks)


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet", "llama-3.3-70b", "auto"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_route_never_arrives_at_a_provider(gateway, sim, model, stream):
    answer = gateway.chat(model, stream=stream, route={"fallbacks": ["gpt-4o"], "max_latency_ms": 5000})

    assert answer.status == 200
    received = [recorded for name in sim.providers for recorded in sim.requests(name)]
    assert len(received) == 1
    assert b"route" not in received[0].body and b"max_latency_ms" not in received[0].body


@pytest.mark.parametrize(("model", "provider", "path"), [
    ("gpt-4o", "openai", "/v1/chat/completions"),
    ("llama-3.3-70b", "groq", "/v1/chat/completions"),
    ("claude-sonnet", "anthropic", "/v1/messages"),
])
def test_a_completion_has_openai_s_shape_and_says_how_it_was_routed(gateway, sim, model, provider, path):
    sim.behave(provider, text="Hello there.")

    answer = gateway.chat(model)

    assert answer.status == 200 and answer.header("content-type") == "application/json"
    assert sim.only(provider).path == path
    body = answer.json()
    assert body["id"].startswith("nrc_") and len(body["id"]) > 12
    assert body["object"] == "chat.completion" and body["model"] == model
    assert isinstance(body["created"], int) and body["created"] > 1_600_000_000
    assert [choice["index"] for choice in body["choices"]] == [0]
    assert body["choices"][0]["message"]["role"] == "assistant"
    assert body["choices"][0]["message"]["content"] == "Hello there."
    assert body["choices"][0]["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["prompt_tokens"] > 0 and usage["completion_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    routing = body["routing"]
    assert {"selected", "objective", "candidates_considered", "reason", "provider", "attempts", "adjustments"} <= set(routing)
    assert routing["selected"] == model and routing["provider"] == provider
    assert routing["objective"] == "quality-per-dollar" and routing["candidates_considered"] == 1
    assert isinstance(routing["reason"], str) and routing["reason"]
    [attempt] = routing["attempts"]
    assert 0 <= attempt.pop("latency_ms") < 5000
    assert attempt == {"model": model, "provider": provider, "outcome": "ok", "status": 200}


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet", "llama-3.3-70b"])
@pytest.mark.parametrize("wanted", [True, False], ids=["usage wanted", "usage not wanted"])
def test_a_stream_begins_with_routing_and_ends_with_usage_and_done(gateway, sim, model, wanted):
    provider = {"gpt-4o": "openai", "claude-sonnet": "anthropic", "llama-3.3-70b": "groq"}[model]
    sim.behave(provider, text="One two three four five six.", chunks=6)

    answer = gateway.chat(model, stream=True, stream_options={"include_usage": True} if wanted else None)

    assert answer.status == 200 and answer.done and not answer.torn and not answer.stream_errors
    chunks = answer.chunks
    assert answer.streamed_text == "One two three four five six."
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["model"] for chunk in chunks} == {model}
    assert len({chunk["id"] for chunk in chunks}) == 1 and chunks[0]["id"].startswith("nrc_")
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [index for index, chunk in enumerate(chunks) if "routing" in chunk] == ([0, len(chunks) - 1] if wanted else [0])
    routing = chunks[0]["routing"]
    assert routing["selected"] == model and routing["provider"] == provider
    assert [attempt["outcome"] for attempt in routing["attempts"]] == ["ok"]
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert reasons == ["stop"]
    with_usage = [index for index, chunk in enumerate(chunks) if chunk.get("usage")]
    if wanted:
        assert with_usage == [len(chunks) - 1] and chunks[-1]["choices"] == []
        usage = chunks[-1]["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    else:
        assert with_usage == [] and all(chunk["choices"] for chunk in chunks)


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
def test_events_arrive_as_the_provider_sends_them(gateway, sim, model):
    provider = {"gpt-4o": "openai", "claude-sonnet": "anthropic"}[model]
    sim.behave(provider, chunks=6, chunk_interval_ms=60)

    answer = gateway.chat(model, stream=True)

    assert answer.done
    spread = answer.arrivals[-1] - answer.arrivals[0]
    assert spread > 0.2, f"everything came within {spread:.3f} s: the stream was held back"


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_a_stream_is_the_same_however_the_provider_cuts_it(gateway, sim, model, size):
    provider = {"gpt-4o": "openai", "claude-sonnet": "anthropic"}[model]
    text = "Grüße, 世界 \U0001f600 \"quoted\"\nnew line"
    sim.behave(provider, text=text, chunks=4, split_bytes=size)

    answer = gateway.chat(model, stream=True, stream_options={"include_usage": True})

    assert answer.done and answer.streamed_text == text
    assert answer.chunks[-1]["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("field", [{"stream": False}, {"stream": None}], ids=["false", "absent"])
def test_a_call_that_asks_for_no_stream_gets_json(gateway, field):
    answer = gateway.chat(**field)
    assert answer.header("content-type") == "application/json" and answer.json()["object"] == "chat.completion"


def test_tools_travel_both_ways_through_an_openai_provider(gateway, sim):
    sim.behave("openai", tool_calls=True)
    for stream in (False, True):
        answer = gateway.chat(tools=[WEATHER_TOOL], tool_choice="auto", stream=stream)
        assert answer.status == 200
        if stream:
            deltas = [call for chunk in answer.chunks for choice in chunk["choices"]
                      for call in choice["delta"].get("tool_calls") or []]
            name = "".join(call["function"].get("name") or "" for call in deltas)
            arguments = "".join(call["function"].get("arguments") or "" for call in deltas)
            assert answer.done
        else:
            [call] = answer.json()["choices"][0]["message"]["tool_calls"]
            assert answer.json()["choices"][0]["finish_reason"] == "tool_calls"
            name, arguments = call["function"]["name"], call["function"]["arguments"]
        assert name == "get_weather" and isinstance(json.loads(arguments), dict)


def test_a_json_schema_reaches_the_provider_unchanged(gateway, sim):
    answer = gateway.chat(response_format=JSON_SCHEMA)
    assert answer.status == 200
    assert sim.only("openai").json()["response_format"] == JSON_SCHEMA


def test_special_characters_at_every_place_of_a_vector_block_pass_unchanged(gateway, sim):
    texts = ["a" * before + special + "b" * 20 for before in range(34) for special in ('"', "\\", "\n", "\x01", "é", '\\"', "\U0001f600")]
    messages = [{"role": "user", "content": text} for text in texts]
    body = json.dumps({"messages": messages, "model": "gpt-4o"}).encode()
    assert gateway.post(body).status == 200
    assert sim.only("openai").json()["messages"] == messages


def test_a_control_character_at_any_place_of_a_vector_block_is_refused(gateway, no_provider_called):
    for before in range(34):
        text = b"a" * before + b"\x01" + b"b" * 20
        answer = gateway.post(b'{"model":"gpt-4o","messages":[{"role":"user","content":"' + text + b'"}]}')
        assert_error(answer, 400, "invalid_request", "invalid_json")
