"""Everything but chat: the model list, health, and addresses and methods that do not exist."""

import json

import pytest

from configuration import ALLOWED, MODELS
from gateway import assert_error

CATALOGUE = {model["id"]: model for model in MODELS}
HEALTHS = {"healthy", "degraded", "down"}
VISIBLE = {
    "acme": ["claude-sonnet", "gpt-4o", "llama-3.3-70b", "text-embedding-3-small"],
    "narrow": ["gpt-4o"],
    "wide": ["wide-model"],
    "trial": ["trial-tiny", "trial-plain", "trial-tools", "trial-full"],
    "vectors": ["gpt-4o", "embed-small", "embed-large"],
}


def assert_model(shown: dict, ident: str) -> None:
    model = CATALOGUE[ident]
    assert shown["id"] == ident and shown["object"] == "model"
    assert isinstance(shown["created"], int) and isinstance(shown["owned_by"], str) and shown["owned_by"]
    assert shown["provider"] == model["provider_name"]
    assert shown["context_window"] == model["context_window"]
    assert shown["input_per_m"] == model["price"]["input_per_m"]
    assert shown["output_per_m"] == model["price"].get("output_per_m", 0)
    assert shown["health"] in HEALTHS  # which one depends on earlier traffic; the tests below make some
    deployed = {deployment["model"] for deployment in model["deployments"]} - {ident}
    assert not any(name in json.dumps(shown) for name in deployed if len(name) > 6)


@pytest.mark.parametrize("workspace", ALLOWED)
def test_a_workspace_sees_its_models_and_no_others(gateway, keys, no_provider_called, workspace):
    answer = gateway.call("GET", "/v1/models", key=keys[workspace])

    assert answer.status == 200 and answer.header("content-type") == "application/json"
    body = answer.json()
    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == VISIBLE[workspace]
    for model in body["data"]:
        assert_model(model, model["id"])


@pytest.mark.parametrize(("workspace", "ident"), [(name, ident) for name, models in VISIBLE.items() for ident in models])
def test_a_model_can_be_retrieved_by_its_id(gateway, keys, no_provider_called, workspace, ident):
    answer = gateway.call("GET", f"/v1/models/{ident}", key=keys[workspace])
    assert answer.status == 200
    assert_model(answer.json(), ident)
    listed = gateway.call("GET", "/v1/models", key=keys[workspace]).json()["data"]
    assert answer.json() in listed


@pytest.mark.parametrize("ident", ["gpt-4o%2Fmini", "nothing", "claude-sonnet", "gpt-4o-2024-11-20", "GPT-4O", "*", "%00", "%ff",
                                   "x" * 4000])
def test_a_model_that_is_not_allowed_looks_like_one_that_does_not_exist(gateway, keys, no_provider_called, ident):
    answer = gateway.call("GET", f"/v1/models/{ident}", key=keys["narrow"])
    if ident == "%00":  # Envoy itself may refuse such a path
        assert answer.status in (400, 404)
    else:
        assert_error(answer, 404, "model_not_found", "model_not_found", "model")


def test_an_id_in_the_path_may_be_escaped(gateway, no_provider_called):
    answer = gateway.call("GET", "/v1/models/llama%2D3%2E3%2D70b")
    assert answer.status == 200 and answer.json()["id"] == "llama-3.3-70b"


@pytest.mark.parametrize("query", ["", "?", "?probe=1"])
def test_health_needs_no_key(gateway, no_provider_called, query):
    answer = gateway.call("GET", f"/healthz{query}", key=None)
    assert answer.status == 200 and answer.json() == {"status": "ok"}
    assert answer.header("content-type") == "application/json" and answer.header("x-request-id")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/chat", "/v1/completions", "/v1/chat/completions/x", "/v1/chat/completions/",
                                  "/v2/models", "/V1/models", "/healthz/x", "//v1/models", "/v1/models/../../admin", "/config_dump"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_address_says_so(gateway, no_provider_called, method, path):
    answer = gateway.call(method, path, body=b"{}" if method == "POST" else None)
    assert_error(answer, 404, "invalid_request", "unknown_url")


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("GET", "/v1/chat/completions", {"POST"}),
    ("PUT", "/v1/chat/completions", {"POST"}),
    ("DELETE", "/v1/chat/completions", {"POST"}),
    ("PATCH", "/v1/chat/completions", {"POST"}),
    ("POST", "/v1/models", {"GET"}),
    ("DELETE", "/v1/models/gpt-4o", {"GET"}),
    ("POST", "/healthz", {"GET"}),
    ("OPTIONS", "/v1/models", {"GET"}),
    ("TRACE", "/v1/models", {"GET"}),
])
def test_a_wrong_method_names_the_right_one(gateway, no_provider_called, method, path, allowed):
    answer = gateway.call(method, path, body=b"{}" if method in ("POST", "PUT", "PATCH") else None)
    assert_error(answer, 405, "invalid_request", "method_not_allowed")
    named = {name.strip() for name in answer.header("allow").split(",")}
    assert allowed <= named <= allowed | {"HEAD", "OPTIONS"}


def test_a_method_that_http_does_not_know_is_refused(gateway, no_provider_called):
    assert_error(gateway.call("BREW", "/v1/models"), 400, "invalid_request")


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/v1/models/gpt-4o", "/v1/chat/completions", "/nowhere"])
def test_head_gets_headers_and_no_body(gateway, no_provider_called, path):
    head = gateway.raw([(
        f"HEAD {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\nconnection: close\r\n\r\n").encode()], head=True)
    get = gateway.call("GET", path)
    assert head.header("x-request-id")
    assert head.status in ({get.status, 405} if path != "/nowhere" else {404})
    assert head.body == b""


def test_one_connection_serves_many_calls(gateway):
    request = f"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n\r\n".encode()
    chat = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Hi."}]}'
    post = (f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(chat)}\r\n\r\n").encode() + chat
    answers = gateway.sequence([request, post, request, post])
    assert [answer.status for answer in answers] == [200] * 4
    assert [answer.json()["object"] for answer in answers] == ["list", "chat.completion"] * 2


def test_every_call_has_its_own_request_id(gateway):
    ids = {gateway.call("GET", "/v1/models").header("x-request-id") for _ in range(5)}
    ids.add(gateway.call("GET", "/v1/models", headers=[("x-request-id", "mine")]).header("x-request-id"))
    assert len(ids) == 6 and "mine" not in ids


def health_of(gateway, model: str) -> str:
    return gateway.call("GET", f"/v1/models/{model}").json()["health"]


def test_health_follows_real_traffic(gateway, sim):
    assert gateway.chat("claude-sonnet").status == 200
    assert health_of(gateway, "claude-sonnet") == "healthy"

    sim.fault("anthropic", "status", status=529)
    seen = []
    for _ in range(3):
        assert gateway.chat("claude-sonnet").status == 503
        seen.append(health_of(gateway, "claude-sonnet"))
    assert seen == ["degraded", "degraded", "down"]

    sim.heal("anthropic")
    assert gateway.chat("claude-sonnet").status == 200
    assert health_of(gateway, "claude-sonnet") == "healthy"


def test_a_refusal_of_the_caller_says_nothing_of_the_provider_s_health(gateway, sim):
    assert gateway.chat("claude-sonnet").status == 200
    sim.fault("anthropic", "status", status=400)
    for _ in range(3):
        assert gateway.chat("claude-sonnet").status == 400
    assert health_of(gateway, "claude-sonnet") == "healthy"
