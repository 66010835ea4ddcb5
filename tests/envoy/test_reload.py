"""`nr apply`: a gateway that is changed while callers use it."""

import copy
import socket
import time
from collections import Counter
from decimal import Decimal

import pytest

import configuration
import measured
import programs
import reloading
from gateway import assert_error
from programs import until
from reloading import acme, the_change

SWAPS = 100
REVOKED_WITHIN_S = 2.0


@pytest.fixture(scope="module")
def running(stack, tmp_path_factory):
    """One gateway for the module, whose configuration the tests change."""
    live = reloading.start(stack, tmp_path_factory.mktemp("reload"))
    yield live
    assert live.up.running(), f"the gateway ended:\n{live.up.errors()[-4000:]}"
    assert live.up.stop(20) == 0


@pytest.fixture
def live(running, sim):
    """The same, with its first configuration back afterwards."""
    first = copy.deepcopy(running.config)
    yield running
    running.apply(lambda config: (config.clear(), config.update(copy.deepcopy(first))))


def taken(applied) -> str:
    """What `nr apply` says of a change that was made."""
    assert applied.returncode == 0, applied.stderr
    return applied.stdout


@pytest.mark.timeout(180)
def test_a_hundred_changes_under_load_lose_no_call_break_no_stream_and_keep_every_count(live, sim):
    first = copy.deepcopy(live.config)
    sim.record(False)
    sim.behave(configuration.PROVIDER_OF[reloading.SLOW], chunks=30, chunk_interval_ms=60)
    before = live.usage()["budget"]["spent_usd"]
    with reloading.traffic(live.gateway) as seen:
        until(lambda: len(seen.answered) == 3, "callers of every kind", 20)
        machines = live.machines()
        began = time.monotonic()
        for turn in range(SWAPS):
            assert "router.yaml" in taken(live.apply(the_change(turn, first)))
        took = time.monotonic() - began
    calls = sum(seen.answered.values())
    print(f"{SWAPS} changes in {took:.1f} s; {dict(seen.answered)}; connections {dict(seen.connections)}")
    assert not seen.lost, f"{len(seen.lost)} of {calls} calls: {seen.lost[:5]}"
    assert all(seen.answered[kind] >= 20 for kind in ("HTTP/1.1", "HTTP/2", "stream")), seen.answered

    budget = until(lambda: (now := live.usage()["budget"])["reserved_usd"] == 0 and now, "nothing to be reserved any more", 5)
    assert budget["spent_usd"] - before == seen.spent
    assert budget["limit_usd"] == Decimal(1000 + SWAPS - 1)

    def gone() -> bool:
        return live.machines() == machines
    until(gone, "as many virtual machines as before", 10)
    refused = live.stats(r"(update_rejected|update_failure|config_fail)$")
    assert not any(refused.values()), refused


def test_a_revoked_key_is_refused_as_soon_as_the_change_is_made(live):
    key = f"nr-{'b' * 48}"
    kept = copy.deepcopy(acme(live.config)["keys"])
    taken(live.apply(lambda config: acme(config)["keys"].append({"id": "second", "sha256": configuration.digest(key)})))
    assert live.gateway.chat(key=key).status == 200

    taken(live.apply(lambda config: acme(config).update(keys=kept)))
    applied = time.monotonic()
    refused = until(lambda: (answer := live.gateway.chat(key=key)).status == 401 and answer, "the key to be refused", REVOKED_WITHIN_S, 0)
    took = time.monotonic() - applied
    print(f"refused {took * 1000:.0f} ms after `nr apply` returned")
    assert_error(refused, 401, "unauthenticated")
    for _ in range(20):  # on whichever worker
        assert live.gateway.chat(key=key).status == 401
    assert live.gateway.chat().status == 200


def test_a_lower_budget_holds_for_what_is_spent_already(live):
    assert live.gateway.chat().status == 200
    taken(live.apply(lambda config: acme(config)["budget"].update(usd=0.00001)))
    assert_error(live.gateway.chat(), 402, "budget_exceeded", more=("limit_usd", "spent_usd", "resets_at"))


