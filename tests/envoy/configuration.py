"""The `neural-router.yaml` of the suite. Everything secret in it is random, so that one search finds any leak."""

import hashlib
import secrets
from dataclasses import dataclass, field

import yaml

import tenants

FIRST_TOKEN_TIMEOUT_MS = 400
ANSWER_TIMEOUT_MS = 700
MAX_ATTEMPTS = 4
BODY_LIMIT = 16 << 20
PROTOCOLS = {"openai": "openai", "anthropic": "anthropic", "groq": "openai"}
EVERY_CAPABILITY = ["tools", "parallel_tools", "vision", "json_object", "json_schema", "reasoning"]

# The six deployments of `wide-model`, in order: more than MAX_ATTEMPTS.
WIDE_DEPLOYMENTS = [
    ("openai", "wide-1"), ("groq", "wide-2"), ("anthropic", "wide-3"),
    ("openai", "wide-4"), ("groq", "wide-5"), ("anthropic", "wide-6"),
]

# By the figures below, best first.
BY_QUALITY = ["claude-sonnet", "gpt-4o", "llama-3.3-70b"]
BY_EXTRACTION_QUALITY = ["gpt-4o", "claude-sonnet", "llama-3.3-70b"]
BY_COST = ["llama-3.3-70b", "gpt-4o", "claude-sonnet"]
BY_LATENCY = ["gpt-4o", "llama-3.3-70b", "claude-sonnet"]
PROVIDER_OF = {"claude-sonnet": "anthropic", "gpt-4o": "openai", "llama-3.3-70b": "groq"}
UPSTREAM_NAME = {
    "claude-sonnet": "claude-sonnet-4-5",
    "gpt-4o": "gpt-4o-2024-11-20",
    "llama-3.3-70b": "llama-3.3-70b-versatile",
}


def _embedding(ident, dimensions, price, quality, deployments):
    return {
        "id": ident, "kind": "embedding", "provider_name": "OpenAI", "context_window": 8192, "dimensions": dimensions,
        "price": {"input_per_m": price}, "quality": {"default": quality},
        "deployments": [{"provider": provider, "model": model} for provider, model in deployments],
    }


def _model(ident, provider_name, window, output, price, capabilities, quality, deployments, latency=(500, 50)):
    return {
        "id": ident, "provider_name": provider_name, "context_window": window, "max_output_tokens": output,
        "price": price, "capabilities": capabilities, "quality": quality,
        "latency": {"first_token_ms": latency[0], "tokens_per_second": latency[1]},
        "deployments": [{"provider": provider, "model": model} for provider, model in deployments],
    }


def _usd(input_per_m, output_per_m, **more):
    return {"input_per_m": input_per_m, "output_per_m": output_per_m} | more


MODELS = [
    _model("claude-sonnet", "Anthropic", 200_000, 64_000, _usd(3.00, 15.00, cached_input_per_m=0.30),
           ["tools", "parallel_tools", "vision", "json_object", "json_schema", "reasoning"],
           {"default": 0.86, "code": 0.90, "extraction": 0.80}, [("anthropic", "claude-sonnet-4-5")], (900, 60)),
    _model("gpt-4o", "OpenAI", 128_000, 16_384, _usd(2.50, 10.00, cached_input_per_m=1.25),
           EVERY_CAPABILITY,
           {"default": 0.84, "code": 0.82, "extraction": 0.93}, [("openai", "gpt-4o-2024-11-20")], (200, 200)),
    _model("llama-3.3-70b", "Groq", 131_072, 32_768, _usd(0.59, 0.79),
           ["tools", "json_object"],
           {"default": 0.76, "code": 0.74}, [("groq", "llama-3.3-70b-versatile")], (400, 100)),
    {"id": "text-embedding-3-small", "kind": "embedding", "provider_name": "OpenAI", "context_window": 8191,
     "dimensions": 1536, "price": {"input_per_m": 0.02}, "quality": {"default": 0.99},
     "deployments": [{"provider": "openai", "model": "text-embedding-3-small"}]},
    _model("wide-model", "Everyone", 128_000, 4_096, _usd(1, 1), EVERY_CAPABILITY, {"default": 0.5}, WIDE_DEPLOYMENTS),
    # The `trial` workspace: the cheaper a model, the less it can do.
    _model("trial-tiny", "Trial", 2_000, 500, _usd(0.01, 0.01), EVERY_CAPABILITY, {"default": 0.5}, [("openai", "tiny")]),
    _model("trial-plain", "Trial", 128_000, 4_096, _usd(0.1, 0.1), [], {"default": 0.5}, [("openai", "plain")]),
    _model("trial-tools", "Trial", 128_000, 4_096, _usd(1, 1), ["tools"], {"default": 0.5}, [("openai", "tools")]),
    _model("trial-full", "Trial", 128_000, 4_096, _usd(10, 10), EVERY_CAPABILITY, {"default": 0.5}, [("openai", "full")]),
    # The `vectors` workspace: one model at two providers, and one whose vectors have nothing to do with the other's.
    _embedding("embed-small", 1536, 0.02, 0.6, [("openai", "text-embedding-3-small"), ("groq", "text-embedding-3-small")]),
    _embedding("embed-large", 3072, 0.13, 0.9, [("openai", "text-embedding-3-large")]),
]

