"""Parts die amid a run and come back: what was spent stays spent, and is counted once.

The outage is short and in the middle, and `on_unavailable: local` lets calls pass meanwhile. Afterwards calls come until
the budget is used up everywhere. Had something been forgotten, more calls than it pays for would have passed; had
something been counted twice, fewer. A lease whose answer was lost with the service is neither: nobody uses it, and
the filter counts it as ambiguous.
"""

import pytest

from fleet import PRICE, UNITS_PER_USD, Fleet, Workspace, lease
from programs import until

UNITS_PER_CALL = int(PRICE * UNITS_PER_USD)
# Of 1,000 calls that the budget pays for.
DIES_AT, BACK_AT, CALLS = 200, 450, 700


def exhausted(fleet: Fleet, caller: Workspace, admitted: int, lost: int) -> int:
    """Calls until nobody has anything left; returns how many were admitted in all, which must be as many as there is money for."""
    most = caller.budget_units // UNITS_PER_CALL
    until(lambda: all(member.available() for member in fleet.members), "the service to be found by all", 15)
    outcome = fleet.load(caller, 2 * most)
    assert outcome.statuses[402] and set(outcome.statuses) <= {200, 402}
    admitted += outcome.statuses[200]
    counted = fleet.redis.hits(caller.ident, "budget")
    print(f"\n{admitted} of {most} calls admitted, {counted} of {caller.budget_units} counted, {lost} answers lost")
    assert admitted <= most and counted <= caller.budget_units
    # Fewer only by what was lost, and by ends of leases too small for a call.
    assert admitted * UNITS_PER_CALL >= caller.budget_units - lost * lease(caller.budget_units) - ends(fleet)
    return admitted


def ends(fleet: Fleet) -> int:
    """What may be left where it is of no use: less than a call in each Envoy, and in the service."""
    return (len(fleet.members) + 1) * UNITS_PER_CALL


def lost(fleet: Fleet) -> int:
    """Questions of which nobody knows whether they were counted."""
    return fleet.asked()["ambiguous"]


def test_the_service_dies_and_comes_back(fleet: Fleet):
    caller, before = fleet.take("cash"), lost(fleet)

    outcome = fleet.load(caller, CALLS, {DIES_AT: fleet.service.kill, BACK_AT: fleet.service.start})

    assert outcome.statuses == {200: CALLS} and not outcome.torn
    exhausted(fleet, caller, CALLS, lost(fleet) - before)


def test_redis_dies_and_comes_back_with_what_it_knew(fleet: Fleet):
    caller, before, known = fleet.take("cash"), lost(fleet), []

    def die() -> None:
        known.append(fleet.redis.hits(caller.ident, "budget"))
        fleet.redis.kill()

    def come_back() -> None:
        fleet.redis.start()
        known.append(fleet.redis.hits(caller.ident, "budget"))

    outcome = fleet.load(caller, CALLS, {DIES_AT: die, BACK_AT: come_back})

    assert outcome.statuses == {200: CALLS} and not outcome.torn
    assert 0 < known[0] <= known[1], "Redis has forgotten something"
    exhausted(fleet, caller, CALLS, lost(fleet) - before)


def test_redis_hangs_and_counts_what_nobody_waits_for_any_more(fleet: Fleet):
    caller, before = fleet.take("cash"), lost(fleet)

    outcome = fleet.load(caller, CALLS, {DIES_AT: fleet.redis.hang, BACK_AT: fleet.redis.wake})

    assert outcome.statuses == {200: CALLS} and not outcome.torn
    answers_lost = lost(fleet) - before
    assert answers_lost, "no question was under way, so that this shows nothing"
    exhausted(fleet, caller, CALLS, answers_lost)


def test_an_envoy_and_the_service_die_together_and_what_was_spent_is_still_spent(fleet: Fleet):
    caller, before = fleet.take("cash"), lost(fleet)
    dying, *others = fleet.members
    outcome = fleet.load(caller, CALLS)
    assert outcome.statuses == {200: CALLS}
    spent = until(lambda: settled(fleet, caller), "calls to be settled")

    before -= dying.asked()["ambiguous"]
    dying.kill()
    fleet.service.kill()
    counted = fleet.redis.hits(caller.ident, "budget")
    fleet.service.start()
    dying.start()
    dying.ready()

    assert fleet.redis.hits(caller.ident, "budget") == counted >= spent * UNITS_PER_USD == CALLS * UNITS_PER_CALL
    # What the dead Envoy had taken and not used is gone with it: at most a lease and a half.
    most = caller.budget_units // UNITS_PER_CALL
    again = fleet.load(caller, 2 * most)
    admitted = CALLS + again.statuses[200]
    gone = 1.5 * lease(caller.budget_units) * (1 + lost(fleet) - before)
    print(f"\n{admitted} of {most} calls admitted over both lives, {fleet.redis.hits(caller.ident, 'budget')} counted")
    assert admitted <= most and again.statuses[402]
    assert admitted * UNITS_PER_CALL >= caller.budget_units - gone - ends(fleet)
    assert fleet.redis.hits(caller.ident, "budget") <= caller.budget_units


def settled(fleet: Fleet, caller: Workspace):
    """What the members have spent together, once nothing is reserved."""
    budgets = [member.usage(caller)["budget"] for member in fleet.members]
    return CALLS * PRICE if not any(budget["reserved_usd"] for budget in budgets) else None


@pytest.fixture(autouse=True)
def all_up(fleet: Fleet):
    """Whatever a test has killed and not started again is started for the next one."""
    yield
    fleet.redis.wake()
    if not fleet.redis.child.running():
        fleet.redis.start()
    if not fleet.service.child.running():
        fleet.service.start()
    for member in fleet.members:
        if not member.child.running():
            member.start()
            member.ready()
