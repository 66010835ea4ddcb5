"""The gateway over HTTP/2: chat, streams, trailers, and many calls on one connection."""

import asyncio
import json

import httpx
import pytest

import http2
from gateway import assert_error

pytestmark = pytest.mark.usefixtures("unharmed")

HEADERS = http2.request_headers


def body(model: str = "gpt-4o", **fields) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi."}]} | fields).encode()


def post(gateway, payload: bytes, *more, trailers=None, key=""):
    return http2.exchange(gateway.port, HEADERS(gateway.port, "POST", "/v1/chat/completions", key or gateway.key, *more), payload, trailers)


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
def test_a_chat_call(gateway, sim, model):
    answer = post(gateway, body(model))
    assert answer.status == 200 and answer.json()["routing"]["selected"] == model
    assert answer.header("x-request-id") and not answer.torn


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
def test_a_stream(gateway, sim, model):
    answer = post(gateway, body(model, stream=True, stream_options={"include_usage": True}))
    assert answer.status == 200 and answer.done and answer.streamed_text and answer.chunks[-1]["usage"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet"])
def test_a_request_with_trailers_is_translated_like_any_other(gateway, sim, model, stream):
    answer = post(gateway, body(model, stream=stream, route={"objective": "cost"}), trailers=[("x-checksum", "1")])

    assert answer.status == 200, answer.body[:400]
    assert answer.done if stream else answer.json()["id"].startswith("nrc_")
    provider = {"gpt-4o": "openai", "claude-sonnet": "anthropic"}[model]
    received = sim.only(provider)
    assert received.json()["model"] != model and "route" not in received.json()
    assert received.values("content-length") == [str(len(received.body))]
    assert "x-checksum" not in received.names()


def test_trailers_survive_a_failover(gateway, sim):
    sim.fault("openai", "status", status=500)
    answer = post(gateway, body(route={"fallbacks": ["claude-sonnet"]}), trailers=[("x-checksum", "1")])
    assert answer.status == 200 and answer.json()["routing"]["selected"] == "claude-sonnet"
    assert sim.only("anthropic").json()["model"] == "claude-sonnet-4-5"


@pytest.mark.parametrize("trailer", [("authorization", "Bearer nr-x"), ("content-length", "1"), ("x-nr-next", "provider_groq"),
                                     ("x-probe", "\xff"), ("x-long", "a" * 5000)], ids=lambda trailer: trailer[0])
def test_no_trailer_has_an_effect(gateway, sim, trailer):
    answer = post(gateway, body(), trailers=[trailer])
    if answer.status == 200:
        assert answer.json()["routing"]["selected"] == "gpt-4o"
    else:  # what the codec itself refuses: Envoy answers, or resets the stream
        assert answer.torn or answer.status == 400


@pytest.mark.parametrize(("payload", "status", "kind"), [
    (b"", 400, "invalid_request"), (b"{", 400, "invalid_request"), (b"[]", 400, "invalid_request"),
])
@pytest.mark.parametrize("trailers", [None, [("x-checksum", "1")]], ids=["no trailers", "trailers"])
def test_a_bad_body_is_refused_with_and_without_trailers(gateway, no_provider_called, payload, status, kind, trailers):
    assert_error(post(gateway, payload, trailers=trailers), status, kind)


def test_headers_alone_are_an_empty_body(gateway, no_provider_called):
    assert_error(post(gateway, b""), 400, "invalid_request")


def test_the_key_is_asked_for(gateway, no_provider_called):
    assert_error(post(gateway, body(), key="nr-wrong"), 401, "unauthenticated")
    twice = post(gateway, body(), ("authorization", f"Bearer {gateway.key}"))
    assert_error(twice, 401, "unauthenticated")


@pytest.mark.parametrize("byte", [0x01, 0x7F, 0x80, 0xFE, 0xFF])
def test_odd_bytes_in_a_header_value_are_served_or_refused(gateway, byte):
    answer = post(gateway, body(), ("x-probe", b"a" + bytes([byte]) + b"b"))
    assert answer.status in (200, 400) or answer.torn


def test_a_large_body_passes(gateway, sim):
    image = "data:image/png;base64," + "A" * 10_000_000
    content = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": image}}]
    answer = post(gateway, body(messages=[{"role": "user", "content": content}]))
    assert answer.status == 200, answer.body[:300]
    assert len(sim.only("openai").body) > 10_000_000


def test_models_and_health(gateway):
    models = http2.exchange(gateway.port, HEADERS(gateway.port, "GET", "/v1/models", gateway.key))
    health = http2.exchange(gateway.port, HEADERS(gateway.port, "GET", "/healthz", None))
    assert models.json()["object"] == "list" and health.json() == {"status": "ok"}


def test_many_calls_share_one_connection(gateway, sim):
    async def calls() -> list[httpx.Response]:
        async with httpx.AsyncClient(http1=False, http2=True, trust_env=False, timeout=20) as client:
            return await asyncio.gather(*(
                client.post(f"{gateway.url}/v1/chat/completions", headers={"authorization": f"Bearer {gateway.key}"},
                            json=json.loads(body(("gpt-4o", "claude-sonnet")[number % 2], stream=number % 3 == 0)))
                for number in range(60)))
    answers = asyncio.run(calls())
    assert [(answer.status_code, answer.http_version) for answer in answers] == [(200, "HTTP/2")] * 60
    for number, answer in enumerate(answers):
        assert answer.text.endswith("data: [DONE]\n\n") if number % 3 == 0 else answer.json()["id"].startswith("nrc_")
