"""The ways in which a candidate can fail before its first token, and what the attempt is then called."""

from dataclasses import dataclass, field

from simulator import Simulator

BOTH = ("whole", "stream")

# Whose fault a refusal is that says nothing else; what is not here is `unavailable`.
CLASSES = {
    401: "credentials", 402: "credentials", 403: "credentials", 404: "credentials",
    429: "rate_limited", 503: "overloaded", 529: "overloaded",
}


@dataclass(frozen=True)
class Fault:
    """A row of the failover matrix."""

    name: str
    kind: str
    outcome: str
    status: int | None
    settings: dict = field(default_factory=dict)
    modes: tuple[str, ...] = BOTH

    def set(self, sim: Simulator, provider: str) -> None:
        """Makes the provider fail in this way from now on."""
        sim.fault(provider, self.kind, **self.settings)

    def attempt(self, model: str, provider: str) -> dict:
        """The entry of `routing.attempts` for a candidate that failed so, without its latency."""
        entry = {"model": model, "provider": provider, "outcome": self.outcome, "status": self.status}
        match self.outcome:
            case "status":
                return entry | {"error": CLASSES.get(self.status, "unavailable")}
            case "in_band_error":
                # The simulated Anthropic is overloaded, the simulated OpenAI has a server error.
                overloaded = provider == "anthropic" and self.kind.startswith("sse")
                return entry | {"error": "overloaded" if overloaded else "unavailable"}
            case _:
                return entry


def _status(code: int, **more) -> Fault:
    name = f"status {code}" + (f" {' '.join(more)}" if more else "")
    return Fault(name, "status", "status", code, {"status": code, **more})


FAULTS = [
    Fault("refuse", "refuse", "connect_failure", None),
    Fault("reset before headers", "reset_before_headers", "reset", None),
    Fault("reset mid headers", "reset_mid_headers", "reset", None),
    Fault("hang", "hang", "timeout", None),
    Fault("headers then silence", "headers_then_silence", "timeout", 200),
    *(_status(code) for code in (401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504, 529)),
    _status(429, retry_after=2),
    _status(429, retry_after=86_400),
    _status(503, retry_after="Fri, 31 Dec 2100 23:59:59 GMT"),
    _status(500, body="<html><body>oops</body></html>"),
    Fault("error event first", "sse_error_first", "in_band_error", 200, modes=("stream",)),
    Fault("error event after the preamble", "sse_error_after_preamble", "in_band_error", 200, modes=("stream",)),
    Fault("reset before any content", "reset_mid_stream", "reset", 200, {"after_chunks": 0}, ("stream",)),
    Fault("end before any content", "end_mid_stream", "malformed", 200, {"after_chunks": 0}, ("stream",)),
    Fault("truncated JSON", "truncated_json", "malformed", 200, modes=("whole",)),
    Fault("an error object in a 200", "status", "in_band_error", 200,
          {"status": 200, "body": {"type": "error", "error": {"type": "server_error", "message": "boom", "code": None, "param": None}}},
          ("whole",)),
    Fault("JSON that is no answer", "status", "malformed", 200, {"status": 200, "body": {"hello": "world"}}, ("whole",)),
    Fault("HTML", "html", "malformed", 200),
    Fault("empty body", "empty_body", "malformed", 200),
    Fault("gzip", "gzip", "malformed", 200),
]

ROWS = [(fault, mode) for fault in FAULTS for mode in fault.modes]
ROW_NAMES = [f"{fault.name}, {mode}" for fault, mode in ROWS]
