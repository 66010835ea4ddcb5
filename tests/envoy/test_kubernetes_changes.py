"""A ConfigMap that changes under a running pod: kubelet moves its link, the sidecar applies the file, and callers notice nothing.

Tests that take providers away come last: what is kept for calls under way is dropped by itself, a minute later.
"""

import copy
import os
import signal
import time
from decimal import Decimal

import pytest

import cluster
import configuration
import reloading
from gateway import assert_error
from pod import Pod
from programs import until
from reloading import acme, the_change

SWAPS = 20
REVOKED_WITHIN_S = 2.0


@pytest.fixture(scope="module")
def running(stack, tmp_path_factory):
    """One pod for the module, whose ConfigMap the tests change."""
    pod = Pod(stack, tmp_path_factory.mktemp("pod"))
    try:
        pod.start()
        yield pod
        assert pod.envoy.running() and pod.apply.running()
    finally:
        pod.stop()


@pytest.fixture
def pod(running, sim):
    """The same, with its first configuration back afterwards."""
    first = copy.deepcopy(running.config)
    yield running
    running.taken(lambda config: (config.clear(), config.update(copy.deepcopy(first))))


def files_of(said: str) -> set[str]:
    """The files that a line says were swapped."""
    return set(said.removeprefix("applied: ").partition(";")[0].split(", "))


def test_the_sidecar_starts_before_envoy_and_says_that_it_waits(pod):
    first = pod.apply.output().splitlines()[0]
    assert " waiting: " in first and "Connection refused" in first, first
    waiting = [line for line in pod.apply.output().splitlines() if " waiting: " in line]
    assert len({line.partition(" waiting: ")[2] for line in waiting}) == len(waiting), "a line is said again and again"


def test_a_revoked_key_is_refused_within_two_seconds_of_the_file(pod):
    key = f"nr-{'b' * 48}"
    kept = copy.deepcopy(acme(pod.config)["keys"])
    pod.taken(lambda config: acme(config)["keys"].append({"id": "second", "sha256": configuration.digest(key)}))
    assert pod.gateway.chat(key=key).status == 200
    began = time.monotonic()
    pod.change(lambda config: acme(config).update(keys=kept))
    moved = time.monotonic()
    refused = until(lambda: (answer := pod.gateway.chat(key=key)).status == 401 and answer, "the key to be refused", REVOKED_WITHIN_S, 0)
    print(f"refused {(time.monotonic() - moved) * 1000:.0f} ms after the link had moved, {(moved - began) * 1000:.0f} ms of writing")
    assert_error(refused, 401, "unauthenticated")
    assert pod.gateway.chat().status == 200


@pytest.mark.parametrize(("wrong", "why"), [
    (lambda config: config["models"][0].update(price="cheap"), "models[0].price"),
    (lambda config: config["models"][0]["deployments"][0].update(provider="nobody"), "no provider `nobody`"),
    (lambda config: config["listen"].update(max_connections=1000), "overload_manager of Envoy's bootstrap cannot change while Envoy runs"),
    (lambda config: config["listen"].update(tls={"certificate": {"file": "/a"}, "private_key": {"file": "/b"}}), "speaks http:// to it"),
    (lambda config: config["providers"]["groq"].update(api_key={"env": "NOT_THERE"}), "NOT_THERE: No such file"),
])
def test_a_file_that_is_wrong_changes_nothing_says_why_and_is_taken_when_it_is_mended(pod, wrong, why):
    files, good = pod.live.files(), copy.deepcopy(pod.config)
    name = pod.change(lambda config: (wrong(config), acme(config)["keys"].clear()))
    said = pod.said(name)
    assert said.startswith("refused: ") and why in said and said.endswith("; what was in force stays"), said
    assert pod.live.files() == files
    assert pod.gateway.chat().status == 200
    assert files_of(pod.taken(lambda config: (config.clear(), config.update(good), acme(config)["budget"].update(usd=900)))) == {"router.yaml"}
    assert pod.apply.output().count(name) == 1, "it is said once"
    assert pod.live.usage()["budget"]["limit_usd"] == 900


def test_what_is_no_yaml_is_one_line(pod):
    said = pod.said(pod.write("providers:\n\t- {\n"))
    assert said.startswith("refused: ") and "line 2" in said, said


