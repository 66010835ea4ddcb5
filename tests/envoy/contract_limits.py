"""What limits and budgets mean to a caller: headers, `/v1/usage`, 402, 429, adjustments, blocked streams."""

import json
import re

from answers import BURST, exhausted
from contract import Row, Scene, has
from gateway import Response
from tenants import PHRASE

DURATION = r"0s|\d+ms|(\d+h)?(\d+m)?\d+(\.\d+)?s"
NUMBER = r"\d+"
UTC = r"\d{4}-\d\d-\d\dT00:00:00Z"
REPLACED = "[redacted:project-x]"
FIGURES = ("limit", "remaining", "reset")


def shows(name: str, form: str, kind: str = "both") -> Row:
    return Row(f"every answer has x-ratelimit-{name} where {kind} is limited", 200, lambda scene: scene.fresh(kind).chat(),
               headers={f"x-ratelimit-{name}": form})


def hides(name: str, kind: str) -> Row:
    return Row(f"no answer has x-ratelimit-{name} where only {kind} are limited", 200, lambda scene: scene.fresh(kind).chat(),
               headers={f"x-ratelimit-{name}": None})


def usage(says: str, kind: str, body, before=lambda caller: None) -> Row:
    def call(scene: Scene) -> Response:
        caller = scene.fresh(kind)
        before(caller)
        caller.settled()
        return caller.call("GET", "/v1/usage")
    return Row(f"usage: {says}", 200, call, headers={"content-type": "application/json"}, body=body)


def no_budget(scene: Scene, kind: str = "cents", **fields) -> Response:
    return scene.fresh(kind).chat(**fields)


def out_of_tokens(scene: Scene) -> Response:
    caller = scene.fresh("tokens")
    scene.sim.behave("openai", tokens={"prompt": 900, "completion": 90})
    assert caller.chat().status == 200
    caller.settled()
    return caller.chat(max_tokens=100)


def answering(scene: Scene, kind: str, text: str, **fields) -> Response:
    scene.sim.behave("openai", text=text, chunks=20)
    return scene.shared(kind).chat(**fields)


def ends_blocked(answer: Response) -> bool:
    """The stream's last events are the rule's error and `[DONE]`."""
    error = json.loads(answer.events[-2])["error"]
    return (answer.done and set(error) == {"type", "message", "code", "param", "rule"}
            and (error["type"], error["code"], error["rule"]) == ("forbidden", "guardrail_blocked", "project-x"))


HEADERS = [
    *(shows(name, form) for name, form in (
        ("limit", "2"), ("remaining", "2"), ("reset", NUMBER),
        ("limit-requests", "2"), ("remaining-requests", "2"), ("reset-requests", DURATION),
        ("limit-tokens", "1000"), ("remaining-tokens", NUMBER), ("reset-tokens", DURATION))),
    *(shows(name, form, "tokens") for name, form in (("limit", "1000"), ("remaining", NUMBER), ("reset", NUMBER))),
    *(hides(f"{figure}-tokens", "calls") for figure in FIGURES),
    *(hides(f"{figure}-requests", "tokens") for figure in FIGURES),
    Row("no provider's x-ratelimit header passes", 200, lambda scene: scene.chat(), whole=lambda answer: not any(
        name.startswith("x-ratelimit") for name, _ in answer.headers)),
]

