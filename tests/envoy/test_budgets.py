"""Money: the worst price is reserved before a call, the real one is charged after it, and the cap holds."""

import datetime
import json
from decimal import Decimal

import pytest

import load
import stack as stacks
import tenants
from caller import Callers, cost, reserved
from gateway import assert_error
from load import Call
from programs import until

PROVIDER = {"meter": "openai", "meter-anthropic": "anthropic", "meter-dear": "groq", "meter-pair": "openai", "meter-free": "openai"}
PLAIN = {"prompt": 100, "completion": 50}
WORST_INPUT = tenants.CACHE_WRITE  # a prompt may be written to the provider's cache
PROMPT = 1_300  # more tokens than anybody can make of "Say hello." and what a provider may add
CAP = Decimal(5)  # of the kind `capped`


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("model", "usage"), [
    ("meter", PLAIN),
    ("meter", PLAIN | {"cached": 80}),
    ("meter", PLAIN | {"cached": 100}),
    ("meter", PLAIN | {"reasoning": 40}),
    ("meter", {"prompt": 1, "completion": 1}),
    ("meter-anthropic", PLAIN),
    ("meter-anthropic", PLAIN | {"cached": 80}),
    ("meter-anthropic", PLAIN | {"cache_write": 70}),
    ("meter-anthropic", PLAIN | {"cached": 30, "cache_write": 70}),
], ids=lambda value: value if isinstance(value, str) else " ".join(f"{name} {count}" for name, count in value.items()))
def test_a_call_costs_what_its_tokens_cost(fresh, sim, model, usage, stream):
    caller = fresh("metered")
    sim.behave(PROVIDER[model], tokens=usage)
    assert caller.chat(model, stream=stream).status == 200
    priced = {name: count for name, count in usage.items() if name != "reasoning"}  # part of the completion
    assert caller.spent() == cost(**priced)
    assert caller.chat(model, stream=stream).status == 200
    assert caller.spent() == 2 * cost(**priced)


def test_usage_that_the_client_asked_for_is_charged_once(fresh, sim):
    caller = fresh("metered")
    sim.behave("openai", tokens=PLAIN)
    assert caller.chat(stream=True, stream_options={"include_usage": True}).chunks[-1]["usage"]["total_tokens"] == 150
    assert caller.spent() == cost(**PLAIN)


def test_the_answer_of_an_embedding_call_is_charged_by_its_prompt(fresh):
    caller = fresh("metered")
    tokens = caller.embed(text="Say hello. " * 20).json()["usage"]["prompt_tokens"]
    assert tokens > 0 and caller.spent() == tokens * tenants.EMBEDDING


@pytest.mark.parametrize(("model", "fields", "completion", "factor"), [
    ("meter", {"max_tokens": 200}, 200, 1),
    ("meter", {"max_tokens": None, "max_completion_tokens": 200}, 200, 1),
    ("meter", {"max_tokens": None}, tenants.MAX_OUTPUT, 1),
    ("meter", {"max_tokens": 9000}, tenants.MAX_OUTPUT, 1),
    ("meter", {"max_tokens": 100, "n": 3}, 300, 1),
    ("meter", {"max_tokens": 200, "route": {"fallbacks": ["meter-dear"]}}, 200, tenants.DEAR),
    ("meter", {"max_tokens": 200, "route": {"fallbacks": ["meter-free"]}}, 200, 1),
    ("meter-pair", {"max_tokens": 200}, 200, 1),
], ids=["max_tokens", "max_completion_tokens", "no bound", "bound above the model's", "n", "a dear fallback", "a free fallback", "two deployments"])
def test_while_a_call_is_under_way_the_worst_it_can_cost_is_reserved(fresh, sim, model, fields, completion, factor):
    caller = fresh("metered")
    sim.behave("openai", tokens=PLAIN, chunks=4, chunk_interval_ms=100)
    with caller.held(model, **fields).begun() as stream:
        budget = caller.usage()["budget"]
        assert budget["spent_usd"] == 0
        least = factor * completion * tenants.OUTPUT
        # A candidate that breaks off before its first token has read the prompt, too.
        prompts = 2 * factor * PROMPT * WORST_INPUT if model == "meter-pair" or "route" in fields else factor * PROMPT * WORST_INPUT
        assert least < budget["reserved_usd"] <= least + prompts
        assert budget["remaining_usd"] == budget["limit_usd"] - budget["reserved_usd"]
        stream.finish()
    budget = caller.settled()["budget"]
    assert budget["spent_usd"] == cost(**PLAIN) and budget["reserved_usd"] == 0
    assert budget["remaining_usd"] == budget["limit_usd"] - cost(**PLAIN)


