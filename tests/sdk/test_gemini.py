"""Google's own SDK against the simulator, and what the codec sends against both.

The SDK knows the schema of requests and answers: where it reads the simulator's answers and takes the codec's requests, so does
Google, as far as its types say.
"""

import json
import os
import pathlib
import subprocess
import urllib.error
import urllib.request

import pytest
from google import genai
from google.genai import errors, types

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIMULATOR = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "nr-simulator"
WEATHER = types.FunctionDeclaration(
    name="get_weather",
    description="Current weather",
    parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


class Google:
    """A running simulator with the providers `gemini` and `vertex`."""

    def __init__(self):
        arguments = [SIMULATOR, "--control", "127.0.0.1:0", "--workers", "2"]
        arguments += ["--provider", "gemini=gemini@127.0.0.1:0", "--provider", "vertex=vertex@127.0.0.1:0"]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        ready = json.loads(self.process.stdout.readline())
        self.control = f"http://{ready['control']}"
        self.addresses = {name: f"http://{address}" for name, address in ready["providers"].items()}

    def put(self, path, body):
        request = urllib.request.Request(self.control + path, json.dumps(body).encode(), method="PUT")
        urllib.request.urlopen(request).close()

    def reset(self):
        urllib.request.urlopen(urllib.request.Request(self.control + "/reset", b"", method="POST")).close()

    def client(self, key):
        options = types.HttpOptions(base_url=self.addresses["gemini"], retry_options=types.HttpRetryOptions(attempts=1))
        return genai.Client(api_key=key, http_options=options)


@pytest.fixture(scope="module")
def running():
    google = Google()
    yield google
    google.process.terminate()
    google.process.wait()


@pytest.fixture
def google(running):
    running.reset()
    return running


def generate(google, contents="hello", model="gemini-2.5-flash", key="test-key", **config):
    with google.client(key) as client:
        return client.models.generate_content(model=model, contents=contents, config=types.GenerateContentConfig(**config))


def test_an_answer_and_its_usage_are_read(google):
    google.put("/providers/gemini/behaviour", {"tokens": {"prompt": 100, "cached": 40, "completion": 30, "reasoning": 20}})
    answer = generate(google, system_instruction="Be terse.", temperature=0.5, max_output_tokens=100)
    assert answer.text == "This is a simulated answer."
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    used = answer.usage_metadata
    counts = (used.prompt_token_count, used.cached_content_token_count, used.candidates_token_count, used.thoughts_token_count)
    assert counts == (100, 40, 10, 20)


def test_a_stream_is_read_event_by_event(google):
    with google.client("test-key") as client:
        chunks = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="hello"))
    assert len(chunks) == 6
    assert "".join(chunk.text or "" for chunk in chunks) == "This is a simulated answer."
    assert [chunk.candidates[0].finish_reason for chunk in chunks][-2:] == [None, types.FinishReason.STOP]
    assert chunks[-1].usage_metadata.candidates_token_count == 7


def test_thoughts_are_told_from_the_answer(google):
    thinking = types.ThinkingConfig(thinking_budget=1024, include_thoughts=True)
    parts = generate(google, thinking_config=thinking).candidates[0].content.parts
    assert [bool(part.thought) for part in parts] == [True, False]


def test_tools_are_called_and_their_results_answered(google):
    calling = types.FunctionCallingConfig(mode="ANY", allowed_function_names=["get_weather"])
    config = {
        "tools": [types.Tool(function_declarations=[WEATHER])],
        "tool_config": types.ToolConfig(function_calling_config=calling),
    }
    model = "gemini-3-flash-preview"
    first = generate(google, model=model, **config)
    assert [(call.name, call.args) for call in first.function_calls] == [("get_weather", {"city": "Paris"})]
    turn = first.candidates[0].content
    assert turn.parts[0].thought_signature
    results = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": "18"}))
        for call in first.function_calls
    ]
    question = types.Content(role="user", parts=[types.Part(text="Weather?")])
    answer = generate(google, [question, turn, types.Content(role="user", parts=results)], model=model, **config)
    assert answer.text == "This is a simulated answer."
    turn.parts[0].thought_signature = None
    with pytest.raises(errors.ClientError, match="missing a thought_signature"):
        generate(google, [question, turn, types.Content(role="user", parts=results)], model=model, **config)


def test_a_schema_shapes_the_answer(google):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    answer = generate(google, response_mime_type="application/json", response_json_schema=schema)
    assert set(json.loads(answer.text)) == {"name"}


@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        (429, errors.ClientError, "RESOURCE_EXHAUSTED"),
        (500, errors.ServerError, "INTERNAL"),
        (503, errors.ServerError, "UNAVAILABLE"),
    ],
)
def test_errors_are_typed(google, status, kind, name):
    google.put("/providers/gemini/fault", {"kind": "status", "status": status})
    with pytest.raises(kind) as raised:
        generate(google)
    assert (raised.value.code, raised.value.status) == (status, name)


def test_a_wrong_key_is_named_as_such(google):
    google.put("/providers/gemini/behaviour", {"api_key": "right"})
    with pytest.raises(errors.ClientError) as raised:
        generate(google)
    assert raised.value.code == 400
    assert raised.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    assert generate(google, key="right").text


def translated():
    """The codec's requests, as its goldens record them: name, path and body."""
    for name in ("gemini", "vertex"):
        for golden in sorted((ROOT / "tests" / "fixtures" / name / "request").glob("*.golden")):
            if golden.stem.startswith("claude-"):
                continue  # Anthropic's protocol, at Google's place
            head, _, rest = golden.read_text().partition("\n\n")
            if head.startswith("POST "):
                path = head.split("\n")[0].removeprefix("POST ")
                yield pytest.param(name, path, json.JSONDecoder().raw_decode(rest)[0], id=f"{name}/{golden.stem}")


@pytest.mark.parametrize(("name", "path", "body"), list(translated()))
def test_what_the_codec_sends_is_taken(google, name, path, body):
    if name == "vertex":
        path = "/v1/projects/p/locations/us-central1" + path
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(google.addresses[name] + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
    except urllib.error.HTTPError as error:
        pytest.fail(error.read().decode())
    # The SDK's types refuse what they do not know.
    for content in body["contents"]:
        types.Content.model_validate(content)
    config = body.get("generationConfig", {}) | {
        member: body[member] for member in ("systemInstruction", "tools", "toolConfig", "serviceTier", "labels") if member in body
    }
    types.GenerateContentConfig.model_validate(config)