@pytest.mark.parametrize(("wrong", "said"), [
    (lambda config: config["models"][0].update(price="cheap"), "models[0].price"),
    (lambda config: config["models"][1]["deployments"][0].update(provider="nobody"), "models[1].deployments[0].provider"),
    (lambda config: config["providers"].update(keyless=config["providers"]["groq"] | {"api_key": {"env": "E2E_NOBODY_SETS_THIS"}}),
     "providers.keyless.api_key: the variable E2E_NOBODY_SETS_THIS is not set"),
    (lambda config: config["admin"].update(port=config["admin"]["port"] + 1), "admin"),
], ids=["a value", "a name", "a secret", "what Envoy reads once"])
def test_a_bad_file_changes_nothing_and_says_why(live, wrong, said):
    before = live.files()
    applied = live.apply(wrong)
    assert applied.returncode == 1 and applied.stdout == ""
    errors = [line for line in applied.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and said in errors[0], applied.stderr
    assert live.files() == before
    assert live.gateway.chat().status == 200


def test_text_that_is_no_yaml_changes_nothing_and_says_where(live):
    before = live.files()
    applied = live.apply_text("listen: {port: 80\n  x: [")
    assert applied.returncode == 1 and "line" in applied.stderr, applied.stderr
    assert live.files() == before


def test_what_envoy_refuses_is_undone_and_its_reason_is_told(live):
    before = live.files()
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]

        def both(config: dict) -> None:
            config["listen"]["port"] = port
            acme(config)["keys"].clear()
        applied = live.apply(both)
    assert applied.returncode == 1
    assert "listeners.yaml" in applied.stderr and "cannot bind" in applied.stderr and str(port) in applied.stderr, applied.stderr
    after = live.files()
    after.pop("refusal.txt")
    assert after == before
    assert live.gateway.chat().status == 200, "the policy, which Envoy had taken before the listener, was not undone"


@pytest.fixture
def unchanged(stack, tmp_path):
    """A gateway without a past: a changed listener keeps the machines of its calls until `--drain-time-s` is over."""
    live = reloading.start(stack, tmp_path)
    yield live
    assert live.up.stop(20) == 0


def test_what_was_measured_goes_on_in_another_build_of_the_filter(unchanged, sim, tmp_path):
    """Also what the new build has not seen happen yet, and the call that the old one ends after the change."""
    live = unchanged
    build = tmp_path / "build.wasm"
    build.write_bytes(programs.wasm().read_bytes() + bytes([0, 5, 4]) + b"meas")
    kinds = ("counter", "histogram")

    def totals() -> Counter:
        """Counters, and of histograms the number of values, by series."""
        page = measured.page(live.admin)
        of = {name for name, kind in page.types.items() if kind in kinds}
        found = Counter()
        for one in page.samples:
            if one.name in of or one.name.removesuffix("_count") in of:
                found[one.name, *sorted(one.labels.items())] += one.value
        return found

    def calls() -> int:
        return sum(value for (name, *_), value in totals().items() if name == "nr_calls_total")
    machines, first = live.machines(), calls()
    assert live.gateway.chat("no-such-model").status == 404
    assert live.gateway.chat("gpt-4o").status == 200
    until(lambda: calls() == first + 2, "both calls to be counted", 10)
    before = until(lambda: (now := totals()) == (time.sleep(6) or totals()) and now, "all histograms to be merged", 30)
    sim.behave(configuration.PROVIDER_OF[reloading.SLOW], chunks=40, chunk_interval_ms=150)
    with reloading.aside(lambda: live.gateway.chat(reloading.SLOW, stream=True, timeout=40)) as slow:
        active = r"^cluster\.provider_anthropic\.upstream_rq_active$"
        until(lambda: live.stats(active).popitem()[1] == 1, "the stream to begin", 10)
        taken(live.apply(lambda config: None, "--wasm", build))
        assert live.machines() > machines and calls() == first + 2, "the stream was over before the change"
    assert slow().status == 200 and slow().done
    until(lambda: live.machines() == machines, "the old machines to be gone", 30)
    until(lambda: calls() == first + 3, "the stream to be counted", 10)
    after = totals()
    lost = {series: (value, after[series]) for series, value in before.items() if after[series] < value}
    assert not lost, lost
    assert live.gateway.chat("no-such-model").status == 404
    assert live.gateway.chat("gpt-4o").status == 200
    until(lambda: calls() == first + 5, "each call to be counted once", 10)


