#!/usr/bin/env python3
"""Writes what a product of this workspace is made of, as CycloneDX 1.6 in JSON, to standard output.

    scripts/sbom.py --package nr --artifact target/release/nr [--target TRIPLE] [--beside PACKAGE]… [--features LIST]
    scripts/sbom.py --texts …          the licences' texts instead, for those who pass the product on

The crates are those of `cargo tree`, which knows what features and targets leave out and `cargo metadata` does not. A crate
that is linked in is `required`; a macro, and what only macros use, runs in the compiler and is `excluded`. Packages that were
built by the same cargo call share their crates' features, hence --beside.

The same sources, compiler and product give the same bytes: the serial number is made from the content, and there is no date
but SOURCE_DATE_EPOCH.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINE = re.compile(r"(\d+)(\S+) v(\S+)")
# Cargo writes the lock file itself, so its form is fixed; Python reads TOML only from 3.11 on.
LOCKED = re.compile(r'^name = "(.+)"\nversion = "(.+)"\nsource = ".+"\nchecksum = "([0-9a-f]{64})"$', re.MULTILINE)
TEXTS = re.compile(r"(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE)", re.IGNORECASE)
OURS = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/neural-router/neural-router")

Crate = tuple[str, str]
"""Name and version."""


@dataclass
class Tree:
    """The crates below one package, and who asked for whom."""

    root: Crate
    below: dict[Crate, set[Crate]] = field(default_factory=dict)


def main() -> None:
    """Reads the arguments and writes the document."""
    options = arguments()
    whole, linked = tree(options, "normal"), tree(options, "normal,no-proc-macro")
    packages = {(package["name"], package["version"]): package for package in metadata(options)["packages"]}
    if options.texts:
        sys.stdout.write(texts([packages[crate] for crate in sorted(linked.below) if packages[crate]["source"]]))
        return
    json.dump(document(options, whole, linked, packages), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def document(options: argparse.Namespace, whole: Tree, linked: Tree, packages: dict[Crate, dict]) -> dict:
    """The bill of materials."""
    checksums = locked()
    std = standard_library(options.target)
    crates = sorted(crate for crate in whole.below if crate != whole.root)
    components = [component(packages[crate], checksums.get(crate), "required" if crate in linked.below else "excluded") for crate in crates]
    asked = [{"ref": reference(crate), "dependsOn": sorted(map(reference, whole.below[crate]))} for crate in [whole.root, *crates]]
    asked[0]["dependsOn"].append(std["bom-ref"])

    made = os.environ.get("SOURCE_DATE_EPOCH")
    body = {
        "metadata": {
            **({"timestamp": datetime.fromtimestamp(int(made), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")} if made else {}),
            "component": product(options, packages[whole.root]),
        },
        "components": [*components, std],
        "dependencies": asked,
    }
    serial = uuid.uuid5(OURS, json.dumps(body, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}", "version": 1, **body,
    }


def product(options: argparse.Namespace, package: dict) -> dict:
    """What the document is about: the file itself."""
    file = Path(options.artifact)
    return {
        "type": "application", "bom-ref": reference((package["name"], package["version"])), "name": file.name,
        "version": package["version"], "description": package["description"], **licences(package), **digest(sha256(file)),
        "externalReferences": [{"type": "vcs", "url": package["repository"]}],
        "properties": [{"name": "neural-router:target", "value": options.target}, {"name": "neural-router:features", "value": options.features}],
    }


def component(package: dict, checksum: str | None, scope: str) -> dict:
    """One crate. The checksum is that of the archive on crates.io; crates of this workspace have none."""
    crate = package["name"], package["version"]
    return {
        "type": "library", "bom-ref": reference(crate), "name": crate[0], "version": crate[1],
        "description": " ".join((package["description"] or "").split()), "scope": scope, **licences(package),
        **({"purl": f"pkg:cargo/{crate[0]}@{crate[1]}", **digest(checksum)} if checksum else {}),
        **({"externalReferences": [{"type": "vcs", "url": package["repository"]}]} if package["repository"] else {}),
    }


def standard_library(target: str) -> dict:
    """Rust's own part, which no lock file names. $RUSTC is the compiler, if another than the one on PATH was used."""
    said = output([os.environ.get("RUSTC", "rustc"), "--version", "--verbose"])
    facts = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    return {
        "type": "library", "bom-ref": f"rust-std@{facts['release']}", "name": "rust-std", "version": facts["release"],
        "description": f"Rust's standard library for {target}, with the C library it links there, if it does", "scope": "required",
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "externalReferences": [{"type": "vcs", "url": "https://github.com/rust-lang/rust"}],
        "properties": [{"name": "neural-router:compiler", "value": said.splitlines()[0]}],
    }


