"""`nr render istio` in real Envoy: the patches applied to what istiod sends a gateway and a sidecar, and calls through it.

No cluster and no istiod are here; `istiod.py` and `cluster.py` say what stands in for them.
"""

import copy
import dataclasses
import json
import re
from pathlib import Path

import httpx
import pytest
import yaml

import cluster
import configuration
import istiod
import programs
import stack as stacks
from cluster import Volumes
from configuration import PROTOCOLS
from gateway import Gateway, assert_error
from stack import Stack

MODULE = "oci://registry.example.com/neural-router-filter:0.1.0"
LABELS = {"gateway": {"app.kubernetes.io/name": "neural-router", "sidecar.istio.io/inject": "true"}, "sidecar": {"app": "models"}}
CONTEXTS = {"gateway": "GATEWAY", "sidecar": "SIDECAR_INBOUND"}


def render(kind: str, config: Path, module: str) -> str:
    """What `nr render istio` prints."""
    words = ["--context", "sidecar", "--selector", "app=models"] if kind == "sidecar" else []
    rendered = programs.run([programs.nr(), "render", "istio", "--config", config, "--module", module, *words])
    assert rendered.returncode == 0, rendered.stderr
    return rendered.stdout


def pod(kind: str, documents: list[dict], text: str) -> dict:
    """The pod of the gateway that is rendered, or one as its owner would write it: with the annotations that the text names."""
    if kind == "gateway":
        return cluster.only(documents, "Deployment")["spec"]["template"]["spec"]

    def annotation(name: str) -> list:
        line = next(line for line in text.splitlines() if f"{name}: '" in line)
        return json.loads(yaml.safe_load(line.lstrip("# "))[name])
    return {"volumes": annotation("sidecar.istio.io/userVolume"),
            "containers": [{"volumeMounts": annotation("sidecar.istio.io/userVolumeMount")}]}


@dataclasses.dataclass
class Pod:
    """A pod whose volumes are mounted, and its proxy before and after the patches."""

    volumes: Volumes
    before: dict
    proxy: dict
    filters: list[dict]

    @property
    def places(self) -> dict[str, Path]:
        """Where its mounts are."""
        return self.volumes.places(self.volumes.pod["containers"][0])


def laid_out(kind: str, config: Path, folder: Path, port: int, secrets: dict[str, str], module: str = MODULE) -> Pod:
    """A pod of this kind, for what is rendered of a configuration."""
    text = render(kind, config, module)
    documents = cluster.documents(text)
    volumes = Volumes(folder / "volumes", pod(kind, documents, text), documents, {"neural-router-providers": secrets})
    shape = (cluster.gateway_shape(port, cluster.only(documents, "VirtualService")) if kind == "gateway"
             else cluster.sidecar_shape(port, programs.free_ports(1)[0]))
    filters = [one for one in documents if one["kind"] == "EnvoyFilter"]
    whole = Pod(volumes, shape, istiod.apply(filters, CONTEXTS[kind], shape, LABELS[kind]), filters)
    definitions = cluster.only(documents, "ConfigMap")["data"]
    definitions |= {name: cluster.placed(text, whole.places) for name, text in definitions.items()}
    volumes.mount()
    return whole


@dataclasses.dataclass
class Mesh:
    """A proxy of the mesh before the suite's simulator."""

    stack: Stack
    pod: Pod


@pytest.fixture(scope="module", params=["gateway", "sidecar"])
def mesh(request, stack, tmp_path_factory):
    """One proxy of each kind."""
    folder = tmp_path_factory.mktemp("mesh")
    listen, admin = programs.free_ports(2)
    config = stack.config | {"listen": stack.config["listen"] | {"port": listen}}
    file, bootstrap = folder / "neural-router.yaml", folder / "envoy.yaml"
    file.write_text(configuration.to_yaml(config))
    whole = laid_out(request.param, file, folder, listen, stack.secrets.environment())
    bootstrap.write_text(yaml.safe_dump(cluster.served(
        copy.deepcopy(whole.proxy), admin, {MODULE: programs.wasm()}, folder / "resources", whole.places)))
    envoy = stacks.start_envoy("proxy", bootstrap, f"127.0.0.1:{admin}", folder, workers=1)
    running = dataclasses.replace(stack, folder=folder, bootstrap=bootstrap, config=config, envoy=envoy, admin=f"127.0.0.1:{admin}",
                                  gateway=Gateway(listen, stack.secrets.workspace["acme"]))
    yield Mesh(running, whole)
    ended = envoy.running()
    envoy.stop()
    assert ended, f"the proxy ended during the session:\n{envoy.errors()[-4000:]}"
    found = running.faults_in_logs()
    assert not found, "in the logs of the proxy:\n" + "\n".join(found[:40])


@pytest.fixture
def gateway(mesh: Mesh, sim) -> Gateway:
    """The proxy as a caller sees it, before healthy providers."""
    return mesh.stack.gateway


