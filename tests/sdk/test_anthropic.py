"""Anthropic's own SDK against the simulator: what its users rely on is what the simulator does, so that the translation is tested
against the protocol and not against our reading of it. The program is target/release/nr-simulator, or what NR_SIMULATOR names."""

import json

import anthropic
import pytest

from simulated import Simulator

MODEL = "claude-haiku-4-5"
HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {
    "name": "weather",
    "description": "Current weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture
def simulator():
    made = Simulator("anthropic")
    yield made
    made.stop()


@pytest.fixture
def client(simulator):
    with anthropic.Anthropic(base_url=simulator.url, api_key="k", max_retries=0, timeout=20) as made:
        yield made


def test_a_message_and_its_usage(client, simulator):
    simulator.put("behaviour", text="Hello there.", tokens={"prompt": 100, "cached": 40, "cache_write": 10, "completion": 7})
    message = client.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
    assert [block.text for block in message.content] == ["Hello there."] and message.stop_reason == "end_turn"
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (50, 40, 10)
    assert usage.cache_creation.ephemeral_5m_input_tokens == 10 and usage.output_tokens == 7


def test_a_stream_adds_up_to_the_same_message(client, simulator):
    simulator.put("behaviour", text="One two three.", chunks=3)
    with client.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(pieces) == 3 and "".join(pieces) == message.content[0].text == "One two three."
    assert message.stop_reason == "end_turn" and message.usage.output_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_and_calls_go_round(client, simulator, streamed):
    simulator.put("behaviour", tool_calls=True, tool_call_count=2)
    asked = dict(model=MODEL, max_tokens=4000, tools=[WEATHER], thinking={"type": "enabled", "budget_tokens": 1024})
    if streamed:
        with client.messages.stream(messages=HELLO, **asked) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.messages.create(messages=HELLO, **asked)
    thought, *calls = answer.content
    assert thought.type == "thinking" and thought.signature and answer.stop_reason == "tool_use"
    assert [(call.name, call.input) for call in calls] == [("weather", {"city": "Paris"})] * 2

    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in calls]
    turns = [*HELLO, answer.to_param(), {"role": "user", "content": results}]
    assert client.messages.create(messages=turns, **asked).stop_reason == "end_turn"

    forged = [{**thought.to_dict(), "thinking": "something else"}, *calls]
    with pytest.raises(anthropic.BadRequestError, match="Invalid `signature` in `thinking` block"):
        client.messages.create(messages=[HELLO[0], {"role": "assistant", "content": forged}, turns[2]], **asked)


def test_the_schemas_that_the_sdk_makes_are_taken(client):
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["age"]}
    asked = dict(model=MODEL, max_tokens=50, messages=HELLO)
    with pytest.raises(anthropic.BadRequestError, match="not supported|additionalProperties"):
        client.messages.create(output_config={"format": {"type": "json_schema", "schema": schema}}, **asked)
    made = anthropic.transform_schema(schema)
    message = client.messages.create(output_config={"format": {"type": "json_schema", "schema": made}}, **asked)
    assert "age" in json.loads(message.content[0].text)


@pytest.mark.parametrize("status, error", [
    (400, anthropic.BadRequestError),
    (401, anthropic.AuthenticationError),
    (402, anthropic.PaymentRequiredError),
    (403, anthropic.PermissionDeniedError),
    (404, anthropic.NotFoundError),
    (413, anthropic.ContentTooLargeError),
    (429, anthropic.RateLimitError),
    (500, anthropic.InternalServerError),
    (529, anthropic.OverloadedError),
])
def test_errors_have_the_types_of_the_sdk(client, simulator, status, error):
    simulator.put("fault", kind="status", status=status)
    with pytest.raises(error) as caught:
        client.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
    assert type(caught.value) is error and caught.value.status_code == status
    assert caught.value.body["type"] == "error" and caught.value.request_id


def test_an_error_inside_a_stream_is_an_error(client, simulator):
    simulator.put("behaviour", chunks=4)
    simulator.put("fault", kind="sse_error_mid", after_chunks=2)
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        with client.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream:
            stream.get_final_message()