def licences(package: dict) -> dict:
    """The licence as an SPDX expression; a slash is what Cargo took for OR in its early days."""
    if not package["license"]:
        raise SystemExit(f"error: {package['name']} {package['version']} names no licence: leave it out, or teach {Path(__file__).name} its name")
    return {"licenses": [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]}


def texts(packages: list[dict]) -> str:
    """The licence texts of the linked crates, each text once, with the crates that carry it."""
    carriers: dict[str, list[str]] = {}
    for package in packages:
        folder = Path(package["manifest_path"]).parent
        files = sorted(file for file in folder.iterdir() if TEXTS.match(file.name) and file.is_file())
        name = f"{package['name']} {package['version']} ({package['license']})"
        for text in [file.read_text(errors="replace").strip() for file in files] or ["The package holds no text of its licence."]:
            carriers.setdefault(text, []).append(name)
    return "\n".join(f"{'=' * 80}\n{chr(10).join(names)}\n{'-' * 80}\n{text}\n" for text, names in carriers.items())


def tree(options: argparse.Namespace, edges: str) -> Tree:
    """The graph of the package, read from the indentation of `cargo tree`."""
    packages = [word for name in (options.package, *options.beside) for word in ("--package", name)]
    lines = output(["cargo", "tree", "--locked", *packages, *features(options), "--edges", edges, "--target", options.target, "--prefix", "depth", "--format", "{p}"])
    found: Tree | None = None
    above: list[Crate] = []
    for depth, name, version in (match.groups() for match in map(LINE.match, lines.splitlines()) if match):
        crate, level = (name, version), int(depth)
        if level == 0 and found is None and name == options.package:
            found = Tree(crate)
        elif level == 0 and found is not None:
            break
        if found is None:
            continue
        above[level:] = [crate]
        found.below.setdefault(crate, set())
        if level:
            found.below[above[level - 1]].add(crate)
    if found is None:
        raise SystemExit(f"error: cargo tree does not show {options.package}")
    return found


def metadata(options: argparse.Namespace) -> dict:
    """What the manifests say of themselves."""
    return json.loads(output(["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", options.target, *features(options)]))


def features(options: argparse.Namespace) -> list[str]:
    """The features as cargo takes them when more than one package is named."""
    return [f"--features={options.package}/{name}" for name in re.split("[ ,]+", options.features) if name]


def locked() -> dict[Crate, str]:
    """The checksums of the lock file."""
    text = (ROOT / "Cargo.lock").read_text()
    return {(name, version): checksum for name, version, checksum in LOCKED.findall(text)}


def reference(crate: Crate) -> str:
    """How the document calls a crate."""
    return f"{crate[0]}@{crate[1]}"


def digest(sha: str) -> dict:
    """A SHA-256 as the format has it."""
    return {"hashes": [{"alg": "SHA-256", "content": sha}]}


def sha256(file: Path) -> str:
    """Of a file's bytes, in hex."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def output(argv: list[str]) -> str:
    """What a command prints; its errors go where ours go, and end the program."""
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(argv)} failed (exit {done.returncode})")
    return done.stdout


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", required=True, help="the package that the product is built from")
    parser.add_argument("--artifact", required=True, help="the product")
    parser.add_argument("--target", help="what it is compiled for; this machine by default")
    parser.add_argument("--beside", action="append", default=[], metavar="PACKAGE", help="built by the same cargo call")
    parser.add_argument("--features", default="", help="as given to cargo")
    parser.add_argument("--texts", action="store_true", help="write licence texts")
    options = parser.parse_args()
    if not options.target:
        options.target = re.search(r"^host: (.+)$", output(["rustc", "--version", "--verbose"]), re.MULTILINE)[1]
    return options


if __name__ == "__main__":
    main()
