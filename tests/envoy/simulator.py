"""Client of the simulator's control interface: what a provider shall do, and what it received."""

import base64
import json
from dataclasses import dataclass, field

import httpx


@dataclass(frozen=True)
class Recorded:
    """One request as a provider received it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    completed: bool

    def values(self, name: str) -> list[str]:
        """All values of one header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def names(self) -> set[str]:
        """The names of all headers, in lower case."""
        return {key.lower() for key, _ in self.headers}

    def json(self):
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Simulator:
    """The running simulator; `providers` maps a name to its `host:port`."""

    control: str
    providers: dict[str, str]
    http: httpx.Client = field(init=False)

    def __post_init__(self):
        self.http = httpx.Client(base_url=f"http://{self.control}", timeout=10, trust_env=False)

    def _ask(self, method: str, path: str, body=None) -> httpx.Response:
        answer = self.http.request(method, path, json=body)
        assert answer.is_success, f"simulator: {method} {path} {body}: {answer.status_code} {answer.text}"
        return answer

    def reset(self) -> None:
        """All providers healthy, with empty recordings."""
        self._ask("POST", "/reset")
        for name in self.providers:
            self._ask("DELETE", f"/providers/{name}/requests")

    def behave(self, provider: str, **settings) -> None:
        """Sets pace, text, usage, tool calls and the like of a healthy provider."""
        self._ask("PUT", f"/providers/{provider}/behaviour", settings)

    def fault(self, provider: str, kind: str, **settings) -> None:
        """From now on the provider fails in this way."""
        self._ask("PUT", f"/providers/{provider}/fault", {"kind": kind, **settings})

    def heal(self, provider: str) -> None:
        """Ends the provider's fault."""
        self._ask("DELETE", f"/providers/{provider}/fault")

    def record(self, enabled: bool) -> None:
        """Whether the providers remember what they receive, which they need not do under load."""
        for name in self.providers:
            self._ask("PUT", f"/providers/{name}/recording", {"enabled": enabled})

    def requests(self, provider: str) -> list[Recorded]:
        """What the provider received since the last reset, in order."""
        return [
            Recorded(
                entry["method"], entry["path"], [tuple(pair) for pair in entry["headers"]],
                base64.b64decode(entry["body_base64"]), entry["connection"], entry["completed"],
            )
            for entry in self._ask("GET", f"/providers/{provider}/requests").json()
        ]

    def only(self, provider: str) -> Recorded:
        """The one request the provider received."""
        received = self.requests(provider)
        assert len(received) == 1, f"{provider} received {len(received)} requests, not one"
        return received[0]

    def close(self) -> None:
        """Closes the control connection."""
        self.http.close()
