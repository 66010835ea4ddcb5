"""Requests made from the public document: whatever is sent, the answer is one that the document has, and nothing traps.

The same requests are made in every run.
"""

import json
import urllib.parse
from collections import Counter

import hypothesis
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway import assert_error
from probes import Probes
from programs import ROOT, TARGET
from schema import TEXT, Document, damaged, torn, written

hypothesis.configuration.set_hypothesis_home_dir(TARGET / "hypothesis")

DOCUMENT = Document(ROOT / "docs/openapi.yaml")

# What is called; the document has nothing else.
PRESENT = ["createChatCompletion", "createEmbedding", "listModels", "retrieveModel", "showUsage", "checkHealth"]

WITH_BODY = [name for name in PRESENT if DOCUMENT.operations[name].body]
WITHOUT_BODY = [name for name in PRESENT if not DOCUMENT.operations[name].body]

# The least that is asked of each, of a model that takes everything the document has.
LEAST = {
    "createChatCompletion": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi."}]},
    "createEmbedding": {"model": "text-embedding-3-small", "input": "Hi."},
}

# What has to stand beside a member, and members that hang together with others in ways no schema says.
TOOLS = [{"type": "function", "function": {"name": "look"}}]
BESIDE = {
    "stream_options": {"stream": True}, "top_logprobs": {"logprobs": True}, "parallel_tool_calls": {"tools": TOOLS},
    "function_call": {"functions": [TOOLS[0]["function"]]},
    "response_format": {"messages": [{"role": "user", "content": "Answer in JSON."}]},
}
NOT_ALONE = {"messages", "tool_choice"}

# Refusals of a body as a whole name no member.
OF_THE_WHOLE = {"invalid_json", "request_too_large", "malformed_http"}


def generated(examples: int):
    """So many examples, the same ones in every run; a failing one is not made smaller, which could take minutes."""
    return settings(max_examples=examples, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
                    suppress_health_check=[HealthCheck.too_slow])


@st.composite
def conversations(draw) -> list[dict]:
    """Turns as a model knows them: calls of tools are answered at once."""
    turns = draw(st.lists(DOCUMENT.values(MESSAGES[0]), max_size=1))
    for place in range(draw(st.integers(1, 2))):
        turns.append(draw(DOCUMENT.values(MESSAGES[1])))
        if draw(st.booleans()):
            turns.append({"role": "assistant", "content": "Let me see.", "tool_calls": [
                {"id": f"call_{place}", "type": "function", "function": {"name": "look", "arguments": "{}"}}]})
            turns.append({"role": "tool", "tool_call_id": f"call_{place}", "content": draw(TEXT)})
    turns.append({"role": "user", "content": "Answer in JSON." + draw(TEXT)})
    return turns


MESSAGES = DOCUMENT.schemas["Message"]["oneOf"]
INSTEAD = {"Conversation": conversations()}


def bodies(name: str) -> st.SearchStrategy:
    """Bodies that conform to the document and make sense."""
    return DOCUMENT.values(DOCUMENT.operations[name].body, INSTEAD).map(coherent)


def coherent(body: dict) -> dict:
    """Without what OpenAI refuses of members that depend on one another, which no schema says."""
    given = {name for name, value in body.items() if value is not None}
    drop = {"max_tokens"} & given if "max_completion_tokens" in given else set()
    if not body.get("tools"):
        drop |= {"tools", "tool_choice", "parallel_tool_calls"}
    if not body.get("functions"):
        drop |= {"functions", "function_call"}
    if body.get("stream") is not True:
        drop |= {"stream_options"}
    if body.get("logprobs") is not True:
        drop |= {"top_logprobs"}
    body = {name: value for name, value in body.items() if name not in drop}
    if isinstance(choice := body.get("tool_choice"), dict):
        # It would have to name one of the tools.
        body["tool_choice"] = choice if choice["type"] == "allowed_tools" else "auto"
    return body


def judge(answer, operation, sim, marker: str | None = None) -> None:
    """The answer is one of those the document has for this operation, in form and in content."""
    assert not answer.torn
    assert answer.header("x-request-id"), answer.headers
    assert answer.status < 500 and str(answer.status) in operation.responses, f"{answer.status}: {answer.body[:400]!r}"
    documented = operation.responses[str(answer.status)]
    media = answer.header("content-type")
    assert media in documented, media
    if media == "text/event-stream":
        assert answer.done and not answer.stream_errors
        for chunk in answer.chunks:
            assert not (wrong := DOCUMENT.complaint(documented[media], chunk)), f"{wrong}: {chunk}"
        return
    assert answer.header("content-length") == str(len(answer.body))
    whole = answer.json()
    assert not (wrong := DOCUMENT.complaint(documented[media], whole)), f"{wrong}: {whole}"
    if answer.status == 400 and whole["error"]["param"] is None and whole["error"]["code"] not in OF_THE_WHOLE:
        # Not every provider says what was wrong with what it refused; we always do.
        keys = [key for name in sim.providers for recorded in sim.requests(name) for key in recorded.values("idempotency-key")]
        assert marker in keys, whole
        sim.reset()