def test_a_call_is_answered_by_the_provider_it_names_with_that_providers_key(gateway, mesh, sim):
    sim.behave("openai", text="From afar.")
    answer = gateway.chat("gpt-4o")
    assert (answer.status, answer.text, answer.routing["provider"]) == (200, "From afar.", "openai")
    received = sim.only("openai")
    assert received.values("authorization") == [f"Bearer {mesh.stack.secrets.provider['openai']}"]
    # What the proxies of a mesh tell each other is nothing to a provider, nor to the caller.
    assert not [name for name in received.names() if name.startswith(("x-envoy", "x-istio", "x-forwarded", "x-nr"))]
    assert not [name for name, _ in answer.headers if name.startswith("x-envoy")]
    assert mesh.stack.secrets.provider["openai"] not in mesh.stack.config_dump()


def test_a_stream_arrives_as_it_is_written_and_ends(gateway, sim):
    sim.behave("openai", text="One two three.")
    answer = gateway.chat("gpt-4o", stream=True)
    assert answer.done and answer.streamed_text == "One two three."
    assert answer.chunks[0]["routing"]["selected"] == "gpt-4o"


def test_an_openai_request_becomes_anthropics_and_its_answer_openais(gateway, mesh, sim):
    sim.behave("anthropic", text="Translated.")
    answer = gateway.chat("claude-sonnet", max_tokens=20)
    assert (answer.status, answer.text, answer.json()["object"]) == (200, "Translated.", "chat.completion")
    received = sim.only("anthropic")
    assert (received.path, received.json()["max_tokens"]) == ("/v1/messages", 20)
    assert received.values("x-api-key") == [mesh.stack.secrets.provider["anthropic"]]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", [{"kind": "status", "status": 429}, {"kind": "status", "status": 500}, {"kind": "refuse"}, {"kind": "hang"}],
                         ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}".strip())
def test_a_provider_that_fails_is_left_for_the_next(gateway, sim, fault, stream):
    sim.fault("openai", **fault)
    sim.behave("anthropic", text="Served by the second.")
    answer = gateway.chat("gpt-4o", stream=stream, route={"fallbacks": ["claude-sonnet"]})
    assert answer.status == 200, answer.body[:400]
    assert (answer.streamed_text if stream else answer.text) == "Served by the second."
    routing = answer.chunks[0]["routing"] if stream else answer.routing
    assert [attempt["provider"] for attempt in routing["attempts"]] == ["openai", "anthropic"]


def test_when_all_fail_the_caller_is_told_of_each(gateway, sim):
    for provider in PROTOCOLS:
        sim.fault(provider, "status", status=503)
    answer = gateway.chat("gpt-4o", route={"fallbacks": ["claude-sonnet"]})
    assert answer.status == 503 and len(answer.routing["attempts"]) == 2


def test_refusals_have_the_form_of_the_api(gateway, mesh, no_provider_called):
    assert_error(gateway.chat(key=None), 401, "unauthenticated", "invalid_api_key")
    assert_error(gateway.chat("no-such-model"), 404, "model_not_found", param="model")
    poor = mesh.stack.secrets.workspace["capped-1"]
    assert_error(gateway.chat("meter-dear", key=poor, max_tokens=1000), 402, "budget_exceeded",
                 more=("limit_usd", "spent_usd", "resets_at"))
    # Refused by Envoy itself, before any filter.
    assert_error(gateway.raw(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 70_000 + b"\r\n\r\n"), 431, "invalid_request", "headers_too_large")


def test_models_are_listed_and_health_needs_no_key(gateway):
    models = gateway.call("GET", "/v1/models").json()["data"]
    assert {"gpt-4o", "claude-sonnet"} <= {model["id"] for model in models}
    assert gateway.call("GET", "/healthz", key=None).json() == {"status": "ok"}


def test_a_body_above_envoys_default_buffer_is_taken_and_retried(gateway, sim):
    sim.fault("openai", "status", status=500)
    answer = gateway.chat("gpt-4o", text="word " * 60_000, headers=(), route={"fallbacks": ["claude-sonnet"]}, max_tokens=5, timeout=30)
    assert answer.status == 200 and len(answer.routing["attempts"]) == 2, answer.body[:400]


def test_a_client_cannot_steer_the_proxy_by_headers(gateway, sim):
    headers = [("x-envoy-max-retries", "0"), ("x-nr-next", "provider_groq"), ("x-envoy-upstream-rq-timeout-ms", "1")]
    sim.fault("openai", "status", status=500)
    answer = gateway.chat("gpt-4o", headers=headers, route={"fallbacks": ["claude-sonnet"]})
    assert [attempt["provider"] for attempt in answer.routing["attempts"]] == ["openai", "anthropic"]


