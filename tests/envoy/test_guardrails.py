"""Content rules on requests: what is found where, what the caller is told, and what the provider gets."""

import json

import pytest

from answers import BURST
from gateway import Response, assert_error
from guarded import ARGUMENTS, FOUND, NOT_FOUND, PLACEHOLDER, PLACES, USER, WRITTEN
from tenants import PHRASE, SIZE

every_place = pytest.mark.parametrize("place", PLACES, ids=[place.name for place in PLACES])


def assert_blocked(answer: Response, rule: str, text: str) -> None:
    """A 403 that names the rule and not the text."""
    error = assert_error(answer, 403, "forbidden", "guardrail_blocked", None, more=("rule",))
    assert error["rule"] == rule and rule in error["message"]
    assert text.lower().encode() not in answer.body.lower()
    assert not any(text.lower() in value.lower() for _, value in answer.headers)


def post(caller, body: bytes, path: str = "/v1/chat/completions") -> Response:
    return caller.call("POST", path, body=body)


def texts(value) -> list[str]:
    """Every string of a JSON value, and of the JSON in tool arguments."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [text for item in value.values() for text in texts(item)] if isinstance(value, dict) else []


@every_place
def test_a_phrase_is_blocked_wherever_it_stands(fresh, no_provider_called, place):
    assert_blocked(post(fresh.shared("block"), place.body(PHRASE)), "project-x", PHRASE)


@every_place
def test_without_a_phrase_every_place_passes(fresh, sim, place):
    sim.behave("openai", validate=False)
    assert post(fresh.shared("block"), place.body("harmless")).status == 200


@pytest.mark.parametrize("written", WRITTEN)
def test_a_phrase_is_blocked_however_it_is_written(fresh, no_provider_called, written):
    assert_blocked(post(fresh.shared("block"), USER.body(WRITTEN[written])), "project-x", PHRASE)


@pytest.mark.parametrize("written", ["as it is", "in capitals", "wholly escaped"])
def test_a_phrase_is_blocked_in_the_json_of_a_tool_s_arguments_too(fresh, no_provider_called, written):
    inner = WRITTEN[written].replace("\\", "\\\\")  # escaped within the arguments, which are a string themselves
    assert_blocked(post(fresh.shared("block"), ARGUMENTS.body(inner)), "project-x", PHRASE)


def test_a_phrase_that_begins_in_one_part_and_ends_in_the_next_is_blocked(fresh, no_provider_called):
    for cut in range(1, len(PHRASE)):
        parts = [{"type": "text", "text": text} for text in (PHRASE[:cut], PHRASE[cut:])]
        answer = fresh.shared("block").chat(messages=[{"role": "user", "content": parts}])
        assert_blocked(answer, "project-x", PHRASE)


@pytest.mark.parametrize("text", [PHRASE, [PHRASE], ["harmless", f"the {PHRASE}"]], ids=["string", "array", "second of an array"])
def test_the_input_of_an_embedding_is_looked_at(fresh, no_provider_called, text):
    assert_blocked(fresh.shared("block").embed(text=text), "project-x", PHRASE)


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_a_phrase_at_the_end_of_a_large_body_is_blocked(fresh, no_provider_called, chunked):
    body = USER.body("harmless " * 8_000 + PHRASE)
    assert_blocked(fresh.shared("block").call("POST", "/v1/chat/completions", body=body, chunked=chunked), "project-x", PHRASE)


@pytest.mark.parametrize("case", FOUND)
def test_a_detector_blocks(fresh, no_provider_called, case):
    for text in (FOUND[case], f"It is {FOUND[case]}, as agreed.", f"({FOUND[case]})"):
        assert_blocked(fresh.shared("block").chat(text=text), "secrets", FOUND[case])


@pytest.mark.parametrize("case", NOT_FOUND)
def test_what_only_looks_alike_passes(fresh, sim, case):
    for text in (NOT_FOUND[case], f"It is {NOT_FOUND[case]}, as agreed."):
        assert fresh.shared("block").chat(text=text).status == 200, case


def test_neither_the_text_nor_the_phrase_is_in_a_log(fresh, stack):
    caller, phrase = fresh.shared("block"), stack.secrets.phrase
    for stream in (False, True):
        assert_blocked(caller.chat(text=phrase, stream=stream), "project-x", phrase)
    answer = fresh.shared("redact").chat(text=f"{phrase}, {FOUND['email']}")
    assert answer.status == 200 and len(answer.routing["adjustments"]) == 2
    logs = stack.logs()
    assert any(caller.workspace in text for text in logs.values()), "there is no access log to look at"
    for name, text in logs.items():
        assert not any(word in text for word in (phrase, FOUND["email"])), name


def test_what_is_blocked_costs_nothing(fresh, no_provider_called):
    caller = fresh("block-metered")
    before = caller.usage()
    for stream in (False, True):
        assert_blocked(caller.chat(text=PHRASE, stream=stream), "project-x", PHRASE)
    assert caller.settled() == before
    assert before["budget"]["spent_usd"] == before["tokens"]["used"] == 0


def test_the_order_of_checks_is_body_model_rule_money_rate(fresh, no_provider_called):
    caller = fresh("everything")  # its budget is too small for any call
    assert_error(caller.chat(text=PHRASE, temperature=9), 400, "invalid_request")
    assert_error(caller.chat("nothing", text=PHRASE), 404, "model_not_found")
    for _ in range(BURST + 1):
        assert_error(caller.chat(text=PHRASE), 403, "forbidden", more=("rule",))
        assert caller.chat().status == 402


@every_place
@pytest.mark.parametrize("model", ["meter", "meter-anthropic"])
def test_a_phrase_is_replaced_wherever_it_stands(fresh, sim, place, model):
    caller = fresh.shared("redact")
    provider = {"meter": "openai", "meter-anthropic": "anthropic"}[model]
    sim.behave(provider, validate=False)  # a placeholder need not be a user's name, say

    answer = post(caller, place.body(f"of {PHRASE} and {PHRASE.upper()} today", model))

    assert answer.status == 200, answer.body[:400]
    received = sim.only(provider)
    assert PHRASE not in received.body.decode().lower()
    replaced = PLACEHOLDER.format("project-x")
    if any(replaced in text for text in texts(received.json())):  # what a protocol has no place for is left out
        assert any(f"of {replaced} and {replaced} today" in text for text in texts(received.json())), received.body
    else:
        assert model == "meter-anthropic" and place.name in ("the name of a user", "a refusal"), received.body
    assert "redacted project-x in the request (2)" in answer.routing["adjustments"]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_phrase_is_replaced_however_it_is_written_and_nothing_else_is(fresh, sim, written):
    caller = fresh.shared("redact")
    text = WRITTEN[written]
    assert post(caller, USER.body(f"a\\u00e9{text}\\\\z")).status == 200
    [message, _] = sim.only("openai").json()["messages"]
    meant = json.loads(f'"{text}"')
    at = meant.lower().index(PHRASE)
    assert message["content"] == "aé" + meant[:at] + PLACEHOLDER.format("project-x") + meant[at + len(PHRASE):] + "\\z"


@pytest.mark.parametrize("case", FOUND)
def test_a_detector_replaces(fresh, sim, case):
    answer = fresh.shared("redact").chat(text=f"It is {FOUND[case]}, as agreed.")
    assert sim.only("openai").json()["messages"][0]["content"] == f"It is {PLACEHOLDER.format('secrets')}, as agreed."
    assert answer.routing["adjustments"] == ["redacted secrets in the request (1)"]


def test_what_is_replaced_is_replaced_for_every_candidate(fresh, sim):
    sim.fault("openai", "status", status=500)
    answer = fresh.shared("redact").chat("meter-pair", text=f"Say {PHRASE}.")
    assert answer.status == 200
    for provider in ("openai", "groq"):
        assert sim.only(provider).json()["messages"][0]["content"] == f"Say {PLACEHOLDER.format('project-x')}."
    assert answer.routing["adjustments"] == ["redacted project-x in the request (1)"]


def test_the_first_chunk_of_a_stream_lists_what_was_replaced_in_the_request(fresh, sim):
    answer = fresh.shared("redact").chat(text=f"Say {PHRASE}.", stream=True)
    assert answer.done and answer.chunks[0]["routing"]["adjustments"] == ["redacted project-x in the request (1)"]


def test_an_embedding_s_input_is_replaced(fresh, sim):
    answer = fresh.shared("redact").embed(text=["harmless", f"Say {PHRASE}."])
    assert sim.only("openai").json()["input"] == ["harmless", f"Say {PLACEHOLDER.format('project-x')}."]
    assert answer.routing["adjustments"] == ["redacted project-x in the request (1)"]


def test_a_rule_for_answers_only_does_not_look_at_requests(fresh, sim):
    assert fresh.shared("block-answers").chat(text=PHRASE).status == 200
    assert sim.only("openai").json()["messages"][0]["content"] == PHRASE


def test_a_workspace_without_rules_is_not_looked_at(gateway, sim):
    assert gateway.chat(text=f"{PHRASE} {FOUND['email']}").status == 200
    assert sim.only("openai").json()["messages"][0]["content"] == f"{PHRASE} {FOUND['email']}"


TOOL = {"type": "function", "function": {"name": "note", "parameters": {"type": "object"}}}
HELLO = {"role": "user", "content": "Hi."}


@pytest.mark.parametrize(("bound", "within", "beyond"), [
    ("prompt_bytes", {"text": "x" * (SIZE["prompt_bytes"] - 50)}, {"text": "x" * (SIZE["prompt_bytes"] + 1)}),
    ("messages", {"messages": [HELLO] * 3}, {"messages": [HELLO] * 4}),
    ("tools", {"tools": [TOOL]}, {"tools": [TOOL] * 2}),
    ("n", {"n": 2}, {"n": 3}),
    ("max_tokens", {"max_tokens": 100}, {"max_tokens": 101}),
    ("max_tokens", {"max_tokens": None, "max_completion_tokens": 100}, {"max_tokens": None, "max_completion_tokens": 101}),
    ("max_tokens", {}, {"max_tokens": None}),
], ids=["prompt_bytes", "messages", "tools", "n", "max_tokens", "max_completion_tokens", "no max_tokens"])
def test_a_request_beyond_a_bound_is_blocked_by_its_rule(fresh, sim, bound, within, beyond):
    caller = fresh.shared("bounds")
    assert caller.chat(**within).status == 200
    error = assert_error(caller.chat(**beyond), 403, "forbidden", "guardrail_blocked", None, more=("rule",))
    assert error["rule"] == f"most-{bound}" and len(sim.requests("openai")) == 1
