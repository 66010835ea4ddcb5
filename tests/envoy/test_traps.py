"""A trap in a VM is an error of ours to the client, and over by itself a moment later.

One worker, so that every call meets the VM that has trapped.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

import stack as stacks
import trapping
from configuration import PROVIDER_OF
from gateway import Gateway, Response, assert_error
from programs import until
from stack import Stack
from trapping import Headers

TRAP = "Uncaught RuntimeError: unreachable"
AGAIN = 5


@dataclass(frozen=True)
class Place:
    """A place for the module: what makes it trap there, and the like call that does not."""

    name: str
    headers: Headers
    trigger: str
    put: Callable
    trip: Callable[[Gateway], Response]
    pass_by: Callable[[Gateway], Response]


PLACES = [
    Place("router_request", Headers.REQUEST, "x-trap", trapping.before_router,
          lambda gateway: gateway.chat(headers=[("x-trap", "1")]), lambda gateway: gateway.chat()),
    # Only streams carry `cache-control`.
    Place("router_response", Headers.RESPONSE, "cache-control", trapping.before_router,
          lambda gateway: gateway.chat(stream=True), lambda gateway: gateway.chat()),
    # Of what a client sends, `idempotency-key` and the two trace headers reach a provider's seat.
    Place("before_anthropic", Headers.REQUEST, "idempotency-key",
          lambda bootstrap, wasm: trapping.before_provider(bootstrap, "anthropic", wasm),
          lambda gateway: gateway.chat("claude-sonnet", headers=[("idempotency-key", "1")]),
          lambda gateway: gateway.chat("claude-sonnet")),
    Place("behind_openai", Headers.REQUEST, "tracestate",
          lambda bootstrap, wasm: trapping.behind_provider(bootstrap, "openai", wasm),
          lambda gateway: gateway.chat(headers=[("tracestate", "nr=1")]), lambda gateway: gateway.chat()),
    # A fault of the simulator brings `retry-after`: see `arm`.
    Place("behind_groq", Headers.RESPONSE, "retry-after",
          lambda bootstrap, wasm: trapping.behind_provider(bootstrap, "groq", wasm),
          lambda gateway: gateway.chat("llama-3.3-70b"), lambda gateway: gateway.chat("llama-3.3-70b")),
]
ANTHROPIC, OPENAI, GROQ = PLACES[2:]
every_place = pytest.mark.parametrize("place", PLACES, ids=[place.name for place in PLACES])


@pytest.fixture(scope="module")
def running(stack: Stack, tmp_path_factory: pytest.TempPathFactory):
    """An Envoy of its own with the module in every place; at the end it must still be the same process."""
    folder = tmp_path_factory.mktemp("traps")

    def put(bootstrap: dict) -> None:
        for place in PLACES:
            wasm = folder / f"{place.name}.wasm"
            wasm.write_bytes(trapping.module(place.headers, place.trigger))
            place.put(bootstrap, wasm)
    with stacks.beside(stack, folder, workers=1, edit=put) as started:
        yield started


@pytest.fixture
def trapped(running: Stack, sim) -> Stack:
    """That Envoy, with every VM alive and nothing recorded."""
    for place in PLACES:
        recover(place.pass_by, running)
    sim.reset()
    return running


def arm(sim, place: Place) -> None:
    """Makes the provider bring the header, once."""
    if place is GROQ:
        sim.fault("groq", "status", status=429, retry_after=7, times=1)


def recover(call: Callable[[Gateway], Response], running: Stack, status: int = 200) -> list[Response]:
    """Calls until the answer has this status, and returns the refusals before it, all in our form."""
    refused = []

    def answered():
        answer = call(running.gateway)
        if answer.status == status:
            return True
        assert_refusal(answer)
        refused.append(answer)
        return False
    until(answered, "the VM to be loaded anew", 10)
    return refused


def assert_refusal(answer: Response) -> None:
    """What a trap looks like to a client."""
    error = assert_error(answer, 503, "no_provider_available", code=None, param=None)
    assert int(answer.header("retry-after")) >= 1
    assert not any(word in error["message"].lower() for word in ("wasm", "trap", "unreachable", "vm")), error


@every_place
def test_a_trap_is_answered_in_our_form_and_over_by_itself(trapped, sim, place):
    before = trapped.counter(f"wasm.{place.name}.vm_reload_success")
    arm(sim, place)

    assert_refusal(place.trip(trapped.gateway))
    recover(place.pass_by, trapped)

    assert trapped.envoy.running()
    assert trapped.counter(f"wasm.{place.name}.vm_reload_success") == before + 1
    assert trapped.counter(f"wasm.{place.name}.vm_reload_failure") == 0


@every_place
def test_trap_after_trap_leaves_no_vm_behind(trapped, sim, place):
    def once():
        arm(sim, place)
        assert_refusal(place.trip(trapped.gateway))
        recover(place.pass_by, trapped)
    once()
    # A VM goes when its last stream has gone, which is a moment after the client has its answer.
    most = trapped.counter("wasm.wasm_vm_count")
    traps = trapped.envoy.errors().count(TRAP)

    for _ in range(AGAIN):
        once()

    until(lambda: trapped.counter("wasm.wasm_vm_count") <= most, f"no more than {most} VMs", 10)
    assert trapped.envoy.errors().count(TRAP) == traps + AGAIN, "a VM trapped without having been told to"


@pytest.mark.parametrize("call", [
    lambda gateway, headers: gateway.call("GET", "/healthz", headers=headers, key=None),
    lambda gateway, headers: gateway.call("GET", "/v1/models", headers=headers),
    lambda gateway, headers: gateway.chat(headers=headers),
    lambda gateway, headers: gateway.chat(headers=headers, route={"fallbacks": ["llama-3.3-70b"]}),
], ids=["healthz", "models", "chat", "chat with a fallback"])
def test_a_trap_in_the_router_s_place_refuses_every_endpoint_until_the_reload(trapped, sim, call):
    assert_refusal(call(trapped.gateway, [("x-trap", "1")]))
    assert all(sim.requests(name) == [] for name in sim.providers)
    recover(lambda gateway: call(gateway, []), trapped)


@pytest.mark.parametrize("key", [None, "nr-of-nobody"], ids=["no key", "a wrong key"])
def test_a_trap_in_the_router_s_place_lets_nobody_pass_unauthenticated(trapped, sim, key):
    assert_refusal(trapped.gateway.chat(key=key, headers=[("x-trap", "1")]))
    recover(lambda gateway: gateway.chat(key=key), trapped, status=401)
    assert all(sim.requests(name) == [] for name in sim.providers)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_trap_behind_a_provider_s_seat_is_an_attempt_of_that_provider(trapped, sim, stream):
    answer = trapped.gateway.chat(headers=[("tracestate", "nr=1")], stream=stream)

    assert_refusal(answer)
    (attempt,) = answer.routing["attempts"]
    assert (attempt["model"], attempt["provider"], attempt["outcome"]) == ("gpt-4o", "openai", "reset")
    assert sim.requests("openai") == []


@pytest.mark.parametrize("place", [ANTHROPIC, OPENAI], ids=["before the seat", "behind the seat"])
def test_while_one_provider_s_vm_is_gone_the_others_answer(trapped, sim, place):
    model = {ANTHROPIC: "claude-sonnet", OPENAI: "gpt-4o"}[place]
    assert_refusal(place.trip(trapped.gateway))

    for other in PROVIDER_OF.keys() - {model}:
        answer = trapped.gateway.chat(other)
        assert answer.status == 200 and answer.routing["provider"] == PROVIDER_OF[other]
        assert [attempt["outcome"] for attempt in answer.routing["attempts"]] == ["ok"]
    assert sim.requests(PROVIDER_OF[model]) == []
    recover(place.pass_by, trapped)


def test_what_envoy_logs_of_a_trap_holds_nothing_secret(trapped, sim):
    prompt = trapped.secrets.prompt
    for place in PLACES:
        arm(sim, place)
        assert_refusal(place.trip(trapped.gateway))
        recover(place.pass_by, trapped)
    assert_refusal(trapped.gateway.chat(text=prompt, headers=[("x-trap", "1")]))
    recover(lambda gateway: gateway.chat(text=prompt), trapped)
    assert TRAP in trapped.envoy.errors()
    assert [line for line in trapped.faults_in_logs() if ": holds the " in line] == []
