"""Providers that are careless or hostile: what a call is charged, what its caller sees, and that nothing of theirs leaks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

import canned
from caller import Caller, Callers, cost
from canned import DONE, USAGE, chunk, completion, stream, usage_chunk, whole
from gateway import Gateway
from stack import Stack, beside

TEXT = "Hello there. " * 40
PROMPT = 6  # of "Say hello.", estimated
HUGE = 2 ** 64 - 1


@dataclass
class Careless:
    """An Envoy whose provider `openai` says what it was told, and callers of it."""

    stack: Stack
    provider: canned.Provider
    callers: Callers

    @property
    def gateway(self) -> Gateway:
        """Its calls as a workspace without limits."""
        return Gateway(self.stack.gateway.port, self.stack.secrets.workspace["acme"])

    def metered(self) -> Caller:
        """A workspace with a budget that nobody has called yet."""
        return self.callers("metered")


@pytest.fixture(scope="module")
def careless(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Careless]:
    with canned.Provider() as provider:
        def configure(config: dict) -> None:
            config["providers"]["openai"]["base_url"] = f"http://127.0.0.1:{provider.port}/v1"
        with beside(stack, tmp_path_factory.mktemp("careless"), configure=configure) as running:
            yield Careless(running, provider, Callers(running))
            assert not running.faults_in_logs()


def estimated(text: str) -> int:
    """Tokens of a text whose provider does not count them."""
    return -(-len(json.dumps(text)[1:-1]) // 4)


# What a provider says it used, and the prompt and the answer that are charged; None: as nothing is said.
SAID = {
    "what was used": (json.dumps(USAGE), 7, 3),
    "fractions": ('{"prompt_tokens":7.0,"completion_tokens":3.0}', 7, 3),
    "no answer": ('{"prompt_tokens":7}', 7, None),
    "an answer of nothing": ('{"prompt_tokens":7,"completion_tokens":0,"total_tokens":7}', 7, None),
    "null": ('{"prompt_tokens":7,"completion_tokens":null}', 7, None),
    "less than nothing": ('{"prompt_tokens":7,"completion_tokens":-3}', 7, None),
    "a sum and no answer": ('{"prompt_tokens":7,"total_tokens":57}', 7, 50),
    "a sum of more than its parts": ('{"prompt_tokens":7,"completion_tokens":3,"total_tokens":57}', 7, 50),
    "zeros": ('{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}', None, None),
    "more than there is": (f'{{"prompt_tokens":{HUGE},"completion_tokens":{HUGE}}}', None, None),
    "an answer of more than there is": (f'{{"prompt_tokens":7,"completion_tokens":{HUGE}}}', 7, None),
    "words": ('{"prompt_tokens":"7","completion_tokens":"3"}', None, None),
    "infinity": ('{"prompt_tokens":1e999,"completion_tokens":1e999}', None, None),
    "no object": ("[7,3]", None, None),
    "nothing": ("null", None, None),
}


@pytest.mark.parametrize("case", SAID)
def test_a_stream_is_charged_whatever_its_provider_says_of_usage(careless, case):
    said, prompt, answer = SAID[case]
    careless.provider.will(*stream(chunk(TEXT), chunk(finish="stop"), usage_chunk(said), DONE))
    caller = careless.metered()
    assert caller.chat(stream=True, max_tokens=1000).done
    assert caller.spent() == cost(PROMPT if prompt is None else prompt, estimated(TEXT) if answer is None else answer)


@pytest.mark.parametrize("case", SAID)
def test_a_whole_answer_is_charged_whatever_its_provider_says_of_usage(careless, case):
    said, prompt, answer = SAID[case]
    body = completion(said, TEXT)
    careless.provider.will(whole(body))
    caller = careless.metered()
    assert caller.chat(max_tokens=1000).text == TEXT
    choices = json.dumps(json.loads(body)["choices"])
    assert caller.spent() == cost(PROMPT if prompt is None else prompt, -(-len(choices) // 4) if answer is None else answer)


EARLY = '{"prompt_tokens":7,"completion_tokens":3}'
HIGH = '{"prompt_tokens":7,"completion_tokens":900}'
# The events of a stream, and the tokens of its answer that are charged.
INTERIM = {
    "every chunk says it": ([chunk("Hi", usage=EARLY), chunk(" there", usage=EARLY), chunk(finish="stop", usage=EARLY), usage_chunk(EARLY), DONE], 3),
    "more at first than at last": ([chunk("Hi", usage=HIGH), chunk(finish="stop"), usage_chunk(EARLY), DONE], 3),
    "more at first, and cut": ([chunk("Hi", usage=HIGH)], 900),
    "only at first": ([chunk("Hi", usage=EARLY), chunk(TEXT), chunk(finish="stop"), DONE], 3 + estimated(TEXT)),
    "only at first, and no farewell": ([chunk("Hi", usage=EARLY), chunk(TEXT), chunk(finish="stop")], 3 + estimated(TEXT)),
    "behind the farewell": ([chunk(TEXT), chunk(finish="stop"), DONE, usage_chunk(HIGH)], estimated(TEXT)),
}


@pytest.mark.parametrize("case", INTERIM)
def test_a_stream_is_charged_once_by_the_last_word_and_what_came_since(careless, case):
    events, answer = INTERIM[case]
    careless.provider.will(*stream(*events))
    caller = careless.metered()
    prompt = PROMPT if case == "behind the farewell" else 7
    assert caller.chat(stream=True, max_tokens=1000).status == 200
    assert caller.spent() == cost(prompt, answer)


def test_what_a_caller_is_told_it_cost_is_what_it_is_charged(careless):
    careless.provider.will(*stream(chunk("Hi", usage=EARLY), chunk(TEXT), chunk(finish="stop"), DONE))
    caller = careless.metered()
    answer = caller.chat(stream=True, max_tokens=1000, stream_options={"include_usage": True})
    told = json.loads(answer.events[-2], parse_float=Decimal)
    assert told["usage"]["completion_tokens"] == 3 + estimated(TEXT)
    assert told["routing"]["cost_usd"] == caller.spent()


@pytest.mark.parametrize(("last", "complete"), [([], False), ([chunk(finish="stop", index=1)], True)], ids=["one ended", "both ended"])
def test_of_two_choices_both_have_to_end(careless, last, complete):
    careless.provider.will(*stream(chunk("a"), chunk("b", index=1), chunk(finish="stop"), *last))
    answer = careless.gateway.chat(stream=True, n=2)
    assert answer.done == complete
    assert [error["code"] for error in answer.stream_errors] == ([] if complete else ["stream_interrupted"])


HEADERS = "content-type: application/json\r\n" + "".join(f"{name}: canary\r\n" for name in (
    "set-cookie", "server", "openai-organization", "openai-version", "x-ratelimit-remaining-tokens", "x-envoy-upstream-service-time",
    "x-nr-outcome", "location", "link", "alt-svc", "strict-transport-security", "access-control-allow-origin", "content-disposition"))
REDIRECT = "location: http://canary.internal:1/v1\r\n"


@pytest.mark.parametrize(("pieces", "status"), [
    ([whole(completion(), headers=HEADERS)], 200),
    ([b"HTTP/1.1 103 Early Hints\r\nlink: canary\r\n\r\n", whole(completion())], 200),
    ([whole(b"", "302 Found", REDIRECT)], 503),
    ([whole(b"{}", "307 Temporary Redirect", REDIRECT)], 503),
    ([b"HTTP/1.1 101 Switching Protocols\r\nupgrade: canary\r\nconnection: upgrade\r\n\r\n"], 503),
    ([b"HTTP/1.1 204 No Content\r\nx-canary: canary\r\n\r\n"], 503),
    ([b"HTTP/1.1 304 Not Modified\r\netag: canary\r\n\r\n"], 503),
    ([whole(b"<html>canary</html>", headers="content-type: text/html\r\n")], 503),
    ([whole(completion() + b"\x00canary")], 503),
], ids=["headers", "early hints", "302", "307", "101", "204", "304", "a page", "more behind it"])
def test_nothing_but_an_answer_of_a_provider_reaches_the_caller(careless, pieces, status):
    careless.provider.will(*pieces)
    answer = careless.gateway.chat()
    assert answer.status == status
    assert "canary" not in str(answer.headers) and b"canary" not in answer.body


def test_what_a_provider_says_of_routing_is_not_said_in_our_name(careless):
    theirs = chunk(finish="stop").replace(b'"choices"', b'"routing":{"cost_usd":-5,"selected":"theirs"},"choices"')
    careless.provider.will(*stream(chunk("Hi"), theirs, usage_chunk(EARLY), DONE))
    answer = careless.gateway.chat(stream=True)
    assert answer.done and ["routing" in chunk for chunk in answer.chunks] == [True, False]


EVENTS = {
    "lines that end with CR": lambda text: text.replace(b"\n", b"\r"),
    "lines that end with CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "no space": lambda text: text.replace(b"data: ", b"data:"),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "comments": lambda text: b": " + b"x" * 100_000 + b"\n\n" + text,
    "ids and names": lambda text: text.replace(b"data: ", b"id: 7\nretry: 1\nevent: message\ndata: "),
}


@pytest.mark.parametrize("case", EVENTS)
def test_events_are_read_however_they_are_written(careless, case):
    text = EVENTS[case](chunk("Hel") + chunk("lo.") + chunk(finish="stop") + usage_chunk(EARLY) + DONE)
    careless.provider.will(*stream(text))
    answer = careless.gateway.chat(stream=True)
    assert answer.done and answer.streamed_text == "Hello."


BROKEN = {
    "a line without end": [b"data: " + b"x" * 20_000_000],
    "an event of 10 MB": [chunk("y" * 10_000_000), DONE],
    "a zero byte": [chunk("a").replace(b"a", b"\x00", 1), DONE],
    "choices that are no list": [b'data: {"choices":{"a":1}}\n\n', DONE],
    "nothing but the farewell": [DONE],
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_stream_is_left_for_the_next_candidate(careless, sim, case):
    careless.provider.will(*stream(*BROKEN[case]))
    answer = careless.gateway.chat(stream=True, route={"fallbacks": ["llama-3.3-70b"]})
    assert answer.done
    outcomes = [attempt["outcome"] for attempt in answer.chunks[0]["routing"]["attempts"]]
    assert outcomes == ["malformed", "ok"]