class Caller:
    """Sends bodies to one operation and judges the answers."""

    def __init__(self, gateway, sim, name: str):
        self.gateway, self.sim, self.operation = gateway, sim, DOCUMENT.operations[name]
        self.statuses: Counter[int] = Counter()

    def send(self, body: bytes, **options):
        """One call."""
        marker = f"call-{self.statuses.total()}"
        answer = self.gateway.call(self.operation.method, self.operation.path, headers=[("idempotency-key", marker)], body=body, **options)
        self.statuses[answer.status] += 1
        judge(answer, self.operation, self.sim, marker)
        return answer


def test_the_document_has_every_operation_and_its_schemas_are_schemas():
    assert sorted(DOCUMENT.operations) == sorted(PRESENT)
    for schema in DOCUMENT.schemas.values():
        jsonschema_rs.meta.validate(schema)


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_request_of_the_document_is_answered(gateway, sim, name):
    caller = Caller(gateway, sim, name)

    @generated(100)
    @given(bodies(name))
    def holds(body):
        assert not (wrong := DOCUMENT.complaint(caller.operation.body, body)), f"the generator is wrong: {wrong}"
        answer = caller.send(json.dumps(body).encode())
        if answer.status != 200:
            # What is right may be more than the model can do, or than its provider takes; then there is a code, or no member.
            assert body["model"] != LEAST[name]["model"], f"{body}: {answer.body[:400]!r}"
            error = assert_error(answer, 400, "invalid_request")
            assert error["code"] or not error["param"], f"{body}: {error}"

    holds()
    assert caller.statuses[200] > 60, caller.statuses


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_damaged_request_is_answered_or_refused_by_its_member(gateway, sim, name):
    caller = Caller(gateway, sim, name)

    @generated(250)
    @given(written(damaged(bodies(name))), st.booleans())
    def holds(body, chunked):
        caller.send(body, chunked=chunked)

    holds()
    assert caller.statuses[400] > 100 and caller.statuses[200] > 15, caller.statuses


@pytest.mark.parametrize("name", WITH_BODY)
def test_torn_bytes_are_refused_and_never_harm(gateway, sim, name):
    caller = Caller(gateway, sim, name)

    @generated(100)
    @given(torn(written(bodies(name))))
    def holds(body):
        caller.send(body)

    holds()
    assert caller.statuses[400] > 50, caller.statuses


@pytest.mark.parametrize("name", WITH_BODY)
def test_without_a_key_nothing_of_a_body_is_judged(gateway, sim, no_provider_called, name):
    caller = Caller(gateway, sim, name)

    @generated(30)
    @given(written(damaged(bodies(name))), st.sampled_from([None, "nr-" + "0" * 48, "x", "nr-"]))
    def holds(body, key):
        assert caller.send(body, key=key).status == 401

    holds()


@pytest.mark.parametrize("name", WITHOUT_BODY)
def test_a_call_without_a_body_is_answered(gateway, sim, name):
    operation = DOCUMENT.operations[name]
    segments = st.one_of(DOCUMENT.values({"$ref": "#/components/schemas/ModelId"}), TEXT, st.text(max_size=8)).filter(bool)

    @generated(60 if "{id}" in operation.path else 8)
    @given(segments, st.sampled_from(["", "", None, "nr-" + "0" * 48]))
    def holds(segment, key):
        path = operation.path.replace("{id}", urllib.parse.quote(segment, safe=""))
        answer = gateway.call(operation.method, path, key=key)
        judge(answer, operation, sim)
        if path == operation.path:
            assert answer.status == (200 if key == "" or not operation.secured else 401)

    holds()


@pytest.mark.parametrize("name", WITH_BODY)
def test_every_documented_member_is_checked_before_a_provider_is_asked(gateway, no_provider_called, name):
    operation = DOCUMENT.operations[name]
    wrong = [[]]
    for member, schema in DOCUMENT.resolved(operation.body)["properties"].items():
        assert DOCUMENT.complaint(schema, wrong), member
        answer = gateway.call(operation.method, operation.path, body=json.dumps(LEAST[name] | {member: wrong}).encode())
        assert_error(answer, 400, "invalid_request", None)
        assert answer.json()["error"]["param"] in (member, f"{member}[0]"), f"{member}: {answer.body!r}"


@pytest.mark.parametrize("name", WITH_BODY)
def test_the_bounds_in_the_document_are_those_that_are_kept(gateway, sim, name):
    caller, probes = Caller(gateway, sim, name), Probes(DOCUMENT)
    for member, schema in DOCUMENT.resolved(caller.operation.body)["properties"].items():
        for value in probes.of(schema) if member not in NOT_ALONE else []:
            answer = caller.send(json.dumps(LEAST[name] | BESIDE.get(member, {}) | {member: value}).encode())
            error = {} if answer.status == 200 else answer.json()["error"]
            # Without a code it is the gateway that does not like the form, and not a provider or the catalogue a word.
            refused_for_its_form = answer.status == 400 and error["code"] is None
            wrong = DOCUMENT.complaint(schema, value)
            assert refused_for_its_form == bool(wrong), f"{member}: {value!r:.300}: {answer.status} {error}, and the document: {wrong}"
            if wrong:
                assert error["param"].startswith(member), f"{member}: {value}: {error}"
    assert caller.statuses[200] > 30 and caller.statuses[400] > 50, caller.statuses
