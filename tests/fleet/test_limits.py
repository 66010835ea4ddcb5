"""Three Envoys share what is limited: never more in all, and no less than there is."""

import math

import pytest

from fleet import PRICE, UNITS_PER_USD, USAGE, Fleet, Workspace, lease
from programs import until

CALLS = 20_000
UNITS_PER_CALL = int(PRICE * UNITS_PER_USD)


def tail(most: int) -> int:
    """Round trips that one Envoy may need to find the end of a limit: it halves what it asks for."""
    return 2 * math.ceil(math.log2(lease(most))) + 2


def test_of_20_000_calls_exactly_the_limit_is_admitted(fleet: Fleet, fresh_minute):
    caller = fleet.take("calls")
    most = caller.settings["limits"]["requests_per_minute"]
    fresh_minute(20)
    served, asked, counted = fleet.served(), fleet.asked(), fleet.service.counts()

    outcome = fleet.load(caller, CALLS)

    assert outcome.statuses == {200: most, 429: CALLS - most} and not outcome.torn
    assert fleet.served() - served == most
    assert fleet.redis.hits(caller.ident, "requests") == most
    # What the filters say of their questions is what the service says of them, and there are few.
    asked, counted = fleet.asked() - asked, fleet.service.counts() - counted
    assert asked == {"granted": counted["authorized_calls"], "refused": counted["limited_calls"]}
    print(f"\n{CALLS} calls in {outcome.seconds:.1f} s, {most} admitted, {dict(asked)} round trips")
    assert asked.total() <= most / lease(most) + len(fleet.members) * tail(most)


def test_tokens_are_given_out_by_what_calls_may_use_and_counted_by_what_they_did(fleet: Fleet, fresh_minute):
    caller = fleet.take("tokens")
    most, each = caller.settings["limits"]["tokens_per_minute"], sum(USAGE.values())
    fresh_minute(10)

    outcome = fleet.load(caller, 2 * most // each)

    used = outcome.statuses[200] * each
    assert set(outcome.statuses) == {200, 429}
    assert most - (len(fleet.members) + 1) * lease(most) <= used <= most
    assert used <= fleet.redis.hits(caller.ident, "tokens") <= most


@pytest.mark.parametrize("like", ["limitador", "envoyproxy"])
def test_money_is_spent_to_the_cap_and_not_beyond_it(fleet: Fleet, like: str):
    caller = fleet.take("cash")
    with_habits_of(fleet, like)
    most = caller.budget_units // UNITS_PER_CALL

    outcome = fleet.load(caller, 2 * most)

    admitted = outcome.statuses[200]
    assert outcome.statuses == {200: admitted, 402: 2 * most - admitted}
    # The end of a lease may be too small for a call.
    assert most - len(fleet.members) <= admitted <= most
    spent = until(lambda: all_settled(fleet, caller), "calls to be settled")
    # Of what is left only that is known, where the service does not say it: not enough for a call.
    assert (most - 1) * PRICE < spent <= most * PRICE
    if like == "limitador":
        assert admitted * UNITS_PER_CALL <= fleet.redis.hits(caller.ident, "budget") <= caller.budget_units


def test_answers_that_cost_more_than_was_set_aside_exceed_the_cap_by_those_under_way_at_most(fleet: Fleet, dear):
    caller, under_way = fleet.take("cash"), 30
    cap = caller.settings["budget"]["usd"]

    outcome = fleet.load(caller, int(cap / PRICE), connections=under_way)

    spent = outcome.statuses[200] * dear
    assert set(outcome.statuses) == {200, 402}
    print(f"\n{spent} of {cap} USD spent")
    assert cap - PRICE * (len(fleet.members) + 1) < spent <= cap + under_way * (dear - PRICE)
    assert fleet.redis.hits(caller.ident, "budget") <= caller.budget_units


def test_what_is_used_elsewhere_shows_here(fleet: Fleet):
    caller = fleet.take("cash")
    first, second, _ = fleet.members
    usage = first.usage(caller)
    assert usage["scope"] == "fleet"

    outcome = fleet.load(caller, 2 * caller.budget_units // UNITS_PER_CALL, members=[first])

    assert outcome.statuses[402]
    refused = second.chat(caller)
    assert refused.status == 402, refused.body
    assert second.usage(caller)["budget"]["remaining_usd"] < PRICE


def with_habits_of(fleet: Fleet, like: str) -> None:
    """The service behaves like the one or the other; between two questions nobody notices that it was away."""
    if fleet.service.like != like:
        fleet.service.like = like
        fleet.service.past += fleet.service.counts_of_this_life()
        fleet.service.stop()
        fleet.service.start()


@pytest.fixture
def dear(fleet: Fleet):
    """The provider answers at twice the length it was allowed; what a call costs then."""
    fleet.simulator.behave("openai", tokens=USAGE | {"completion": 2 * USAGE["completion"]}, validate=False, chunks=1)
    yield 2 * PRICE
    fleet.simulator.behave("openai", tokens=USAGE, validate=False, chunks=1)


@pytest.fixture(autouse=True)
def usual_habits(fleet: Fleet):
    """Afterwards the service is as it was."""
    yield
    with_habits_of(fleet, "limitador")


def all_settled(fleet: Fleet, caller: Workspace):
    """What was spent over all members, once nothing is reserved."""
    budgets = [member.usage(caller)["budget"] for member in fleet.members]
    if any(budget["reserved_usd"] for budget in budgets):
        return None
    return max(budget["spent_usd"] for budget in budgets)
