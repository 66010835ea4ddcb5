"""The Anthropic provider: what the Messages API receives for an OpenAI request, and what the client gets for its answer."""

import json

import pytest

from gateway import assert_error
from requests_json import WEATHER_TOOL

MODEL = "claude-sonnet"
# The protocol demands a bound; a client that gives none gets this one, though the model could write 64,000.
UNASKED_MAX_TOKENS = 32_000
ANTHROPIC_TOOL = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": WEATHER_TOOL["function"]["parameters"],
}
USER = {"role": "user", "content": [{"type": "text", "text": "Hi."}]}


def spelled_out(body: dict) -> dict:
    """The request with every text in the API's long form: it takes a string for one text block."""
    def blocks(content):
        return [{"type": "text", "text": content}] if isinstance(content, str) else content
    body = dict(body)
    body["messages"] = [message | {"content": blocks(message["content"])} for message in body["messages"]]
    for message in body["messages"]:
        message["content"] = [
            block | {"content": blocks(block["content"])} if block["type"] == "tool_result" else block
            for block in message["content"]
        ]
    if "system" in body:
        body["system"] = blocks(body["system"])
    if body.get("stream") is False:
        del body["stream"]
    return body


def sent(gateway, sim, **fields) -> dict:
    """What the provider receives for a call with these fields."""
    answer = gateway.chat(MODEL, **({"messages": [{"role": "user", "content": "Hi."}]} | fields))
    assert answer.status == 200, answer.body[:600]
    return spelled_out(sim.only("anthropic").json())


def expected(**fields) -> dict:
    return {"model": "claude-sonnet-4-5", "max_tokens": UNASKED_MAX_TOKENS, "messages": [USER]} | fields


@pytest.mark.parametrize(("fields", "translated"), [
    ({}, {}),
    ({"stream": False}, {}),
    ({"stream": True}, {"stream": True}),
    ({"max_tokens": 100}, {"max_tokens": 100}),
    ({"max_completion_tokens": 200}, {"max_tokens": 200}),
    ({"temperature": 0.5}, {"temperature": 0.5}),
    ({"top_p": 0.9}, {"top_p": 0.9}),
    ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}),  # this generation refuses both together
    ({"temperature": 1.5}, {"temperature": 1.0}),
    ({"stop": "END"}, {"stop_sequences": ["END"]}),
    ({"stop": ["A", "B"]}, {"stop_sequences": ["A", "B"]}),
    ({"user": "user-7"}, {"metadata": {"user_id": "user-7"}}),
    ({"tools": [WEATHER_TOOL]}, {"tools": [ANTHROPIC_TOOL]}),
    ({"tools": [WEATHER_TOOL], "tool_choice": "auto"}, {"tools": [ANTHROPIC_TOOL], "tool_choice": {"type": "auto"}}),
    ({"tools": [WEATHER_TOOL], "tool_choice": "required"}, {"tools": [ANTHROPIC_TOOL], "tool_choice": {"type": "any"}}),
    ({"tools": [WEATHER_TOOL], "tool_choice": "none"}, {"tools": [ANTHROPIC_TOOL], "tool_choice": {"type": "none"}}),
    ({"tools": [WEATHER_TOOL], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
     {"tools": [ANTHROPIC_TOOL], "tool_choice": {"type": "tool", "name": "get_weather"}}),
    ({"tools": [WEATHER_TOOL], "parallel_tool_calls": False},
     {"tools": [ANTHROPIC_TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
    ({"n": 1, "logprobs": False, "presence_penalty": 0, "frequency_penalty": 0}, {}),
    ({"route": {"objective": "cost"}}, {}),
], ids=lambda value: json.dumps(value)[:60])
def test_a_request_is_translated_exactly(gateway, sim, fields, translated):
    assert sent(gateway, sim, **fields) == expected(**translated)


def test_system_and_developer_messages_become_the_system_prompt(gateway, sim):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "Hi."},
    ]
    body = sent(gateway, sim, messages=messages)
    assert "\n".join(block["text"] for block in body.pop("system")).split() == ["Be", "brief.", "Be", "kind."]
    assert body == expected()