def test_a_refused_change_leaves_the_provider_keys_and_the_filter_as_they_were(live, sim, tmp_path):
    """A rotated key, the key of a new provider and another filter come with a port that is taken."""
    build = tmp_path / "build.wasm"
    build.write_bytes(programs.wasm().read_bytes() + bytes([0, 5, 4]) + b"away")
    environment = live.keys.environment()
    key = live.keys.provider["groq"]
    rotated = {name: "rotated-" + value if value == key else value for name, value in environment.items()}
    before = live.files()
    (live.directory / "secrets" / "provider_groq.key").chmod(0o640)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        def change(config: dict) -> None:
            config["providers"]["newcomer"] = dict(config["providers"]["groq"])
            config["listen"]["port"] = busy.getsockname()[1]
        applied = live.apply(change, "--wasm", build, environment=rotated)
    assert applied.returncode == 1 and "cannot bind" in applied.stderr, applied.stderr
    after = live.files()
    for files in before, after:
        files.pop("refusal.txt", None)
    assert after == before
    assert (live.directory / "secrets" / "provider_groq.key").stat().st_mode & 0o777 == 0o640

    def used() -> bool:
        live.gateway.chat("llama-3.3-70b")
        return sim.requests("groq")[-1].values("authorization") == [f"Bearer {key}"]
    until(used, "the key of before to reach the provider", 5)


def test_keys_that_cannot_all_be_written_are_written_none(live):
    """The second one has a directory in its place."""
    secrets = live.directory / "secrets"
    rotated = {name: "rotated-" + value for name, value in live.keys.environment().items()}
    before = live.files()
    last = max(secrets.glob("provider_*.key"))
    held = last.read_bytes()
    last.unlink()
    last.mkdir()
    try:
        applied = live.apply(environment=rotated)
    finally:
        last.rmdir()
        last.write_bytes(held)
        last.chmod(0o600)
    assert applied.returncode == 1 and last.name in applied.stderr, applied.stderr
    assert live.files() == before


def test_a_provider_that_is_gone_still_serves_the_calls_that_were_planned_with_it(live, sim):
    """The first candidate says nothing for a while, and the second is removed meanwhile."""
    model = {"id": "pair", "provider_name": "Pair", "context_window": 100_000, "max_output_tokens": 1_000, "price": "free",
             "quality": {"default": 0.5}, "deployments": [{"provider": "openai", "model": "a"}, {"provider": "leaving", "model": "b"}]}

    def arrive(config: dict) -> None:
        config["providers"]["leaving"] = dict(config["providers"]["groq"])
        config["models"] = [*config["models"], model]
        acme(config)["models"] = [*acme(config)["models"], "pair"]
        config["routing"]["answer_timeout_ms"] = 3_000

    def leave(config: dict) -> None:
        del config["providers"]["leaving"]
        config["models"][-1]["deployments"].pop()
    taken(live.apply(arrive))
    sim.fault("openai", "hang")
    with reloading.aside(lambda: live.gateway.chat("pair")) as answer:
        until(lambda: live.stats(r"^cluster\.provider_openai\.upstream_rq_active$").popitem()[1] == 1, "the first attempt", 10)
        assert "provider_leaving" in taken(live.apply(leave))
    assert answer().status == 200, answer().body
    assert [attempt["provider"] for attempt in answer().routing["attempts"]] == ["openai", "leaving"]


