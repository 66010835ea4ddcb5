"""The simulator's Bedrock, called with Amazon's own SDK; and our requests, held to the service's model that the SDK ships.

Run with the packages of requirements.txt after `make build`: `python -m pytest tests/sdk/test_bedrock.py`.
"""

import base64
import json
import pathlib
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from botocore.validate import ParamValidator

from simulated import Simulator

ROOT = pathlib.Path(__file__).parents[2]
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
ASKED = [{"role": "user", "content": [{"text": "hello"}]}]
WEATHER = {
    "toolSpec": {
        "name": "weather",
        "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
    }
}


@pytest.fixture(scope="module")
def simulator():
    simulator = Simulator("bedrock")
    yield simulator
    simulator.stop()


@pytest.fixture(params=["api key", "signature"])
def client(request, simulator, monkeypatch):
    simulator.reset()
    simulator.put("behaviour", api_key="KEY")
    for name in ["AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"]:
        monkeypatch.delenv(name, raising=False)
    if request.param == "api key":
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "KEY")
    else:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    config = Config(retries={"total_max_attempts": 1})
    # The SDK sends no bearer token in the clear: it signs for https, and the simulator speaks http.
    url = simulator.url.replace("http:", "https:") if request.param == "api key" else simulator.url
    client = boto3.session.Session(region_name="us-east-1").client("bedrock-runtime", endpoint_url=url, config=config)
    client.meta.events.register("before-send.bedrock-runtime", in_the_clear)
    return client


def in_the_clear(request, **_):
    request.url = request.url.replace("https:", "http:", 1)


def behave(simulator, **behaviour):
    simulator.put("behaviour", api_key="KEY", **behaviour)


def test_chat(client):
    answer = client.converse(modelId=MODEL, messages=ASKED, inferenceConfig={"maxTokens": 100})
    assert answer["output"]["message"]["content"] == [{"text": "This is a simulated answer."}]
    assert (answer["stopReason"], answer["metrics"]["latencyMs"] > 0) == ("end_turn", True)
    assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"]


def test_usage_of_a_cached_prompt(client, simulator):
    behave(simulator, tokens={"prompt": 1000, "cached": 400, "cache_write": 100, "completion": 50})
    usage = client.converse(modelId=MODEL, messages=ASKED)["usage"]
    assert (usage["inputTokens"], usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]) == (500, 400, 100)
    assert (usage["outputTokens"], usage["totalTokens"]) == (50, 1050)


@pytest.mark.parametrize("split", [None, 1, 7])
def test_stream(client, simulator, split):
    behave(simulator, **({"split_bytes": split} if split else {}))
    events = list(client.converse_stream(modelId=MODEL, messages=ASKED)["stream"])
    assert [next(iter(event)) for event in events][:2] == ["messageStart", "contentBlockDelta"]
    text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
    assert text == "This is a simulated answer."
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 7


def test_tools(client, simulator):
    behave(simulator, tool_call_count=2)
    config = {"tools": [WEATHER], "toolChoice": {"any": {}}}
    answer = client.converse(modelId=MODEL, messages=ASKED, toolConfig=config)
    said = answer["output"]["message"]
    calls = [block["toolUse"] for block in said["content"]]
    assert answer["stopReason"] == "tool_use"
    assert [(call["name"], call["input"]) for call in calls] == [("weather", {"city": "Paris"})] * 2
    results = [{"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "18 C"}]}} for call in calls]
    turns = [*ASKED, said, {"role": "user", "content": results}]
    answer = client.converse(modelId=MODEL, messages=turns, toolConfig={"tools": [WEATHER]})
    assert answer["stopReason"] == "end_turn"

    events = list(client.converse_stream(modelId=MODEL, messages=ASKED, toolConfig=config)["stream"])
    starts = [event["contentBlockStart"]["start"]["toolUse"]["name"] for event in events if "contentBlockStart" in event]
    deltas = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
    inputs = ["".join(delta["delta"]["toolUse"]["input"] for delta in deltas if delta["contentBlockIndex"] == at) for at in (0, 1)]
    assert (starts, [json.loads(text) for text in inputs]) == (["weather", "weather"], [{"city": "Paris"}] * 2)


def test_thinking(client):
    native = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    answer = client.converse(
        modelId=MODEL, messages=ASKED, inferenceConfig={"maxTokens": 4000}, additionalModelRequestFields=native
    )
    thought, text = answer["output"]["message"]["content"]
    assert thought["reasoningContent"]["reasoningText"]["signature"] and text["text"]
    # The answer goes back as it came.
    turns = [*ASKED, answer["output"]["message"], *ASKED]
    assert client.converse(modelId=MODEL, messages=turns)["stopReason"] == "end_turn"


def test_refusals_are_typed(client, simulator):
    with pytest.raises(client.exceptions.ValidationException, match="must alternate"):
        client.converse(modelId=MODEL, messages=ASKED * 2)
    for status, exception in [
        (403, client.exceptions.AccessDeniedException),
        (404, client.exceptions.ResourceNotFoundException),
        (408, client.exceptions.ModelTimeoutException),
        (424, client.exceptions.ModelErrorException),
        (429, client.exceptions.ThrottlingException),
        (500, client.exceptions.InternalServerException),
        (503, client.exceptions.ServiceUnavailableException),
    ]:
        simulator.put("fault", kind="status", status=status, times=1)
        with pytest.raises(exception):
            client.converse(modelId=MODEL, messages=ASKED)


def test_a_wrong_key_is_refused(client, simulator):
    simulator.put("behaviour", api_key="other")
    with pytest.raises(ClientError) as refused:
        client.converse(modelId=MODEL, messages=ASKED)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("kind", ["sse_error_first", "sse_error_after_preamble", "sse_error_mid"])
def test_an_exception_inside_a_stream(client, simulator, kind):
    simulator.put("fault", kind=kind, times=1, **({"after_chunks": 2} if kind == "sse_error_mid" else {}))
    with pytest.raises(EventStreamError, match="throttlingException"):
        list(client.converse_stream(modelId=MODEL, messages=ASKED)["stream"])


def translated():
    """The requests that the goldens record: the model's path, and the body."""
    for path in sorted((ROOT / "tests/fixtures/bedrock/request").glob("*.golden")):
        head, _, rest = path.read_text().partition("\n\n")
        if head.startswith("POST "):
            yield pytest.param(head.split()[1], rest.split("\nadjustment: ")[0], id=path.stem)


def decoded(value):
    """Base64 as bytes, which is what the SDK's validator wants for blobs."""
    if isinstance(value, list):
        return [decoded(element) for element in value]
    if isinstance(value, dict):
        blob = lambda name, inner: name in ("bytes", "redactedContent") and isinstance(inner, str)  # noqa: E731
        return {name: base64.b64decode(inner) if blob(name, inner) else decoded(inner) for name, inner in value.items()}
    return value


@pytest.mark.parametrize(("path", "body"), list(translated()))
def test_our_requests_fit_the_model_of_the_service_and_its_simulator(simulator, path, body):
    client = boto3.client("bedrock-runtime", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    shape = client.meta.service_model.operation_model("Converse").input_shape
    model = path.removeprefix("/model/").rsplit("/", 1)[0]
    assert model == model.replace(":", "%3A") and "/" not in model
    report = ParamValidator().validate({"modelId": model, **decoded(json.loads(body))}, shape)
    assert not report.has_errors(), report.generate_report()

    simulator.reset()
    request = urllib.request.Request(simulator.url + path, body.encode(), {"content-type": "application/json"})
    assert urllib.request.urlopen(request).status == 200
