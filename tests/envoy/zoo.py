"""A gateway with one provider of every wire protocol, and a model at each."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import configuration
import programs
import stack as stacks
from configuration import EVERY_CAPABILITY, Secrets
from gateway import Gateway
from programs import Child
from simulator import Simulator
from stack import Stack

# By provider, which is named like its protocol: the provider's own name of the model, and the settings it needs.
PROVIDERS = {
    "openai": ("gpt-4o-2024-11-20", {"path": "/v1"}),
    "azure-openai": ("gpt-4o-deployment", {"path": "", "api_version": "2024-10-21"}),
    "anthropic": ("claude-sonnet-4-5", {"path": ""}),
    "gemini": ("gemini-2.5-flash", {"path": ""}),
    "vertex": ("gemini-2.5-pro", {"path": "", "project": "acme-ml", "location": "us-central1"}),
    "bedrock": ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", {"path": "", "region": "us-east-1"}),
    "cohere": ("command-a-03-2025", {"path": ""}),
    "mistral": ("mistral-large-latest", {"path": "/v1"}),
}

# Claude is served on Vertex by Anthropic's protocol: the same provider, another model.
MODELS = {name: name for name in PROVIDERS} | {"vertex-claude": "vertex"}
DEPLOYMENTS = {name: model for name, (model, _) in PROVIDERS.items()} | {"vertex-claude": "claude-sonnet-4-5@20250929"}


def _document(listen: int, admin: int, addresses: dict[str, str], keys: Secrets) -> dict:
    providers = {}
    for name, (_, settings) in PROVIDERS.items():
        more = {key: value for key, value in settings.items() if key != "path"}
        providers[name] = {
            "protocol": name, "base_url": f"http://{addresses[name]}{settings['path']}", "api_key": {"env": _variable(name)}, **more,
        }
    return {
        "listen": {"address": "127.0.0.1", "port": listen, "max_request_bytes": configuration.BODY_LIMIT},
        "admin": {"address": "127.0.0.1", "port": admin},
        "providers": providers,
        "models": [{
            "id": model, "provider_name": provider, "context_window": 128_000, "max_output_tokens": 4_096,
            "price": {"input_per_m": 1.0, "output_per_m": 2.0, "cached_input_per_m": 0.5, "cache_write_per_m": 1.5},
            "capabilities": EVERY_CAPABILITY, "quality": {"default": 0.5},
            "deployments": [{"provider": provider, "model": DEPLOYMENTS[model]}],
        } for model, provider in MODELS.items()],
        "routing": {"max_attempts": 4, "first_token_timeout_ms": 2_000, "answer_timeout_ms": 4_000, "total_timeout_ms": 20_000, "adaptive": False},
        "workspaces": [{"id": "acme", "keys": [{"id": "only", "sha256": configuration.digest(keys.workspace["acme"])}], "models": ["*"]}],
    }


def _variable(name: str) -> str:
    return f"ZOO_{name.upper().replace('-', '_')}_KEY"


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """All parts, started; they end with the block."""
    secrets = Secrets()
    secrets.provider.update({name: f"sk-canary-{name}-{secrets.prompt[-12:]}" for name in PROVIDERS})
    control, listen, admin_port, *ports = programs.free_ports(3 + len(PROVIDERS))
    argv, addresses = [programs.simulator(), "--control", f"127.0.0.1:{control}"], {}
    for name, port in zip(PROVIDERS, ports, strict=True):
        addresses[name] = f"127.0.0.1:{port}"
        argv += ["--provider", f"{name}={name}@127.0.0.1:{port}"]
    program = Child("zoo-simulator", argv, folder)
    try:
        program.wait_until(lambda: '"ready":true' in program.output(), "its ready line")
        config = _document(listen, admin_port, addresses, secrets)
        file, bootstrap, secrets_folder = folder / "neural-router.yaml", folder / "envoy.yaml", folder / "secrets"
        file.write_text(configuration.to_yaml(config))
        environment = {_variable(name): secrets.provider[name] for name in PROVIDERS}
        rendered = stacks.render(file, secrets_folder, environment)
        assert rendered.returncode == 0, rendered.stderr
        bootstrap.write_text(rendered.stdout)
        admin = f"127.0.0.1:{admin_port}"
        envoy = stacks.start_envoy("zoo-envoy", bootstrap, admin, folder)
        simulator = Simulator(f"127.0.0.1:{control}", addresses)
        gateway = Gateway(listen, secrets.workspace["acme"])
        whole = Stack(folder, secrets, secrets_folder, bootstrap, config, simulator, gateway, admin, envoy, program)
        try:
            yield whole
            assert envoy.running(), f"Envoy ended:\n{envoy.errors()[-4000:]}"
            found = whole.faults_in_logs()
            assert not found, "\n".join(found[:20])
        finally:
            envoy.stop()
            simulator.close()
    finally:
        program.stop()
        shutil.rmtree(folder / "secrets", ignore_errors=True)