def test_another_build_of_the_filter_takes_over_with_all_that_is_counted(live, sim, tmp_path):
    """The same filter with a custom section behind it is another module for Envoy."""
    build = tmp_path / "build.wasm"
    build.write_bytes(programs.wasm().read_bytes() + bytes([0, 5, 4]) + b"next")
    sim.behave(configuration.PROVIDER_OF[reloading.SLOW], chunks=30, chunk_interval_ms=60)
    before, made = live.usage()["budget"]["spent_usd"], live.stats(r"v8\.created$").popitem()[1]
    with reloading.traffic(live.gateway, http1=1, http2=1, streams=2) as seen:
        until(lambda: len(seen.answered) == 3, "callers of every kind", 20)
        assert taken(live.apply(lambda config: None, "--wasm", build)).startswith("applied: clusters.yaml, router.yaml")
        done = seen.answered.copy()
        until(lambda: all(seen.answered[kind] > done[kind] for kind in done), "callers of every kind, again", 20)
    assert not seen.lost, seen.lost[:5]
    assert live.usage()["budget"]["spent_usd"] - before == seen.spent
    assert live.stats(r"v8\.created$").popitem()[1] > made
    assert live.apply(lambda config: None, "--wasm", programs.wasm()).returncode == 0


def test_a_provider_key_is_rotated_without_a_change_of_envoy_s_files(live, sim):
    fresh = live.keys.provider["groq"][:-8] + "rotated1"
    environment = live.keys.environment()
    name = next(variable for variable, key in environment.items() if key == live.keys.provider["groq"])
    before = live.files()
    said = taken(live.apply(environment=environment | {name: fresh}))
    assert said.startswith("applied: nothing that Envoy reads has changed, but these secrets: providers.groq"), said
    changed = {file for file, text in live.files().items() if before.get(file) != text}
    assert changed - {"clusters.yaml", "routes.yaml", "gateway.json"} == {"secrets/provider_groq.key"}

    def used() -> bool:
        live.gateway.chat("llama-3.3-70b")
        return sim.requests("groq")[-1].values("authorization") == [f"Bearer {fresh}"]
    until(used, "the new key to reach the provider", 5)
    # Without the variables, the keys stay.
    taken(live.apply(lambda config: acme(config)["budget"].update(usd=999), environment={}))
    live.gateway.chat("llama-3.3-70b")
    assert sim.requests("groq")[-1].values("authorization") == [f"Bearer {fresh}"]


def test_a_change_that_was_killed_half_way_is_made_whole_by_the_next(live):
    """The file is the new one, and Envoy has not read it: what is written in place moves no file."""
    policy = live.directory / "router.yaml"
    held = policy.read_text()
    taken(live.apply(lambda config: acme(config)["budget"].update(usd=997)))
    wanted = policy.read_text()
    aside = policy.with_suffix(".old")
    aside.write_text(held)
    aside.rename(policy)
    until(lambda: live.usage()["budget"]["limit_usd"] != 997, "Envoy to work with the old file", 10)
    policy.write_text(wanted)
    assert taken(live.apply()).startswith("applied: router.yaml")
    assert live.usage()["budget"]["limit_usd"] == 997


def test_two_changes_at_once_are_one_after_the_other_or_one_sentence(live):
    with reloading.held(live.directory):
        applied = live.apply(lambda config: acme(config)["budget"].update(usd=998))
    assert applied.returncode == 1 and "another `nr apply`" in applied.stderr


def test_apply_finds_the_gateway_of_this_user(stack, sim, tmp_path):
    """Without a directory named on either side."""
    place = tmp_path / "runtime"
    place.mkdir()
    environment = {"XDG_RUNTIME_DIR": str(place), "TMPDIR": str(place)}
    none = programs.run([programs.nr(), "apply"], environment)
    assert none.returncode == 1 and "no gateway of `nr up` is running here" in none.stderr
    one = reloading.start(stack, tmp_path, workers=1, directory=None, environment=environment)
    try:
        said = taken(programs.run([programs.nr(), "apply"], environment | stack.secrets.environment()))
        assert said == "applied: nothing that Envoy reads has changed\n"
    finally:
        assert one.up.stop(20) == 0
    assert list(place.iterdir()) == []
