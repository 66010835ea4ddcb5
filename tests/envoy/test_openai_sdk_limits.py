"""The OpenAI Python SDK meets limits, budgets, content rules and embeddings: typed errors, and retries where they help."""

import asyncio
import time

import openai
import pytest

from answers import BURST
from caller import Caller
from configuration import PROVIDER_OF
from tenants import PHRASE

MESSAGES = [{"role": "user", "content": "Say hello."}]
INPUTS = {"string": "Say hello.", "strings": ["Say hello.", "And bye."], "tokens": [1, 2, 3], "token arrays": [[1, 2], [3]]}


class Sdk(openai.OpenAI):
    """The SDK as a caller's client, with the requests it has sent."""

    def __init__(self, caller: Caller, max_retries: int = 0):
        self.sent = []
        super().__init__(
            base_url=f"{caller.stack.gateway.url}/v1", api_key=caller.key, max_retries=max_retries, timeout=20,
            http_client=openai.DefaultHttpxClient(event_hooks={"request": [self.sent.append]}))

    def chat_once(self, model: str = "meter", **fields):
        """A chat call with a short answer."""
        return self.chat.completions.create(model=model, messages=MESSAGES, max_tokens=10, **fields)


def asynchronous(caller: Caller, max_retries: int = 0) -> openai.AsyncOpenAI:
    """The same for asyncio."""
    return openai.AsyncOpenAI(base_url=f"{caller.stack.gateway.url}/v1", api_key=caller.key, max_retries=max_retries, timeout=20)


def exhaust(client: Sdk) -> None:
    for _ in range(BURST):
        assert client.chat_once().choices


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call_too_many_is_a_rate_limit_error(fresh, stream):
    with Sdk(fresh("calls")) as client:
        exhaust(client)
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat_once(stream=stream)
    error = refused.value
    assert (error.status_code, error.type, error.code) == (429, "rate_limited", "requests_per_minute_exceeded")
    assert int(error.response.headers["retry-after"]) >= 1
    assert error.response.headers["x-ratelimit-remaining"] == error.response.headers["x-ratelimit-remaining-requests"] == "0"


def test_the_sdk_waits_as_long_as_retry_after_says_and_gets_through(fresh, sim):
    with Sdk(fresh("second"), max_retries=2) as client:
        assert client.chat_once().choices
        began = time.monotonic()
        assert client.chat_once().choices
        waited = time.monotonic() - began
        assert len(client.sent) == 3
    assert 1.0 <= waited < 2.0
    assert len(sim.requests("openai")) == 2


def test_too_many_tokens_are_a_rate_limit_error(fresh, sim):
    sim.behave("openai", tokens={"prompt": 900, "completion": 50})
    with Sdk(fresh("tokens")) as client:
        assert client.chat_once().usage.total_tokens == 950
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model="meter", messages=MESSAGES, max_tokens=100)
    assert refused.value.code == "tokens_per_minute_exceeded"


def test_an_exhausted_budget_is_not_retried(fresh, no_provider_called):
    with Sdk(fresh("cents"), max_retries=3) as client:
        began = time.monotonic()
        with pytest.raises(openai.APIStatusError) as refused:
            client.chat_once()
        assert len(client.sent) == 1 and time.monotonic() - began < 0.4
    error = refused.value
    assert (error.status_code, error.type, error.code) == (402, "budget_exceeded", "budget_exceeded")
    assert error.response.headers["x-should-retry"] == "false"
    assert error.body["limit_usd"] == 0.02 and error.body["spent_usd"] == 0 and error.body["resets_at"] is None


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_blocked_request_is_a_permission_error_and_is_not_retried(fresh, no_provider_called, stream):
    with Sdk(fresh.shared("block"), max_retries=3) as client:
        with pytest.raises(openai.PermissionDeniedError) as refused:
            client.chat.completions.create(model="meter", messages=[{"role": "user", "content": PHRASE}], stream=stream)
        assert len(client.sent) == 1
    assert (refused.value.type, refused.value.code, refused.value.body["rule"]) == ("forbidden", "guardrail_blocked", "project-x")
    assert PHRASE not in str(refused.value)


def test_a_model_that_the_key_may_not_use_is_a_permission_error(fresh, no_provider_called):
    caller = fresh.shared("chosen")
    with Sdk(Caller(caller.stack, caller.workspace, {"some": caller.keys["some"]})) as client:
        with pytest.raises(openai.PermissionDeniedError) as refused:
            client.chat_once("meter-dear")
        assert "meter-dear" not in {model.id for model in client.models.list()}
    assert (refused.value.code, refused.value.param) == ("model_forbidden", "model")


def test_a_stream_that_is_blocked_midway_raises(fresh, sim):
    sim.behave("openai", text=f"It is {PHRASE}.", chunks=20)
    with Sdk(fresh.shared("block"), max_retries=2) as client:
        pieces = []
        with pytest.raises(openai.APIError) as ended:
            for chunk in client.chat_once(stream=True):
                pieces += [choice.delta.content or "" for choice in chunk.choices]
        assert len(client.sent) == 1
    assert (ended.value.type, ended.value.code, ended.value.body["rule"]) == ("forbidden", "guardrail_blocked", "project-x")
    assert "It is ".startswith("".join(pieces)) and PHRASE not in str(ended.value)


