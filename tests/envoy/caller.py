"""A workspace with limits as its callers see it: calls, what is left, what was spent."""

import json
import re
import socket
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

import tenants
from gateway import TIMEOUT, Response
from programs import until
from stack import Stack

LIMIT = "x-ratelimit-"
DURATION = re.compile(r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+(?:\.\d+)?)s)?(?:(?P<ms>\d+)ms)?")


@dataclass
class Caller:
    """A workspace nobody else calls; its calls carry the first of its keys unless they name another one."""

    stack: Stack
    workspace: str
    keys: dict[str, str]

    @property
    def key(self) -> str:
        """Its first key."""
        return next(iter(self.keys.values()))

    def chat(self, model: str = "meter", by: str | None = None, **fields) -> Response:
        """A chat call with an answer of at most 10 tokens unless the fields say otherwise."""
        key = self.keys[by] if by else self.key
        return self.stack.gateway.chat(model, key=key, **({"max_tokens": 10} | fields))

    def call(self, method: str, path: str, by: str | None = None, **options) -> Response:
        """Any other call."""
        return self.stack.gateway.call(method, path, key=self.keys[by] if by else self.key, **options)

    def embed(self, model: str = "meter-embedding", text="Say hello.", **fields) -> Response:
        """An embedding call."""
        return self.call("POST", "/v1/embeddings", body=json.dumps({"model": model, "input": text} | fields).encode())

    def usage(self, by: str | None = None) -> dict:
        """`GET /v1/usage`; amounts are exact decimals."""
        answer = self.call("GET", "/v1/usage", by)
        assert answer.status == 200, answer.body[:400]
        return json.loads(answer.body, parse_float=Decimal)

    def settled(self, by: str | None = None, seconds: float = 5.0) -> dict:
        """`GET /v1/usage` as soon as nothing is reserved any more, which is a moment after an answer's end."""
        def nothing_reserved():
            usage = self.usage(by)
            return usage if reserved(usage) == (0, 0) else None
        return until(nothing_reserved, f"nothing to be reserved for {self.workspace}", seconds)

    def spent(self) -> Decimal:
        """What was spent, once all calls are settled."""
        return self.settled()["budget"]["spent_usd"]

    def remaining(self) -> int:
        """How many calls may come at once."""
        return self.usage()["requests"]["remaining"]

    def held(self, model: str = "meter", **fields) -> "Held":
        """A stream that is read only as far as told."""
        body = {"model": model, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 10, "stream": True} | fields
        return Held(self, {name: value for name, value in body.items() if value is not None})


def reserved(usage: dict) -> tuple[int, Decimal]:
    """Tokens and dollars that are reserved."""
    return (usage["tokens"] or {"reserved": 0})["reserved"], (usage["budget"] or {"reserved_usd": 0})["reserved_usd"]


def cost(prompt: int, completion: int, cached: int = 0, cache_write: int = 0, factor: int = 1) -> Decimal:
    """The price of a call to a `meter` model, in USD; the parts count in their whole."""
    return factor * ((prompt - cached - cache_write) * tenants.INPUT + cached * tenants.CACHED
                     + cache_write * tenants.CACHE_WRITE + completion * tenants.OUTPUT)


def limits_of(answer: Response) -> dict[str, str]:
    """The rate-limit headers of an answer, without their common beginning."""
    found = [(name.removeprefix(LIMIT), value) for name, value in answer.headers if name.startswith(LIMIT)]
    assert len(dict(found)) == len(found), f"a header came twice: {found}"
    return dict(found)


def limit_names(*kinds: str) -> set[str]:
    """The names there must be when these are limited."""
    figures = ("limit", "remaining", "reset")
    return {*figures, *(f"{figure}-{kind}" for figure in figures for kind in kinds)} if kinds else set()


def milliseconds(duration: str) -> int:
    """A duration as OpenAI writes it: `6m0s`, `1s`, `120ms`."""
    found = DURATION.fullmatch(duration)
    assert found and duration, f"no duration: {duration!r}"
    part = {name: Decimal(text or 0) for name, text in found.groupdict().items()}
    return int((part["h"] * 3600 + part["m"] * 60 + part["s"]) * 1000 + part["ms"])


@dataclass
class Callers:
    """Hands out the workspaces of one Envoy, each once."""

    stack: Stack
    taken: Counter = field(default_factory=Counter)

    def __call__(self, kind: str) -> Caller:
        """A workspace of this kind that nobody has called."""
        self.taken[kind] += 1
        number, all_alike = self.taken[kind], tenants.kinds([])[kind]
        assert number <= all_alike.count, f"raise the count of `{kind}` in tenants.py: more than {all_alike.count} are wanted"
        return self.shared(kind, number)

    def shared(self, kind: str, number: int = 1) -> Caller:
        """A workspace that may have been called before."""
        workspace = f"{kind}-{number}"
        keys = self.stack.secrets.workspace
        idents = tenants.kinds([])[kind].keys
        return Caller(self.stack, workspace, {ident: keys[workspace if len(idents) == 1 else f"{workspace}/{ident}"] for ident in idents})


class Held:
    """A call whose client reads no further than told, and may leave. Closed at the end of its `with`."""

    def __init__(self, caller: Caller, body: dict):
        gateway, payload = caller.stack.gateway, json.dumps(body).encode()
        self.seen = b""
        self.conn = socket.create_connection((gateway.host, gateway.port), TIMEOUT)
        self.conn.sendall((
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {caller.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(payload)}\r\n\r\n").encode() + payload)

    def __enter__(self) -> "Held":
        return self

    def __exit__(self, *_) -> None:
        self.leave()

    def read_until(self, holds) -> "Held":
        """Reads until `holds(all that came)`."""
        while not holds(self.seen):
            piece = self.conn.recv(65_536)
            assert piece, f"the answer ended early: {self.seen[-400:]}"
            self.seen += piece
        return self

    def begun(self) -> "Held":
        """Reads the first piece of the answer's text."""
        return self.chunks(1)

    def chunks(self, count: int) -> "Held":
        """Reads so many pieces of the answer's text."""
        self.read_until(lambda seen: len(re.findall(rb'"content":"[^"]', seen)) >= count)
        assert self.seen.startswith(b"HTTP/1.1 200 "), self.seen[:400]
        return self

    def finish(self) -> bytes:
        """Reads the rest."""
        return self.read_until(lambda seen: seen.endswith(b"\r\n0\r\n\r\n")).seen

    def leave(self) -> None:
        """Goes away."""
        self.conn.close()
