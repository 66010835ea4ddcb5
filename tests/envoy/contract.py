"""The public contract as a table: a row for every path, field, header, status and sentence of it.

A row is a call and what must come back. `says` is what a caller can rely on, and the row's name. The rows
are in `contract_*.py`, by what they are about.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from caller import Caller, Callers
from gateway import Gateway, Response
from simulator import Simulator

ERROR_TYPES = {
    400: "invalid_request", 401: "unauthenticated", 402: "budget_exceeded", 403: "forbidden", 404: "model_not_found",
    405: "invalid_request", 415: "invalid_request", 429: "rate_limited", 503: "no_provider_available"}


@dataclass
class Scene:
    """What the call of a row can use: a workspace without limits, workspaces with them, and the providers."""

    gateway: Gateway
    sim: Simulator
    callers: Callers

    def chat(self, model: str = "gpt-4o", **fields) -> Response:
        """A chat call without limits."""
        return self.gateway.chat(model, **fields)

    def get(self, path: str, **options) -> Response:
        """A GET without limits."""
        return self.gateway.call("GET", path, **options)

    def embed(self, text="Say hello.", model: str = "text-embedding-3-small", **fields) -> Response:
        """An embedding call without limits."""
        body = {"model": model, "input": text} | fields
        return self.gateway.call("POST", "/v1/embeddings", body=json.dumps(body).encode())

    def fresh(self, kind: str) -> Caller:
        """A workspace of this kind that nobody has called."""
        return self.callers(kind)

    def shared(self, kind: str) -> Caller:
        """A workspace of this kind whose state does not matter."""
        return self.callers.shared(kind)

    def failing(self, *providers: str, status: int = 500) -> "Scene":
        """The same with these providers, or all, failing."""
        for provider in providers or self.sim.providers:
            self.sim.fault(provider, "status", status=status)
        return self


@dataclass(frozen=True)
class Row:
    """A sentence of the contract. A header given as None must be absent; `body` is given the body as JSON, `whole` the response."""

    says: str
    status: int
    call: Callable[[Scene], Response]
    code: str | None = None
    param: str | None = None
    type: str | None = None
    more: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str | re.Pattern | None] = field(default_factory=dict)
    body: Callable[[dict], object] = lambda body: True
    whole: Callable[[Response], object] = lambda answer: True

    def check(self, answer: Response) -> None:
        """Fails unless the answer is what this row says."""
        assert answer.status == self.status, f"{answer.status} {answer.body[:600]!r}"
        assert not answer.torn and answer.header("x-request-id")
        for name, wanted in self.headers.items():
            value = answer.header(name)
            assert (value is None if wanted is None else value is not None and re.fullmatch(wanted, value)), (name, value)
        if self.status >= 400:
            self.check_error(answer)
        if answer.body and "json" in (answer.header("content-type") or ""):
            assert self.body(answer.json()), answer.body[:1000]
        assert self.whole(answer), answer.body[:1000]

    def check_error(self, answer: Response) -> None:
        """The error object: OpenAI's members and those of this row, no others."""
        assert answer.header("content-type") == "application/json"
        error = answer.json()["error"]
        assert set(error) == {"type", "message", "code", "param", *self.more}, error
        assert error["type"] == (self.type or ERROR_TYPES[self.status])
        assert (error["code"], error["param"]) == (self.code, self.param), error
        assert isinstance(error["message"], str) and error["message"].strip()
        assert {name: error[name] for name in self.more} == self.more, error


def has(value, *path):
    """The value at this path of members and indexes; absent and null are both None."""
    for step in path:
        value = value[step] if isinstance(step, int) else value.get(step) if isinstance(value, dict) else None
    return value


def all_rows() -> list[Row]:
    """Every row, each sentence once."""
    import contract_answers
    import contract_errors
    import contract_limits
    import contract_requests
    rows = [*contract_answers.ROWS, *contract_requests.ROWS, *contract_errors.ROWS, *contract_limits.ROWS]
    names = [row.says for row in rows]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    return rows
