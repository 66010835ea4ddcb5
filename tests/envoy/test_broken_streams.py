"""A stream that breaks after its first token ends as broken: never with a silent `[DONE]`."""

import pytest

from configuration import PROVIDER_OF

MODELS = ["gpt-4o", "claude-sonnet", "llama-3.3-70b"]


def broken(gateway, sim, model, kind, **settings):
    sim.behave(PROVIDER_OF[model], text="One two three four five six", chunks=6)
    sim.fault(PROVIDER_OF[model], kind, **settings)
    return gateway.chat(model, stream=True, stream_options={"include_usage": True}, route={"fallbacks": ["gpt-4o"]})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("after", [1, 2, 5])
@pytest.mark.parametrize("kind", ["end_mid_stream", "sse_error_mid"])
def test_a_stream_that_ends_early_ends_with_an_error_event(gateway, sim, model, after, kind):
    answer = broken(gateway, sim, model, kind, after_chunks=after)

    assert answer.status == 200 and not answer.torn
    assert not answer.done
    assert answer.streamed_text and "One two three four five six".startswith(answer.streamed_text)
    assert answer.chunks[0]["routing"]["selected"] == model
    [error] = answer.stream_errors
    assert "error" in answer.events[-1]
    assert set(error) == {"type", "message", "code", "param"} and error["message"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize("kind", ["reset_mid_stream", "close_mid_stream"])
def test_a_stream_whose_connection_breaks_is_torn_or_ends_with_an_error_event(gateway, sim, model, after, kind):
    answer = broken(gateway, sim, model, kind, after_chunks=after)

    assert answer.status == 200
    assert not answer.done, "a broken stream looks complete"
    assert answer.torn or len(answer.stream_errors) == 1
    assert "One two three four five six".startswith(answer.streamed_text)


@pytest.mark.parametrize("model", MODELS)
def test_nobody_else_is_asked_after_the_first_token(gateway, sim, model):
    broken(gateway, sim, model, "end_mid_stream", after_chunks=2)
    assert [len(sim.requests(name)) for name in sim.providers] == [int(name == PROVIDER_OF[model]) for name in sim.providers]


@pytest.mark.parametrize("model", MODELS)
def test_a_whole_answer_that_breaks_off_is_fetched_from_the_next_candidate(gateway, sim, model):
    fallback = "gpt-4o" if model != "gpt-4o" else "claude-sonnet"
    sim.fault(PROVIDER_OF[model], "truncated_json")
    answer = gateway.chat(model, route={"fallbacks": [fallback]})
    assert answer.status == 200 and answer.json()["model"] == fallback
