"""The `nr` command with real Envoy: `up`, `check`, `render` and `key`, and the rendered demo in the repository."""

import json
import os
import re
import signal
import socket
import stat
from pathlib import Path

import pytest

import configuration
import programs
import stack as stacks
from gateway import Gateway
from programs import Child


def config_file(folder: Path, stack, **changes) -> tuple[Path, int]:
    """A configuration on free ports in front of the session's simulator."""
    listen, admin = programs.free_ports(2)
    config = configuration.document(listen, admin, stack.simulator.providers, stack.secrets) | changes
    path = folder / "neural-router.yaml"
    path.write_text(configuration.to_yaml(config))
    return path, listen


@pytest.fixture
def up(stack, sim, tmp_path):
    """Starts `nr up` in a directory of its own; ends it, and whatever it left, after the test."""
    children = []

    def start(*options, cwd: Path = tmp_path) -> Child:
        environment = stack.secrets.environment() | {"ENVOY_BIN": str(programs.envoy())}
        child = Child("up", [programs.nr(), "up", *options, "--wasm", programs.wasm()], tmp_path, environment, cwd)
        children.append(child)
        return child
    yield start
    for child in children:
        child.stop()


def ready(child: Child) -> re.Match:
    """The ready line."""
    return child.wait_until(lambda: re.search(r"^ready (http://\S+)(?: key (\S+))?$", child.output(), re.M), "its ready line", 40)


def only_error(said: str) -> str:
    """The one sentence that says what went wrong; beside it `nr` may tell what it was doing."""
    errors = [line for line in said.splitlines() if not line.startswith(("nr: ", "warning: "))]
    assert len(errors) == 1 and errors[0].startswith("error: "), said
    return errors[0]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_up_serves_and_ends_all_that_it_started(stack, up, tmp_path, how):
    path, port = config_file(tmp_path, stack)
    child = up("--config", path, "--workers", 1)

    line = ready(child)

    assert line.group(1) == f"http://127.0.0.1:{port}" and line.group(2) is None
    answer = Gateway(port, stack.secrets.workspace["acme"]).chat()
    assert answer.status == 200 and answer.text
    assert len(child.family()) >= 2
    os.kill(child.process.pid, how)
    child.process.wait(15)
    programs.until(lambda: not child.family(), "all children to end", 10)
    assert child.process.returncode in (0, 128 + how, -how)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert not any(key in child.output() + child.errors() for key in stack.secrets.provider.values())


def test_up_finds_the_configuration_in_its_directory(stack, up, tmp_path):
    _, port = config_file(tmp_path, stack)
    assert ready(up("--workers", 1)).group(1) == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("place", ["listen", "admin"])
def test_up_says_in_one_sentence_that_a_port_is_busy(stack, up, tmp_path, place):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        path, _ = config_file(tmp_path, stack, **{place: {"address": "127.0.0.1", "port": port}})
        child = up("--config", path)
        assert child.process.wait(20) == 1
    assert child.output() == ""
    assert str(port) in only_error(child.errors())
    assert programs.until(lambda: not child.family(), "all children to end", 5)


def test_up_says_which_envoy_is_missing(stack, tmp_path):
    path, _ = config_file(tmp_path, stack)
    ended = programs.run([programs.nr(), "up", "--config", path, "--wasm", programs.wasm()], {"ENVOY_BIN": "/nowhere/envoy"})
    assert ended.returncode == 1 and "/nowhere/envoy" in only_error(ended.stderr)


def test_up_ends_when_envoy_ends(stack, up, tmp_path):
    path, _ = config_file(tmp_path, stack)
    child = up("--config", path)
    ready(child)
    [envoy] = [pid for pid in child.family() if "envoy" in Path(f"/proc/{pid}/comm").read_text()]
    os.kill(envoy, signal.SIGKILL)
    assert child.process.wait(15) == 1
    assert "nvoy" in child.errors().splitlines()[-1]


def test_check_accepts_the_examples_and_the_suite_s_own_file(stack, tmp_path):
    examples = sorted((programs.ROOT / "examples").glob("*.yaml"))
    assert {path.name for path in examples} >= {"demo.yaml", "neural-router.yaml"}
    for path in [*examples, config_file(tmp_path, stack)[0]]:
        checked = programs.run([programs.nr(), "check", path])
        assert checked.returncode == 0, checked.stderr
        assert checked.stdout.startswith("ok: ")


