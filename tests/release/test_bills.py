"""The bills of materials: in the format's form, and naming what cargo really compiled. Licences of all that is used."""

import json
from functools import cache
from pathlib import Path

import cyclonedx.schema
import jsonschema_rs
import pytest
from license_expression import get_spdx_licensing

import programs
from programs import ROOT

SCHEMAS = Path(cyclonedx.schema.__file__).parent / "_res"
PRODUCTS = ("neural_router.wasm", "nr")

# Licences whose conditions a work under Apache-2.0 can meet, in any form.
ALLOWED = {
    "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "0BSD", "BSL-1.0",
    "Unicode-3.0", "Unlicense", "CC0-1.0",
}


@cache
def validator():
    """CycloneDX's own schema. The names it refers to are those of the files beside it."""
    schema = json.loads((SCHEMAS / "bom-1.6.SNAPSHOT.schema.json").read_text())
    return jsonschema_rs.validator_for(schema, retriever=lambda name: json.loads((SCHEMAS / name.rpartition("/")[2]).read_text()))


def crates(bill: dict, *scopes: str) -> set[tuple[str, str]]:
    """Name and version of the crates in these scopes."""
    return {(part["name"], part["version"]) for part in bill["components"] if part["scope"] in scopes and part["name"] != "rust-std"}


def cargo(*words) -> str:
    """What a cargo command prints."""
    done = programs.run(["cargo", *words], {"CARGO_TARGET_DIR": str(programs.TARGET)})
    assert done.returncode == 0, done.stderr
    return done.stdout


def tree(*words) -> set[tuple[str, str]]:
    """The crates that `cargo tree` lists."""
    lines = cargo("tree", "--locked", "--prefix", "none", "--no-dedupe", "--format", "{p}", *words).splitlines()
    return {(name, version.removeprefix("v")) for name, version, *_ in map(str.split, filter(None, lines))}


def linked(command: list, root: str) -> set[tuple[str, str]]:
    """The crates that a build links into the product of a package, in cargo's own plan of that build."""
    done = programs.run([*command, "--locked", "--unit-graph", "-Z", "unstable-options"], {"RUSTC_BOOTSTRAP": "1"})
    assert done.returncode == 0, done.stderr
    graph = json.loads(done.stdout)
    units, found = graph["units"], set()
    left = [index for index in graph["roots"] if named(units[index])[0] == root]
    assert len(left) == 1, f"{len(left)} products of {root}"
    while left:
        unit = units[left.pop()]
        in_the_compiler = {"proc-macro", "custom-build"} & set(unit["target"]["kind"])
        # Where cargo builds the standard library too, the bill has it as one.
        if not in_the_compiler and not unit.get("is_std") and named(unit) not in found:
            found.add(named(unit))
            left += [below["index"] for below in unit["dependencies"]]
    return found


def named(unit: dict) -> tuple[str, str]:
    """Name and version of the crate that a unit belongs to."""
    place, _, rest = unit["pkg_id"].rpartition("#")
    name, _, version = rest.rpartition("@")
    return name or place.rpartition("/")[2], version


@pytest.mark.parametrize("product", PRODUCTS)
def test_it_is_valid_by_the_formats_schema_and_the_schema_refuses_another(release, product):
    bill = release.bill(product)
    assert [error.message for error in validator().iter_errors(bill)] == []
    bill["components"][0]["licenses"] = [{"license": {"id": "No-Such-Licence"}}]
    assert not validator().is_valid(bill)


@pytest.mark.parametrize(("product", "package", "command"), [
    ("neural_router.wasm", "neural-router", [ROOT / "scripts/cargo-wasm.sh", "build", "--package", "neural-router", "--lib", "--profile", "wasm"]),
    ("nr", "nr", ["cargo", "build", "--release", "--package", "nr", "--package", "nr-simulator"]),
])
def test_it_names_the_crates_that_are_linked_in_and_no_others(release, product, package, command):
    bill = release.bill(product)
    assert crates(bill, "required") | {(package, bill["metadata"]["component"]["version"])} == linked(command, package)


def test_macros_are_named_apart_from_what_is_linked_in(release):
    bill = release.bill("neural_router.wasm")
    own = {("neural-router", bill["metadata"]["component"]["version"])}
    assert {"serde_derive", "syn"} <= {name for name, _ in crates(bill, "excluded")}
    assert crates(bill, "required", "excluded") | own == tree("--package", "neural-router", "--edges", "normal", "--target", "wasm32-wasip1")


@pytest.mark.parametrize("product", PRODUCTS)
def test_it_is_about_the_file_beside_it_and_its_graph_is_closed(release, product):
    bill = release.bill(product)
    (digest,) = bill["metadata"]["component"]["hashes"]
    assert f"{digest['content']}  {product}\n" in (release.folder / "SHA256SUMS").read_text()
    known = {part["bom-ref"] for part in [bill["metadata"]["component"], *bill["components"]]}
    for node in bill["dependencies"]:
        assert {node["ref"], *node["dependsOn"]} <= known
    reached, left = set(), [bill["metadata"]["component"]["bom-ref"]]
    below = {node["ref"]: node["dependsOn"] for node in bill["dependencies"]}
    while left:
        if (part := left.pop()) not in reached:
            reached.add(part)
            left += below.get(part, [])
    assert reached == known


def test_it_is_the_same_each_time_and_says_when_only_if_told(release):
    command = [ROOT / "scripts/sbom.py", "--package", "neural-router", "--target", "wasm32-wasip1", "--artifact", release.wasm]
    first, second, dated = (programs.run(["python3", *command], {"SOURCE_DATE_EPOCH": made}).stdout for made in ("", "", "1795405329"))
    assert first == second and "timestamp" not in first
    assert json.loads(dated)["metadata"]["timestamp"] == "2026-11-23T03:42:09Z"


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_licence_texts_name_every_crate_that_is_linked_in(release, product):
    text = (release.folder / f"{product}.licenses").read_text()
    ours = {package["name"] for package in metadata()["packages"] if not package["source"]}
    for name, version in crates(release.bill(product), "required"):
        assert name in ours or f"\n{name} {version} (" in text, f"{name} {version}"


@cache
def metadata() -> dict:
    """Every crate of the workspace, for tests and on other systems too."""
    return json.loads(cargo("metadata", "--locked", "--format-version", "1", "--all-features"))


def acceptable(expression) -> bool:
    """Whether a choice the licences leave us is allowed throughout."""
    if expression.isliteral:
        return str(expression) in ALLOWED
    parts = [acceptable(part) for part in expression.args]
    return any(parts) if expression.operator == " OR " else all(parts)


def test_all_that_is_used_may_go_into_a_work_under_apache_2():
    licensing = get_spdx_licensing()
    packages = metadata()["packages"]
    assert len(packages) > 80
    refused = [
        f"{package['name']} {package['version']}: {package['license']}" for package in packages
        if not acceptable(licensing.parse((package["license"] or "none").replace("/", " OR "), validate=False))]
    assert not refused, f"neither allowed here nor a choice: {refused}"


@pytest.mark.parametrize(("expression", "allowed"), [
    ("MIT OR GPL-3.0-only", True), ("MIT AND GPL-3.0-only", False), ("GPL-3.0-only", False), ("(MIT OR Apache-2.0) AND Unicode-3.0", True),
    ("Apache-2.0 WITH LLVM-exception", True), ("GPL-2.0-only WITH Classpath-exception-2.0", False), ("none", False),
])
def test_a_licence_is_a_choice_or_a_duty(expression, allowed):
    assert acceptable(get_spdx_licensing().parse(expression)) is allowed
