"""`POST /v1/embeddings`: what arrives at a provider, what comes back, and that vectors of different models never mix."""

import base64
import json
import struct

import openai
import pytest

from configuration import ALLOWED, PROVIDER_OF, UPSTREAM_NAME
from gateway import assert_error
from programs import until
from requests_json import members
from test_logs import entry

SMALL, LARGE = 1536, 3072
UPSTREAM = {"embed-small": "text-embedding-3-small", "embed-large": "text-embedding-3-large"}
TEXT = "Say “hello” to café 😀."


@pytest.fixture
def post(gateway, keys):
    """POSTs these bytes to the embeddings endpoint as workspace `vectors`."""
    def made(body: bytes, key: str | None = keys["vectors"], **options):
        return gateway.call("POST", "/v1/embeddings", body=body, key=key, **options)
    return made


@pytest.fixture
def embed(post):
    """An embeddings call; a field given as None is left out."""
    def made(model: str | None = "embed-small", text=TEXT, **fields):
        payload = {"model": model, "input": text} | fields
        options = {name: payload.pop(name) for name in ("key", "headers") if name in payload}
        return post(json.dumps({name: value for name, value in payload.items() if value is not None}).encode(), **options)
    return made


@pytest.fixture
def client(gateway, keys):
    """OpenAI's SDK as a user sets it up, except that it must not retry."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=keys["vectors"], max_retries=0, timeout=20) as made:
        yield made


def vectors(answer) -> list[list[float]]:
    """The vectors of a good answer, however they are written."""
    assert answer.status == 200, answer.body[:600]
    return [_decoded(one["embedding"]) if isinstance(one["embedding"], str) else one["embedding"] for one in answer.json()["data"]]


def _decoded(text: str) -> list[float]:
    raw = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


def same(one: list[float], other: list[float]) -> bool:
    """Whether these are the same 32-bit floats."""
    return len(one) == len(other) and struct.pack(f"<{len(one)}f", *one) == struct.pack(f"<{len(other)}f", *other)


# What comes back.

def test_an_answer_has_openai_s_shape_and_says_how_it_was_routed(embed, sim):
    answer = embed()

    assert answer.status == 200 and answer.header("content-type") == "application/json"
    assert answer.header("content-length") == str(len(answer.body)) and answer.header("x-request-id")
    recorded = sim.only("openai")
    assert (recorded.method, recorded.path) == ("POST", "/v1/embeddings")
    body = answer.json()
    assert set(body) == {"object", "data", "model", "usage", "routing"}
    assert body["object"] == "list" and body["model"] == "embed-small"
    [one] = body["data"]
    assert set(one) == {"object", "index", "embedding"} and (one["object"], one["index"]) == ("embedding", 0)
    assert len(one["embedding"]) == SMALL and sum(x * x for x in one["embedding"]) == pytest.approx(1, abs=1e-4)
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] > 0
    routing = body["routing"]
    assert set(routing) == {"selected", "objective", "task_class", "candidates_considered", "reason", "provider", "policy",
                            "estimated_cost_usd", "attempts", "adjustments", "cost_usd"}
    assert routing["task_class"] is None and routing["cost_usd"] > 0
    assert (routing["selected"], routing["provider"], routing["objective"]) == ("embed-small", "openai", "quality-per-dollar")
    assert routing["candidates_considered"] == 2 and routing["reason"] == "requested by id" and routing["adjustments"] == []
    [attempt] = routing["attempts"]
    assert 0 <= attempt.pop("latency_ms") < 5000
    assert attempt == {"model": "embed-small", "provider": "openai", "outcome": "ok", "status": 200}


@pytest.mark.parametrize(("text", "count"), [
    (TEXT, 1),
    (["one", "two", TEXT], 3),
    ([15339, 1917, 0], 1),
    ([[15339], [1917, 0]], 2),
    (["x"] * 2048, 2048),
    ([7] * 8000, 1),
], ids=["string", "array", "tokens", "token arrays", "2048 strings", "8000 tokens"])
@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_every_form_of_input_gets_its_vectors(embed, sim, text, count, encoding):
    answer = embed(text=text, encoding_format=encoding, dimensions=8)

    found = vectors(answer)
    assert len(found) == count and all(len(vector) == 8 for vector in found)
    assert [one["index"] for one in answer.json()["data"]] == list(range(count))
    assert {type(one["embedding"]) for one in answer.json()["data"]} == {str if encoding == "base64" else list}
    assert sim.only("openai").json()["input"] == text


def test_float_and_base64_are_the_same_vectors(embed):
    floats, packed = (vectors(embed(text=["one", "two"], encoding_format=encoding)) for encoding in ("float", "base64"))
    assert all(same(one, other) for one, other in zip(floats, packed, strict=True)) and not same(*floats)


def test_a_large_answer_comes_whole(embed):
    answer = embed("embed-large", text=[f"text {number}" for number in range(100)], encoding_format="float")
    assert len(answer.body) > 3_000_000
    assert [len(vector) for vector in vectors(answer)] == [LARGE] * 100


# What arrives at a provider.

@pytest.mark.parametrize("text", ['"caf\\u00e9 \\/ \\ud83d\\ude00"', '[ "a" ,\t"b\\n" ]', "[ 1 ,2,  3]", "[[1],[ 2 , 3 ] ]"])
def test_every_field_reaches_the_provider_as_it_was_written(post, sim, text):
    fields = {
        "user": '"u-1"', "input": text, "model": '"embed-large"', "dimensions": "12", "encoding_format": '"base64"',
        "route": '{"objective":"quality","fallbacks":[],"max_latency_ms":5000,"task_class":"qa"}',
    }

    answer = post(("{ " + " , ".join(f'"{key}": {value}' for key, value in fields.items()) + "\n}").encode())

    assert answer.status == 200, answer.body[:600]
    received = members(sim.only("openai").body.decode())
    assert received[0] == ("model", '"text-embedding-3-large"')
    assert received[1:] == [pair for pair in fields.items() if pair[0] not in ("model", "route")]


def test_a_field_nobody_knows_is_the_provider_s_to_judge(post, sim):
    answer = post(b'{"model":"embed-small","input":"x","a_field_of_next_year":[1.50, null]}')

    assert "a_field_of_next_year" in assert_error(answer, 400, "invalid_request")["message"]
    assert members(sim.only("openai").body.decode())[2] == ("a_field_of_next_year", "[1.50, null]")
    assert sim.requests("groq") == []


@pytest.mark.parametrize("dimensions", [1, 256, SMALL])
def test_dimensions_reach_the_provider_and_decide_the_length(embed, sim, dimensions):
    answer = embed(dimensions=dimensions)
    assert [len(vector) for vector in vectors(answer)] == [dimensions]
    assert sim.only("openai").json()["dimensions"] == dimensions


def test_without_dimensions_none_are_sent(embed, sim):
    assert [len(vector) for vector in vectors(embed("embed-large"))] == [LARGE]
    assert "dimensions" not in sim.only("openai").json()


@pytest.mark.parametrize(("model", "dimensions", "most"), [("embed-small", SMALL + 1, SMALL), ("embed-large", 100_000, LARGE), ("auto", LARGE + 1, LARGE)])
def test_more_dimensions_than_the_model_has_are_refused(embed, no_provider_called, model, dimensions, most):
    error = assert_error(embed(model, dimensions=dimensions), 400, "invalid_request", param="dimensions")
    assert str(most) in error["message"]


def test_auto_takes_a_model_that_has_the_dimensions(embed):
    answer = embed("auto", dimensions=SMALL + 1, route={"objective": "cost"})
    assert answer.routing["selected"] == "embed-large" and [len(vector) for vector in vectors(answer)] == [SMALL + 1]


def test_headers_of_the_client_stay_here_but_for_the_documented(embed, sim):
    assert embed(headers=[("idempotency-key", "i-1"), ("cookie", "c=1"), ("x-stainless-lang", "python")]).status == 200
    recorded = sim.only("openai")
    assert recorded.values("idempotency-key") == ["i-1"] and not {"cookie", "x-stainless-lang"} & recorded.names()
    assert recorded.values("content-length") == [str(len(recorded.body))] and recorded.values("accept") == ["application/json"]


# The choice.

@pytest.mark.parametrize(("objective", "expected"), [("quality", "embed-large"), ("cost", "embed-small")])
def test_auto_takes_an_embedding_model(embed, sim, objective, expected):
    answer = embed("auto", route={"objective": objective})

    assert answer.routing["selected"] == answer.json()["model"] == expected
    assert answer.routing["objective"] == objective
    assert sim.only("openai").json()["model"] == UPSTREAM[expected]


def test_an_input_too_long_for_a_model_goes_to_none(embed, no_provider_called):
    error = assert_error(embed("auto", text=["short", "word " * 10_000]), 400, "invalid_request", "context_length_exceeded", "input")
    assert "8192" in error["message"]


def test_many_inputs_may_be_longer_together_than_the_window(embed):
    assert len(vectors(embed(text=["word " * 1_000] * 20, dimensions=2))) == 20


@pytest.mark.parametrize("route", [{"objective": "cheapest"}, {"objectives": "cost"}, {"fallbacks": "embed-large"}, {"max_latency_ms": 0}, []])
def test_route_is_checked_as_it_is_for_chat(embed, no_provider_called, route):
    assert assert_error(embed(route=route), 400, "invalid_request")["param"].startswith("route")


# Failover.

FAULTS = [
    ("status", {"status": 500}, "status", 500),
    ("status", {"status": 429}, "status", 429),
    ("refuse", {}, "connect_failure", None),
    ("hang", {}, "timeout", None),
    ("truncated_json", {}, "malformed", 200),
    ("html", {}, "malformed", 200),
    ("empty_body", {}, "malformed", 200),
    ("gzip", {}, "malformed", 200),
    ("sse_error_first", {}, "in_band_error", 200),
    ("status", {"status": 200, "body": {"object": "list", "data": [], "model": "x"}}, "malformed", 200),
    ("status", {"status": 200, "body": {"object": "chat.completion", "choices": [{"index": 0}]}}, "malformed", 200),
]


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize(("kind", "settings", "outcome", "status"), FAULTS, ids=lambda value: json.dumps(value)[:40])
def test_a_second_deployment_of_the_same_model_answers(embed, sim, kind, settings, outcome, status, encoding):
    expected = vectors(embed(encoding_format=encoding))
    sim.fault("openai", kind, **settings)

    answer = embed(encoding_format=encoding)

    assert all(same(one, other) for one, other in zip(vectors(answer), expected, strict=True))
    assert answer.json()["model"] == "embed-small" and answer.routing["provider"] == "groq"
    tried = [(attempt["model"], attempt["provider"], attempt["outcome"], attempt["status"]) for attempt in answer.routing["attempts"]]
    assert tried == [("embed-small", "openai", outcome, status), ("embed-small", "groq", "ok", 200)]
    assert sim.only("groq").json()["model"] == UPSTREAM["embed-small"]


@pytest.mark.parametrize(("model", "objective", "tried"), [
    ("embed-small", "quality", [("embed-small", "openai"), ("embed-small", "groq")]),
    ("embed-large", "quality", [("embed-large", "openai")]),
    ("auto", "quality", [("embed-large", "openai")]),
    ("auto", "cost", [("embed-small", "openai"), ("embed-small", "groq")]),
])
def test_no_other_model_is_asked_unless_the_caller_lists_it(embed, sim, model, objective, tried):
    for provider in sim.providers:
        sim.fault(provider, "status", status=500)

    answer = embed(model, route={"objective": objective})

    assert_error(answer, 503, "no_provider_available")
    assert [(attempt["model"], attempt["provider"]) for attempt in answer.routing["attempts"]] == tried
    assert answer.routing["candidates_considered"] == len(tried)
    assert 1 <= int(answer.header("retry-after")) <= 120


@pytest.mark.parametrize(("model", "fallback", "vector_length"), [("embed-large", "embed-small", SMALL), ("auto", "embed-small", SMALL)])
def test_a_model_the_caller_lists_is_asked(embed, sim, model, fallback, vector_length):
    sim.fault("openai", "status", status=529)

    answer = embed(model, route={"objective": "quality", "fallbacks": [fallback]})

    assert [len(vector) for vector in vectors(answer)] == [vector_length] and answer.json()["model"] == fallback
    assert [(attempt["model"], attempt["provider"]) for attempt in answer.routing["attempts"]] == [
        ("embed-large", "openai"), (fallback, "openai"), (fallback, "groq")]


def test_a_chat_model_among_the_fallbacks_is_never_asked_for_embeddings(embed, sim):
    for provider in sim.providers:
        sim.fault(provider, "status", status=500)
    assert embed("embed-large", route={"fallbacks": ["gpt-4o"]}).status in (400, 503)
    asked = [recorded.json()["model"] for provider in sim.providers for recorded in sim.requests(provider)]
    assert UPSTREAM_NAME["gpt-4o"] not in asked


def test_what_is_wrong_with_the_request_itself_is_not_tried_elsewhere(embed, sim):
    sim.fault("openai", "status", status=400)
    assert_error(embed(), 400, "invalid_request")
    assert len(sim.requests("openai")) == 1 and sim.requests("groq") == []


# Refusals.

@pytest.mark.parametrize("workspace", [name for name, models in ALLOWED.items() if "gpt-4o" in models])
def test_a_chat_model_does_not_embed(embed, keys, no_provider_called, workspace):
    assert_error(embed("gpt-4o", key=keys[workspace]), 400, "invalid_request", "wrong_model_kind", "model")


@pytest.mark.parametrize("model", UPSTREAM)
def test_an_embedding_model_does_not_chat(gateway, keys, no_provider_called, model):
    assert_error(gateway.chat(model, key=keys["vectors"]), 400, "invalid_request", "wrong_model_kind", "model")


def test_auto_without_an_embedding_model_says_so(embed, keys, no_provider_called):
    assert_error(embed("auto", key=keys["narrow"]), 400, "invalid_request", "wrong_model_kind", "model")


@pytest.mark.parametrize("key", [None, "nr-wrong"])
def test_a_key_is_needed(post, no_provider_called, key):
    answer = post(b'{"model":"embed-small","input":"x"}', key=key)
    assert_error(answer, 401, "unauthenticated", "invalid_api_key")
    assert answer.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize("model", ["nothing", "wide-model", "claude-sonnet", "text-embedding-3-small", "Embed-Small"])
def test_an_unknown_or_forbidden_model_is_not_found(embed, no_provider_called, model):
    assert_error(embed(model), 404, "model_not_found", "model_not_found", "model")
    assert_error(embed(route={"fallbacks": ["embed-large", model]}), 404, "model_not_found", "model_not_found", "route.fallbacks[1]")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_allowed(gateway, no_provider_called, method):
    answer = gateway.call(method, "/v1/embeddings", body=b"{}" if method in ("PUT", "PATCH") else None)
    assert_error(answer, 405, "invalid_request", "method_not_allowed")
    assert "POST" in answer.header("allow")


@pytest.mark.parametrize("path", ["/v1/embeddings/", "/v1/embeddings/x", "/v1/embedding", "/embeddings"])
def test_a_path_beside_it_is_unknown(gateway, no_provider_called, path):
    assert_error(gateway.call("POST", path, body=b"{}"), 404, "invalid_request", "unknown_url")


@pytest.mark.parametrize(("text", "param"), [
    ("", "input"), ([], "input"), ([""], "input[0]"), (["a", "b", "c", ""], "input[3]"), ([[]], "input[0]"), ([[1], []], "input[1]"),
    (7, "input"), (True, "input"), ({"text": "x"}, "input"), ([None], "input[0]"), (["a", 1], "input[1]"), ([1, "a"], "input[1]"),
    ([1.5], "input[0]"), ([-1], "input[0]"), ([2**32], "input[0]"), ([[1, 2], [3, "x"]], "input[1][1]"), ([[[1]]], "input[0][0]"),
    ([{"type": "text"}], "input[0]"), (["x"] * 2049, "input"), ([[1]] * 2049, "input"),
], ids=lambda value: json.dumps(value)[:40])
def test_an_input_that_is_none_is_refused_where_it_is_wrong(embed, no_provider_called, text, param):
    assert_error(embed(text=text), 400, "invalid_request", None, param)


@pytest.mark.parametrize(("body", "param"), [
    (b'{"model":"embed-small"}', "input"),
    (b'{"model":"embed-small","input":null}', "input"),
    (b'{"input":"x"}', "model"),
    (b'{"model":"","input":"x"}', "model"),
    (b'{"model":["embed-small"],"input":"x"}', "model"),
    (b'{"model":"nothing","input":""}', "input"),
    (b'{"model":"embed-small","input":"x","input":"y"}', "input"),
    (b'{"model":"embed-small","input":"x","m\\u006fdel":"embed-large"}', "model"),
    (b'{"model":"embed-small","input":"x","dimensions":1,"dimensions":2}', "dimensions"),
    (b'{"model":"embed-small","input":"x","dimensions":0}', "dimensions"),
    (b'{"model":"embed-small","input":"x","dimensions":-1}', "dimensions"),
    (b'{"model":"embed-small","input":"x","dimensions":1.5}', "dimensions"),
    (b'{"model":"embed-small","input":"x","dimensions":"8"}', "dimensions"),
    (b'{"model":"embed-small","input":"x","encoding_format":"hex"}', "encoding_format"),
    (b'{"model":"embed-small","input":"x","encoding_format":1}', "encoding_format"),
    (b'{"model":"embed-small","input":"x","user":1}', "user"),
], ids=lambda value: value[:80].decode() if isinstance(value, bytes) else value)
def test_a_member_of_wrong_form_is_named(post, no_provider_called, body, param):
    assert_error(post(body), 400, "invalid_request", None, param)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"model":"embed-small","input":["a"', b'{"input":"\xff"}', b'{"input":[1,]}',
                                  b'{"model":"embed-small","input":[' + b"0," * 400_000 + b"0]}"], ids=lambda body: repr(body[:40]))
def test_what_is_no_json_object_is_refused(post, no_provider_called, body):
    assert_error(post(body), 400, "invalid_request", "invalid_json")


def test_a_compressed_body_is_refused(post, no_provider_called):
    assert_error(post(b"\x1f\x8b", headers=[("content-encoding", "gzip")]), 415, "invalid_request", "unsupported_content_encoding")


# What it costs.

def test_usage_is_counted_and_logged(stack, embed):
    answer = embed(text=[[1] * 700, [2] * 300], dimensions=1)

    assert answer.json()["usage"] == {"prompt_tokens": 1000, "total_tokens": 1000}
    line = entry(stack, answer.header("x-request-id"))
    assert (line["path"], line["model"], line["workspace"]) == ("/v1/embeddings", "embed-small", "vectors")
    assert json.loads(line["usage"])["prompt_tokens"] == 1000


def spent(gateway, key: str) -> float:
    """What the workspace has spent, once nothing is reserved any more."""
    def settled():
        answer = gateway.call("GET", "/v1/usage", key=key)
        assert answer.status == 200, answer.body[:400]
        budget = answer.json()["budget"]
        return None if budget["reserved_usd"] else budget
    return until(settled, "every reservation to be settled", 5)["spent_usd"]


@pytest.mark.parametrize(("model", "price"), [("embed-small", 0.02), ("embed-large", 0.13)])
def test_an_embedding_costs_its_prompt(gateway, keys, embed, model, price):
    before = spent(gateway, keys["vectors"])
    for _ in range(10):
        assert embed(model, text=[[7] * 8000] * 5, dimensions=1).status == 200
    assert spent(gateway, keys["vectors"]) - before == pytest.approx(400_000 * price / 1e6, abs=2e-6)


def test_an_embedding_nobody_answers_costs_nothing(gateway, keys, embed, sim):
    before = spent(gateway, keys["vectors"])
    for provider in sim.providers:
        sim.fault(provider, "status", status=500)
    assert embed(text="word " * 1000).status == 503
    assert spent(gateway, keys["vectors"]) == before


def test_usage_a_provider_does_not_report_is_estimated(gateway, keys, embed, sim):
    sim.behave("openai", usage=False)
    before = spent(gateway, keys["vectors"])
    answer = embed("embed-large", text=["x" * 32_000] * 10, dimensions=1)
    assert answer.status == 200 and "usage" not in answer.json()
    assert spent(gateway, keys["vectors"]) - before == pytest.approx(80_000 * 0.13 / 1e6, rel=0.05)


# OpenAI's SDK.

def test_the_sdk_decodes_the_base64_it_asks_for_by_itself(client, embed, sim):
    found = client.embeddings.create(model="embed-small", input=["one", "two"], dimensions=16)

    assert sim.only("openai").json()["encoding_format"] == "base64"
    expected = vectors(embed(text=["one", "two"], encoding_format="float", dimensions=16))
    assert [len(one.embedding) for one in found.data] == [16, 16] and [one.index for one in found.data] == [0, 1]
    assert all(same(one.embedding, other) for one, other in zip(found.data, expected, strict=True))
    assert found.model == found.routing["selected"] == "embed-small" and found.usage.prompt_tokens == found.usage.total_tokens > 0


@pytest.mark.parametrize("text", ["one", ["one", "two"], [1, 2, 3], [[1], [2, 3]]], ids=["string", "array", "tokens", "token arrays"])
def test_the_sdk_gets_floats_when_it_asks_for_them(client, text):
    found = client.embeddings.create(model="auto", input=text, encoding_format="float", extra_body={"route": {"objective": "quality"}})
    assert found.model == "embed-large" and all(len(one.embedding) == LARGE for one in found.data)
    assert len(found.data) == (2 if isinstance(text[0], list) or text == ["one", "two"] else 1)


def test_the_sdk_fails_over_and_raises_typed_errors(client, sim):
    sim.fault("openai", "status", status=500)
    found = client.embeddings.create(model="embed-large", input="x", extra_body={"route": {"fallbacks": ["embed-small"]}})
    assert found.model == "embed-small" and [attempt["outcome"] for attempt in found.routing["attempts"]] == ["status", "status", "ok"]
    with pytest.raises(openai.APIStatusError) as refused:
        client.embeddings.create(model="embed-large", input="x")
    assert (refused.value.status_code, refused.value.type) == (503, "no_provider_available")
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="embed-small", input=["a", ""])
    assert (refused.value.type, refused.value.param) == ("invalid_request", "input[1]")
    with pytest.raises(openai.NotFoundError) as refused:
        client.embeddings.create(model="nothing", input="x")
    assert (refused.value.type, refused.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="nr-wrong").embeddings.create(model="embed-small", input="x")


def test_a_chat_call_of_the_same_workspace_still_works(gateway, keys):
    answer = gateway.chat("auto", key=keys["vectors"])
    assert answer.status == 200 and answer.routing["selected"] == "gpt-4o" and answer.routing["provider"] == PROVIDER_OF["gpt-4o"]
