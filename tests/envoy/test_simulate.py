"""`nr simulate` on an access log that Envoy has just written.

With UPDATE_GOLDENS=1 that log becomes the fixture of `nr`'s own tests.
"""

import json
import os
import shutil

import pytest

import programs
import stack as stacks
from gateway import Gateway
from requests_json import WEATHER_TOOL
from test_explain import IMAGE, PROMPTS, TURNS

DEMO = programs.ROOT / "examples/demo.yaml"
FIXTURE = programs.ROOT / "cli/tests/fixtures/simulate/access.log"
DEMO_KEY = "nr-demo-5f8e1c0b7a2d4963"

# How long the simulated answers are, in tokens; others have 60.
ANSWERS = {"hello": 9, "code": 420, "python": 180, "maths": 900, "creative": 240, "long": 150, "hard": 1_400, "japanese": 110}


def calls() -> list[tuple[int, dict]]:
    """What is sent to `auto`, and the tokens of its answer; single turns, so that nothing is decided by what came before."""
    names = [name for name in PROMPTS if name != "longer than most windows"]
    plain = [(ANSWERS.get(name, 60), {"messages": turn(PROMPTS[name])}) for name in [*names, "hello", "code", "maths", "creative"]]
    wishes = [{"objective": "cost"}, {"objective": "quality"}, {"objective": "latency"}, {"max_latency_ms": 9_000},
              {"max_latency_ms": 4_000}, {"task_class": "code"}, {"task_class": "summarization"}, {"task_class": "math"}]
    return [
        *plain,
        *((30, {"messages": turn("Say hello."), "max_tokens": 400, "route": wish}) for wish in wishes),
        *((700, {"messages": turn(PROMPTS["code"]), "max_tokens": 800, "route": {"task_class": "code"}}) for _ in range(3)),
        *((1_000, {"messages": turn(PROMPTS["long"]), "route": {"task_class": "summarization"}}) for _ in range(2)),
        (25, {"messages": turn("Is it warm in Rome?"), "tools": [WEATHER_TOOL]}),
        (12, {"messages": turn("Say hello."), "response_format": {"type": "json_object"}}),
        (20, {"messages": turn("Say hello."), "n": 2}),
        (9, {"messages": turn("Say hello."), "stream": True}),
        (5_000, {"messages": turn(PROMPTS["creative"]), "max_tokens": 8_000}),
        (300, {"messages": turn(PROMPTS["hard"]), "max_tokens": 300}),
        (40, {"messages": IMAGE}),
    ]


def turn(text: str) -> list[dict]:
    """A conversation that begins."""
    return [{"role": "user", "content": text}]


def others() -> list[tuple[str, dict]]:
    """What is left out: by id, vectors, a dry run, refused."""
    hello = turn("Say hello.")
    chat, embeddings = "/v1/chat/completions", "/v1/embeddings"
    return [
        (chat, {"model": "gpt-4o", "messages": hello}),
        (chat, {"model": "claude-sonnet", "messages": TURNS}),
        (embeddings, {"model": "auto", "input": "Say hello."}),
        (chat, {"model": "auto", "messages": hello, "route": {"dry_run": True}}),
        (chat, {"model": "nothing", "messages": hello}),
    ]


@pytest.fixture(scope="module")
def log(stack, tmp_path_factory):
    """The demo's configuration in front of the suite's simulator, and the log of its calls."""
    stack.simulator.reset()
    folder = tmp_path_factory.mktemp("simulate")
    listen, admin = programs.free_ports(2)
    config = DEMO.read_text()
    # By the catalogue alone, since a replay does not know what the traffic had shown by then.
    changes = {"port: 8080": f"port: {listen}", "port: 9901": f"port: {admin}", "\nrouting:\n": "\nrouting:\n  adaptive: false\n"}
    for port, name in (18_001, "openai"), (18_002, "anthropic"), (18_003, "groq"):
        changes[f"127.0.0.1:{port}"] = stack.simulator.providers[name]
    for old, new in changes.items():
        assert config.count(old) == 1, old
        config = config.replace(old, new)
    file = folder / "neural-router.yaml"
    file.write_text(config)
    rendered = stacks.render(file, folder / "secrets", {})
    assert rendered.returncode == 0, rendered.stderr
    bootstrap = folder / "envoy.yaml"
    bootstrap.write_text(rendered.stdout)
    envoy = stacks.start_envoy("envoy", bootstrap, f"127.0.0.1:{admin}", folder, 1)
    gateway = Gateway(listen, DEMO_KEY)
    try:
        for tokens, body in calls():
            prompt = len(json.dumps(body["messages"])) // 4
            for provider in stack.simulator.providers:
                stack.simulator.behave(provider, tokens={"prompt": prompt, "completion": tokens})
            answer = gateway.post(json.dumps({"model": "auto"} | body).encode())
            assert answer.status == 200, answer.body[:400]
        for path, body in others():
            gateway.call("POST", path, body=json.dumps(body).encode())
        gateway.call("GET", "/v1/models")
        expected = len(calls()) + len(others()) + 1
        programs.until(lambda: len(envoy.output().splitlines()) == expected, f"{expected} lines of the access log", 10)
    finally:
        envoy.stop()
        stack.simulator.reset()
    written = folder / "access.log"
    written.write_text(envoy.output())
    if os.environ.get("UPDATE_GOLDENS"):
        FIXTURE.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(written, FIXTURE)
    return written


def simulate(log, *options) -> dict:
    """What it prints with `--json`."""
    ran = programs.run([programs.nr(), "simulate", log, *options, "--json"])
    assert ran.returncode == 0 and ran.stderr == "", ran.stderr
    return json.loads(ran.stdout)


def test_every_line_is_replayed_or_left_out_with_a_reason(log):
    found = simulate(log, "--policy", DEMO)
    left_out = {entry["why"].partition(" ")[0]: len(entry["lines"]) for entry in found["left_out"]}
    assert left_out == {"asked": 2, "embeddings": 1, "decided": 1, "nothing": 2}
    assert found["bad_lines"] == [] and found["policies"][0]["no_answer"] == []
    assert found["calls"] == len(calls()) and found["lines"] == len(calls()) + len(others()) + 1


def test_the_policy_in_force_chooses_again_what_it_chose(log):
    [policy] = simulate(log, "--policy", DEMO)["policies"]
    assert policy["as_logged"] == len(calls())
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    selected = [json.loads(entry["decision"])["selected"] for entry in logged if entry["model"] == "auto" and "chat" in entry["path"]]
    assert policy["calls_by_model"] == {model: selected.count(model) for model in dict.fromkeys(selected)}


def test_the_cost_is_what_the_calls_have_cost(log):
    [policy] = simulate(log, "--policy", DEMO)["policies"]
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    billed = [json.loads(entry["usage"])["cost_usd"] for entry in logged if entry["model"] == "auto" and "chat" in entry["path"]]
    assert policy["own"]["usd_per_1000_calls"]["mean"] == pytest.approx(sum(billed) / len(calls()) * 1000, rel=1e-9)
