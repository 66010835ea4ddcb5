"""The rate-limit headers: on every answer to a workspace with limits, and on no other."""

import pytest

from answers import ANSWERS, BURST, USAGE
from caller import limit_names, limits_of, milliseconds


@pytest.mark.parametrize("case", ANSWERS)
def test_every_answer_says_what_is_left(fresh, sim, case):
    kind, status, call = ANSWERS[case]
    for provider in sim.providers:
        sim.behave(provider, tokens=USAGE)

    answer = call(fresh(kind), sim)

    assert answer.status == status, answer.body[:400]
    limits = limits_of(answer)
    assert set(limits) == limit_names(*(("requests", "tokens") if kind == "both" else ("requests",)))
    assert {name: limits[name] for name in ("limit", "remaining")} == {
        name: limits[f"{name}-requests"] for name in ("limit", "remaining")}
    assert limits["limit"] == "2" and 0 <= int(limits["remaining"]) <= BURST
    assert 0 <= int(limits["reset"]) * 1000 - milliseconds(limits["reset-requests"]) < 1000
    if kind == "both":
        assert limits["limit-tokens"] == "1000" and 0 <= int(limits["remaining-tokens"]) <= 1000
        assert 0 <= milliseconds(limits["reset-tokens"]) <= 64_000


def test_where_only_tokens_are_limited_the_plain_headers_are_theirs(fresh):
    limits = limits_of(fresh("tokens").chat())
    assert set(limits) == limit_names("tokens")
    assert [limits[name] for name in ("limit", "remaining")] == [limits[f"{name}-tokens"] for name in ("limit", "remaining")]


@pytest.mark.parametrize("call", [
    lambda gateway, caller: gateway.chat(key=None), lambda gateway, caller: gateway.chat(key="nr-wrong"),
    lambda gateway, caller: gateway.call("GET", "/healthz", key=caller.key),
    lambda gateway, caller: gateway.call("GET", "/v1/models"), lambda gateway, caller: gateway.chat(),
    lambda gateway, caller: gateway.chat("claude-sonnet", stream=True), lambda gateway, caller: gateway.chat("nothing"),
], ids=["no key", "wrong key", "healthz", "models without limits", "call without limits", "stream without limits", "404 without limits"])
def test_where_nothing_is_limited_or_known_no_limits_are_shown(gateway, fresh, call):
    assert limits_of(call(gateway, fresh.shared("roomy"))) == {}


def test_of_a_key_s_and_its_workspace_s_limits_the_one_with_fewer_left_is_shown(fresh):
    caller = fresh("keyed")
    assert limits_of(caller.chat(by="small"))["remaining"] == "1"  # 1 of 2, and 3 of 4
    assert limits_of(caller.chat(by="big"))["remaining"] == "2"  # 8 of 9, and 2 of 4
    shown = limits_of(caller.call("GET", "/v1/models", "small"))
    assert set(shown) == limit_names("requests", "tokens") and shown["remaining-tokens"] != "1000"
    assert set(limits_of(caller.call("GET", "/v1/models", "wide"))) == limit_names("requests")


def test_usage_agrees_with_the_headers_and_changes_nothing(fresh):
    caller = fresh("both")
    caller.chat()
    usage = caller.settled()
    shown = limits_of(caller.call("GET", "/v1/usage"))
    assert set(usage["requests"]) == {"limit", "burst", "remaining", "reset_seconds"}
    assert set(usage["tokens"]) == {"limit", "used", "reserved", "remaining", "reset_seconds"}
    assert (usage["requests"]["limit"], usage["requests"]["burst"]) == (2, BURST)
    for kind in ("requests", "tokens"):
        assert str(usage[kind]["remaining"]) == shown[f"remaining-{kind}"]
        assert 0 <= float(usage[kind]["reset_seconds"]) - milliseconds(shown[f"reset-{kind}"]) / 1000 < 5
    assert usage["budget"] is None and usage["key_limits"] is None