def test_nothing_but_the_port_of_calls_is_changed_and_what_was_there_refuses(gateway, mesh):
    chains = [[chain for listener in proxy["listeners"] for chain in listener["filter_chains"]] for proxy in (mesh.pod.before, mesh.pod.proxy)]
    assert len(chains[0]) == len(chains[1]) and chains[0][1:] == chains[1][1:]
    assert [cluster["name"] for cluster in mesh.pod.proxy["clusters"]][:len(mesh.pod.before["clusters"])] == [c["name"] for c in mesh.pod.before["clusters"]]
    names = [route["name"] for route in chains[1][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]["routes"]]
    assert names in (["call", "no-neural-router"], ["call", "default"])


def test_the_extensions_that_a_proxy_needs_are_those_that_the_documentation_lists(gateway, mesh):
    known = httpx.get(f"http://{mesh.stack.admin}/server_info", timeout=20, trust_env=False).json()["node"]["extensions"]
    names = {kind: one["name"] for one in known for kind in one["type_urls"]}
    used = {node["@type"].removeprefix("type.googleapis.com/") for node in cluster.dictionaries(mesh.pod.filters) if "@type" in node}
    needed = {names[kind] for kind in used if kind in names}
    text = (programs.ROOT / "docs/istio.md").read_text()
    # Providers reached by TLS and by name are not among the suite's; a command of a log's format has no type.
    unseen = {"envoy.transport_sockets.tls", "envoy.cluster.dns", "envoy.formatter.cel"}
    documented = set(re.findall(r"^ {2}(envoy\.\S+)", text, re.MULTILINE))
    assert needed == documented - unseen and documented >= unseen
    assert "envoy.formatter.cel" in {one["name"] for one in known}


def test_the_access_log_has_a_line_for_a_call_and_the_meshs_own_log_stays(gateway, mesh):
    before = mesh.stack.envoy.output()
    assert gateway.chat("gpt-4o").status == 200
    line = programs.until(lambda: [line for line in mesh.stack.envoy.output()[len(before):].splitlines() if "chat/completions" in line], "a line", 5)
    assert json.loads(line[0])["workspace"] == "acme"
    logs = next(istiod.network_filters(mesh.pod.proxy["listeners"], None))["typed_config"]["access_log"]
    assert [log["name"] for log in logs] == ["envoy.access_loggers.file", "envoy.access_loggers.stdout"]


def test_a_key_that_the_cluster_changes_is_used_without_a_new_pod(gateway, mesh, sim):
    old = mesh.pod.volumes.secrets["neural-router-providers"]["E2E_GROQ_KEY"]
    mesh.pod.volumes.secrets["neural-router-providers"]["E2E_GROQ_KEY"] = "sk-canary-rotated"
    mesh.pod.volumes.mount()

    def sent() -> bool:
        assert gateway.chat("llama-3.3-70b").status == 200
        return sim.requests("groq")[-1].values("authorization") == ["Bearer sk-canary-rotated"]
    programs.until(sent, "the new key to be sent", 10)
    assert old != "sk-canary-rotated"
    mesh.pod.volumes.secrets["neural-router-providers"]["E2E_GROQ_KEY"] = old
    mesh.pod.volumes.mount()
    programs.until(lambda: gateway.chat("llama-3.3-70b").status == 200
                   and sim.requests("groq")[-1].values("authorization") == [f"Bearer {old}"], "the old key to be sent again", 10)


@pytest.mark.parametrize("kind", CONTEXTS)
def test_providers_by_tls_and_name_pages_and_a_mounted_filter_are_what_envoy_takes(kind, tmp_path):
    text = (programs.ROOT / "examples/neural-router.yaml").read_text()
    file, bootstrap = tmp_path / "neural-router.yaml", tmp_path / "envoy.yaml"
    file.write_text(text.replace("listen:\n", 'listen:\n  cors: {allow_origins: ["https://app.example.com"]}\n', 1))
    keys = {name: "sk-nobody" for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY")}
    # A gateway of its own cannot have a file, so it is the module's address that is replaced there.
    module = str(programs.wasm()) if kind == "sidecar" else MODULE
    whole = laid_out(kind, file, tmp_path, 8080, keys, module)
    served = cluster.served(whole.proxy, programs.free_ports(1)[0], {MODULE: programs.wasm()}, tmp_path / "resources", whole.places)
    # Validation looks at what is static.
    served["static_resources"] = {name: whole.proxy[name] for name in ("listeners", "clusters")}
    del served["dynamic_resources"]
    bootstrap.write_text(cluster.placed(yaml.safe_dump(served, width=10_000), whole.places))
    checked = programs.run([programs.envoy(), "--mode", "validate", "--config-path", bootstrap, "--log-level", "warning", "--use-dynamic-base-id"])
    assert checked.returncode == 0 and "OK" in checked.stdout, checked.stderr[-2000:]
    assert [cluster["name"] for cluster in served["static_resources"]["clusters"]][-3:] == ["provider_anthropic", "provider_groq", "provider_openai"]
