"""The stand-in for istiod does what Istio's documentation says of each operation, and refuses what it does not know."""

import pytest

import istiod
from istiod import MANAGER, Unsayable

ROUTER = "envoy.filters.http.router"


def listener(name: str, *ports: int) -> dict:
    """A listener with a chain for each port, or one chain if there is one port."""
    def chain(port: int) -> dict:
        return {"filter_chain_match": {"destination_port": port}, "filters": [{"name": MANAGER, "typed_config": {
            "@type": "manager", "stream_idle_timeout": "0s", "access_log": [{"name": "mesh"}], "use_remote_address": False,
            "http_filters": [{"name": "cors", "typed_config": {"@type": "cors"}}, {"name": ROUTER, "typed_config": {"@type": "router"}}],
            "route_config": {"name": f"inbound|{port}||" if len(ports) > 1 else f"http.{port}",
                             "virtual_hosts": [{"name": "host", "routes": [{"name": "theirs"}]}]}}}]}
    return {"name": name, "address": {"socket_address": {"port_value": ports[0]}}, "filter_chains": [chain(port) for port in ports]}


def applied(apply_to: str, operation: str, value: dict, match: dict | None = None, context: str = "GATEWAY", labels=None, listeners=None) -> dict:
    """A proxy after one patch."""
    resource = {"metadata": {"name": "one"}, "spec": {
        "workloadSelector": {"labels": {"app": "x"}},
        "configPatches": [{"applyTo": apply_to, "match": match or {}, "patch": {"operation": operation, "value": value}}]}}
    proxy = {"listeners": listeners or [listener("0.0.0.0_80", 80), listener("0.0.0.0_90", 90)], "clusters": [{"name": "theirs"}]}
    return istiod.apply([resource], context, proxy, labels or {"app": "x", "more": "y"})


def managers(proxy: dict) -> list[dict]:
    return [chain["filters"][0]["typed_config"] for one in proxy["listeners"] for chain in one["filter_chains"]]


def at(port: int, **filters) -> dict:
    """A match of the listener with this port."""
    return {"context": "GATEWAY", "listener": {"portNumber": port, "filterChain": {"filter": {"name": MANAGER, **filters}}}}


def test_a_filter_goes_directly_before_the_one_that_is_named_and_only_at_its_port():
    proxy = applied("HTTP_FILTER", "INSERT_BEFORE", {"name": "ours"}, at(80, subFilter={"name": ROUTER}))
    assert [[one["name"] for one in manager["http_filters"]] for manager in managers(proxy)] == [["cors", "ours", ROUTER], ["cors", ROUTER]]


def test_before_nothing_in_particular_is_before_everything():
    proxy = applied("HTTP_FILTER", "INSERT_BEFORE", {"name": "ours"}, at(90))
    assert [one["name"] for one in managers(proxy)[1]["http_filters"]] == ["ours", "cors", ROUTER]


def test_a_port_means_the_chain_where_one_listener_has_all_ports():
    proxy = applied("HTTP_FILTER", "INSERT_BEFORE", {"name": "ours"}, at(90, subFilter={"name": ROUTER}),
                    listeners=[listener("virtualInbound", 15006, 80, 90)])
    assert [len(manager["http_filters"]) for manager in managers(proxy)] == [2, 2, 3]


@pytest.mark.parametrize(("port", "listeners", "hit"), [
    (80, None, [True, False]), (90, [listener("virtualInbound", 15006, 90)], [False, True])], ids=["gateway", "sidecar"])
def test_a_route_goes_first_in_every_host_of_the_ports_routes(port, listeners, hit):
    proxy = applied("HTTP_ROUTE", "INSERT_FIRST", {"name": "ours"}, {"routeConfiguration": {"portNumber": port}}, listeners=listeners)
    names = [[route["name"] for route in manager["route_config"]["virtual_hosts"][0]["routes"]] for manager in managers(proxy)]
    assert names == [["ours", "theirs"] if here else ["theirs"] for here in hit]


def test_a_merge_replaces_values_adds_to_lists_and_keeps_the_rest():
    value = {"typed_config": {"@type": "manager", "stream_idle_timeout": "9s", "access_log": [{"name": "ours"}], "use_remote_address": True}}
    merged, other = managers(applied("NETWORK_FILTER", "MERGE", value, at(80)))
    assert (merged["stream_idle_timeout"], merged["use_remote_address"]) == ("9s", True)
    assert [log["name"] for log in merged["access_log"]] == ["mesh", "ours"]
    assert len(merged["http_filters"]) == 2 and other["stream_idle_timeout"] == "0s"


@pytest.mark.parametrize("value", [{"merge_slashes": False}, {"xff_num_trusted_hops": 0}, {"server_name": ""}], ids=str)
def test_a_merge_cannot_say_false_or_nothing(value):
    with pytest.raises(Unsayable, match="what absent means"):
        applied("NETWORK_FILTER", "MERGE", {"typed_config": {"@type": "manager"} | value}, at(80))


def test_a_wrapped_false_can_be_said():
    assert managers(applied("NETWORK_FILTER", "MERGE", {"typed_config": {"@type": "manager", "normalize_path": False}}, at(80)))[0]["normalize_path"] is False


def test_a_configuration_of_another_type_is_replaced_and_not_mixed():
    into = {"typed_config": {"@type": "a", "of_a": 1}}
    istiod.merge(into, {"typed_config": {"@type": "b", "of_b": False}})
    assert into == {"typed_config": {"@type": "b", "of_b": False}}


def test_clusters_are_added_under_names_of_their_own():
    assert [one["name"] for one in applied("CLUSTER", "ADD", {"name": "ours"})["clusters"]] == ["theirs", "ours"]
    with pytest.raises(Unsayable, match="already"):
        applied("CLUSTER", "ADD", {"name": "theirs"})


def test_extensions_and_settings_of_the_whole_proxy_are_kept_apart():
    assert applied("EXTENSION_CONFIG", "ADD", {"name": "ours"})["extensions"] == [{"name": "ours"}]
    assert applied("BOOTSTRAP", "MERGE", {"stats_config": {"stats_tags": [1]}})["bootstrap"] == {"stats_config": {"stats_tags": [1]}}


def test_other_pods_and_other_contexts_are_left_alone():
    assert len(applied("CLUSTER", "ADD", {"name": "ours"}, labels={"app": "other"})["clusters"]) == 1
    assert len(applied("CLUSTER", "ADD", {"name": "ours"}, {"context": "SIDECAR_INBOUND"})["clusters"]) == 1
    assert len(applied("CLUSTER", "ADD", {"name": "ours"}, {"context": "ANY"})["clusters"]) == 2


def test_a_patch_that_finds_nothing_is_an_error_here():
    with pytest.raises(Unsayable, match="finds nothing"):
        applied("HTTP_FILTER", "INSERT_BEFORE", {"name": "ours"}, at(81, subFilter={"name": ROUTER}))


def test_what_the_stand_in_does_not_know_it_does_not_pretend():
    with pytest.raises(NotImplementedError, match="REMOVE"):
        applied("CLUSTER", "REMOVE", {})
