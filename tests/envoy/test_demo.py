"""What a newcomer does: `nr up` without a configuration, on the ports that the README names."""

import json
import re
import subprocess

import httpx
import pytest

import programs
from gateway import Gateway
from programs import Child

PORT = 8080
CONTROL = "http://127.0.0.1:18000"
PROVIDER_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY")


@pytest.fixture
def up(tmp_path):
    """Starts `nr up` in an empty directory with no provider key but those given."""
    children = []

    def start(**keys) -> tuple[Child, re.Match]:
        environment = dict.fromkeys(PROVIDER_KEYS, "") | {"ENVOY_BIN": str(programs.envoy())} | keys
        child = Child("up", [programs.nr(), "up", "--workers", 2, "--wasm", programs.wasm()], tmp_path, environment, tmp_path)
        children.append(child)
        return child, child.wait_until(
            lambda: re.search(r"\Aready (http://\S+) key (nr-\S+)\n[^$]+curl .+'\n\Z", child.output(), re.DOTALL), "its ready line", 40)
    yield start
    for child in children:
        child.process.terminate()
        assert child.process.wait(15) == 0, child.errors()[-2000:]
        programs.until(lambda child=child: not child.family(), "all children to end", 10)
        child.stop()


def test_the_demo_serves_the_pasted_call_a_stream_and_a_failover(up):
    child, line = up()
    assert line.group(1) == f"http://127.0.0.1:{PORT}"
    assert "Deprecated" not in child.errors()

    pasted = child.output().partition("\n")[2]
    shown = subprocess.run(["sh", "-c", pasted.replace("curl ", "curl -sS ", 1)], capture_output=True, text=True, timeout=30)
    assert shown.returncode == 0 and json.loads(shown.stdout)["choices"], shown

    gateway = Gateway(PORT, line.group(2))
    stream = gateway.chat("claude-sonnet", stream=True)
    assert stream.done and stream.streamed_text

    httpx.put(f"{CONTROL}/providers/openai/fault", json={"kind": "status", "status": 503}, trust_env=False).raise_for_status()
    answer = gateway.chat("gpt-4o", route={"fallbacks": ["claude-sonnet"]})
    assert [attempt["outcome"] for attempt in answer.routing["attempts"]] == ["status", "ok"]
    assert answer.json()["model"] == "claude-sonnet"

    def chats() -> list[dict]:
        logged = [json.loads(line) for line in child.errors().splitlines() if line.startswith("{")]
        found = [entry for entry in logged if entry.get("path") == "/v1/chat/completions"]
        return found if len(found) >= 3 else []
    logged = programs.until(chats, "three lines of the access log", 5)
    assert [entry["workspace"] for entry in logged] == ["demo"] * 3


def test_with_one_provider_key_only_that_provider_is_offered(up):
    child, line = up(ANTHROPIC_API_KEY="sk-ant-canary")

    assert "OPENAI_API_KEY" in child.errors() and "GROQ_API_KEY" in child.errors()
    models = Gateway(PORT, line.group(2)).call("GET", "/v1/models").json()["data"]
    assert models and {model["provider"] for model in models} == {"Anthropic"}
    assert "sk-ant-canary" not in child.output() + child.errors()


def test_two_demos_at_once_are_refused_in_one_sentence(up, tmp_path):
    up()
    environment = dict.fromkeys(PROVIDER_KEYS, "") | {"ENVOY_BIN": str(programs.envoy())}
    second = programs.run([programs.nr(), "up", "--wasm", programs.wasm()], environment, tmp_path)
    errors = [line for line in second.stderr.splitlines() if not line.startswith("nr: ")]
    assert second.returncode == 1 and second.stdout == ""
    assert len(errors) == 1 and re.search(r"port \d+ is in use", errors[0]), second.stderr
