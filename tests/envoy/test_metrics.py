"""Metrics on real Envoy: what is counted is what happened, each call once, and nobody can make a series."""

import json
import re
import secrets

import pytest

import load
import stack as stacks
import trapping
from caller import Caller
from configuration import PROTOCOLS
from gateway import Gateway
from load import Leave
from measured import page, promtool, settled
from programs import ROOT, free_ports, until
from stack import Stack

DOCUMENT = ROOT / "docs/metrics.md"
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<kind>\w+) \| (?P<labels>[^|]*) \| (?P<unit>[^|]*) \| (?P<means>[^|]*) \|$", re.MULTILINE)
SAID = {row["name"]: row for row in ROW.finditer(DOCUMENT.read_text())}


def quickly(bootstrap: dict) -> None:
    """Histograms are merged as often as this."""
    bootstrap["stats_flush_interval"] = "0.5s"


@pytest.fixture(scope="module")
def metered(stack: Stack, tmp_path_factory: pytest.TempPathFactory):
    """An Envoy that nobody else calls, with a listener for Prometheus."""
    [port] = free_ports(1)

    def listening(config: dict) -> None:
        config["telemetry"] = {"metrics": {"listen": {"address": "127.0.0.1", "port": port}}}
        config["routing"]["adaptive"] = True
    with stacks.beside(stack, tmp_path_factory.mktemp("metered"), configure=listening, edit=quickly) as running:
        yield running, f"127.0.0.1:{port}"


@pytest.fixture
def alone(metered, sim):
    """The same before healthy providers."""
    return metered[0]


def ended(running: Stack, calls: int, since: int = 0):
    """The page once so many calls more have ended."""
    return settled(running.admin, lambda now: now.sum("nr_calls_total") >= since + calls, f"{calls} calls to be counted")


def test_every_way_a_call_ends_is_counted_once_and_has_its_fault(alone, sim, keys):
    before = page(alone.admin)
    gateway, guarded = alone.gateway, Caller(alone, "block-1", {"only": keys["block-1"]})

    def refusing(status: int) -> int:
        for name in PROTOCOLS:
            sim.fault(name, "status", status=status)
        answer = gateway.chat("gpt-4o")
        sim.reset()
        return answer.status
    statuses = [
        gateway.chat().status, gateway.chat(stream=True).status, gateway.chat(route={"dry_run": True}).status,
        gateway.chat(key="nr-wrong").status, gateway.chat(key=None).status, gateway.chat("no-such-model").status,
        gateway.call("POST", "/v1/chat/completions", body=b"{").status, gateway.call("GET", "/nowhere").status,
        guarded.chat(messages=[{"role": "user", "content": alone.secrets.phrase}]).status,
        refusing(500), refusing(401), refusing(400),
    ]
    # These are no calls of a model.
    assert [gateway.call("GET", path).status for path in ("/v1/models", "/v1/usage", "/healthz")] == [200] * 3

    assert statuses == [200, 200, 200, 401, 401, 404, 400, 404, 403, 503, 503, 400]
    after = ended(alone, len(statuses), before.sum("nr_calls_total"))
    rose = {key: value - before.by("nr_calls_total", "outcome", "fault").get(key, 0)
            for key, value in after.by("nr_calls_total", "outcome", "fault").items()}
    assert {key: value for key, value in rose.items() if value} == {
        ("ok", "none"): 2, ("dry_run", "none"): 1, ("unauthenticated", "caller"): 2, ("model_not_found", "caller"): 1,
        ("invalid_request", "caller"): 2, ("guardrail", "policy"): 1, ("no_provider", "provider"): 1, ("credentials", "gateway"): 1,
        ("refused", "caller"): 1,
    }
    assert after.by("nr_guardrail_hits_total", "workspace", "action")[("block-1", "block")] == 1


