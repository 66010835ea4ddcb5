"""Every query of the dashboard and every rule, run by a real Prometheus that scrapes the demo under load."""

import importlib.util
import json
import threading

import pytest
import yaml

import load
import stack as stacks
from measured import FOLDER, prometheus, promtool
from programs import ROOT, free_ports, until
from gateway import Gateway

KEY = "nr-demo-5f8e1c0b7a2d4963"
LOADED = importlib.util.spec_from_file_location("dashboard", ROOT / "envoy/grafana/generate.py")
dashboard = importlib.util.module_from_spec(LOADED)
LOADED.loader.exec_module(dashboard)
RULES = [rule for group in yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"] for rule in group["rules"]]

# The demo is alone: only limits of a fleet have this one. `rules_test.yaml` has it.
WITHOUT_DATA = {"nr_fleet_available"}


def question(rule: dict) -> str:
    """What a rule looks at: of an alert, the side that is compared."""
    if "record" in rule:
        return rule["expr"]
    left, _, threshold = rule["expr"].rpartition(" > " if " > " in rule["expr"] else " < ")
    assert left and float(threshold) >= 0, f"{rule['alert']}: write it as an expression and what it is compared with"
    return left


def bodies() -> list[dict]:
    """What the demo is asked: all kinds of calls, one of each."""
    def chat(text: str = "Say hello.", **more) -> dict:
        return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}
    return [
        chat(), chat(stream=True), chat(model="auto"), chat("Project Bluebird?"), chat(f"Is {KEY} a key?"), chat("x", model="no-such"),
        chat(model="llama-3.3-70b", route={"fallbacks": ["gpt-4o"]}), chat(model="llama-3.3-70b"), chat(model="claude-sonnet", stream=True),
    ]


@pytest.fixture(scope="module")
def demo(stack, tmp_path_factory):
    """The demo before the suite's simulator, one provider of which is down, in use until the tests are over; and its Prometheus."""
    folder = tmp_path_factory.mktemp("demo")
    port, admin_port = free_ports(2)
    text = (ROOT / "examples/demo.yaml").read_text()
    places = {"port: 8080": f"port: {port}", "port: 9901": f"port: {admin_port}"} | {
        f"127.0.0.1:1800{number}": stack.simulator.providers[name] for number, name in enumerate(("openai", "anthropic", "groq"), 1)}
    for shipped, here in places.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    file, bootstrap = folder / "neural-router.yaml", folder / "envoy.yaml"
    file.write_text(text)
    rendered = stacks.render(file, folder / "secrets", {})
    assert rendered.returncode == 0, rendered.stderr
    document = yaml.safe_load(rendered.stdout)
    document["stats_flush_interval"] = "0.5s"
    bootstrap.write_text(yaml.safe_dump(document))
    admin = f"127.0.0.1:{admin_port}"
    stack.simulator.reset()
    stack.simulator.behave("anthropic", first_token_ms=20, chunk_interval_ms=5)
    stack.simulator.behave("openai", first_token_ms=20, chunk_interval_ms=5)
    stack.simulator.fault("groq", "status", status=503)
    envoy = stacks.start_envoy("envoy", bootstrap, admin, folder)
    requests = [load.chat(port, KEY, json.dumps(body).encode()) for body in bodies()] + [load.chat(port, "nr-wrong", b"{}")]
    over = threading.Event()

    def use() -> None:
        # Slower than the demo's limit, and never the same number of each kind in a second.
        turn = 0
        while not over.wait(0.15):
            turn += 1
            if turn % 20 == 0:  # it is down, and now and then it does not let us in
                stack.simulator.fault("groq", "status", status=401 if turn % 40 else 503)
            load.run(port, 1, lambda _: load.Call(requests[turn % len(requests)]), 1)
            if turn % 40 == 0:
                Gateway(port, KEY).chat("text-embedding-3-small")
    user = threading.Thread(target=use)
    try:
        with prometheus(admin, folder) as running:
            user.start()
            yield running
    finally:
        over.set()
        user.join() if user.ident else None
        envoy.stop()
        stack.simulator.reset()


def assert_data(prometheus, asked: list[str]) -> None:
    """Every expression returns something, as soon as enough has been scraped."""
    def missing() -> list[str]:
        return [expr for expr in asked if not prometheus.query(expr)]
    try:
        until(lambda: not missing(), "data", 45, 0.5)
    except AssertionError:
        pass
    assert missing() == []


def test_the_dashboard_is_what_its_table_makes_of_it():
    assert dashboard.FILE.read_text() == dashboard.text(), "run `python3 envoy/grafana/generate.py`"
    assert json.loads(dashboard.text())["panels"]


def test_the_panels_of_the_dashboard_leave_no_hole():
    taken = {}
    for panel in json.loads(dashboard.text())["panels"]:
        place = panel["gridPos"]
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            assert taken.setdefault(cell, panel["title"]) == panel["title"], f"{panel['title']} lies on {taken[cell]}"
    height = 1 + max(y for _, y in taken)
    assert set(taken) == {(x, y) for x in range(24) for y in range(height)}


def test_every_query_of_the_dashboard_returns_data(demo):
    asked = [dashboard.chosen(expr, "1m") for expr in dashboard.queries()]
    assert len(asked) > 20 and not any("$" in expr for expr in asked)
    assert_data(demo, asked)


def test_every_rule_is_evaluated_and_what_it_looks_at_has_data(demo):
    asked = {question(rule): rule.get("alert", rule.get("record")) for rule in RULES}
    assert_data(demo, [expr for expr in asked if expr not in WITHOUT_DATA])
    evaluated = until(lambda: [rule for rule in demo.rules() if rule["health"] != "unknown"], "the rules to be evaluated")
    assert len(evaluated) == len(RULES)
    assert [rule["name"] for rule in evaluated if rule["health"] != "ok"] == []
    assert demo.query("nr_fleet_available") == []


def test_every_alert_fires_in_promtools_own_test_and_the_configuration_is_valid():
    for arguments in (("check", "rules", FOLDER / "rules.yaml"), ("test", "rules", FOLDER / "rules_test.yaml"),
                      ("check", "config", FOLDER / "prometheus.yaml")):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    tested = yaml.safe_load((FOLDER / "rules_test.yaml").read_text())["tests"]
    fired = {case["alertname"] for test in tested for case in test.get("alert_rule_test", []) if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in RULES if "alert" in rule}