def test_a_conversation_with_tool_calls_and_results_is_translated_exactly(gateway, sim):
    messages = [
        {"role": "user", "content": "Weather in Paris and Rome?"},
        {"role": "assistant", "content": "I look it up.", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}},
            {"id": "call_2", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Rome", "unit": "celsius"}'}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "12 degrees"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "20 degrees"}]},
        {"role": "user", "content": "Thanks. And tomorrow?"},
    ]
    text = "12 degrees", "20 degrees"
    assert sent(gateway, sim, messages=messages, tools=[WEATHER_TOOL]) == expected(tools=[ANTHROPIC_TOOL], messages=[
        {"role": "user", "content": [{"type": "text", "text": "Weather in Paris and Rome?"}]},
        {"role": "assistant", "content": [
            {"type": "text", "text": "I look it up."},
            {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "call_2", "name": "get_weather", "input": {"city": "Rome", "unit": "celsius"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": text[0]}]},
            {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": text[1]}]},
            {"type": "text", "text": "Thanks. And tomorrow?"},
        ]},
    ])


def test_images_are_translated(gateway, sim):
    messages = [{"role": "user", "content": [
        {"type": "text", "text": "Compare."},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "image_url", "image_url": {"url": "https://images.example/cat.jpg", "detail": "low"}},
    ]}]
    assert sent(gateway, sim, messages=messages)["messages"] == [{"role": "user", "content": [
        {"type": "text", "text": "Compare."},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://images.example/cat.jpg"}},
    ]}]


@pytest.mark.parametrize(("fields", "word"), [
    ({"seed": 7}, "seed"), ({"temperature": 1.5}, "temperature"), ({"logit_bias": {"5": 1}}, "logit_bias"),
    ({"presence_penalty": 0.5}, "presence_penalty"), ({"temperature": 0.5, "top_p": 0.9}, "top_p"), ({}, "max_tokens"),
])
def test_what_the_protocol_lacks_is_listed_as_an_adjustment(gateway, sim, fields, word):
    answer = gateway.chat(MODEL, **fields)
    assert any(word in json.dumps(adjustment) for adjustment in answer.routing["adjustments"]), answer.routing
    assert gateway.chat(MODEL, max_tokens=100).routing["adjustments"] == []


@pytest.mark.parametrize(("settings", "fields", "reason"), [
    ({"text": "Done."}, {}, "stop"),
    ({"text": "Say END now."}, {"stop": "END"}, "stop"),
    ({"text": "A long answer that is cut off."}, {"max_tokens": 2}, "length"),
    ({"tool_calls": True}, {"tools": [WEATHER_TOOL]}, "tool_calls"),
])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_finish_reason_is_openai_s(gateway, sim, settings, fields, reason, stream):
    sim.behave("anthropic", **settings)
    answer = gateway.chat(MODEL, stream=stream, **fields)
    if stream:
        assert answer.done
        reasons = [choice["finish_reason"] for chunk in answer.chunks for choice in chunk["choices"] if choice["finish_reason"]]
    else:
        reasons = [choice["finish_reason"] for choice in answer.json()["choices"]]
    assert reasons == [reason]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tool_calls_come_back_in_openai_s_form(gateway, sim, count, stream):
    sim.behave("anthropic", tool_calls=True, tool_call_count=count)

    answer = gateway.chat(MODEL, tools=[WEATHER_TOOL], stream=stream)

    if stream:
        calls: dict[int, dict] = {}
        for delta in (delta for chunk in answer.chunks for choice in chunk["choices"] for delta in choice["delta"].get("tool_calls") or []):
            call = calls.setdefault(delta["index"], {"id": "", "type": "", "name": "", "arguments": ""})
            call["id"] += delta.get("id") or ""
            call["type"] += delta.get("type") or ""
            call["name"] += delta["function"].get("name") or ""
            call["arguments"] += delta["function"].get("arguments") or ""
        assert sorted(calls) == list(range(count))
        found = [calls[index] for index in sorted(calls)]
    else:
        message = answer.json()["choices"][0]["message"]
        assert message["content"] is None
        found = [{"id": call["id"], "type": call["type"], **call["function"]} for call in message["tool_calls"]]
        assert len(found) == count
    for call in found:
        assert call["id"] and call["type"] == "function" and call["name"] == "get_weather"
        assert "city" in json.loads(call["arguments"])
    assert len({call["id"] for call in found}) == count


def message(**usage) -> dict:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "Hello."}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 7} | usage,
    }


@pytest.mark.parametrize(("usage", "prompt", "cached"), [
    ({}, 10, 0),
    ({"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}, 10, 0),
    ({"cache_read_input_tokens": 100}, 110, 100),
    ({"cache_creation_input_tokens": 1000, "cache_read_input_tokens": 100}, 1110, 100),
    ({"cache_creation_input_tokens": None, "cache_read_input_tokens": None}, 10, 0),
])
def test_usage_counts_cached_prompt_tokens_as_openai_does(gateway, sim, usage, prompt, cached):
    sim.fault("anthropic", "status", status=200, body=message(**usage))
    shown = gateway.chat(MODEL).json()["usage"]
    assert (shown["prompt_tokens"], shown["completion_tokens"], shown["total_tokens"]) == (prompt, 7, prompt + 7)
    assert (shown.get("prompt_tokens_details") or {}).get("cached_tokens", 0) == cached


def test_usage_of_a_stream_equals_usage_of_the_whole_answer(gateway, sim):
    sim.behave("anthropic", text="The same text for both.")
    whole = gateway.chat(MODEL).json()["usage"]
    streamed = gateway.chat(MODEL, stream=True, stream_options={"include_usage": True}).chunks[-1]["usage"]
    assert {name: streamed[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")} == {
        name: whole[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}


def test_several_text_blocks_and_thinking_become_one_text(gateway, sim):
    answer = message()
    answer["content"] = [
        {"type": "thinking", "thinking": "hidden-thought", "signature": "c2ln"},
        {"type": "text", "text": "One "}, {"type": "text", "text": "two."},
    ]
    sim.fault("anthropic", "status", status=200, body=answer)
    shown = gateway.chat(MODEL).json()["choices"][0]["message"]
    assert shown["content"] == "One two."


@pytest.mark.parametrize("arguments", ["not json", "[1]", "", "{", '{"city": NaN}'])
def test_arguments_that_are_no_object_are_refused_or_sent_as_an_empty_one(gateway, sim, arguments):
    messages = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": arguments}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
    ]
    answer = gateway.chat(MODEL, messages=messages, tools=[WEATHER_TOOL])
    if arguments == "":  # what OpenAI's models write for a function without parameters
        assert answer.status == 200
        assert sim.only("anthropic").json()["messages"][1]["content"][-1]["input"] == {}
    else:
        error = assert_error(answer, 400, "invalid_request")
        assert error["param"].startswith("messages[1]")
