"""What istiod makes of EnvoyFilters: patches applied to the configuration it would send a proxy.

Written after Istio's documentation of EnvoyFilter, for the operations that `nr render istio` uses. Another one is an error here, as is a
patch that finds nothing to change, and a merge that says what protobuf cannot: where Istio would say nothing, a test should.
"""

import copy
from collections.abc import Iterable

MANAGER = "envoy.filters.network.http_connection_manager"
VIRTUAL = ("virtualInbound", "virtualOutbound")

# Fields whose message is a wrapper: false can be told from absent. Of all others, false and 0 are what absent means.
WRAPPED = {"use_remote_address", "generate_request_id", "normalize_path"}


class Unsayable(AssertionError):
    """A patch that Istio would take and that would not do what it says."""


def apply(filters: Iterable[dict], context: str, proxy: dict, labels: dict[str, str]) -> dict:
    """The proxy (`listeners`, `clusters`, `extensions`, `bootstrap`) with every patch for it applied, in order."""
    proxy = copy.deepcopy({"extensions": [], "bootstrap": {}} | proxy)
    for resource in filters:
        wanted = resource["spec"]["workloadSelector"]["labels"]
        if not wanted.items() <= labels.items():
            continue
        for number, patch in enumerate(resource["spec"]["configPatches"]):
            if patch.get("match", {}).get("context", "ANY") not in (context, "ANY"):
                continue
            if not _apply(patch, proxy):
                raise Unsayable(f"patch {number} of {resource['metadata']['name']} ({patch['applyTo']}) finds nothing to change")
    return proxy


def _apply(patch: dict, proxy: dict) -> int:
    """Applies one patch; how often."""
    match, operation, value = patch.get("match", {}), patch["patch"]["operation"], patch["patch"]["value"]
    listeners = proxy["listeners"]
    match (patch["applyTo"], operation):
        case ("CLUSTER", "ADD"):
            if any(cluster["name"] == value["name"] for cluster in proxy["clusters"]):
                raise Unsayable(f"there is a cluster {value['name']} already")
            proxy["clusters"].append(copy.deepcopy(value))
            return 1
        case ("EXTENSION_CONFIG", "ADD"):
            proxy["extensions"].append(copy.deepcopy(value))
            return 1
        case ("BOOTSTRAP", "MERGE"):
            merge(proxy["bootstrap"], value)
            return 1
        case ("NETWORK_FILTER", "MERGE"):
            found = list(network_filters(listeners, match.get("listener")))
            for network_filter in found:
                merge(network_filter["typed_config"], value["typed_config"], of_any=True)
            return len(found)
        case ("HTTP_FILTER", "INSERT_BEFORE" | "INSERT_FIRST" | "ADD"):
            return sum(_put_filter(manager, match["listener"], operation, value) for manager in network_filters(listeners, match["listener"]))
        case ("HTTP_FILTER", "MERGE"):
            wanted = match["listener"]["filterChain"]["filter"]["subFilter"]["name"]
            found = [one for manager in network_filters(listeners, match["listener"])
                     for one in manager["typed_config"]["http_filters"] if one["name"] == wanted]
            for http_filter in found:
                merge(http_filter["typed_config"], value["typed_config"], of_any=True)
            return len(found)
        case ("HTTP_ROUTE", "INSERT_FIRST" | "ADD"):
            hosts = list(_virtual_hosts(listeners, match.get("routeConfiguration", {})))
            for host in hosts:
                host["routes"].insert(0 if operation == "INSERT_FIRST" else len(host["routes"]), copy.deepcopy(value))
            return len(hosts)
        case unknown:
            raise NotImplementedError(f"{unknown}: this harness does not know what Istio does for it")


def merge(into: dict, value: dict, of_any: bool = False) -> None:
    """Merges as protobuf does: messages by field, lists by appending, the rest by replacing. An Any is replaced as a whole, but for
    the one of a filter that is merged itself, which Istio opens."""
    if "@type" in value and not of_any:
        into.clear()
        into.update(copy.deepcopy(value))
        return
    for field, new in value.items():
        old = into.get(field)
        if new in (False, 0, "", None) and field not in WRAPPED and not isinstance(new, (dict, list)):
            raise Unsayable(f"{field}: {new!r} is what absent means, and a merge changes nothing")
        if isinstance(new, dict) and isinstance(old, dict):
            merge(old, new)
        elif isinstance(new, list) and isinstance(old, list):
            old.extend(copy.deepcopy(new))
        else:
            into[field] = copy.deepcopy(new)


def _chains(listeners: list[dict], match: dict | None) -> Iterable[dict]:
    """The filter chains of the listeners that match. A port means that of the listener, or of the chain where one listener has all."""
    match = match or {}
    port = match.get("portNumber")
    for listener in listeners:
        if match.get("name") not in (None, listener["name"]):
            continue
        virtual = listener["name"] in VIRTUAL
        if port and not virtual and listener["address"]["socket_address"]["port_value"] != port:
            continue
        for chain in listener["filter_chains"]:
            if not (port and virtual and chain.get("filter_chain_match", {}).get("destination_port") != port):
                yield chain


def network_filters(listeners: list[dict], match: dict | None) -> Iterable[dict]:
    """The network filters that match."""
    wanted = (match or {}).get("filterChain", {}).get("filter", {}).get("name")
    for chain in _chains(listeners, match):
        yield from (network_filter for network_filter in chain["filters"] if wanted in (None, network_filter["name"]))


def _put_filter(manager: dict, match: dict, operation: str, value: dict) -> int:
    filters = manager["typed_config"]["http_filters"]
    before = match.get("filterChain", {}).get("filter", {}).get("subFilter", {}).get("name")
    if operation == "INSERT_BEFORE" and before:
        found = [number for number, one in enumerate(filters) if one["name"] == before]
        if found:
            filters.insert(found[0], copy.deepcopy(value))
        return len(found[:1])
    filters.insert(len(filters) if operation == "ADD" else 0, copy.deepcopy(value))
    return 1


def _virtual_hosts(listeners: list[dict], match: dict) -> Iterable[dict]:
    for manager in network_filters(listeners, {"filterChain": {"filter": {"name": MANAGER}}}):
        routes = manager["typed_config"]["route_config"]
        if match.get("portNumber") in (None, _port_of(routes["name"])) and match.get("name") in (None, routes["name"]):
            wanted = match.get("vhost", {}).get("name")
            yield from (host for host in routes["virtual_hosts"] if wanted in (None, host["name"]))


def _port_of(name: str) -> int:
    """`http.8080` and `https.8443.https.gateway.namespace` at gateways, `inbound|8080||` at sidecars."""
    return int(name.split("|" if "|" in name else ".")[1])