def test_the_streaming_helper_gives_the_redacted_text_and_says_so(fresh, sim):
    sim.behave("openai", text=f"It is {PHRASE}.", chunks=20)
    with Sdk(fresh.shared("redact")) as client:
        with client.chat.completions.stream(
                model="meter", messages=MESSAGES, max_tokens=10, stream_options={"include_usage": True}) as stream:
            routings = [event.chunk.routing for event in stream if event.type == "chunk" and hasattr(event.chunk, "routing")]
            final = stream.get_final_completion()
    assert final.choices[0].message.content == "It is [redacted:project-x]." and final.usage.total_tokens > 0
    first, changed, priced = routings
    assert first["adjustments"] == [] and changed["adjustments"] == ["redacted project-x in the answer (1)"] and priced["cost_usd"] > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_raw_response_shows_the_limits(fresh, stream):
    with Sdk(fresh("both")) as client:
        raw = client.chat.completions.with_raw_response.create(model="meter", messages=MESSAGES, max_tokens=10, stream=stream)
        assert raw.headers["x-ratelimit-limit-requests"] == "2" and raw.headers["x-ratelimit-remaining"] == str(BURST - 1)
        assert raw.headers["x-ratelimit-reset-requests"].endswith("s") and int(raw.headers["x-ratelimit-remaining-tokens"]) < 1000
        parsed = raw.parse()
        assert list(parsed) if stream else parsed.choices


def test_route_goes_in_by_extra_body_where_limits_hold(fresh, sim):
    sim.fault("openai", "status", status=429)
    with Sdk(fresh("both")) as client:
        answer = client.chat_once(extra_body={"route": {"fallbacks": ["meter-dear"]}})
    assert answer.routing["selected"] == "meter-dear" and answer.model == "meter-dear"


def test_of_many_asynchronous_calls_the_burst_is_admitted(fresh):
    async def calls(caller: Caller) -> list[str]:
        async with asynchronous(caller) as client:
            async def one(number: int) -> str:
                try:
                    made = await client.chat.completions.create(model="meter", messages=MESSAGES, max_tokens=10, stream=number % 2 == 1)
                    return "answered" if number % 2 == 0 or [chunk async for chunk in made] else "empty"
                except openai.RateLimitError as error:
                    return error.code
            return await asyncio.gather(*map(one, range(20)))
    outcomes = asyncio.run(calls(fresh("calls")))
    assert sorted(outcomes) == ["answered"] * BURST + ["requests_per_minute_exceeded"] * (20 - BURST)


def test_the_asynchronous_client_waits_and_gets_through_too(fresh):
    async def calls(caller: Caller) -> float:
        async with asynchronous(caller, max_retries=3) as client:
            began = time.monotonic()
            for _ in range(2):
                assert (await client.chat.completions.create(model="meter", messages=MESSAGES, max_tokens=10)).choices
            return time.monotonic() - began
    assert 0.9 <= asyncio.run(calls(fresh("second"))) < 3.0


@pytest.mark.parametrize("form", INPUTS)
@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings(gateway, form, encoding):
    fields = {"encoding_format": encoding} if encoding else {}  # without one the SDK asks for base64 and decodes it
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        answer = client.embeddings.create(model="text-embedding-3-small", input=INPUTS[form], dimensions=64, **fields)
    count = len(INPUTS[form]) if form in ("strings", "token arrays") else 1
    assert answer.object == "list" and answer.model == "text-embedding-3-small"
    assert [item.index for item in answer.data] == list(range(count))
    for item in answer.data:
        assert isinstance(item.embedding, str) if encoding == "base64" else len(item.embedding) == 64
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0
    assert answer.routing["selected"] == "text-embedding-3-small" and answer.routing["provider"] == "openai"


def test_floats_and_base64_say_the_same(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        decoded, floats = (client.embeddings.create(model="auto", input="Say hello.", **fields).data[0].embedding
                           for fields in ({}, {"encoding_format": "float"}))
    assert len(decoded) == len(floats) == 1536
    assert all(abs(one - other) < 1e-6 for one, other in zip(decoded, floats, strict=True))


def test_asynchronous_embeddings(gateway):
    async def embed() -> list[int]:
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
            answers = await asyncio.gather(*(client.embeddings.create(model="auto", input=[f"number {n}"] * n) for n in range(1, 6)))
            return [len(answer.data) for answer in answers]
    assert asyncio.run(embed()) == [1, 2, 3, 4, 5]


def test_nobody_to_embed_is_a_503_and_the_sdk_retries_it(gateway, sim):
    sim.fault(PROVIDER_OF["gpt-4o"], "status", status=500, times=1)
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=1) as client:
        assert client.embeddings.create(model="text-embedding-3-small", input="Say hello.").data
        sim.fault("openai", "status", status=500)
        with pytest.raises(openai.InternalServerError) as refused:
            client.with_options(max_retries=0).embeddings.create(model="text-embedding-3-small", input="Say hello.")
    assert (refused.value.status_code, refused.value.type) == (503, "no_provider_available")


def test_embedding_errors_are_typed(gateway, no_provider_called):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        with pytest.raises(openai.NotFoundError) as refused:
            client.embeddings.create(model="nothing", input="Say hello.")
        assert (refused.value.type, refused.value.code, refused.value.param) == ("model_not_found", "model_not_found", "model")
        with pytest.raises(openai.BadRequestError) as refused:
            client.embeddings.create(model="auto", input=[])
        assert (refused.value.type, refused.value.param) == ("invalid_request", "input")
