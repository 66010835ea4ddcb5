"""A call for every kind of answer, by a workspace that has limits."""

import tenants
from caller import Caller
from gateway import Response, assert_error

BURST = 3  # of the kinds `calls`, `both` and `everything`
USAGE = {"prompt": 100, "completion": 50}


def assert_limited(answer: Response, code: str) -> dict:
    """The answer is a 429 in the API's form."""
    error = assert_error(answer, 429, "rate_limited", code, None)
    assert int(answer.header("retry-after")) >= 1
    assert "retry" in error["message"].lower() and "backoff" in error["message"].lower().replace("-", ""), error
    return error


def exhausted(caller: Caller) -> Caller:
    """The same caller with no call left."""
    while caller.remaining():
        assert caller.chat().status == 200
    return caller


def failing(sim, status: int = 500) -> None:
    for provider in sim.providers:
        sim.fault(provider, "status", status=status)


def all_fail(caller: Caller, sim) -> Response:
    failing(sim)
    return caller.chat("meter-pair")


def refused_by_provider(caller: Caller, sim) -> Response:
    sim.fault("openai", "status", status=400)
    return caller.chat()


ANSWERS = {
    "200 whole": ("both", 200, lambda caller, sim: caller.chat()),
    "200 stream": ("both", 200, lambda caller, sim: caller.chat(stream=True)),
    "200 of Anthropic": ("both", 200, lambda caller, sim: caller.chat("meter-anthropic")),
    "200 stream of Anthropic": ("both", 200, lambda caller, sim: caller.chat("meter-anthropic", stream=True)),
    "200 embedding": ("both", 200, lambda caller, sim: caller.embed()),
    "200 models": ("both", 200, lambda caller, sim: caller.call("GET", "/v1/models")),
    "200 one model": ("both", 200, lambda caller, sim: caller.call("GET", "/v1/models/meter")),
    "200 usage": ("both", 200, lambda caller, sim: caller.call("GET", "/v1/usage")),
    "400 body": ("both", 400, lambda caller, sim: caller.call("POST", "/v1/chat/completions", body=b"{")),
    "400 parameter": ("both", 400, lambda caller, sim: caller.chat(temperature=3)),
    "400 of the provider": ("both", 400, refused_by_provider),
    "402": ("everything", 402, lambda caller, sim: caller.chat()),
    "403 of a rule": ("everything", 403, lambda caller, sim: caller.chat(text=tenants.PHRASE)),
    "404 model": ("both", 404, lambda caller, sim: caller.chat("nothing")),
    "404 one model": ("both", 404, lambda caller, sim: caller.call("GET", "/v1/models/nothing")),
    "415": ("both", 415, lambda caller, sim: caller.call("POST", "/v1/chat/completions", headers=[("content-encoding", "gzip")], body=b"x")),
    "429": ("both", 429, lambda caller, sim: exhausted(caller).chat()),
    "503": ("both", 503, all_fail),
}
