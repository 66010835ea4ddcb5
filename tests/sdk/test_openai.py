"""The simulator of OpenAI's protocol, driven by OpenAI's own SDK: what it takes for an answer is one."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import openai
import pytest

SIMULATOR = os.environ.get("NR_SIMULATOR", str(Path(__file__).parents[2] / "target/release/nr-simulator"))
HELLO = [{"role": "user", "content": "hello"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
TOKENS = {"prompt": 1000, "cached": 400, "completion": 50, "reasoning": 30}
KEY = "sk-simulated-0123456789"


class Simulator:
    """A running simulator and its control API."""

    def __init__(self, ready):
        self.control = ready["control"]
        self.addresses = ready["providers"]

    def behave(self, provider, **behaviour):
        body = json.dumps({"api_key": KEY, **behaviour}).encode()
        url = f"http://{self.control}/providers/{provider}/behaviour"
        urllib.request.urlopen(urllib.request.Request(url, body, method="PUT")).close()


@pytest.fixture(scope="module")
def running():
    command = [SIMULATOR, "--control", "127.0.0.1:0"]
    for vendor in ("openai", "azure-openai", "deepseek", "openrouter", "xai"):
        command += ["--provider", f"{vendor}={vendor}@127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Simulator(json.loads(process.stdout.readline()))
        finally:
            process.terminate()


def _client(running, vendor, key=KEY):
    address = running.addresses[vendor]
    if vendor == "azure-openai":
        return openai.AzureOpenAI(azure_endpoint=f"http://{address}", api_key=key, api_version="2024-10-21", max_retries=0)
    base = "/api/v1" if vendor == "openrouter" else "/v1"
    return openai.OpenAI(base_url=f"http://{address}{base}", api_key=key, max_retries=0)


@pytest.fixture(params=["openai", "azure-openai"])
def vendor(request):
    return request.param


def test_an_answer_has_text_and_usage(running, vendor):
    running.behave(vendor, tokens=TOKENS)
    answer = _client(running, vendor).chat.completions.create(model="gpt-4o", messages=HELLO)
    assert answer.choices[0].message.content == "This is a simulated answer."
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (1000, 50, 1050)
    assert answer.usage.prompt_tokens_details.cached_tokens == 400
    assert answer.usage.completion_tokens_details.reasoning_tokens == 30


def test_a_stream_adds_up_to_the_answer(running, vendor):
    running.behave(vendor, tokens=TOKENS)
    stream = _client(running, vendor).chat.completions.create(
        model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "This is a simulated answer."
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 1050)
    assert hasattr(chunks[0], "prompt_filter_results") == (vendor == "azure-openai")


def test_a_tool_is_called_whole_and_streamed(running, vendor):
    running.behave(vendor, tool_calls=True)
    client = _client(running, vendor)
    answer = client.chat.completions.create(model="gpt-4o", messages=HELLO, tools=TOOLS).choices[0]
    call = answer.message.tool_calls[0]
    assert (answer.finish_reason, call.function.name) == ("tool_calls", "weather")
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    with client.chat.completions.stream(model="gpt-4o", messages=HELLO, tools=TOOLS) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls[0]
    assert (streamed.function.name, json.loads(streamed.function.arguments)) == ("weather", {"city": "Paris"})


def test_embeddings_are_vectors(running, vendor):
    running.behave(vendor)
    answer = _client(running, vendor).embeddings.create(model="text-embedding-3-small", input=["a", "b"], dimensions=4)
    assert [len(row.embedding) for row in answer.data] == [4, 4]


def test_a_mistake_is_an_exception_of_its_kind(running, vendor):
    running.behave(vendor)
    with pytest.raises(openai.BadRequestError) as bad:
        _client(running, vendor).chat.completions.create(model="gpt-4o", messages=HELLO, temperature=7)
    assert (bad.value.param, bad.value.code) == ("temperature", "decimal_above_max_value")
    with pytest.raises(openai.AuthenticationError):
        _client(running, vendor, key="sk-of-somebody-else").chat.completions.create(model="gpt-4o", messages=HELLO)


def test_azure_without_a_version_is_nowhere(running):
    running.behave("azure-openai")
    base = f"http://{running.addresses['azure-openai']}/openai/deployments/gpt-4o"
    client = openai.OpenAI(base_url=base, api_key=KEY, max_retries=0, default_headers={"api-key": KEY})
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-4o", messages=HELLO)


@pytest.mark.parametrize(("vendor", "member", "completion"), [
    ("deepseek", "reasoning_content", 50), ("openrouter", "reasoning", 50), ("xai", "reasoning_content", 20)])
def test_vendors_show_their_reasoning(running, vendor, member, completion):
    running.behave(vendor, tokens=TOKENS)
    answer = _client(running, vendor).chat.completions.create(model="m", messages=HELLO)
    assert getattr(answer.choices[0].message, member) == "Let me think."
    assert (answer.usage.completion_tokens, answer.usage.total_tokens) == (completion, 1050)
