"""How a caller is refused: each status with its type, code, param and headers."""

from configuration import BODY_LIMIT
from contract import Row, Scene, has
from contract_requests import unasked
from gateway import Response
from tenants import PHRASE

JSON = {"content-type": "application/json"}


def by_some(scene: Scene, call) -> Response:
    """A call with a key that may not use every model of its workspace."""
    caller = scene.shared("chosen")
    return unasked(scene, call(caller))


def unauthenticated(says: str, call) -> Row:
    return Row(says, 401, lambda scene: unasked(scene, call(scene)), code="invalid_api_key",
               headers=JSON | {"www-authenticate": "Bearer.*", "x-ratelimit-remaining": None})


def refused_by_provider(status: int) -> Row:
    return Row(f"a provider's {status} is the caller's 400", 400, lambda scene: scene.failing("openai", status=status).chat(
        route={"fallbacks": ["claude-sonnet"]}), code=None, param=None)


def nobody(says: str, call, **more) -> Row:
    return Row(says, 503, call, headers=JSON | {"retry-after": r"[1-9]\d*"}, **more)


def nobody_at_all(scene: Scene, **fields) -> Response:
    return scene.failing().chat("auto", **fields)


def later(scene: Scene, seconds: int) -> Response:
    scene.sim.fault("openai", "status", status=429, retry_after=seconds)
    return scene.chat()


def embedding_without_mixing(scene: Scene) -> Response:
    """Models of other dimensions may be there; none is asked."""
    answer = scene.failing("openai").embed()
    assert [one["model"] for one in answer.json()["routing"]["attempts"]] == ["text-embedding-3-small"]
    return answer


def too_large(scene: Scene) -> Response:
    return unasked(scene, scene.gateway.post(b" " * (BODY_LIMIT + 1)))


def hidden(scene: Scene) -> Response:
    """A provider's message with a secret in it."""
    secret = scene.callers.stack.secrets.provider["openai"]
    scene.sim.fault("openai", "status", status=400, body={"error": {
        "message": f"Bad {secret}.", "type": "invalid_request_error", "param": "user", "code": "bad"}})
    answer = scene.chat()
    assert secret.encode() not in answer.body
    return answer


def allowed(says: str, method: str, path: str, names: str) -> Row:
    return Row(says, 405, lambda scene: scene.gateway.call(method, path, body=b"{}"), code="method_not_allowed", headers=JSON | {"allow": names})


