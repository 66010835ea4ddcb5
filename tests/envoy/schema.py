"""docs/openapi.yaml as a source of requests and a judge of answers."""

import copy
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jsonschema_rs
import yaml
from hypothesis import strategies as st

# Kept small: what matters is which members there are and what they hold, not how much of it.
MOST_MEMBERS, MOST_ELEMENTS, MOST_CHARACTERS = 8, 3, 12

# Of an object with many, such as a request, some.
LEAST_OF_MANY = 3

# Letters that JSON writes in every way it has.
TEXT = st.text(st.sampled_from('aZ09 _-"\\/\n\t\x01\x7fé世\u2028\U0001f600{}[]:,'), max_size=MOST_CHARACTERS)

# Of no member's type, or outside of every bound, or at least unexpected.
WRONG = [None, True, -1, 0, 7000, 2**63, 2**64, 1.5, 1e300, "", "a\0\u2028\U0010ffff", "\ud800", "x" * 1000, [], {}, [None],
         {"": None}, json.loads("[" * 100 + "]" * 100)]

# Values are replaced down to this depth.
DEEPEST = 8


@dataclass(frozen=True)
class Operation:
    """One call of the API."""

    name: str
    method: str
    path: str
    body: dict | None
    secured: bool
    responses: dict[str, dict[str, dict]]
    """Schemas by status and media type."""


