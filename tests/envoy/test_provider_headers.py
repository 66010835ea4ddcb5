"""What a provider sees of a call: its own key, and nothing of the client's."""

import json

import pytest

from configuration import PROTOCOLS

MODEL_AT = {"openai": "gpt-4o", "anthropic": "claude-sonnet", "groq": "llama-3.3-70b"}


def credentials(recorded) -> dict[str, list[str]]:
    return {name: recorded.values(name) for name in ("authorization", "x-api-key")}


def expected_credentials(stack, provider: str) -> dict[str, list[str]]:
    key = stack.secrets.provider[provider]
    if PROTOCOLS[provider] == "anthropic":
        return {"authorization": [], "x-api-key": [key]}
    return {"authorization": [f"Bearer {key}"], "x-api-key": []}


@pytest.mark.parametrize("provider", PROTOCOLS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_each_provider_gets_its_own_key_and_not_the_client_s(gateway, sim, stack, provider, stream):
    sim.behave(provider, api_key=stack.secrets.provider[provider])

    assert gateway.chat(MODEL_AT[provider], stream=stream).status == 200

    recorded = sim.only(provider)
    assert credentials(recorded) == expected_credentials(stack, provider)
    assert not any("nr-" in value for _, value in recorded.headers), recorded.headers
    assert gateway.key.encode() not in recorded.body


@pytest.mark.parametrize("order", [
    ("openai", "anthropic"), ("anthropic", "openai"), ("openai", "groq"), ("groq", "openai"),
    ("openai", "anthropic", "groq"), ("anthropic", "openai", "groq"), ("groq", "anthropic", "openai"),
], ids=" then ".join)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_after_a_failover_the_next_provider_sees_only_its_own_key_and_body(gateway, sim, stack, order, stream):
    for provider in order[:-1]:
        sim.fault(provider, "status", status=500)
    for provider in order:
        sim.behave(provider, api_key=stack.secrets.provider[provider])

    answer = gateway.chat(MODEL_AT[order[0]], route={"fallbacks": [MODEL_AT[name] for name in order[1:]]}, stream=stream)

    assert answer.status == 200
    for provider in order:
        recorded = sim.only(provider)
        assert credentials(recorded) == expected_credentials(stack, provider)
        everything = "\n".join(f"{name}: {value}" for name, value in recorded.headers) + recorded.body.decode()
        for other, key in stack.secrets.provider.items():
            assert other == provider or key not in everything, f"{provider} saw the key of {other}"
        assert recorded.path == ("/v1/messages" if PROTOCOLS[provider] == "anthropic" else "/v1/chat/completions")
        assert ("anthropic-version" in recorded.names()) == (PROTOCOLS[provider] == "anthropic")
        assert recorded.values("host") == [sim.providers[provider]]
        assert recorded.values("content-length") == [str(len(recorded.body))]
        assert "transfer-encoding" not in recorded.names()
        assert json.loads(recorded.body)["model"] != MODEL_AT[provider]


@pytest.mark.parametrize("provider", MODEL_AT)
def test_headers_of_the_client_stay_here(gateway, sim, provider):
    sent = [
        ("x-api-key", "mine"), ("x-probe", "1"), ("x-forwarded-for", "203.0.113.9"), ("x-real-ip", "203.0.113.9"),
        ("x-stainless-lang", "python"), ("x-request-id", "client-chosen"), ("cookie", "session=1"),
        ("accept-encoding", "gzip, br"), ("openai-organization", "org-client"), ("openai-project", "proj-client"),
        ("anthropic-beta", "client"), ("anthropic-version", "1999-01-01"), ("referer", "https://client.example/"),
        ("origin", "https://client.example"), ("user-agent", "client-canary/1"), ("proxy-authorization", "Basic Zm9v"),
        ("forwarded", "for=203.0.113.9"), ("via", "1.1 client"), ("api-key", "mine"), ("accept-language", "tlh"),
    ]

    answer = gateway.chat(MODEL_AT[provider], headers=sent)

    assert answer.status == 200
    recorded = sim.only(provider)
    assert [pair for pair in recorded.headers if (pair[0].lower(), pair[1]) in sent] == []
    assert recorded.names() <= {
        "host", "content-type", "content-length", "accept", "user-agent", "authorization", "x-api-key", "anthropic-version",
        "x-request-id", "connection",
    }
    assert recorded.values("content-type") == ["application/json"]
    assert recorded.values("x-request-id") in ([], [answer.header("x-request-id")])


def test_an_idempotency_key_and_a_trace_go_along(gateway, sim):
    sent = {"idempotency-key": "once", "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "tracestate": "a=b"}
    assert gateway.chat(headers=sent.items()).status == 200
    assert {name: sim.only("openai").values(name) for name in sent} == {name: [value] for name, value in sent.items()}


def test_an_expect_header_does_not_reach_the_provider_and_does_not_stall_the_call(gateway, sim):
    answer = gateway.chat(headers=[("expect", "100-continue")])
    assert answer.status == 200
    assert "expect" not in sim.only("openai").names()