def assert_over_budget(caller, answer) -> dict:
    """The answer is the 402 of the cap; its figures are those of `/v1/usage`."""
    assert_error(answer, 402, "budget_exceeded", "budget_exceeded", None, more=("limit_usd", "spent_usd", "resets_at"))
    error = json.loads(answer.body, parse_float=Decimal)["error"]
    assert answer.header("x-should-retry") == "false"
    budget = caller.usage()["budget"]
    assert error["limit_usd"] == budget["limit_usd"] == CAP
    assert (error["spent_usd"], error["resets_at"]) == (budget["spent_usd"], budget["resets_at"])
    return error


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call_that_could_cost_more_than_is_left_is_refused(fresh, sim, no_provider_called, stream):
    caller = fresh("capped")
    answer = caller.chat(max_tokens=1000, stream=stream)  # 3.00, and the prompt
    error = assert_over_budget(caller, answer)
    assert error["spent_usd"] == 0 and error["resets_at"] is None
    assert reserved(caller.usage()) == (0, 0)


def test_what_others_have_reserved_is_not_there_to_be_spent(fresh, sim):
    caller = fresh("capped")
    sim.behave("openai", tokens=PLAIN, chunks=4, chunk_interval_ms=150)
    with caller.held(max_tokens=300).begun() as stream:  # 0.90, and the prompt
        assert_over_budget(caller, caller.chat(max_tokens=300))
        stream.finish()
    assert caller.spent() == cost(**PLAIN)  # 0.25
    assert caller.chat(max_tokens=30).status == 200


def test_spending_ends_at_the_cap(fresh, sim):
    caller = fresh("capped")
    sim.behave("openai", tokens={"prompt": 500, "completion": 10})
    answers = []
    while not answers or answers[-1].status == 200:
        answers.append(caller.chat())
        caller.settled()
        assert len(answers) < 30
    spent = (len(answers) - 1) * cost(500, 10)
    assert assert_over_budget(caller, answers[-1])["spent_usd"] == spent
    assert CAP - cost(0, 10) - PROMPT * WORST_INPUT <= spent <= CAP


def test_a_budget_is_looked_at_before_the_rate(fresh, sim):
    caller = fresh("cents")
    assert [caller.chat().status for _ in range(5)] == [402] * 5


@pytest.mark.timeout(120)
def test_at_the_edge_of_the_cap_eight_workers_do_not_overspend(stack, sim, tmp_path):
    sim.record(False)
    sim.behave("openai", tokens={"prompt": 500, "completion": 10}, validate=False, chunk_interval_ms=1)
    cap, price = Decimal(1000), cost(500, 10)  # of the kind `edge`
    body = json.dumps({"model": "meter", "max_tokens": 10, "messages": [{"role": "user", "content": "Say hello."}]}).encode()
    with stacks.beside(stack, tmp_path, 8) as wide:
        for caller in map(Callers(wide), ["edge"] * 2):
            call = Call(load.chat(wide.gateway.port, caller.key, body))
            statuses = load.run(wide.gateway.port, 4000, lambda number, call=call: call).statuses
            assert set(statuses) == {200, 402}
            assert caller.spent() == statuses[200] * price <= cap
            # What is left can be spent by one call after the other, and no more than that.
            while caller.chat().status == 200:
                assert caller.settled()["budget"]["spent_usd"] <= cap
            assert caller.spent() > cap - cost(0, 10) - PROMPT * WORST_INPUT


@pytest.mark.parametrize("model", ["meter", "meter-anthropic"])
@pytest.mark.parametrize("kind", ["status", "reset_before_headers", "headers_then_silence", "truncated_json", "empty_body"])
def test_an_attempt_that_failed_before_an_answer_is_not_charged(fresh, sim, model, kind):
    caller = fresh("metered")
    sim.fault(PROVIDER[model], kind, **({"status": 500} if kind == "status" else {}))
    sim.behave("groq", tokens=PLAIN)
    answer = caller.chat(model, route={"fallbacks": ["meter-dear"]})
    assert answer.status == 200 and answer.routing["selected"] == "meter-dear"
    assert caller.spent() == cost(**PLAIN, factor=tenants.DEAR)


def test_a_call_nobody_answers_is_not_charged(fresh, sim):
    caller = fresh("metered")
    for provider in sim.providers:
        sim.fault(provider, "status", status=529)
    assert caller.chat("meter-pair").status == 503
    assert caller.spent() == 0


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_call_that_the_provider_refuses_is_not_charged(fresh, sim, status):
    caller = fresh("metered")
    sim.fault("openai", "status", status=status)
    assert caller.chat().status == 400
    assert caller.spent() == 0


def test_an_attempt_that_reported_usage_and_then_failed_is_charged_too(fresh, sim):
    caller = fresh("metered")
    sim.behave("anthropic", tokens=PLAIN)
    sim.fault("anthropic", "sse_error_after_preamble")  # Anthropic says at the start what the prompt takes, and one token
    sim.behave("groq", tokens=PLAIN)
    answer = caller.chat("meter-anthropic", stream=True, route={"fallbacks": ["meter-dear"]})
    assert answer.chunks[0]["routing"]["selected"] == "meter-dear"
    assert caller.spent() - cost(**PLAIN, factor=tenants.DEAR) in (cost(100, 0), cost(100, 1))


LONG = {"messages": [{"role": "user", "content": "word " * 800}], "max_tokens": 900}
LONG_PROMPT = (500, 2400)  # what may be estimated for it
SAID = {"text": "word " * 400, "chunks": 40, "chunk_interval_ms": 15}


