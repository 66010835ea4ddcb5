"""Workspaces with limits, budgets and content rules.

What a workspace has used stays used, so a test takes one that nobody has called yet: there are several
of each kind, told apart by a number. The prices are high, so that every amount is a whole number of
micro-dollars and every call shows.
"""

from dataclasses import dataclass, field
from decimal import Decimal

# USD for a token, of every `meter` model but `meter-dear`, `meter-free` and `meter-embedding`.
INPUT, CACHED, CACHE_WRITE, OUTPUT = Decimal("0.001"), Decimal("0.0001"), Decimal("0.002"), Decimal("0.003")
DEAR = 10  # times as much
EMBEDDING = Decimal("0.001")
MAX_OUTPUT = 1000
PHRASE = "project x"
SIZE = {"prompt_bytes": 400, "messages": 3, "tools": 1, "n": 2, "max_tokens": 100}
DETECTORS = ["credit_card", "api_key", "email", "phone", "iban", "ipv4"]
BOTH, INPUT_SIDE, OUTPUT_SIDE = ["input", "output"], ["input"], ["output"]


def _meter(ident: str, deployments: list[tuple[str, str]], factor: int | None = 1) -> dict:
    prices = {"input_per_m": INPUT, "output_per_m": OUTPUT, "cached_input_per_m": CACHED, "cache_write_per_m": CACHE_WRITE}
    return {
        "id": ident, "provider_name": "Meter", "context_window": 100_000, "max_output_tokens": MAX_OUTPUT,
        "price": {name: float(usd * 1_000_000 * factor) for name, usd in prices.items()} if factor else "free",
        "capabilities": ["tools", "parallel_tools", "vision", "json_object", "json_schema", "reasoning"],
        "quality": {"default": 0.5}, "latency": {"first_token_ms": 500, "tokens_per_second": 50},
        "deployments": [{"provider": provider, "model": model} for provider, model in deployments],
    }


MODELS = [
    _meter("meter", [("openai", "meter-1")]),
    _meter("meter-anthropic", [("anthropic", "meter-2")]),
    _meter("meter-dear", [("groq", "meter-3")], DEAR),
    _meter("meter-pair", [("openai", "meter-4"), ("groq", "meter-5")]),
    _meter("meter-free", [("openai", "meter-6")], None),
    {"id": "meter-embedding", "kind": "embedding", "provider_name": "Meter", "context_window": 8191, "dimensions": 1536,
     "price": {"input_per_m": float(EMBEDDING * 1_000_000)}, "quality": {"default": 0.5},
     "deployments": [{"provider": "openai", "model": "text-embedding-3-small"}]},
]


@dataclass(frozen=True)
class Kind:
    """So many workspaces alike; `settings` are their `limits`, `budget` and `guardrails`, `keys` what each key has of its own."""

    count: int
    settings: dict
    keys: dict[str, dict] = field(default_factory=lambda: {"only": {}})


def _rules(action: str, on: list[str], phrases: list[str]) -> list[dict]:
    return [{"name": "secrets", "detect": DETECTORS, "on": on, "action": action},
            {"name": "project-x", "terms": phrases, "on": on, "action": action}]


SLOW = {"requests_per_minute": 2}  # one every 30 s: nothing comes back while a test runs
CALLS = {"limits": SLOW | {"burst": 3}}
TOKENS = {"limits": {"tokens_per_minute": 1000}}
CENTS = {"budget": {"usd": 0.02, "period": "total"}}  # less than any call may cost
ROOMY = {"requests_per_minute": 100_000, "tokens_per_minute": 1_000_000_000}


def kinds(phrases: list[str]) -> dict[str, Kind]:
    """All kinds; the phrases are those that the rule `project-x` looks for."""
    blocked = {"guardrails": _rules("block", BOTH, phrases)}
    return {
        "calls": Kind(60, CALLS),
        "second": Kind(6, {"limits": {"requests_per_minute": 60, "burst": 1}}),
        "quick": Kind(2, {"limits": {"requests_per_minute": 600, "burst": 2}}),
        "tokens": Kind(60, TOKENS),
        "both": Kind(60, {"limits": CALLS["limits"] | TOKENS["limits"]}),
        "keyed": Kind(12, {"limits": SLOW | {"burst": 4}}, {
            "wide": {}, "small": {"limits": SLOW | {"burst": 2, "tokens_per_minute": 1000}}, "big": {"limits": SLOW | {"burst": 9}}}),
        "chosen": Kind(1, {}, {"all": {}, "some": {"models": ["meter", "meter-a*"]}}),
        "metered": Kind(90, {"budget": {"usd": 1000, "period": "total"}, "limits": ROOMY}),
        "capped": Kind(8, {"budget": {"usd": 5, "period": "total"}}),
        "edge": Kind(2, {"budget": {"usd": 1000, "period": "total"}}),
        **{period: Kind(4, {"budget": {"usd": 1, "period": period}}) for period in ("day", "week", "month", "total")},
        "cents": Kind(12, CENTS | CALLS),
        "load": Kind(3, {"budget": {"usd": 1_000_000, "period": "total"},
                         "limits": {"requests_per_minute": 60, "burst": 5_000, "tokens_per_minute": 1_000_000_000}}),
        "roomy": Kind(1, {"limits": ROOMY}),
        "block": Kind(1, blocked),
        "redact": Kind(1, {"guardrails": _rules("redact", BOTH, phrases)}),
        "block-answers": Kind(1, {"guardrails": _rules("block", OUTPUT_SIDE, phrases)}),
        "redact-answers": Kind(1, {"guardrails": _rules("redact", OUTPUT_SIDE, phrases)}),
        "block-metered": Kind(16, blocked | {"budget": {"usd": 1000, "period": "total"}, "limits": ROOMY}),
        "bounds": Kind(1, {"guardrails": [
            {"name": f"most-{name}", "limit": {name: most}, "on": INPUT_SIDE, "action": "block"} for name, most in SIZE.items()]}),
        "everything": Kind(8, blocked | CENTS | CALLS),
    }


def names() -> list[str]:
    """Every key: the workspace's name where it has one key, else `workspace/key`."""
    return [name for kind, all_alike in kinds([]).items() for workspace in _workspaces(kind, all_alike) for name in _keys(workspace, all_alike).values()]


def workspaces(keys: dict[str, str], phrases: list[str], digest) -> list[dict]:
    """Their part of the configuration, with these keys by name."""
    return [
        {
            "id": workspace, "models": ["meter*"],
            "keys": [{"id": ident, "sha256": digest(keys[name])} | all_alike.keys[ident] for ident, name in _keys(workspace, all_alike).items()],
        } | all_alike.settings
        for kind, all_alike in kinds(phrases).items() for workspace in _workspaces(kind, all_alike)
    ]


def _workspaces(kind: str, all_alike: Kind) -> list[str]:
    return [f"{kind}-{number}" for number in range(1, all_alike.count + 1)]


def _keys(workspace: str, all_alike: Kind) -> dict[str, str]:
    """The name of each key, by its id."""
    only = len(all_alike.keys) == 1
    return {ident: workspace if only else f"{workspace}/{ident}" for ident in all_alike.keys}
