"""Mistral's own SDK against the simulator, and the recorded translations against both: what its users rely on is what the simulator
does, so that the translation is tested against the protocol and not against our reading of it. The program is
target/release/nr-simulator, or what NR_SIMULATOR names."""

import json
import pathlib
import urllib.request

import pytest
from mistralai.client import Mistral, errors, models

from simulated import Simulator

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = "mistral-large-2512"
REASONING = "mistral-medium-3-5"
HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Current weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
FIXTURES = ROOT / "tests/fixtures/mistral"
GOLDENS = sorted(FIXTURES.glob("**/request/*.golden"))


@pytest.fixture
def simulator():
    made = Simulator("mistral")
    yield made
    made.stop()


@pytest.fixture
def client(simulator):
    with Mistral(api_key="k", server_url=simulator.url, timeout_ms=20_000) as made:
        yield made


def test_an_answer_and_its_usage(client, simulator):
    simulator.put("behaviour", text="Hello there.", tokens={"prompt": 100, "cached": 40, "completion": 7})
    answer = client.chat.complete(model=MODEL, messages=HELLO, n=2)
    assert [(choice.message.content, choice.finish_reason) for choice in answer.choices] == [("Hello there.", "stop")] * 2
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (100, 7, 107)
    assert answer.usage.additional_properties["num_cached_tokens"] == 40


def test_a_stream_adds_up_to_the_same_answer(client, simulator):
    simulator.put("behaviour", text="One two three.", chunks=3)
    events = [event.data for event in client.chat.stream(model=MODEL, messages=HELLO)]
    assert "".join(event.choices[0].delta.content for event in events) == "One two three."
    assert events[-1].choices[0].finish_reason == "stop" and events[-1].usage.completion_tokens > 0


def test_thoughts_come_in_chunks(client):
    answer = client.chat.complete(model=REASONING, messages=HELLO, reasoning_effort="high")
    thinking, text = answer.choices[0].message.content
    assert (thinking.type, text.type) == ("thinking", "text") and thinking.thinking[0].text


def test_tools_are_called_and_answered(client, simulator):
    simulator.put("behaviour", tool_call_count=2)
    answer = client.chat.complete(model=MODEL, messages=HELLO, tools=[WEATHER], tool_choice="any").choices[0]
    calls = answer.message.tool_calls
    assert answer.finish_reason == "tool_calls" and [call.function.name for call in calls] == ["weather", "weather"]
    assert json.loads(calls[0].function.arguments) == {"city": "Paris"} and calls[0].id != calls[1].id
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
    assert client.chat.complete(model=MODEL, messages=[*HELLO, answer.message, *results], tools=[WEATHER]).choices[0].message.content
    events = [event.data.choices[0] for event in client.chat.stream(model=MODEL, messages=HELLO, tools=[WEATHER], tool_choice="any")]
    assert [call.index for call in events[-1].delta.tool_calls] == [0, 1]


def test_a_schema_is_kept_to(client):
    schema = {"name": "place", "schema_definition": WEATHER["function"]["parameters"], "strict": True}
    answer = client.chat.complete(model=MODEL, messages=HELLO, response_format={"type": "json_schema", "json_schema": schema})
    assert json.loads(answer.choices[0].message.content) == {"city": "Paris"}


def test_texts_are_embedded(client):
    answer = client.embeddings.create(model="codestral-embed", inputs=["a", "b"], output_dimension=256)
    assert [(one.index, len(one.embedding)) for one in answer.data] == [(0, 256), (1, 256)] and answer.usage.prompt_tokens == 2


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_an_error_has_its_status(client, simulator, status):
    simulator.put("fault", kind="status", status=status)
    with pytest.raises(errors.SDKError) as raised:
        client.chat.complete(model=MODEL, messages=HELLO)
    assert raised.value.status_code == status and json.loads(raised.value.body)["message"]


def test_what_the_schema_does_not_take_is_refused(client):
    with pytest.raises(errors.MistralError) as raised:
        client.chat.complete(model=MODEL, messages=HELLO, temperature=2)
    assert raised.value.status_code == 422 and "less than or equal to 1.5" in raised.value.body


def translated(golden):
    """Path and body of a recorded translation; none if the request was refused."""
    text = golden.read_text()
    if not text.startswith("POST "):
        return None
    body, _ = json.JSONDecoder().raw_decode(text[text.index("\n\n") + 2 :])
    return text.split()[1], body


@pytest.mark.parametrize("golden", GOLDENS, ids=[f"{golden.parents[1].name}-{golden.stem}" for golden in GOLDENS])
def test_what_the_router_sends_is_taken(simulator, golden):
    sent = translated(golden)
    if sent is None:
        assert golden.read_text().startswith("class: Caller")
        return
    path, body = sent
    schema = models.EmbeddingRequest if path == "/embeddings" else models.ChatCompletionRequest
    known = {field.alias or name for name, field in schema.model_fields.items()}
    schema.model_validate(body)
    assert not set(body) - known
    if body["model"] == "mistral-embed":
        # Which has one length only; the provider says so.
        body.pop("output_dimension", None)
    request = urllib.request.Request(f"{simulator.url}/v1{path}", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        assert reply.status == 200


@pytest.mark.parametrize("recorded", ["basic", "tool-call", "parallel-tools", "reasoning", "references", "cached-usage", "several-choices"])
def test_recorded_answers_are_what_the_sdk_expects(recorded):
    answer = models.ChatCompletionResponse.model_validate_json((FIXTURES / f"response/{recorded}.json").read_text())
    assert answer.choices[0].message.role == "assistant"
