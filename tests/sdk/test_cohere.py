"""Cohere's own SDK against the simulator, and the recorded translations against both: what its users rely on is what the simulator
does, so that the translation is tested against the protocol and not against our reading of it. The program is
target/release/nr-simulator, or what NR_SIMULATOR names."""

import json
import pathlib
import urllib.error
import urllib.request

import cohere
import pytest
from cohere.core.request_options import RequestOptions

from simulated import Simulator

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = "command-a-03-2025"
REASONING = "command-a-reasoning-08-2025"
HELLO = [{"role": "user", "content": "hello"}]
ONCE = RequestOptions(max_retries=0)
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Current weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
GOLDENS = sorted((ROOT / "tests/fixtures/cohere").glob("**/request/*.golden"))


@pytest.fixture
def simulator():
    made = Simulator("cohere")
    yield made
    made.stop()


@pytest.fixture
def client(simulator):
    return cohere.ClientV2(api_key="k", base_url=simulator.url, timeout=20)


def test_an_answer_and_its_usage(client, simulator):
    simulator.put("behaviour", text="Hello there.", tokens={"prompt": 100, "cached": 40, "completion": 7})
    answer = client.chat(model=MODEL, messages=HELLO, logprobs=True, request_options=ONCE)
    assert [(block.type, block.text) for block in answer.message.content] == [("text", "Hello there.")]
    assert answer.finish_reason == "COMPLETE" and answer.usage.cached_tokens == 40
    billed = answer.usage.billed_units
    assert (billed.input_tokens, billed.output_tokens) == (100, 7) and answer.usage.tokens.input_tokens == 596
    assert "".join(item.text for item in answer.logprobs) == "Hello there." and answer.logprobs[0].logprobs == [-0.125]


def test_a_stream_adds_up_to_the_same_answer(client, simulator):
    simulator.put("behaviour", text="One two three.", chunks=3)
    events = list(client.chat_stream(model=REASONING, messages=HELLO, request_options=ONCE))
    kinds = [event.type for event in events]
    assert kinds[0] == "message-start" and kinds[-1] == "message-end" and kinds.count("content-start") == 2
    contents = [event.delta.message.content for event in events if event.type == "content-delta"]
    assert "".join(content.text for content in contents if content.text) == "One two three."
    assert contents[0].thinking and events[-1].delta.finish_reason == "COMPLETE"
    assert events[-1].delta.usage.billed_units.output_tokens > 0


def test_tools_are_called_and_answered(client, simulator):
    simulator.put("behaviour", tool_call_count=2)
    asked = {"model": MODEL, "tools": [WEATHER], "request_options": ONCE}
    answer = client.chat(messages=HELLO, tool_choice="REQUIRED", **asked)
    calls = answer.message.tool_calls
    assert answer.finish_reason == "TOOL_CALL" and answer.message.tool_plan
    assert [call.function.name for call in calls] == ["weather", "weather"] and calls[0].id != calls[1].id
    assert json.loads(calls[0].function.arguments) == {"city": "Paris"}
    results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
    assert client.chat(messages=[*HELLO, answer.message, *results], **asked).message.content[0].text
    events = list(client.chat_stream(messages=HELLO, tool_choice="REQUIRED", **asked))
    starts = [event.delta.message.tool_calls for event in events if event.type == "tool-call-start"]
    assert [start.function.name for start in starts] == ["weather", "weather"]
    pieces = [event for event in events if event.type == "tool-call-delta" and event.index == 1]
    assert json.loads("".join(piece.delta.message.tool_calls.function.arguments for piece in pieces)) == {"city": "Paris"}


def test_a_schema_is_kept_to(client):
    schema = WEATHER["function"]["parameters"]
    answer = client.chat(model=MODEL, messages=HELLO, response_format={"type": "json_object", "json_schema": schema}, request_options=ONCE)
    assert json.loads(answer.message.content[0].text) == {"city": "Paris"}


def test_texts_are_embedded_by_type(client):
    answer = client.embed(
        model="embed-v4.0", texts=["a", "b"], input_type="search_document", embedding_types=["float", "base64"], output_dimension=256
    )
    assert [len(vector) for vector in answer.embeddings.float_] == [256, 256] and len(answer.embeddings.base64) == 2
    assert answer.meta.billed_units.input_tokens == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, cohere.BadRequestError),
        (401, cohere.UnauthorizedError),
        (404, cohere.NotFoundError),
        (429, cohere.TooManyRequestsError),
        (500, cohere.InternalServerError),
        (503, cohere.ServiceUnavailableError),
    ],
)
def test_an_error_has_its_type(client, simulator, status, error):
    simulator.put("fault", kind="status", status=status)
    with pytest.raises(error) as raised:
        client.chat(model=MODEL, messages=HELLO, request_options=ONCE)
    assert raised.value.status_code == status and raised.value.body["message"]


def test_what_the_schema_does_not_know_is_refused(client):
    options = RequestOptions(max_retries=0, additional_body_parameters={"user": "u"})
    with pytest.raises(cohere.UnprocessableEntityError):
        client.chat(model=MODEL, messages=HELLO, request_options=options)


def test_an_error_inside_a_stream_is_its_end(client, simulator):
    simulator.put("fault", kind="sse_error_mid")
    last = list(client.chat_stream(model=MODEL, messages=HELLO, request_options=ONCE))[-1]
    assert (last.type, last.delta.finish_reason) == ("message-end", "ERROR")


def translated(golden):
    """Path and body of a recorded translation; none if the request was refused."""
    text = golden.read_text()
    if not text.startswith("POST "):
        return None
    body, _ = json.JSONDecoder().raw_decode(text[text.index("\n\n") + 2 :])
    return text.split()[1], body


# The router asks no candidate for these (a line of the golden says so), and one is a value nobody checks but the provider.
UNASKED = {"tools-and-schema", "every-member"}


@pytest.mark.parametrize("golden", GOLDENS, ids=[f"{golden.parents[1].name}-{golden.stem}" for golden in GOLDENS])
def test_what_the_router_sends_is_taken(simulator, golden):
    sent = translated(golden)
    if sent is None:
        assert golden.read_text().startswith("class: Caller")
        return
    path, body = sent
    request = urllib.request.Request(simulator.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
    if golden.stem in UNASKED:
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(request)
        return
    with urllib.request.urlopen(request) as reply:
        assert reply.status == 200