def assert_charged(spent: Decimal, words: tuple[int, int]) -> None:
    """The estimated prompt was charged, and so many words of the answer, give or take."""
    assert cost(LONG_PROMPT[0], words[0] // 2) <= spent <= WORST_INPUT * LONG_PROMPT[1] + cost(0, words[1] * 3)


def charged(caller) -> Decimal:
    """What was charged to a client that left, which may be a moment after its reservation has gone."""
    return until(caller.spent, "a charge")


@pytest.mark.parametrize("model", ["meter", "meter-anthropic"])
@pytest.mark.parametrize("chunks", [1, 20])
def test_a_client_that_leaves_is_charged_for_what_was_produced(fresh, sim, model, chunks):
    caller = fresh("metered")
    sim.behave(PROVIDER[model], **SAID)
    with caller.held(model, **LONG) as stream:
        stream.chunks(chunks)
    assert_charged(charged(caller), (10 * chunks, 10 * chunks + 100))


@pytest.mark.parametrize("model", ["meter", "meter-anthropic"])
@pytest.mark.parametrize("stream", [None, True], ids=["whole", "stream"])
def test_a_client_that_leaves_before_the_answer_is_charged_for_the_prompt(fresh, sim, model, stream):
    caller = fresh("metered")
    sim.behave(PROVIDER[model], first_token_ms=350)
    with caller.held(model, **LONG | {"stream": stream}):
        until(lambda: sim.requests(PROVIDER[model]), "the provider to be asked")
    assert_charged(charged(caller), (0, 0))


@pytest.mark.parametrize("model", ["meter", "meter-anthropic"])
@pytest.mark.parametrize("kind", ["end_mid_stream", "reset_mid_stream", "close_mid_stream", "sse_error_mid"])
def test_a_stream_that_is_cut_is_charged_for_what_was_produced(fresh, sim, model, kind):
    caller = fresh("metered")
    sim.behave(PROVIDER[model], **SAID | {"chunk_interval_ms": 0})
    sim.fault(PROVIDER[model], kind, after_chunks=20)
    answer = caller.chat(model, stream=True, **LONG)
    assert answer.status == 200 and not answer.done
    assert_charged(caller.spent(), (200, 200))


@pytest.mark.parametrize("model", ["meter", "meter-anthropic"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_without_usage_is_charged_by_estimate(fresh, sim, model, stream):
    caller = fresh("metered")
    sim.behave(PROVIDER[model], usage=False, text="word " * 400, chunks=40)
    assert caller.chat(model, stream=stream, **LONG).status == 200
    assert_charged(caller.spent(), (400, 400))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_free_model_costs_nothing_and_answers_when_the_money_is_gone(fresh, sim, stream):
    caller = fresh("cents")
    sim.behave("openai", tokens=PLAIN)
    assert caller.chat().status == 402
    assert caller.chat("meter-free", stream=stream).status == 200
    assert caller.spent() == 0


def test_a_model_without_a_price_is_refused_by_the_configuration(stack, tmp_path):
    models = [{name: value for name, value in model.items() if name != "price"} if model["id"] == "meter" else model
              for model in stack.config["models"]]
    file = tmp_path / "neural-router.yaml"
    file.write_text(json.dumps(stack.config | {"models": models}))
    refused = stacks.render(file, tmp_path / "secrets", stack.secrets.environment())
    assert refused.returncode != 0 and "price" in refused.stderr


def period_ends(period: str, now: datetime.datetime) -> str | None:
    """When the period that is running ends."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = {
        "day": midnight + datetime.timedelta(days=1),
        "week": midnight + datetime.timedelta(days=7 - now.weekday()),
        "month": (midnight.replace(day=1) + datetime.timedelta(days=32)).replace(day=1),
        "total": None,
    }[period]
    return ends and ends.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("period", ["day", "week", "month", "total"])
def test_a_period_ends_by_the_calendar_in_utc(fresh, period):
    caller = fresh(period)
    before = datetime.datetime.now(datetime.timezone.utc)
    shown = [caller.usage()["budget"]]
    refused = caller.chat(max_tokens=1000)
    shown += [json.loads(refused.body)["error"], caller.usage()["budget"]]
    after = datetime.datetime.now(datetime.timezone.utc)
    assert refused.status == 402
    assert {budget["resets_at"] for budget in shown} <= {period_ends(period, before), period_ends(period, after)}
    assert caller.usage()["budget"]["period"] == period


def test_usage_shows_everything_of_the_budget(fresh, sim):
    caller = fresh("metered")
    sim.behave("openai", tokens=PLAIN)
    caller.chat()
    usage = caller.settled()
    assert (usage["object"], usage["workspace"], usage["key"]) == ("usage", caller.workspace, "only")
    assert set(usage) == {"object", "workspace", "key", "scope", "requests", "tokens", "budget", "key_limits"}
    assert usage["budget"] == {
        "period": "total", "limit_usd": 1000, "spent_usd": cost(**PLAIN), "reserved_usd": 0,
        "remaining_usd": 1000 - cost(**PLAIN), "resets_at": None}