def test_an_answer_that_breaks_off_or_is_blocked_on_its_way_is_counted_once(alone, sim, keys):
    guarded = Caller(alone, "block-1", {"only": keys["block-1"]})
    before = page(alone.admin)
    sim.fault("openai", "end_mid_stream")
    assert alone.gateway.chat(stream=True).stream_errors
    sim.reset()
    sim.behave("openai", text="All of it is about project x, and more of it than one would think.")
    assert guarded.chat().status == 403
    assert guarded.chat(stream=True).stream_errors
    sim.reset()
    assert guarded.chat(stream=True).done

    after = ended(alone, 4, before.sum("nr_calls_total"))

    def rose(outcome: str, workspace: str) -> int:
        return after.sum("nr_calls_total", outcome=outcome, workspace=workspace) - before.sum(
            "nr_calls_total", outcome=outcome, workspace=workspace)
    assert (rose("interrupted", "acme"), rose("guardrail", "block-1"), rose("ok", "block-1")) == (1, 2, 1)
    assert after.sum("nr_calls_total") - before.sum("nr_calls_total") == 4
    hits = {"workspace": "block-1", "rule": "project-x", "action": "block"}
    assert after.sum("nr_guardrail_hits_total", **hits) - before.sum("nr_guardrail_hits_total", **hits) == 2


def test_an_answer_is_measured_as_it_was(alone, sim):
    before = page(alone.admin)
    # No other test before this one asks this model.
    answer = alone.gateway.chat("claude-sonnet", stream=True, stream_options={"include_usage": True})
    usage = next(chunk["usage"] for chunk in answer.chunks if chunk["usage"])
    cost = next(chunk["routing"]["cost_usd"] for chunk in reversed(answer.chunks) if "cost_usd" in chunk.get("routing", {}))
    answered = {"gen_ai_provider_name": "anthropic", "gen_ai_response_model": "claude-sonnet"}
    first = "gen_ai_server_time_to_first_token_count"
    after = settled(alone.admin, lambda now: now.sum(first, **answered) > before.sum(first, **answered), "the stream to be timed")

    def rose(name: str, **labels: str) -> int:
        return after.sum(name, **labels) - before.sum(name, **labels)
    tokens = {kind: rose("gen_ai_client_token_usage_sum", workspace="acme", gen_ai_token_type=kind, **answered) for kind in ("input", "output")}
    # Envoy keeps two digits of a value in a histogram.
    assert tokens["input"] == pytest.approx(usage["prompt_tokens"], rel=0.06)
    assert tokens["output"] == pytest.approx(usage["completion_tokens"], rel=0.06)
    assert rose("nr_cost_nano_usd_total", workspace="acme", model="claude-sonnet", provider="anthropic") == round(cost * 1e9)
    assert 0 < rose("gen_ai_server_request_duration_sum", gen_ai_operation_name="chat", **answered) < answer.seconds * 1e6 * 1.1
    assert rose("nr_attempts_total", model="claude-sonnet", provider="anthropic", outcome="ok") == 1
    assert rose("nr_decisions_total", model="claude-sonnet") == 1


def test_failovers_and_cool_downs_are_counted_by_provider(alone, sim):
    before = page(alone.admin)
    sim.fault("groq", "status", status=429, retry_after=30)
    answer = alone.gateway.chat("llama-3.3-70b", route={"fallbacks": ["gpt-4o"]})
    assert answer.status == 200 and len(answer.routing["attempts"]) == 2
    after = ended(alone, 1, before.sum("nr_calls_total"))

    def rose(name: str, **labels: str) -> int:
        return after.sum(name, **labels) - before.sum(name, **labels)
    assert rose("nr_failovers_total", provider="groq", cause="rate_limited") == 1
    assert rose("nr_attempts_total", provider="groq", model="llama-3.3-70b", outcome="status") == 1
    assert rose("nr_cool_downs_total", provider="groq", model="llama-3.3-70b") == 1
    cooling = {"model": "llama-3.3-70b", "provider": "groq"}
    settled(alone.admin, lambda now: now.sum("nr_cooling", **cooling) == 1, "the gauge of the cool-down")


