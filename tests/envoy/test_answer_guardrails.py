"""Content rules on answers: whole and streamed, wherever a provider cuts its stream."""

import json
import re

import pytest

from caller import Caller, cost
from configuration import FIRST_TOKEN_TIMEOUT_MS
from gateway import Response, assert_error
from guarded import FOUND, PLACEHOLDER, halved
from tenants import PHRASE

PROVIDER = {"meter": "openai", "meter-anthropic": "anthropic"}
REPLACED = PLACEHOLDER.format("project-x")
LONGEST_RULE = 128  # characters that may have to be held back, generously
every_model = pytest.mark.parametrize("model", PROVIDER)
every_cut = pytest.mark.parametrize("cut", range(1, len(PHRASE)))


def ask(caller: Caller, model: str = "meter", **fields) -> Response:
    """A chat call with room for the answer."""
    return caller.chat(model, **({"max_tokens": 900} | fields))


def tool(argument: str) -> dict:
    """A tool that the simulator calls with this argument."""
    parameters = {"type": "object", "properties": {"note": {"type": "string", "enum": [argument]}}, "required": ["note"]}
    return {"type": "function", "function": {"name": "note", "parameters": parameters}}


def assert_ends_blocked(answer: Response, rule: str, text: str, before: str) -> None:
    """A stream that ends with the rule's error event and `[DONE]`, and has shown nothing of the text."""
    assert answer.status == 200 and not answer.torn and answer.done
    [error] = answer.stream_errors
    assert json.loads(answer.events[-2]) == {"error": error}
    assert set(error) == {"type", "message", "code", "param", "rule"}
    assert (error["type"], error["code"], error["param"], error["rule"]) == ("forbidden", "guardrail_blocked", None, rule)
    assert rule in error["message"] and text.lower().encode() not in answer.body.lower()
    assert before.startswith(answer.streamed_text)
    assert not any(choice["finish_reason"] for chunk in answer.chunks for choice in chunk["choices"])


def adjustments(answer: Response) -> list[str]:
    """What a stream says at its end that was changed: in the last chunk, or in the one before usage."""
    last = [chunk for chunk in answer.chunks if chunk["choices"]][-1]
    return next(chunk["routing"]["adjustments"] for chunk in (answer.chunks[-1], last) if "adjustments" in chunk.get("routing", {}))


@every_model
@pytest.mark.parametrize("text", [PHRASE, f"It is {PHRASE.title()}, of course.", f"Grüße 世界 \U0001f600 {PHRASE}"])
def test_a_phrase_in_a_whole_answer_is_blocked(fresh, sim, model, text):
    sim.behave(PROVIDER[model], text=text)
    answer = ask(fresh.shared("block"), model)
    error = assert_error(answer, 403, "forbidden", "guardrail_blocked", None, more=("rule",))
    assert error["rule"] == "project-x" and PHRASE.encode() not in answer.body.lower()


