"""What a cluster does with manifests, as far as a proxy sees it: files are mounted, and one proxy is made of it.

No cluster is here. `Volumes` lays out what kubelet would, links and all; `gateway_shape` and `sidecar_shape` are what istiod sends a proxy
for the resources that are rendered, without what stock Envoy does not have (`istio.stats`, `istio.metadata_exchange`, `istio.alpn`).
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import yaml

HTTP = "type.googleapis.com/envoy.extensions.filters.http"
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def documents(text: str) -> list[dict]:
    """The documents of a stream."""
    return [document for document in yaml.safe_load_all(text) if document]


def only(manifests: list[dict], kind: str, name: str | None = None) -> dict:
    """The one document of this kind."""
    found = [one for one in manifests if one["kind"] == kind and name in (None, one["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} documents of kind {kind}"
    return found[0]


@dataclass
class Volumes:
    """The volumes of a pod below a folder, in the place of the root directory."""

    folder: Path
    pod: dict
    manifests: list[dict]
    secrets: dict[str, dict[str, str]]
    written: int = field(default=0)

    def places(self, container: dict) -> dict[str, Path]:
        """Where the container's mounts are, by the path they have in it."""
        volumes = {volume["name"] for volume in self.pod["volumes"]}
        mounts = container.get("volumeMounts", [])
        assert {mount["name"] for mount in mounts} <= volumes, "a mount of no volume"
        return {mount["mountPath"]: self.folder / mount["name"] for mount in mounts}

    def mount(self, *names: str) -> None:
        """Writes all volumes or those of these names, or writes them anew: as kubelet does, in one rename."""
        self.written += 1
        for volume in self.pod["volumes"]:
            if names and volume["name"] not in names:
                continue
            place = self.folder / volume["name"]
            place.mkdir(parents=True, exist_ok=True)
            if "emptyDir" not in volume:
                self._swap(place, self._files(volume))

    def _files(self, volume: dict) -> dict[str, str]:
        files = {}
        for source in volume.get("projected", {}).get("sources", [volume]):
            if "secret" in source:
                held = self.secrets[source["secret"].get("name") or source["secret"]["secretName"]]
            else:
                held = only(self.manifests, "ConfigMap", source["configMap"]["name"])["data"]
            items = (source.get("secret") or source["configMap"]).get("items") or [{"key": key, "path": key} for key in held]
            files |= {item["path"]: held[item["key"]] for item in items}
        return files

    def _swap(self, place: Path, files: dict[str, str]) -> None:
        version = place / f"..version-{self.written}"
        version.mkdir()
        for name, text in files.items():
            (version / name).write_text(text)
            if not (place / name).is_symlink():
                (place / name).symlink_to(Path("..data") / name)
        (place / "..new").symlink_to(version.name)
        os.rename(place / "..new", place / "..data")


def placed(text: str, places: dict[str, Path]) -> str:
    """The text with the paths of the container replaced by where they are here."""
    for inside, here in places.items():
        text = text.replace(f"{inside}/", f"{here}/").replace(f"{inside}\n", f"{here}\n")
    return text


