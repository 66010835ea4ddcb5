"""What `nr render kubernetes` and `nr render istio` print, held to the published schemas of every kind in it."""

import copy

import pytest

import cluster
import programs
import schemas

EXAMPLES = ["examples/demo.yaml", "examples/neural-router.yaml", "examples/providers.yaml"]
IMAGE = ["--image", "registry.example.com/neural-router:0.1.0"]
MODULE = ["--module", "oci://registry.example.com/neural-router-filter:0.1.0"]
FORMS = {
    "kubernetes": ["kubernetes", *IMAGE],
    "istio gateway": ["istio", *MODULE],
    "istio on a gateway": ["istio", *MODULE, "--sha256", "0" * 64, "--selector", "istio=ingressgateway"],
    "istio sidecar": ["istio", *MODULE, "--context", "sidecar", "--selector", "app=models"],
    "istio with a file": ["istio", "--module", "/opt/neural_router.wasm", "--context", "sidecar", "--selector", "app=models"],
}
LISTEN = """listen:
  tls: {certificate: {file: /x/cert.pem}, private_key: {file: /x/key.pem}}
  cors: {allow_origins: ["https://app.example.com"]}
"""


def render(form: str, config) -> list[dict]:
    """The documents of a form."""
    rendered = programs.run([programs.nr(), "render", *FORMS[form], "--config", config])
    assert rendered.returncode == 0, rendered.stderr
    return cluster.documents(rendered.stdout)


@pytest.fixture(params=[*EXAMPLES, "tls"])
def config(request, tmp_path):
    """Every example, and one with what the listener can have."""
    if request.param != "tls":
        return request.param
    file = tmp_path / "neural-router.yaml"
    file.write_text((programs.ROOT / "examples/neural-router.yaml").read_text().replace("listen:\n", LISTEN, 1))
    return file


@pytest.mark.parametrize("form", FORMS)
def test_every_document_is_what_its_schema_says(form, config):
    documents = render(form, config)
    wrong = {f"{one['kind']} {one['metadata']['name']}": said for one in documents if (said := schemas.complaint(one))}
    assert documents and not wrong, wrong


@pytest.mark.parametrize("form", ["kubernetes", "istio gateway"])
def test_a_field_that_a_schema_does_not_know_is_refused_wherever_it_is(form):
    seen = set()
    for document in render(form, "examples/neural-router.yaml"):
        for path in _objects(document):
            place = (document["kind"], *(step for step in path if isinstance(step, str)))
            if path[:1] in (("data",), ("metadata",)) or _is_open(path) or place in seen:
                continue
            seen.add(place)
            changed = copy.deepcopy(document)
            inner = changed
            for step in path:
                inner = inner[step]
            inner["notAField"] = "x"
            assert schemas.complaint(changed), f"{document['kind']}: notAField at {path} is taken"
    kinds = {kind for kind, *_ in seen}
    assert len(seen) > 40 and kinds >= ({"EnvoyFilter", "ServiceEntry", "DestinationRule"} if form != "kubernetes" else {"Deployment"}), seen


@pytest.mark.parametrize("form", FORMS)
def test_names_are_told_apart_and_all_are_in_one_namespace(form):
    documents = render(form, "examples/neural-router.yaml")
    names = [(one["kind"], one["metadata"]["name"]) for one in documents]
    assert len(set(names)) == len(names)
    assert {one["metadata"]["namespace"] for one in documents} == {"neural-router"}


def test_a_plugin_of_istio_cannot_say_that_a_filter_may_hold_headers():
    plugin = {"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {"name": "x"}, "spec": {"url": "oci://x"}}
    assert schemas.complaint(plugin) is None
    assert schemas.complaint(plugin | {"spec": {"url": "oci://x", "allowOnHeadersStopIteration": True}})


def _objects(value, path=()):
    """The path of every object in a document."""
    if isinstance(value, dict):
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _objects(inner, (*path, key))


def _is_open(path: tuple) -> bool:
    """Maps of labels, annotations, quantities and the like, and Envoy's part of an EnvoyFilter, which Envoy checks (test_istio.py)."""
    maps = {"labels", "annotations", "matchLabels", "requests", "limits", "value"}
    return any(step in maps for step in path) or path[-1:] == ("selector",)