USAGE = [
    usage("its members", "calls", lambda body: set(body) == {"object", "workspace", "key", "scope", "requests", "tokens", "budget", "key_limits"}
          and body["object"] == "usage" and body["scope"] == "envoy"),
    usage("the calling workspace and key", "calls", lambda body: body["workspace"].startswith("calls-") and body["key"] == "only"),
    usage("requests", "calls", lambda body: {name: body["requests"][name] for name in ("limit", "burst", "remaining")} == {
        "limit": 2, "burst": BURST, "remaining": 2} and 0 < body["requests"]["reset_seconds"] <= 30, lambda caller: caller.chat()),
    usage("tokens", "tokens", lambda body: (body["tokens"]["limit"], body["tokens"]["reserved"]) == (1000, 0)
          and body["tokens"]["used"] == 1000 - body["tokens"]["remaining"] > 0 and 0 < body["tokens"]["reset_seconds"] <= 64, lambda caller: caller.chat()),
    usage("what is not limited is null", "calls", lambda body: body["tokens"] is body["budget"] is body["key_limits"] is None),
    usage("a budget for ever", "total", lambda body: body["budget"] == {
        "period": "total", "limit_usd": 1, "spent_usd": 0, "reserved_usd": 0, "remaining_usd": 1, "resets_at": None}),
    *(usage(f"a budget for a {period} ends at midnight UTC", period, lambda body, period=period: body["budget"]["period"] == period
            and re.fullmatch(UTC, body["budget"]["resets_at"])) for period in ("day", "week", "month")),
    Row("usage: the limits of a key", 200, lambda scene: scene.fresh("keyed").call("GET", "/v1/usage", "small"),
        body=lambda body: has(body, "key_limits", "requests", "limit") == 2 and has(body, "key_limits", "tokens", "limit") == 1000),
    Row("usage: of a workspace without limits", 200, lambda scene: scene.get("/v1/usage"), body=lambda body: body == {
        "object": "usage", "workspace": "acme", "key": "only", "scope": "envoy", "requests": None, "tokens": None, "budget": None, "key_limits": None}),
]

REFUSALS = [
    Row("402: limit, spent and end are in the error; it says not to retry", 402, no_budget, code="budget_exceeded",
        more={"limit_usd": 0.02, "spent_usd": 0, "resets_at": None},
        headers={"content-type": "application/json", "x-should-retry": "false", "x-ratelimit-remaining": str(BURST)}),
    Row("402: of a stream", 402, lambda scene: no_budget(scene, stream=True), code="budget_exceeded",
        more={"limit_usd": 0.02, "spent_usd": 0, "resets_at": None}, headers={"content-type": "application/json"}),
    Row("429: too many requests, with the time to wait", 429, lambda scene: exhausted(scene.fresh("calls")).chat(),
        code="requests_per_minute_exceeded", headers={"retry-after": r"[1-9]\d*", "x-ratelimit-remaining": "0", "x-should-retry": None}),
    Row("429: too many tokens, with the time to wait", 429, out_of_tokens, code="tokens_per_minute_exceeded",
        headers={"retry-after": r"[1-9]\d*", "x-ratelimit-remaining": NUMBER}),
    Row("429: says to retry after the window with backoff", 429, lambda scene: exhausted(scene.fresh("calls")).chat(stream=True),
        code="requests_per_minute_exceeded", body=lambda body: all(word in body["error"]["message"].lower() for word in ("retry", "backoff"))),
    Row("429: embeddings count as well", 429, lambda scene: exhausted(scene.fresh("calls")).embed(), code="requests_per_minute_exceeded"),
]

RULES = [
    Row("a redaction in the request is listed", 200, lambda scene: scene.shared("redact").chat(text=f"{PHRASE} and {PHRASE}"),
        body=lambda body: body["routing"]["adjustments"] == ["redacted project-x in the request (2)"]),
    Row("a redaction in the answer is made and listed", 200, lambda scene: answering(scene, "redact", f"It is {PHRASE}."), body=lambda body: (
        has(body, "choices", 0, "message", "content"), body["routing"]["adjustments"]) == (
            f"It is {REPLACED}.", ["redacted project-x in the answer (1)"])),
    Row("a redaction in a stream is made, and listed in its last chunk", 200, lambda scene: answering(scene, "redact", f"It is {PHRASE}.", stream=True),
        whole=lambda answer: answer.done and answer.streamed_text == f"It is {REPLACED}."
        and answer.chunks[-1]["routing"]["adjustments"] == ["redacted project-x in the answer (1)"]),
    Row("403: an answer that a rule blocks", 403, lambda scene: answering(scene, "block", f"It is {PHRASE}."), code="guardrail_blocked",
        more={"rule": "project-x"}, whole=lambda answer: PHRASE.encode() not in answer.body),
    Row("a stream that a rule blocks ends with its error and [DONE]", 200, lambda scene: answering(
        scene, "block", f"It is {PHRASE}.", stream=True), headers={"content-type": "text/event-stream.*"}, whole=ends_blocked),
]

ROWS = [*HEADERS, *USAGE, *REFUSALS, *RULES]
