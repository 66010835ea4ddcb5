"""Values on both sides of every bound of a JSON schema."""

import json

from schema import Document

# Arrays that may be as long as this are not tried at their bound: vectors of so many inputs are more than an answer may have.
MANY = 2048


class Probes:
    """Values made from the schemas of a document. One thing is at a bound, or beyond it, at a time."""

    def __init__(self, document: Document):
        self.document = document

    def of(self, schema: dict) -> list:
        """What a schema admits and what it does not; but no other word where it has one, and no empty array where it wants
        elements: those are for a provider to judge."""
        schema = self.document.resolved(schema)
        strangers = [7, True, {}, *([] if "const" in schema else ["x"]), *([[]] if "array" not in schema.get("type", "array") else [])]
        return list({json.dumps(value): value for value in [*self._all(schema), *strangers]}.values())

    def _all(self, schema: dict):
        known = schema.get("examples") or schema.get("enum") or [schema[name] for name in ("const",) if name in schema]
        yield from known
        for one in schema.get("oneOf", []):
            yield from self._all(self.document.resolved(one))
        kinds = schema.get("type", [])
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            match kind:
                case "null":
                    yield None
                case "boolean":
                    yield False
                case "integer" | "number":
                    yield from self._numbers(schema, kind, bool(known))
                case "string":
                    yield from self._strings(schema)
                case "array":
                    yield from self._arrays(schema)
                case "object":
                    yield from self._members(schema)

    def _numbers(self, schema: dict, kind: str, known: bool):
        step = 1 if kind == "integer" else 0.001
        for bound, beyond in ((schema.get("minimum"), -step), (schema.get("maximum"), step)):
            if bound is not None:
                yield from [bound + beyond] if known else [bound, bound + beyond]
        if kind == "integer":
            yield 1.5

    def _strings(self, schema: dict):
        if "pattern" in schema:
            yield from ["a" * 64, "a" * 65, "a b", "ü", ""]
        if longest := schema.get("maxLength"):
            yield from ["ü" * longest, "ü" * (longest + 1), "x" * (longest + 1)]

    def _arrays(self, schema: dict):
        right = self._first(schema["items"])
        yield from ([probe] for probe in self.of(schema["items"]))
        yield [right]
        yield [right, 7.5]
        if (most := schema.get("maxItems", MANY)) < MANY:
            yield from [[right] * most, [right] * (most + 1)]

    def _members(self, schema: dict):
        right = {name: self._first(schema["properties"][name]) for name in schema.get("required", [])}
        yield right
        for name in right:
            yield {other: value for other, value in right.items() if other != name}
        for name, member in schema.get("properties", {}).items():
            yield from (right | {name: probe} for probe in self.of(member))
        if schema.get("additionalProperties") is False:
            yield right | {"of_next_year": 1}
        elif values := schema.get("additionalProperties"):
            names = schema.get("propertyNames", {})
            yield from ({"7": probe} for probe in self.of(values))
            yield from ({name: self._first(values)} for name in ("", "x" * names.get("maxLength", 1), "x" * (names.get("maxLength", 1) + 1)))
            for count in (schema["maxProperties"], schema["maxProperties"] + 1):
                yield {str(number): self._first(values) for number in range(count)}

    def _first(self, schema: dict):
        """The first probe that conforms."""
        return next(probe for probe in self.of(schema) if not self.document.complaint(schema, probe))