@every_model
def test_a_phrase_in_a_whole_answer_is_replaced(fresh, sim, model):
    sim.behave(PROVIDER[model], text=f'"A" \U0001f600 {PHRASE}\nand {PHRASE.upper()}.')
    answer = ask(fresh.shared("redact"), model)
    assert answer.status == 200 and answer.text == f'"A" \U0001f600 {REPLACED}\nand {REPLACED}.'
    assert answer.header("content-length") == str(len(answer.body))
    assert "redacted project-x in the answer (2)" in answer.routing["adjustments"]
    assert answer.json()["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("case", FOUND)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_detector_replaces_in_answers_too(fresh, sim, case, stream):
    sim.behave("openai", text=f"It is {FOUND[case]}, as agreed.", chunks=60)  # a character each
    answer = ask(fresh.shared("redact"), stream=stream)
    text = answer.streamed_text if stream else answer.text
    assert text == f"It is {PLACEHOLDER.format('secrets')}, as agreed."
    assert "redacted secrets in the answer (1)" in (adjustments(answer) if stream else answer.routing["adjustments"])


def test_every_choice_is_looked_at(fresh, sim):
    sim.behave("openai", text=f"It is {PHRASE}.", chunks=4)
    whole = ask(fresh.shared("redact"), n=2)
    assert [choice["message"]["content"] for choice in whole.json()["choices"]] == [f"It is {REPLACED}."] * 2
    stream = ask(fresh.shared("redact"), n=2, stream=True)
    for index in range(2):
        pieces = [choice["delta"].get("content") or "" for chunk in stream.chunks for choice in chunk["choices"] if choice["index"] == index]
        assert "".join(pieces) == f"It is {REPLACED}."
    blocked = ask(fresh.shared("block"), n=2, stream=True)
    assert blocked.done and [error["rule"] for error in blocked.stream_errors] == ["project-x"] and PHRASE not in blocked.streamed_text


@every_model
@every_cut
def test_a_phrase_that_two_events_share_ends_the_stream(fresh, sim, model, cut):
    sim.behave(PROVIDER[model], text=halved(PHRASE, cut), chunks=2)
    answer = ask(fresh.shared("block"), model, stream=True, stream_options={"include_usage": True})
    assert_ends_blocked(answer, "project-x", PHRASE, "." * len(PHRASE))


@every_model
@every_cut
def test_a_phrase_that_two_events_share_is_replaced(fresh, sim, model, cut):
    sim.behave(PROVIDER[model], text=halved(PHRASE, cut), chunks=2)
    answer = ask(fresh.shared("redact"), model, stream=True)
    assert answer.done and answer.streamed_text == halved(PHRASE, cut).replace(PHRASE, REPLACED)
    assert "redacted project-x in the answer (1)" in adjustments(answer)


@every_model
@pytest.mark.parametrize("chunks", [1, 3, 4, 7, 1000])
@pytest.mark.parametrize("split_bytes", [None, 13], ids=lambda size: f"writes of {size}")
def test_however_a_stream_is_cut_it_says_the_same(fresh, sim, model, chunks, split_bytes):
    text = f"{PHRASE} is {PHRASE.upper()} and projectproject x, not project y. Grüße 世界 {PHRASE}"
    sim.behave(PROVIDER[model], text=text, chunks=chunks, split_bytes=split_bytes)
    answer = ask(fresh.shared("redact"), model, stream=True, stream_options={"include_usage": True})
    assert answer.done and answer.streamed_text == re.sub(PHRASE, REPLACED, text, flags=re.IGNORECASE)
    assert "redacted project-x in the answer (4)" in adjustments(answer)
    assert answer.chunks[-1]["usage"]["total_tokens"] > 0
    blocked = ask(fresh.shared("block"), model, stream=True)
    if blocked.status == 200:  # nothing stands before the phrase, so the answer may not have begun
        assert_ends_blocked(blocked, "project-x", PHRASE, "")
    else:
        assert_error(blocked, 403, "forbidden", "guardrail_blocked", more=("rule",))


@every_model
def test_what_only_begins_like_a_phrase_passes_to_the_last_character(fresh, sim, model):
    for end in range(1, len(PHRASE)):
        sim.behave(PROVIDER[model], text=f"It is {PHRASE[:end]}", chunks=50)
        answer = ask(fresh.shared("block"), model, stream=True)
        assert answer.done and answer.streamed_text == f"It is {PHRASE[:end]}" and not answer.stream_errors


@every_model
def test_text_is_held_no_longer_than_a_rule_needs(fresh, sim, model):
    text = "Nothing here has to wait for the end of it all. " * 20 + PHRASE
    sim.behave(PROVIDER[model], text=text, chunks=96, chunk_interval_ms=10)
    answer = ask(fresh.shared("block"), model, stream=True)
    before = text.removesuffix(PHRASE)
    assert_ends_blocked(answer, "project-x", PHRASE, before)
    assert len(answer.streamed_text) >= len(before) - LONGEST_RULE
    assert answer.first_byte < FIRST_TOKEN_TIMEOUT_MS / 1000 < answer.seconds
    assert len(answer.arrivals) > 40, "the events came together"


@every_model
def test_a_stream_that_breaks_while_text_is_held_ends_as_broken(fresh, sim, model):
    sim.behave(PROVIDER[model], text=f"It is {PHRASE} and more", chunks=6)
    sim.fault(PROVIDER[model], "end_mid_stream", after_chunks=3)  # amid the phrase
    answer = ask(fresh.shared("block"), model, stream=True)
    assert not answer.done and [error["type"] for error in answer.stream_errors] == ["no_provider_available"]


@every_model
def test_the_arguments_of_a_tool_call_are_looked_at(fresh, sim, model):
    sim.behave(PROVIDER[model], tool_calls=True, chunks=9)
    fields = {"tools": [tool(f"of {PHRASE}.")]}

    blocked = fresh.shared("block-answers")
    assert_error(ask(blocked, model, **fields), 403, "forbidden", "guardrail_blocked", more=("rule",))
    ended = ask(blocked, model, stream=True, **fields)
    assert ended.done and [error["rule"] for error in ended.stream_errors] == ["project-x"]
    assert PHRASE not in arguments(ended)

    redacted = fresh.shared("redact-answers")
    [call] = ask(redacted, model, **fields).json()["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"note": f"of {REPLACED}."}
    assert json.loads(arguments(ask(redacted, model, stream=True, **fields))) == {"note": f"of {REPLACED}."}


def arguments(answer: Response) -> str:
    """The arguments of the first tool call of a stream, put together."""
    calls = [call for chunk in answer.chunks for choice in chunk["choices"] for call in choice["delta"].get("tool_calls") or []]
    return "".join(call["function"].get("arguments") or "" for call in calls)


def test_log_probabilities_do_not_spell_what_was_replaced(fresh, sim):
    sim.behave("openai", text=f"It is {PHRASE}.", chunks=4)
    for stream in (False, True):
        answer = ask(fresh.shared("redact"), logprobs=True, stream=stream)
        assert answer.status == 200
        tokens = re.findall(rb'"token":\s*"([^"]*)"', answer.body)
        assert PHRASE.encode() not in b"".join(tokens)


def test_what_the_client_asked_is_not_looked_for_in_the_answer_of_a_rule_for_requests(fresh, sim):
    sim.behave("openai", text=f"It is {PHRASE}.")
    assert ask(fresh.shared("bounds"), max_tokens=50).text == f"It is {PHRASE}."


@every_model
def test_a_blocked_answer_is_charged(fresh, sim, model):
    caller = fresh("block-metered")
    sim.behave(PROVIDER[model], text=f"It is {PHRASE}.", tokens={"prompt": 100, "completion": 50})
    assert ask(caller, model).status == 403
    assert caller.spent() == cost(100, 50)
    usage = caller.usage()
    assert usage["tokens"]["used"] == 150


@every_model
def test_a_blocked_stream_is_charged_for_what_was_produced(fresh, sim, model):
    caller = fresh("block-metered")
    sim.behave(PROVIDER[model], text="word " * 100 + PHRASE + " word" * 20, chunks=20)
    answer = ask(caller, model, stream=True, messages=[{"role": "user", "content": "word " * 400}])
    assert_ends_blocked(answer, "project-x", PHRASE, "word " * 100)
    spent = caller.spent()
    assert cost(200, 50) <= spent <= cost(2000, 400, cache_write=2000)


def test_blocked_answers_do_not_make_a_provider_unhealthy(fresh, sim):
    caller = fresh.shared("block")
    sim.behave("openai", text=PHRASE)
    for _ in range(4):
        assert ask(caller).status == 403
    assert caller.call("GET", "/v1/models/meter").json()["health"] == "healthy"


def test_nobody_else_is_asked_when_an_answer_is_blocked(fresh, sim):
    sim.behave("openai", text=PHRASE)
    assert ask(fresh.shared("block"), "meter-pair", route={"fallbacks": ["meter-dear"]}).status == 403
    assert [len(sim.requests(name)) for name in ("openai", "groq")] == [1, 0]


def test_a_blocked_answer_is_in_no_log(fresh, sim, stack):
    phrase = stack.secrets.phrase
    sim.behave("openai", text=f"It is {phrase}.", chunks=5)
    assert ask(fresh.shared("block")).status == 403
    assert ask(fresh.shared("block"), stream=True).stream_errors
    assert not any(phrase in text for text in stack.logs().values())