def test_limits_and_budgets_left_are_what_usage_says(alone, keys):
    caller = Caller(alone, "metered-30", {"only": keys["metered-30"]})
    assert caller.chat().status == 200
    budget = caller.settled()["budget"]
    left = round(budget["remaining_usd"] * 10 ** 9)
    gauge = {"workspace": "metered-30"}
    settled(alone.admin, lambda now: now.sum("nr_budget_remaining_nano_usd", **gauge) == left, f"{left} to be left")
    assert page(alone.admin).sum("nr_budget_nano_usd", **gauge) == round(budget["limit_usd"] * 10 ** 9)


def test_under_load_with_clients_that_leave_the_sum_of_all_outcomes_is_the_number_of_calls(alone, sim):
    sim.record(False)
    gateway, calls = alone.gateway, 3_000
    before = page(alone.admin)
    bodies = [json.dumps({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "Say hello."}]}).encode()
              for stream in (False, True)]
    keys, leaves = [gateway.key, gateway.key, gateway.key, "nr-wrong"], [Leave.NEVER] * 8 + [Leave.AT_ONCE, Leave.WAITING, Leave.AMID]
    requests = "http.clients.downstream_rq_total"
    had = alone.counter(requests)
    try:
        outcome = load.run(gateway.port, calls, lambda n: load.Call(
            load.chat(gateway.port, keys[n % 4], bodies[n % 2]), leaves[n % len(leaves)]), 32)
    finally:
        sim.record(True)

    # A client that leaves at once may be gone before Envoy reads its request: Envoy knows how many calls there were.
    def all_counted(now) -> bool:
        return now.sum("nr_calls_total") - before.sum("nr_calls_total") == alone.counter(requests) - had >= calls * 0.9
    after = settled(alone.admin, all_counted, "every call to be counted once")
    rose = {key: value - before.by("nr_calls_total", "outcome").get(key, 0) for key, value in after.by("nr_calls_total", "outcome").items()}
    assert rose[("unauthenticated",)] >= outcome.statuses[401] and rose[("ok",)] >= sum(outcome.usages.values())
    assert rose[("cancelled",)] > 0


def test_no_caller_makes_a_series(alone, sim):
    gateway = alone.gateway
    ended(alone, 0)

    def hostile(n: int) -> load.Call:
        word = secrets.token_hex(8)
        body = {"model": word, "messages": [{"role": "user", "content": word}], "user": word, "metadata": {word: word},
                "route": {"task_class": word} if n % 3 == 0 else {"objective": word} if n % 3 == 1 else {"fallbacks": [word]}}
        if n % 5 == 0:
            body |= {"model": "gpt-4o", "route": {}, "messages": [{"role": "user", "content": "Say hello."}]}
        key = f"nr-{word}" if n % 2 else gateway.key
        return load.Call(load.chat(gateway.port, key, json.dumps(body).encode(), (f"x-request-id: {word}".encode(), f"x-{word}: {word}".encode())))
    load.run(gateway.port, 100, hostile, 8)
    before = ended(alone, 0)
    load.run(gateway.port, 3_000, hostile, 32)
    after = ended(alone, 3_000, before.sum("nr_calls_total"))
    names = [{(one.name, *sorted(one.labels.items())) for one in now.samples} for now in (before, after)]
    assert names[0] == names[1], sorted(names[1] - names[0])[:10]


def test_every_label_set_is_within_the_bound_of_the_configuration(alone):
    config, samples = alone.config, page(alone.admin).samples
    models = {model["id"] for model in config["models"]} | {"none"}
    known = {
        "workspace": {one["id"] for one in config["workspaces"]} | {"none"}, "model": models, "gen_ai_response_model": models,
        "provider": {*PROTOCOLS, "none"}, "gen_ai_provider_name": set(PROTOCOLS),
        "rule": {rule["name"] for one in config["workspaces"] for rule in one.get("guardrails", [])},
    }
    for one in samples:
        for label, values in known.items():
            assert one.labels.get(label) in {None, *values}, one