class Document:
    """An OpenAPI document."""

    def __init__(self, path: Path):
        self.whole = yaml.safe_load(path.read_text())

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """All calls by `operationId`."""
        found = {}
        for path, methods in self.whole["paths"].items():
            for method, described in methods.items():
                body = described.get("requestBody")
                found[described["operationId"]] = Operation(
                    described["operationId"], method.upper(), path,
                    body and body["content"]["application/json"]["schema"],
                    described.get("security", self.whole["security"]) != [],
                    {status: {media: content["schema"] for media, content in self.resolved(response)["content"].items()}
                     for status, response in described["responses"].items()})
        return found

    @property
    def schemas(self) -> dict[str, dict]:
        """The named schemas."""
        return self.whole["components"]["schemas"]

    def resolved(self, node: dict) -> dict:
        """The same without `$ref`; what stands beside a reference is added to what it names."""
        while "$ref" in node:
            named = self.whole
            for step in node["$ref"].removeprefix("#/").split("/"):
                named = named[step]
            node = named | {name: value for name, value in node.items() if name != "$ref"}
        return node

    def complaint(self, schema: dict, value) -> str | None:
        """What is wrong with a value, if anything is."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.Draft202012Validator(schema | {"components": self.whole["components"]})
        errors = [f"{'/'.join(map(str, error.instance_path))}: {error.message}"[:400] for error in self._validators[key].iter_errors(value)]
        return "; ".join(errors[:3]) or None

    @cached_property
    def _validators(self) -> dict:
        return {}

    def values(self, schema: dict, instead: dict[str, st.SearchStrategy] | None = None) -> st.SearchStrategy:
        """Values that conform to a schema; `instead` has strategies for schemas by name. Where there are examples they are
        all there is: words that a provider knows, models that exist."""
        instead = instead or {}
        if (named := schema.get("$ref", "").rpartition("/")[2]) in instead:
            return instead[named]
        schema = self.resolved(schema)
        for choice in ("examples", "enum"):
            if choice in schema:
                return st.sampled_from(schema[choice])
        if "const" in schema:
            return st.just(schema["const"])
        if "oneOf" in schema:
            return st.one_of([self.values(one, instead) for one in schema["oneOf"]])
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return st.one_of([self._of(kind, schema, instead) for kind in kinds])

    def _of(self, kind: str, schema: dict, instead: dict) -> st.SearchStrategy:
        least, most = schema.get("minimum"), schema.get("maximum")
        match kind:
            case "null":
                return st.none()
            case "boolean":
                return st.booleans()
            case "integer":
                return st.one_of(st.sampled_from([least, most]), st.integers(least, most))
            case "number":
                return st.one_of(st.sampled_from([least, most]), st.integers(least, most), st.floats(least, most))
            case "string" if "pattern" in schema:
                return st.from_regex(schema["pattern"].replace("$", r"\Z"))
            case "string":
                return TEXT.filter(lambda text: schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", MOST_CHARACTERS))
            case "array":
                shortest = schema.get("minItems", 0)
                longest = min(schema.get("maxItems", MOST_ELEMENTS), shortest + MOST_ELEMENTS)
                return st.lists(self.values(schema["items"], instead), min_size=shortest, max_size=longest)
            case "object" if "properties" in schema:
                return self._objects(schema, instead)
            case "object":
                names = self.values({"type": "string"} | schema.get("propertyNames", {}), instead)
                return st.dictionaries(names, self.values(schema.get("additionalProperties", {"type": "string"}), instead),
                                       max_size=min(schema.get("maxProperties", MOST_ELEMENTS), MOST_ELEMENTS))
        raise ValueError(f"no values for {kind}")

    def _objects(self, schema: dict, instead: dict) -> st.SearchStrategy:
        members = {name: self.values(member, instead) for name, member in schema["properties"].items()}
        required = schema.get("required", [])
        optional = [name for name in members if name not in required]
        least = LEAST_OF_MANY if len(optional) > MOST_MEMBERS else 0
        some = st.lists(st.sampled_from(optional), unique=True, min_size=least, max_size=MOST_MEMBERS) if optional else st.just([])
        return some.flatmap(lambda names: st.fixed_dictionaries({name: members[name] for name in [*required, *names]}))


WRONGS = st.sampled_from(WRONG).map(copy.deepcopy)
STRANGERS = st.sampled_from(["", "of_next_year", "model ", "\ud800", "x" * 300])


@st.composite
def damaged(draw, bodies: st.SearchStrategy):
    """A body with one or two places replaced, left out, or given a member that nobody knows."""
    body = copy.deepcopy(draw(bodies))
    for _ in range(draw(st.integers(1, 2))):
        if not body:
            break
        # The member first, so that the conversation, which is most of a body, is not most of what is damaged.
        member = draw(st.sampled_from(list(body)))
        around, step = draw(st.sampled_from([(body, member), *_places(body[member])]))
        match draw(st.sampled_from(["replace", "replace", "replace", "leave out", "add"])):
            case "replace":
                around[step] = draw(WRONGS)
            case "leave out":
                del around[step]
            case "add" if isinstance(around, dict):
                around[draw(STRANGERS)] = draw(WRONGS)
            case "add":
                around.insert(step, draw(WRONGS))
    return body


def _places(value, depth: int = 0):
    """Every object or array in `value`, with each of its names or indices."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in steps:
        yield value, step
        if depth < DEEPEST:
            yield from _places(below, depth + 1)


@st.composite
def written(draw, bodies: st.SearchStrategy) -> bytes:
    """A body in one of the ways JSON can be written."""
    body = draw(bodies)
    separators = draw(st.sampled_from([None, (",", ":"), (" , ", " :\n")]))
    if draw(st.booleans()):
        body = dict(reversed(body.items()))
    text = json.dumps(body, separators=separators, ensure_ascii=draw(st.booleans()))
    return text.encode("utf-8", "surrogatepass")


@st.composite
def torn(draw, bodies: st.SearchStrategy) -> bytes:
    """A body with bytes cut out, put in, or repeated: mostly no JSON at all."""
    text = draw(bodies)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(text)))
        until = min(len(text), at + draw(st.integers(0, 40)))
        match draw(st.sampled_from(["cut off", "cut out", "repeat", "put in"])):
            case "cut off":
                text = text[:at]
            case "cut out":
                text = text[:at] + text[until:]
            case "repeat":
                text = text[:until] + text[at:]
            case "put in":
                text = text[:at] + draw(st.sampled_from([b"\0", b"\xff", b"{", b"]", b'"', b",", b"\\", b"1e999", b"\xed\xa0\x80"])) + text[at:]
    return text