def test_ports_are_the_pod_s_own(pod):
    def elsewhere(config: dict) -> None:
        config["listen"]["port"] += 1
        config["admin"]["port"] += 1
    pod.taken(lambda config: None)
    before = pod.live.files()
    pod.taken(elsewhere)
    assert {name for name, text in pod.live.files().items() if before[name] != text} == set()
    assert pod.gateway.chat().status == 200
    annotations = cluster.only(pod.rendered(pod.config), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations != cluster.only(pod.manifests, "Deployment")["spec"]["template"]["metadata"]["annotations"], "they come with new pods"


def test_a_provider_s_key_is_rotated_without_a_swap(pod, sim):
    files, log = pod.live.files(), pod.apply.output()
    variable, old = next((name, key) for name, key in pod.entries.items() if key == pod.stack.secrets.provider["groq"])
    assert pod.gateway.chat("llama-3.3-70b").status == 200

    def uses(key: str) -> bool:
        assert pod.gateway.chat("llama-3.3-70b").status == 200
        return sim.requests("groq")[-1].values("authorization") == [f"Bearer {key}"]
    for key in (old[:-8] + "rotated1", old):
        pod.entries[variable] = key
        pod.volumes.mount("secrets")
        until(lambda key=key: uses(key), "the other key to reach the provider", 5)
    assert (pod.live.files(), pod.apply.output()) == (files, log)


def test_a_sidecar_that_was_killed_takes_what_has_changed_meanwhile(pod):
    os.kill(pod.apply.process.pid, signal.SIGKILL)
    pod.apply.process.wait(10)
    name = pod.change(lambda config: acme(config)["budget"].update(usd=901))
    assert pod.live.usage()["budget"]["limit_usd"] != 901
    pod.start_apply()
    assert "router.yaml" in files_of(pod.said(name))
    assert pod.live.usage()["budget"]["limit_usd"] == 901


def test_an_envoy_that_starts_again_works_with_what_is_in_force(pod):
    key = f"nr-{'c' * 48}"
    pod.taken(lambda config: acme(config)["keys"].append({"id": "third", "sha256": configuration.digest(key)}))
    os.kill(pod.envoy.process.pid, signal.SIGKILL)
    pod.envoy.process.wait(10)
    name = pod.change(lambda config: acme(config)["budget"].update(usd=902))
    until(lambda: " waiting: " in pod.apply.output().splitlines()[-1], "the sidecar to wait", 10)
    pod.start_envoy()
    assert pod.gateway.chat(key=key).status == 200
    assert "router.yaml" in files_of(pod.said(name))
    assert pod.live.usage()["budget"]["limit_usd"] == 902


def test_what_only_old_calls_name_is_dropped_by_itself(pod):
    def clusters() -> str:
        return (pod.folder / "volumes/run/clusters.yaml").read_text()
    pod.taken(lambda config: (config["routing"].update(total_timeout_ms=1_000, answer_timeout_ms=1_000, first_token_timeout_ms=1_000),
                              config["providers"].update(leaving=dict(config["providers"]["groq"]))))
    assert "kept for calls that are under way" in pod.taken(lambda config: config["providers"].pop("leaving"))
    assert "provider_leaving" in clusters()
    until(lambda: "provider_leaving" not in clusters(), "the cluster to go", 20)


def test_a_provider_more_and_its_key_come_without_a_new_pod_in_whatever_order_they_arrive(pod, sim):
    key = "sk-canary-extra"

    def more(config: dict) -> None:
        config["providers"]["extra"] = config["providers"]["openai"] | {"api_key": {"env": "EXTRA_KEY"}}
        config["models"][1]["deployments"] = [{"provider": "extra", "model": "x"}]
    name = pod.change(more)
    assert "EXTRA_KEY: No such file" in pod.said(name)
    pod.entries["EXTRA_KEY"] = key
    pod.volumes.mount("secrets")
    said = until(lambda: (line := pod.said(name)).startswith("applied: ") and line, "the provider to come with its key", 10)
    assert files_of(said) == {"clusters.yaml", "routes.yaml", "router.yaml"}
    assert pod.gateway.chat("gpt-4o").status == 200
    assert sim.requests("openai")[-1].values("authorization") == [f"Bearer {key}"]


@pytest.mark.timeout(180)
def test_changes_under_load_lose_no_call_break_no_stream_and_keep_every_count(pod, sim):
    first = copy.deepcopy(pod.config)
    deployment = cluster.only(pod.manifests, "Deployment")
    sim.record(False)
    sim.behave(configuration.PROVIDER_OF[reloading.SLOW], chunks=30, chunk_interval_ms=60)
    before = pod.live.usage()["budget"]["spent_usd"]
    with reloading.traffic(pod.gateway) as seen:
        until(lambda: len(seen.answered) == 3, "callers of every kind", 20)
        for turn in range(SWAPS):
            assert "router.yaml" in pod.taken(the_change(turn, first))
    calls = sum(seen.answered.values())
    print(f"{dict(seen.answered)}; connections {dict(seen.connections)}")
    assert not seen.lost, f"{len(seen.lost)} of {calls} calls: {seen.lost[:5]}"
    assert all(seen.answered[kind] >= 10 for kind in ("HTTP/1.1", "HTTP/2", "stream")), seen.answered
    budget = until(lambda: (now := pod.live.usage()["budget"])["reserved_usd"] == 0 and now, "nothing to be reserved any more", 5)
    assert budget["spent_usd"] - before == seen.spent
    assert budget["limit_usd"] == Decimal(1000 + SWAPS - 1)
    refused = pod.live.stats(r"(update_rejected|update_failure|config_fail)$")
    assert not any(refused.values()), refused
    assert cluster.only(pod.rendered(pod.config), "Deployment") == deployment, "none of this is a reason for new pods"


def test_the_sidecar_ends_when_it_is_told_to(pod):
    began = time.monotonic()
    assert pod.apply.stop() == 0
    assert time.monotonic() - began < 3
    pod.start_apply()
