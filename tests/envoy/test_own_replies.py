"""What Envoy itself refuses comes out in the API's form, and what a provider's response carries along stays here."""

import socket

import httpx
import pytest

from configuration import PROVIDER_OF
from gateway import assert_error

PASSED = {"content-type", "content-length", "transfer-encoding", "x-request-id", "date", "server", "connection", "cache-control",
          "vary", "retry-after", "allow"}
NEVER = ("set-cookie", "openai-organization", "openai-processing-ms", "openai-version", "anthropic-organization-id", "request-id",
         "x-ratelimit-", "anthropic-ratelimit-", "cf-ray", "via", "x-envoy-", "x-nr-", "alt-svc", "strict-transport-security")


def test_headers_above_the_limit_get_431(gateway, unharmed):
    request = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n" + b"x-long: " + b"a" * 200_000 + b"\r\n\r\n"
    assert_error(gateway.raw(request), 431, "invalid_request")


def test_too_many_headers_get_431(gateway, unharmed):
    request = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n" + b"".join(b"x-%d: 1\r\n" % n for n in range(2_000)) + b"\r\n"
    assert_error(gateway.raw(request), 431, "invalid_request")


@pytest.mark.parametrize("request_", [
    b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET /healthz HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n", b"GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
], ids=["nonsense", "method only", "TLS", "no colon", "content-length", "two lengths", "no host", "transfer coding"])
def test_what_is_no_http_request_gets_400(gateway, unharmed, request_):
    assert_error(gateway.raw(request_), 400, "invalid_request")


@pytest.mark.parametrize("version", [b"0.9", b"1.0", b"9.9"])
def test_another_version_of_http_gets_426(gateway, unharmed, version):
    assert_error(gateway.raw(b"GET /healthz HTTP/" + version + b"\r\nhost: x\r\n\r\n"), 426, "invalid_request")


def test_a_bad_chunk_gets_400(gateway, unharmed):
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
            "transfer-encoding: chunked\r\n\r\nzz\r\n").encode()
    assert_error(gateway.raw(head), 400, "invalid_request")


@pytest.mark.parametrize("kind", ["refuse", "reset_before_headers", "hang"])
def test_a_single_provider_that_is_gone_gives_503_in_our_form(gateway, sim, kind):
    sim.fault("openai", kind)
    answer = gateway.chat()
    assert_error(answer, 503, "no_provider_available")
    assert int(answer.header("retry-after")) >= 1
    assert len(answer.routing["attempts"]) == 1
    assert set(answer.json()) == {"error", "routing"}


@pytest.mark.parametrize("model", PROVIDER_OF)
@pytest.mark.parametrize("mode", ["whole", "stream", "refused", "failed"])
def test_of_a_provider_s_response_headers_only_an_allow_list_passes(gateway, sim, stack, model, mode):
    provider = PROVIDER_OF[model]
    direct = httpx.post(f"http://{sim.providers[provider]}/v1/{'messages' if provider == 'anthropic' else 'chat/completions'}",
                        json={}, trust_env=False)
    brought = {name.lower() for name in direct.headers}
    assert {"set-cookie", "request-id" if provider == "anthropic" else "x-request-id"} <= brought, brought
    assert any("organization" in name for name in brought) and any("ratelimit" in name for name in brought)
    sim.reset()
    if mode in ("refused", "failed"):
        sim.fault(provider, "status", status=400 if mode == "refused" else 500)

    answer = gateway.chat(model, stream=mode == "stream")

    names = {name for name, _ in answer.headers}
    assert names <= PASSED, names - PASSED
    assert not [name for name in names if name.startswith(NEVER)]
    assert answer.header("x-request-id") and answer.header("x-request-id") not in direct.headers.values()
    assert answer.header("server") in (None, "envoy", "neural-router")


def test_streams_are_not_to_be_cached_or_compressed(gateway):
    answer = gateway.chat(stream=True, headers=[("accept-encoding", "gzip")])
    assert answer.header("content-encoding") is None
    assert answer.header("cache-control") in (None, "no-cache", "no-store")


def test_a_request_id_is_on_every_response(gateway, sim):
    sim.fault("groq", "status", status=500)
    answers = [
        gateway.call("GET", "/healthz", key=None), gateway.call("GET", "/v1/models"), gateway.call("GET", "/nowhere"),
        gateway.chat(), gateway.chat(stream=True), gateway.chat(key="nr-x"), gateway.chat("nothing"), gateway.post(b"{"),
        gateway.chat("llama-3.3-70b"), gateway.raw(b"nonsense\r\n\r\n"),
    ]
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200, 401, 404, 400, 503, 400]
    ids = [answer.header("x-request-id") for answer in answers]
    assert all(ids) and len(set(ids)) == len(ids)


def test_a_slow_request_body_does_not_hold_up_others(gateway):
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
            "content-length: 100\r\n\r\n{").encode()
    idle = [socket.create_connection((gateway.host, gateway.port), 5) for _ in range(20)]
    try:
        for conn in idle:
            conn.sendall(head)
        assert [gateway.chat().status for _ in range(4)] == [200] * 4
    finally:
        for conn in idle:
            conn.close()
