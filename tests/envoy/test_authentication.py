"""Who may call: exactly one bearer key that belongs to a workspace."""

import hashlib
import json
import secrets

import pytest

from gateway import assert_error

BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi."}]}).encode()
ENDPOINTS = [("POST", "/v1/chat/completions", BODY), ("GET", "/v1/models", None), ("GET", "/v1/models/gpt-4o", None)]


def refused_headers(key: bytes) -> dict[str, list[tuple[str, bytes]]]:
    good = b"Bearer " + key
    return {
        "missing": [],
        "empty": [("authorization", b"")],
        "only the scheme": [("authorization", b"Bearer")],
        "scheme and blank": [("authorization", b"Bearer ")],
        "no scheme": [("authorization", key)],
        "basic": [("authorization", b"Basic " + key)],
        "scheme run together": [("authorization", b"Bearer" + key)],
        "wrong key": [("authorization", b"Bearer nr-" + secrets.token_hex(24).encode())],
        "cut key": [("authorization", good[:-1])],
        "longer key": [("authorization", good + b"0")],
        "other case": [("authorization", b"Bearer " + key.upper())],
        "two words": [("authorization", good + b" " + key)],
        "joined by a comma": [("authorization", good + b"," + good)],
        "duplicate": [("authorization", good), ("authorization", good)],
        "good then bad": [("authorization", good), ("authorization", b"Bearer nr-0")],
        "bad then good": [("authorization", b"Bearer nr-0"), ("authorization", good)],
        "non-UTF-8": [("authorization", good + b"\xff")],
        "non-UTF-8 scheme": [("authorization", b"\xff\xfe " + key)],
        "huge": [("authorization", b"Bearer nr-" + b"a" * 20_000)],
        "another header": [("x-api-key", key)],
        "the digest": [("authorization", b"Bearer " + hashlib.sha256(key).hexdigest().encode())],
    }


@pytest.mark.parametrize("case", refused_headers(b"nr-x"))
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint[0]} {endpoint[1]}")
def test_refuses_without_naming_the_key(gateway, no_provider_called, case, endpoint):
    method, path, body = endpoint
    headers = refused_headers(gateway.key.encode())[case]

    answer = gateway.call(method, path, headers=headers, body=body, key=None)

    assert_error(answer, 401, "unauthenticated")
    assert gateway.key.encode() not in answer.body and b"aaaa" not in answer.body


@pytest.mark.parametrize("form", [b"Bearer %s", b"bearer %s", b"BEARER %s", b"Bearer   %s", b"Bearer %s   "],
                         ids=["usual", "lower case", "upper case", "more blanks", "blanks after it"])
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint[0]} {endpoint[1]}")
def test_accepts_the_key_in_every_spelling_of_the_scheme(gateway, form, endpoint):
    method, path, body = endpoint
    answer = gateway.call(method, path, headers=[("authorization", form % gateway.key.encode())], body=body, key=None)
    assert answer.status == 200, answer.body[:400]


def test_a_key_in_the_query_is_not_looked_at(gateway):
    answer = gateway.call("GET", f"/v1/models?api_key={gateway.key}&key={gateway.key}", key=None)
    assert_error(answer, 401, "unauthenticated")


def test_every_workspace_has_its_own_key(gateway, keys):
    listed = {
        name: sorted(model["id"] for model in gateway.call("GET", "/v1/models", key=key).json()["data"])
        for name, key in keys.items()
    }
    assert listed["narrow"] == ["gpt-4o"] and listed["wide"] == ["wide-model"]
    assert "gpt-4o" in listed["acme"] and "wide-model" not in listed["acme"]


def test_the_body_of_an_unauthenticated_call_is_not_judged_first(gateway, no_provider_called):
    answer = gateway.post(b"{ not json", key=None)
    assert_error(answer, 401, "unauthenticated")