def change(path: str, value):
    """A change of one value, its place written as `nr check` writes it."""
    def apply(config: dict) -> None:
        at, *rest = re.findall(r"[^.\[\]]+", path)
        target = config
        for step in rest:
            target, at = target[int(at) if at.isdigit() else at], step
        target[int(at) if at.isdigit() else at] = value
    return apply


@pytest.mark.parametrize(("path", "value"), [
    ("models[1].deployments[0].provider", "nobody"),
    ("models[0].price", "cheap"),
    ("models[0].quality.default", 1.5),
    ("models[2].capabilities[0]", "telepathy"),
    ("providers.openai.protocol", "smtp"),
    ("providers.openai.base_url", "ftp://example.com"),
    ("routing.default_objective", "cheapest"),
    ("routing.max_attempts", 0),
    ("workspaces[1].keys[0].sha256", "abc"),
    ("workspaces[0].models[0]", "no-such-model"),
    ("workspaces[0].keys[0].models", ["no-such-model"]),
    ("workspaces[0].limits", {"burst": 5}),
    ("workspaces[0].budget", {"usd": -1, "period": "month"}),
    ("workspaces[0].guardrails", [{"name": "x", "terms": ["x"], "on": ["input"], "action": "shout"}]),
    ("listen.cors", {"allow_origins": ["app.example.com"]}),
    ("listen.port", 0),
    ("admin.address", "nowhere"),
], ids=lambda value: str(value))
def test_check_names_the_place_of_a_mistake(stack, tmp_path, path, value):
    config = json.loads(json.dumps(stack.config))
    change(path, value)(config)
    file = tmp_path / "wrong.yaml"
    file.write_text(configuration.to_yaml(config))
    for command in (["check", file], ["render", "envoy", "--config", file], ["up", "--config", file]):
        checked = programs.run([programs.nr(), *command])
        assert checked.returncode == 1 and checked.stdout == "", command
        assert path in checked.stderr and str(file) in checked.stderr, checked.stderr
        assert len(checked.stderr.strip().splitlines()) == 1


def test_check_refuses_a_literal_key_without_showing_it(stack, tmp_path):
    config = json.loads(json.dumps(stack.config))
    config["providers"]["openai"]["api_key"] = stack.secrets.provider["openai"]
    file = tmp_path / "literal.yaml"
    file.write_text(configuration.to_yaml(config))
    checked = programs.run([programs.nr(), "check", file])
    assert checked.returncode == 1 and "providers.openai.api_key" in checked.stderr
    assert stack.secrets.provider["openai"] not in checked.stdout + checked.stderr


def test_a_new_key_works_and_only_its_digest_is_in_the_configuration(stack):
    made = programs.run([programs.nr(), "key", "new", "--workspace", "acme"])
    key, line = made.stdout.splitlines()
    assert key.startswith("nr-") and key not in line and key not in made.stderr
    assert configuration.digest(key) in line
    assert programs.run([programs.nr(), "key", "new", "--workspace", "acme"]).stdout.splitlines()[0] != key


def test_the_rendered_demo_in_the_repository_is_fresh():
    rendered = programs.run([programs.nr(), "render", "envoy", "--config", "examples/demo.yaml"])
    assert rendered.returncode == 0, rendered.stderr
    assert rendered.stdout == (programs.ROOT / "envoy/envoy.yaml").read_text(), "render examples/demo.yaml again into envoy/envoy.yaml"


def test_envoy_accepts_the_rendered_demo(tmp_path):
    bootstrap = programs.ROOT / "envoy/envoy.yaml"
    (tmp_path / "target").mkdir()
    (tmp_path / "target/neural_router.wasm").symlink_to(programs.wasm())
    written = programs.run([programs.nr(), "render", "envoy", "--config", programs.ROOT / "examples/demo.yaml",
                            "--secrets", "target/run/secrets"], cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    validated = programs.run([programs.envoy(), "--mode", "validate", "--config-path", bootstrap], cwd=tmp_path)
    assert validated.returncode == 0 and "OK" in validated.stdout + validated.stderr, validated.stderr[-2000:]


def test_rendering_twice_gives_the_same_bytes_and_private_secret_files(stack, tmp_path):
    file, _ = config_file(tmp_path, stack)
    renders = [stacks.render(file, tmp_path / "secrets", stack.secrets.environment()).stdout for _ in range(2)]
    assert renders[0] == renders[1] and len(renders[0]) > 1000
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "secrets").iterdir()} == {0o600}