ALLOWED = {
    "acme": ["claude-sonnet", "gpt-4o", "llama-*", "text-embedding-3-small"],
    "narrow": ["gpt-4o"],
    "wide": ["wide-*"],
    "trial": ["trial-*"],
    "vectors": ["embed-*", "gpt-4o"],
}

# What a workspace may spend, for those that are asked.
BUDGETS = {"vectors": {"usd": 250, "period": "total"}}


@dataclass(frozen=True)
class Secrets:
    """Every secret of a run, made anew for it."""

    workspace: dict[str, str] = field(
        default_factory=lambda: {name: f"nr-{secrets.token_hex(24)}" for name in [*ALLOWED, *tenants.names()]})
    provider: dict[str, str] = field(
        default_factory=lambda: {name: f"sk-canary-{name}-{secrets.token_hex(24)}" for name in PROTOCOLS})
    prompt: str = field(default_factory=lambda: f"prompt-canary-{secrets.token_hex(12)}")
    # What content rules look for: blocked, it must not be repeated anywhere.
    phrase: str = field(default_factory=lambda: f"phrase canary {secrets.token_hex(8)}")

    def environment(self) -> dict[str, str]:
        """The variables in which `nr` finds the provider keys."""
        return {_variable(name): key for name, key in self.provider.items()}


def _variable(provider: str) -> str:
    return f"E2E_{provider.upper()}_KEY"


def document(listen: int, admin: int, providers: dict[str, str], keys: Secrets) -> dict:
    """The configuration, its providers at these addresses."""
    prefix = {"openai": "/v1", "anthropic": ""}
    return {
        "listen": {"address": "127.0.0.1", "port": listen, "max_request_bytes": BODY_LIMIT, "notice_s": 0},
        "admin": {"address": "127.0.0.1", "port": admin},
        "providers": {
            name: {
                "protocol": protocol,
                "base_url": f"http://{providers[name]}{prefix[protocol]}",
                "api_key": {"env": _variable(name)},
            }
            for name, protocol in PROTOCOLS.items()
        },
        "models": [*MODELS, *tenants.MODELS],
        "routing": {
            "default_objective": "quality-per-dollar",
            "max_attempts": MAX_ATTEMPTS,
            "first_token_timeout_ms": FIRST_TOKEN_TIMEOUT_MS,
            "answer_timeout_ms": ANSWER_TIMEOUT_MS,
            "total_timeout_ms": 20_000,
            # Tests share one Envoy, and what a provider did in one is nothing to the next; test_judgement.py and test_health.py have their own.
            "adaptive": False,
        },
        "workspaces": [
            {"id": name, "keys": [{"id": "only", "sha256": digest(keys.workspace[name])}], "models": models}
            | ({"budget": BUDGETS[name]} if name in BUDGETS else {})
            for name, models in ALLOWED.items()
        ] + tenants.workspaces(keys.workspace, [tenants.PHRASE, keys.phrase], digest),
    }


def digest(key: str) -> str:
    """What the configuration holds of a workspace key."""
    return hashlib.sha256(key.encode()).hexdigest()


def to_yaml(config: dict) -> str:
    """The file as a user would write it."""
    return yaml.safe_dump(config, sort_keys=False)
