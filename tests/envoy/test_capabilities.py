"""The filter may do what it does, and nothing else."""

import pytest
import yaml

import capabilities
import programs
import stack as stacks
from trapping import HCM, HTTP_OPTIONS, SEAT


def plugins(bootstrap: dict) -> list[dict]:
    """The plugin of every seat."""
    listeners = bootstrap["static_resources"]["listeners"]
    chains = [found["typed_config"]["http_filters"] for listener in listeners for chain in listener["filter_chains"]
              for found in chain["filters"] if found["name"] == HCM]
    chains += [cluster["typed_extension_protocol_options"][HTTP_OPTIONS].get("http_filters", [])
               for cluster in bootstrap["static_resources"]["clusters"]]
    return [found["typed_config"]["config"] for filters in chains for found in filters if found["name"] == SEAT]


def allowed(plugin: dict) -> set[str]:
    return set(plugin["capability_restriction_config"]["allowed_capabilities"])


@pytest.fixture(scope="module")
def bootstrap(stack) -> dict:
    return yaml.safe_load(stack.bootstrap.read_text())


def test_both_seats_are_restricted_alike(bootstrap):
    seats = plugins(bootstrap)
    assert len(seats) == 4 and all(allowed(seat) == allowed(seats[0]) for seat in seats)


def test_nothing_is_allowed_that_the_module_has_no_use_for(bootstrap):
    imports, exports = capabilities.functions(programs.wasm())
    surplus = allowed(plugins(bootstrap)[0]) - imports - exports
    assert not surplus, f"allowed, but neither imported nor exported by the module: {sorted(surplus)}"


@pytest.mark.parametrize("name", [
    "proxy_http_call", "proxy_grpc_stream", "proxy_call_foreign_function", "proxy_enqueue_shared_queue",
    "proxy_on_foreign_function", "proxy_on_http_call_response", "proxy_on_queue_ready", "proxy_on_downstream_data",
])
def test_what_the_sdk_could_do_and_the_filter_does_not_is_refused(bootstrap, name):
    imports, exports = capabilities.functions(programs.wasm())
    assert name in imports | exports, "then there is nothing to refuse"
    assert name not in allowed(plugins(bootstrap)[0])


def test_envoy_refuses_a_call_that_is_not_allowed(stack, sim, tmp_path):
    def forbid(bootstrap: dict) -> None:
        for plugin in plugins(bootstrap):
            del plugin["capability_restriction_config"]["allowed_capabilities"]["proxy_send_local_response"]
    with stacks.beside(stack, tmp_path, workers=1, edit=forbid) as running:
        answer = running.gateway.chat(key="nr-wrong")
        assert answer.status != 401, "the filter answered by a call that it may not make"
        assert stacks.REFUSED_CALL.search(running.envoy.errors()), running.envoy.errors()[-2000:]
    assert all(sim.requests(provider) == [] for provider in sim.providers)