ROWS = [
    Row("400: a body that is not JSON", 400, lambda scene: unasked(scene, scene.gateway.post(b"{")), code="invalid_json", headers=JSON),
    Row("400: a body that is no object", 400, lambda scene: unasked(scene, scene.gateway.post(b"[]")), code="invalid_json"),
    Row("400: a body above the limit, which is named", 400, too_large, code="request_too_large",
        body=lambda body: str(BODY_LIMIT) in body["error"]["message"]),
    Row("400: no model", 400, lambda scene: scene.gateway.post(b'{"messages":[{"role":"user","content":"Hi."}]}'), param="model"),
    Row("400: no messages", 400, lambda scene: scene.gateway.post(b'{"model":"gpt-4o"}'), param="messages"),
    Row("400: no input", 400, lambda scene: scene.gateway.call("POST", "/v1/embeddings", body=b'{"model":"auto"}'), param="input"),
    Row("400: a prompt too long for every candidate", 400, lambda scene: unasked(scene, scene.chat(text="word " * 200_000)),
        code="context_length_exceeded", param="messages"),
    Row("400: an embedding model asked to chat", 400, lambda scene: unasked(scene, scene.chat("text-embedding-3-small")),
        code="wrong_model_kind", param="model"),
    Row("400: a chat model asked to embed", 400, lambda scene: unasked(scene, scene.embed(model="gpt-4o")), code="wrong_model_kind", param="model"),
    *(refused_by_provider(status) for status in (400, 413, 422)),
    Row("400: the provider's words without its secrets", 400, hidden, code="bad", param="user"),
    unauthenticated("401: no key", lambda scene: scene.chat(key=None)),
    unauthenticated("401: a wrong key", lambda scene: scene.chat(key="nr-0000")),
    unauthenticated("401: a key that is not a bearer's", lambda scene: scene.get("/v1/models", key=None, headers=[("authorization", "Basic x")])),
    unauthenticated("401: a provider's key", lambda scene: scene.chat(key=scene.callers.stack.secrets.provider["openai"])),
    unauthenticated("401: models without a key", lambda scene: scene.get("/v1/models", key=None)),
    unauthenticated("401: usage without a key", lambda scene: scene.get("/v1/usage", key=None)),
    unauthenticated("401: embeddings without a key", lambda scene: scene.gateway.call("POST", "/v1/embeddings", body=b"{}", key=None)),
    unauthenticated("401 comes before 400", lambda scene: scene.gateway.post(b"{", key=None)),
    Row("403: a rule, which is named", 403, lambda scene: unasked(scene, scene.shared("block").chat(text=PHRASE)),
        code="guardrail_blocked", more={"rule": "project-x"}, headers=JSON, whole=lambda answer: PHRASE.encode() not in answer.body),
    Row("403: a rule for embeddings too", 403, lambda scene: unasked(scene, scene.shared("block").embed(text=PHRASE)),
        code="guardrail_blocked", more={"rule": "project-x"}),
    Row("403: a model that the key may not use", 403, lambda scene: by_some(scene, lambda caller: caller.chat("meter-dear", by="some")),
        code="model_forbidden", param="model"),
    Row("403: a fallback that the key may not use", 403, lambda scene: by_some(
        scene, lambda caller: caller.chat("meter", by="some", route={"fallbacks": ["meter-dear"]})), code="model_forbidden", param="route.fallbacks[0]"),
    Row("a key's models are all it lists", 200, lambda scene: scene.shared("chosen").call("GET", "/v1/models", "some"),
        body=lambda body: [model["id"] for model in body["data"]] == ["meter", "meter-anthropic"]),
    Row("another key of the workspace may use them", 200, lambda scene: scene.shared("chosen").chat("meter-dear", by="all")),
    Row("404: a model that does not exist", 404, lambda scene: unasked(scene, scene.chat("nothing")), code="model_not_found", param="model", headers=JSON),
    Row("404: a model of another workspace", 404, lambda scene: unasked(scene, scene.chat("wide-model")), code="model_not_found", param="model"),
    Row("404: a model that even a key with models has not", 404, lambda scene: by_some(scene, lambda caller: caller.chat("gpt-4o", by="some")),
        code="model_not_found", param="model"),
    Row("404: a fallback that does not exist", 404, lambda scene: unasked(scene, scene.chat(route={"fallbacks": ["nothing"]})),
        code="model_not_found", param="route.fallbacks[0]"),
    Row("404: an embedding model that does not exist", 404, lambda scene: unasked(scene, scene.embed(model="nothing")),
        code="model_not_found", param="model"),
    Row("404: GET of a model that does not exist", 404, lambda scene: scene.get("/v1/models/nothing"), code="model_not_found", param="model"),
    Row("404: a path that does not exist, with those that do", 404, lambda scene: scene.get("/v1/completions"), type="invalid_request", code="unknown_url",
        body=lambda body: all(path in body["error"]["message"] for path in (
            "/v1/chat/completions", "/v1/embeddings", "/v1/models", "/v1/usage", "/healthz"))),
    allowed("405: GET of completions", "GET", "/v1/chat/completions", "POST.*"),
    allowed("405: GET of embeddings", "GET", "/v1/embeddings", "POST.*"),
    allowed("405: POST of models", "POST", "/v1/models", "GET.*"),
    allowed("405: DELETE of usage", "DELETE", "/v1/usage", "GET.*"),
    allowed("405: CORS is off by default", "OPTIONS", "/v1/chat/completions", "POST.*"),
    Row("415: a compressed body", 415, lambda scene: unasked(scene, scene.gateway.call(
        "POST", "/v1/embeddings", headers=[("content-encoding", "gzip")], body=b"x")), code="unsupported_content_encoding"),
    nobody("503: every candidate failed, and what was tried", nobody_at_all, body=lambda body: len(has(body, "routing", "attempts")) == 3
           and has(body, "routing", "selected") is None),
    nobody("503: of a stream before it began", lambda scene: nobody_at_all(scene, stream=True)),
    nobody("503: nobody to embed; models are not mixed", embedding_without_mixing),
    nobody("503: retry-after is the provider's", lambda scene: later(scene, 7), whole=lambda answer: answer.header("retry-after") == "7"),
]
