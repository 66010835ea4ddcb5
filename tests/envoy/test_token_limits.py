"""Tokens: reserved before a call, counted as the provider reports them, refused when they are gone."""

import pytest

import tenants
from answers import BURST, USAGE, assert_limited
from caller import limits_of
from programs import until


def test_tokens_are_reserved_first_and_counted_as_used(fresh, sim):
    caller = fresh("tokens")
    sim.behave("openai", tokens=USAGE, chunks=4, chunk_interval_ms=150)
    with caller.held(max_tokens=300).begun() as stream:
        under_way = caller.usage()["tokens"]
        assert under_way["used"] == 0 and 300 < under_way["reserved"] <= 330
        assert under_way["remaining"] == 1000 - under_way["reserved"] and under_way["limit"] == 1000
        assert limits_of(caller.call("GET", "/v1/models"))["remaining-tokens"] == str(under_way["remaining"])
        stream.finish()
    after = caller.settled()["tokens"]
    assert (after["used"], after["reserved"], after["remaining"]) == (150, 0, 850)


@pytest.mark.parametrize("model", ["meter", "meter-anthropic"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_tokens_that_the_provider_reports_are_used(fresh, sim, model, stream):
    caller = fresh("tokens")
    sim.behave({"meter": "openai", "meter-anthropic": "anthropic"}[model], tokens=USAGE | {"cached": 60})
    for _ in range(2):
        assert caller.chat(model, stream=stream).status == 200
    tokens = caller.settled()["tokens"]
    assert (tokens["used"], tokens["remaining"]) == (300, 700)


def test_what_is_reserved_is_refused_to_others_until_it_is_settled(fresh, sim):
    caller = fresh("tokens")
    sim.behave("openai", tokens=USAGE, chunks=4, chunk_interval_ms=200)
    with caller.held(max_tokens=600).begun() as stream:
        assert_limited(caller.chat(max_tokens=600), "tokens_per_minute_exceeded")
        assert caller.chat(max_tokens=100, stream=True).status == 200
        stream.finish()
    caller.settled()
    assert caller.chat(max_tokens=600).status == 200


@pytest.mark.parametrize(("bound", "least"), [(None, 100), (50_000, tenants.MAX_OUTPUT)], ids=["none", "above the model's"])
def test_no_more_is_reserved_than_the_model_can_answer(fresh, sim, bound, least):
    caller = fresh("metered")
    sim.behave("openai", chunks=4, chunk_interval_ms=100)
    with caller.held(max_tokens=bound).begun():
        assert least < caller.usage()["tokens"]["reserved"] <= tenants.MAX_OUTPUT + 30


def test_a_call_larger_than_the_limit_is_admitted_when_nothing_else_is(fresh, sim):
    caller = fresh("tokens")
    sim.behave("openai", tokens=USAGE)
    assert caller.chat(max_tokens=5000).status == 200
    assert caller.settled()["tokens"]["used"] == 150
    refused = caller.chat(max_tokens=5000)
    assert_limited(refused, "tokens_per_minute_exceeded")
    assert 50 <= int(refused.header("retry-after")) <= 64


def test_a_refusal_for_tokens_takes_no_call(fresh, sim):
    caller = fresh("both")
    sim.behave("openai", chunks=4, chunk_interval_ms=100)
    with caller.held(max_tokens=2000):  # more than the whole limit: all of it is reserved
        until(lambda: caller.usage()["tokens"]["reserved"] == 1000, "the reservation")
        assert_limited(caller.chat(max_tokens=500), "tokens_per_minute_exceeded")
        assert caller.remaining() == BURST - 1