def test_beyond_the_bound_ids_are_folded_and_nothing_is_lost(stack, sim, tmp_path):
    def narrow(config: dict) -> None:
        config["telemetry"] = {"metrics": {"max_label_sets": 5}}
    with stacks.beside(stack, tmp_path, workers=1, configure=narrow, edit=quickly) as running:
        answers = [running.gateway.chat(model).status for model in ("gpt-4o", "claude-sonnet", "llama-3.3-70b") * 2]
        assert answers == [200] * 6
        after = ended(running, 6)
        assert after.sum("nr_calls_total") == 6 and after.sum("nr_calls_total", model="_other") > 0
        assert after.sum("nr_folded_total") > 0


def test_switched_off_nothing_is_measured(stack, sim, tmp_path):
    def off(config: dict) -> None:
        config["telemetry"] = {"metrics": {"enabled": False}}
    with stacks.beside(stack, tmp_path, workers=1, configure=off) as running:
        assert running.gateway.chat().status == 200
        assert page(running.admin).samples == []


def test_a_trap_is_seen_in_envoys_own_counter_and_counting_goes_on(stack, sim, tmp_path):
    def trap(bootstrap: dict) -> None:
        module = tmp_path / "trapping.wasm"
        module.write_bytes(trapping.module(trapping.Headers.REQUEST, "x-trap"))
        trapping.before_router(bootstrap, module)
        quickly(bootstrap)
    with stacks.beside(stack, tmp_path, workers=1, edit=trap) as running:
        assert [running.gateway.chat().status for _ in range(3)] == [200] * 3
        ended(running, 3)
        reloads = "wasm.neural_router_router.vm_reload_success"
        assert running.counter(reloads) == 0
        assert running.gateway.chat(headers=[("x-trap", "1")]).status == 503
        until(lambda: running.gateway.chat().status == 200, "the filter to be back")
        after = settled(running.admin, lambda now: now.sum("nr_calls_total", outcome="ok") >= 4, "the calls after the trap")
        assert after.sum("nr_calls_total", outcome="ok") == 4


def test_the_page_for_prometheus_passes_promtool_and_leads_nowhere_else(alone, metered):
    _, address = metered
    ended(alone, 0)
    checked = promtool("check", "metrics", stdin=page(address, "/metrics").text)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert page(address, "/stats/prometheus").sum("envoy_server_live") == 1
    scraped = Gateway(int(address.rpartition(":")[2]), "")
    for path in ("/", "/stats", "/config_dump", "/quitquitquit", "/metrics/../config_dump", "/stats/prometheus/"):
        assert scraped.call("GET", path).status in (404, 400), path
    assert scraped.call("POST", "/metrics").status == 404


def test_the_page_of_the_administration_endpoint_lacks_help_and_nothing_else(alone):
    checked = promtool("check", "metrics", stdin=page(alone.admin).text)
    found = (checked.stdout + checked.stderr).splitlines()
    assert found and all(line.endswith(" no help text") for line in found), found


def test_the_table_of_the_document_is_what_envoy_shows(alone):
    shown = page(alone.admin)
    kinds = shown.types
    assert kinds == {name: row["kind"] for name, row in SAID.items() if name in kinds}
    # Needs a configuration that is larger than its bound.
    assert SAID.keys() - kinds.keys() == {"nr_folded_total"}
    labels = {}
    for one in shown.samples:
        name = one.name if one.name in kinds else re.sub(r"_(bucket|sum|count)$", "", one.name)
        labels.setdefault(name, set()).update(one.labels.keys() - {"le"})
    assert labels == {name: set(re.findall(r"`(\w+)`", SAID[name]["labels"])) for name in labels}