def _manager(settings: dict, routes: dict, filters: list[str]) -> dict:
    kinds = {"fault": "fault.v3.HTTPFault", "cors": "cors.v3.Cors", "grpc_stats": "grpc_stats.v3.FilterConfig", "router": "router.v3.Router"}
    tell = {"append": {"header": {"key": "x-envoy-peer-metadata", "value": "who-calls"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    # In the place of the filter by which proxies of a mesh tell the next hop who they are.
    exchange = {"name": "istio.metadata_exchange", "typed_config": {
        "@type": f"{HTTP}.header_mutation.v3.HeaderMutation", "mutations": {"request_mutations": [tell]}}}
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": {
        "@type": MANAGER,
        "route_config": routes,
        "http_filters": [exchange] + [
            {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": f"{HTTP}.{kinds[name]}"}} for name in filters],
        "server_name": "istio-envoy",
        "stream_idle_timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "normalize_path": True,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "access_log": [{"name": "envoy.access_loggers.file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": "/dev/null"}}],
        "request_id_extension": {"typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
            "use_request_id_for_trace_sampling": True}},
    } | settings}


def _address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def gateway_shape(port: int, virtual_service: dict) -> dict:
    """A gateway's listener, with the route that Istio makes of the VirtualService."""
    rule = virtual_service["spec"]["http"][0]
    route = {"name": rule["name"], "match": {"prefix": "/"}, "direct_response": {"status": rule["directResponse"]["status"]}}
    routes = {"name": f"http.{port}", "virtual_hosts": [{
        "name": f"*:{port}", "domains": ["*"], "include_request_attempt_count": True, "routes": [route]}]}
    settings = {"stat_prefix": f"outbound_0.0.0.0_{port}", "use_remote_address": True, "forward_client_cert_details": "SANITIZE_SET"}
    return {"clusters": [], "listeners": [{
        "name": f"0.0.0.0_{port}",
        "address": _address(port),
        "filter_chains": [{"filters": [_manager(settings, routes, ["grpc_stats", "fault", "cors", "router"])]}],
    }]}


def sidecar_shape(port: int, other: int) -> dict:
    """A sidecar's inbound listener before an application with two ports. In a pod all connections are redirected to its port 15006 and
    told apart by the port they were meant for; here nothing is redirected, so it is opened at the first port itself."""
    def chain(number: int) -> dict:
        name = f"inbound|{number}||"
        routes = {"name": name, "validate_clusters": False, "virtual_hosts": [{
            "name": f"inbound|http|{number}", "domains": ["*"],
            "routes": [{"name": "default", "match": {"prefix": "/"}, "route": {"cluster": name, "timeout": "0s"}}]}]}
        settings = {"stat_prefix": f"inbound_0.0.0.0_{number};", "use_remote_address": False, "forward_client_cert_details": "APPEND_FORWARD",
                    "set_current_client_cert_details": {"subject": True, "dns": True, "uri": True}, "proxy_100_continue": True}
        return {"filter_chain_match": {"destination_port": number}, "name": f"0.0.0.0_{number}",
                "filters": [_manager(settings, routes, ["fault", "cors", "grpc_stats", "router"])]}
    application = [{"name": f"inbound|{number}||", "type": "STATIC", "connect_timeout": "1s", "load_assignment": {
        "cluster_name": f"inbound|{number}||", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(1)}}]}]}}
        for number in (port, other)]
    return {"clusters": application, "listeners": [{
        "name": "virtualInbound", "address": _address(port), "traffic_direction": "INBOUND", "filter_chains": [chain(port), chain(other)]}]}


def served(proxy: dict, admin_port: int, modules: dict[str, Path], folder: Path, places: dict[str, Path]) -> dict:
    """A bootstrap of a proxy that is sent all this. Listeners, clusters and extensions come from files in the place of ADS; the modules of
    the latter are fetched as Istio's agent does: the address is looked up, and the file put in its place."""
    folder.mkdir()

    def resources(name: str, kind: str, of_kind: list[dict]) -> dict:
        typed = [{"@type": f"type.googleapis.com/envoy.config.{kind}"} | one for one in of_kind]
        (folder / f"{name}.yaml").write_text(placed(yaml.safe_dump({"resources": typed}, width=10_000), places))
        return {"resource_api_version": "V3", "path_config_source": {"path": str(folder / f"{name}.yaml")}}

    for extension in proxy["extensions"]:
        vm = extension["typed_config"]["config"]["vm_config"]
        vm["code"] = {"local": {"filename": str(modules[vm["code"]["remote"]["http_uri"]["uri"]])}}
        resources(extension["name"], "core.v3.TypedExtensionConfig", [extension])
    for node in dictionaries(proxy):
        if "config_discovery" in node:
            source = node["config_discovery"]["config_source"]
            assert source.pop("ads") == {}
            source["path_config_source"] = {"path": str(folder / f"{node['name']}.yaml")}
    return {
        "node": {"id": "router~10.0.0.1~gateway.neural-router~neural-router.svc.cluster.local", "cluster": "neural-router.neural-router"},
        "admin": {"address": _address(admin_port)},
        "dynamic_resources": {
            "lds_config": resources("listeners", "listener.v3.Listener", proxy["listeners"]),
            "cds_config": resources("clusters", "cluster.v3.Cluster", proxy["clusters"]),
        },
    } | proxy["bootstrap"]


def dictionaries(value):
    """All objects in a value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from dictionaries(inner)
