"""The OpenAI Python SDK as a client: what its users write works here, typed errors included."""

import asyncio
import json

import openai
import pytest

from configuration import PROVIDER_OF
from requests_json import JSON_SCHEMA, WEATHER_TOOL

MODELS = ["gpt-4o", "claude-sonnet", "llama-3.3-70b"]
MESSAGES = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def client(gateway):
    """The SDK as a user sets it up, except that it must not retry."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=20) as made:
        yield made


@pytest.mark.parametrize("model", [*MODELS, "auto"])
def test_a_chat_completion(client, sim, model):
    for provider in sim.providers:
        sim.behave(provider, text="Hello there.")
    completion = client.chat.completions.create(model=model, messages=MESSAGES, temperature=0.2, max_tokens=50)

    assert completion.id.startswith("nrc_") and completion.object == "chat.completion"
    assert completion.choices[0].message.content == "Hello there." and completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0
    assert completion.model == completion.routing["selected"]
    assert completion._request_id


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_with_usage(client, sim, model):
    sim.behave(PROVIDER_OF[model], text="One two three.", chunks=3)
    chunks = list(client.chat.completions.create(
        model=model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}))

    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == "One two three."
    assert chunks[0].routing["selected"] == model
    assert chunks[-1].usage.total_tokens > 0 and not any(chunk.usage for chunk in chunks[:-1])


@pytest.mark.parametrize("model", MODELS)
def test_a_tool_loop(client, sim, model):
    sim.behave(PROVIDER_OF[model], tool_calls=True)
    first = client.chat.completions.create(model=model, messages=MESSAGES, tools=[WEATHER_TOOL])
    assert first.choices[0].finish_reason == "tool_calls"
    [call] = first.choices[0].message.tool_calls
    assert call.function.name == "get_weather" and "city" in json.loads(call.function.arguments)

    second = client.chat.completions.create(model=model, tools=[WEATHER_TOOL], messages=[
        *MESSAGES, first.choices[0].message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"}])

    assert second.choices[0].message.content and second.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("model", MODELS)
def test_streamed_tool_calls_add_up(client, sim, model):
    sim.behave(PROVIDER_OF[model], tool_calls=True, chunks=4)
    with client.chat.completions.stream(model=model, messages=MESSAGES, tools=[WEATHER_TOOL | {
            "function": WEATHER_TOOL["function"] | {"strict": True}}]) as stream:
        final = stream.get_final_completion()
    [call] = final.choices[0].message.tool_calls
    assert call.id and call.function.name == "get_weather" and "city" in json.loads(call.function.arguments)
    assert final.choices[0].finish_reason == "tool_calls"


def test_a_structured_answer_is_parsed(client, sim):
    answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, response_format=JSON_SCHEMA)
    assert "hello" in json.loads(answer.choices[0].message.content)


def test_the_raw_response_shows_its_request_id(client):
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)
    assert raw.headers["x-request-id"] and raw.parse().id.startswith("nrc_")


def test_models_are_listed_and_retrieved(client):
    listed = {model.id: model for model in client.models.list()}
    assert set(MODELS) <= set(listed)
    one = client.models.retrieve("claude-sonnet")
    assert one.owned_by and one.provider == "Anthropic" and one.context_window == 200_000
    assert one.input_per_m == 3.0 and one.health in {"healthy", "degraded", "down"} and one == listed["claude-sonnet"]


def test_route_goes_in_by_extra_body_and_routing_comes_back(client, sim):
    sim.fault("openai", "status", status=529)
    completion = client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, extra_body={"route": {"objective": "quality", "fallbacks": ["claude-sonnet"]}})
    assert completion.model == "claude-sonnet"
    assert [attempt["outcome"] for attempt in completion.routing["attempts"]] == ["status", "ok"]
    assert completion.routing["objective"] == "quality"


def test_errors_are_typed(client, gateway, sim):
    chat = client.chat.completions
    with pytest.raises(openai.AuthenticationError) as refused:
        client.with_options(api_key="nr-wrong").chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert refused.value.type == "unauthenticated" and refused.value.request_id
    with pytest.raises(openai.NotFoundError) as refused:
        chat.create(model="nothing", messages=MESSAGES)
    assert (refused.value.type, refused.value.code, refused.value.param) == ("model_not_found", "model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")
    with pytest.raises(openai.BadRequestError) as refused:
        chat.create(model="gpt-4o", messages=[])
    assert refused.value.type == "invalid_request" and refused.value.param == "messages"
    with pytest.raises(openai.BadRequestError) as refused:
        chat.create(model="gpt-4o", messages=MESSAGES, temperature=9)
    assert refused.value.type == "invalid_request"
    with pytest.raises(openai.NotFoundError) as refused:
        client.completions.create(model="gpt-4o", prompt="y")
    assert refused.value.code == "unknown_url"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_no_provider_is_a_503(client, sim, stream):
    for provider in sim.providers:
        sim.fault(provider, "status", status=500)
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(model="auto", messages=MESSAGES, stream=stream)
    assert refused.value.status_code == 503 and refused.value.type == "no_provider_available"
    assert len(refused.value.response.json()["routing"]["attempts"]) == 3
    assert int(refused.value.response.headers["retry-after"]) >= 1


def test_a_stream_that_breaks_raises(client, sim):
    sim.fault("openai", "end_mid_stream", after_chunks=2)
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True))


def test_the_sdk_s_own_retry_gets_through_when_the_provider_recovers(gateway, sim):
    sim.fault("openai", "status", status=500, times=1)
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=2, timeout=20) as client:
        assert client.chat.completions.create(model="gpt-4o", messages=MESSAGES).choices
    assert len(sim.requests("openai")) == 2


def test_the_asynchronous_client_makes_many_calls_at_once(gateway, sim):
    async def calls():
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=20) as client:
            async def streamed(model: str) -> str:
                stream = await client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
                return "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices])

            async def whole(model: str) -> str:
                return (await client.chat.completions.create(model=model, messages=MESSAGES)).choices[0].message.content
            return await asyncio.gather(*((streamed if number % 2 else whole)(MODELS[number % 3]) for number in range(60)))
    for provider in sim.providers:
        sim.behave(provider, text="All the same.")
    assert asyncio.run(calls()) == ["All the same."] * 60
