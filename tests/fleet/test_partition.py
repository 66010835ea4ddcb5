"""One Envoy is cut off from the service while calls come: it goes on by itself, or refuses, as it is told to."""

import pytest

from fleet import Fleet
from gateway import assert_error
from programs import until
from test_restarts import UNITS_PER_CALL, exhausted, lost

ALONE = 150


@pytest.fixture
def cut(fleet: Fleet):
    """Cuts and heals; whatever happens, it is healed in the end."""
    yield fleet.far
    fleet.far.heal()


def test_an_envoy_that_is_cut_off_serves_by_its_own_limits_and_pays_later(fleet: Fleet, cut):
    caller, before = fleet.take("cash"), lost(fleet)
    *near, alone = fleet.members
    assert alone.chat(caller).status == 200
    assert fleet.redis.hits(caller.ident, "budget")

    cut.cut()
    outcome = fleet.load(caller, ALONE, members=[alone])
    assert outcome.statuses == {200: ALONE}
    assert alone.available() == 0
    counted = fleet.redis.hits(caller.ident, "budget")
    # The others notice nothing.
    assert fleet.load(caller, ALONE, members=near).statuses == {200: ALONE}
    assert all(member.available() for member in near)
    assert fleet.redis.hits(caller.ident, "budget") > counted

    cut.heal()
    exhausted(fleet, caller, 1 + 2 * ALONE, lost(fleet) - before)


def test_what_was_counted_for_an_envoy_that_never_heard_of_it_is_used_by_nobody(fleet: Fleet, cut):
    caller, before = fleet.take("cash"), lost(fleet)
    alone = fleet.members[-1]
    assert fleet.load(caller, ALONE, members=[alone]).statuses == {200: ALONE}
    counted = fleet.redis.hits(caller.ident, "budget")

    cut.mute()
    assert fleet.load(caller, ALONE, members=[alone]).statuses == {200: ALONE}
    until(lambda: fleet.redis.hits(caller.ident, "budget") > counted, "a lease whose answer is lost")

    cut.heal()
    most = caller.budget_units // UNITS_PER_CALL
    admitted = exhausted(fleet, caller, 2 * ALONE, lost(fleet) - before)
    assert admitted < most, "nothing was lost, so that this shows nothing"


def test_an_envoy_that_is_cut_off_refuses_if_it_is_told_to(fleet: Fleet, cut):
    caller, free = fleet.take("cash"), fleet.take("cash")
    denying = fleet.denying
    assert denying.chat(caller).status == 200

    cut.cut()
    outcome = fleet.load(caller, ALONE, members=[denying])
    # What it had been granted before the cut it may use.
    assert set(outcome.statuses) == {200, 503} and outcome.statuses[200] < 40
    refused = denying.chat(free)
    assert_error(refused, 503, "no_provider_available", "limits_unavailable")
    assert int(refused.header("retry-after")) >= 1
    counted = fleet.redis.hits(caller.ident, "budget")

    cut.heal()
    until(lambda: denying.chat(free).status == 200, "calls to be taken again", 15, 0.2)
    assert fleet.redis.hits(caller.ident, "budget") >= counted
