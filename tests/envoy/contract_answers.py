"""What a caller is answered: completions, streams, embeddings, models, health."""

import base64
import json
import re
import struct

from configuration import BY_COST, PROVIDER_OF
from contract import Row, Scene, has
from gateway import Response
from requests_json import WEATHER_TOOL

DECISION = ["selected", "objective", "task_class", "candidates_considered", "reason", "provider", "policy", "estimated_cost_usd",
            "attempts", "adjustments"]
ROUTING = [*DECISION, "cost_usd"]
ATTEMPT = {"model", "provider", "outcome", "status", "latency_ms"}
USAGE = {"include_usage": True}


def completion(says: str, body, **fields) -> Row:
    """A row about a whole completion."""
    return Row(says, 200, lambda scene: scene.chat(**fields), headers={"content-type": "application/json"}, body=body)


def chunks(says: str, holds, **fields) -> Row:
    """A row about a stream; `holds` is given the response."""
    headers = {"content-type": r"text/event-stream(;.*)?", "content-length": None, "cache-control": r".*no-(cache|store).*"}
    return Row(says, 200, lambda scene: scene.chat(stream=True, **fields), headers=headers, whole=lambda answer: answer.done and holds(answer))


def vectors(says: str, call, body) -> Row:
    """A row about embeddings."""
    return Row(says, 200, call, headers={"content-type": "application/json"}, body=body)


def failing_over(scene: Scene) -> Response:
    return scene.failing("openai", status=429).chat(route={"fallbacks": ["llama-3.3-70b"]})


def calling_a_tool(scene: Scene, stream: bool) -> Response:
    scene.sim.behave("openai", tool_calls=True)
    return scene.chat(tools=[WEATHER_TOOL], stream=stream)


def saying(text: str):
    def call(scene: Scene) -> Response:
        scene.sim.behave("openai", text=text)
        return scene.chat()
    return call


def lengths(body: dict) -> list[int]:
    """How many numbers each vector has."""
    return [len(item["embedding"]) if isinstance(item["embedding"], list) else len(base64.b64decode(item["embedding"])) // 4
            for item in body["data"]]


def same_in_both_forms(scene: Scene) -> Response:
    floats = scene.embed(dimensions=8).json()["data"][0]["embedding"]
    answer = scene.embed(dimensions=8, encoding_format="base64")
    decoded = struct.unpack("<8f", base64.b64decode(answer.json()["data"][0]["embedding"]))
    assert all(abs(one - other) < 1e-6 for one, other in zip(floats, decoded, strict=True))
    return answer


CHAT = [
    completion("a completion's id begins with nrc_", lambda body: re.fullmatch(r"nrc_[0-9a-f]{32}", body["id"])),
    Row("a completion's id is its x-request-id", 200, lambda scene: scene.chat(),
        whole=lambda answer: answer.json()["id"] == "nrc_" + answer.header("x-request-id").replace("-", "")),
    completion("a completion's object is chat.completion", lambda body: body["object"] == "chat.completion"),
    completion("a completion's created is a Unix time", lambda body: body["created"] > 1_700_000_000),
    completion("a completion's model is the catalogue's id", lambda body: body["model"] == "claude-sonnet", model="claude-sonnet"),
    completion("auto answers with the id of the model chosen", lambda body: body["model"] in BY_COST, model="auto"),
    completion("a choice has index, message and finish_reason",
               lambda body: has(body, "choices", 0, "index") == 0 and has(body, "choices", 0, "finish_reason") == "stop"),
    Row("a message has the model's text", 200, saying('"Hello" \\ \n \U0001f600'), body=lambda body: (
        has(body, "choices", 0, "message", "role"), has(body, "choices", 0, "message", "content")) == ("assistant", '"Hello" \\ \n \U0001f600')),
    completion("n choices are answered", lambda body: [choice["index"] for choice in body["choices"]] == [0, 1, 2], n=3),
    completion("usage adds up", lambda body: body["usage"]["total_tokens"]
               == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"] > 0),
    completion("usage shows cached tokens", lambda body: has(body, "usage", "prompt_tokens_details", "cached_tokens") == 0),
    completion("usage shows reasoning tokens", lambda body: has(body, "usage", "completion_tokens_details", "reasoning_tokens") == 0),
    Row("a tool call has id, type, name and arguments", 200, lambda scene: calling_a_tool(scene, False),
        body=lambda body: has(body, "choices", 0, "finish_reason") == "tool_calls"
        and json.loads(has(body, "choices", 0, "message", "tool_calls", 0, "function", "arguments")).keys() >= {"city"}),
    Row("a HEAD request has no body", 200, lambda scene: scene.gateway.call("HEAD", "/v1/models"), whole=lambda answer: not answer.body),
]

ROUTED = [
    *(completion(f"routing has {name}", lambda body, name=name: name in body["routing"]) for name in ROUTING),
    completion("routing has nothing else", lambda body: list(body["routing"]) == ROUTING),
    completion("routing.selected is the model", lambda body: has(body, "routing", "selected") == body["model"], model="auto"),
    completion("routing.objective is the default one", lambda body: has(body, "routing", "objective") == "quality-per-dollar"),
    completion("routing.objective is the request's", lambda body: has(body, "routing", "objective") == "cost", route={"objective": "cost"}),
    completion("routing.candidates_considered counts", lambda body: has(body, "routing", "candidates_considered") == 3, model="auto"),
    completion("routing.reason is a sentence", lambda body: len(has(body, "routing", "reason")) > 10),
    completion("routing.provider is the configuration's name", lambda body: has(body, "routing", "provider") == "anthropic", model="claude-sonnet"),
    completion("routing.attempts has every attempt", lambda body: [set(one) for one in has(body, "routing", "attempts")] == [ATTEMPT]),
    completion("routing.adjustments is empty when nothing was changed", lambda body: has(body, "routing", "adjustments") == []),
    completion("routing.adjustments lists what was left out", lambda body: any("seed" in one for one in has(body, "routing", "adjustments")),
               model="claude-sonnet", seed=1),
    Row("a failed attempt is listed and the next one answers", 200, failing_over, body=lambda body: [
        (one["model"], one["outcome"], one["status"]) for one in has(body, "routing", "attempts")] == [
            ("gpt-4o", "status", 429), ("llama-3.3-70b", "ok", 200)]),
]

STREAM = [
    chunks("a stream's objects are chat.completion.chunk", lambda answer: {chunk["object"] for chunk in answer.chunks} == {"chat.completion.chunk"}),
    chunks("a stream has one id", lambda answer: len({chunk["id"] for chunk in answer.chunks}) == 1 and answer.chunks[0]["id"].startswith("nrc_")),
    chunks("a stream's first chunk has the role", lambda answer: has(answer.chunks[0], "choices", 0, "delta", "role") == "assistant"),
    chunks("a stream's first chunk has routing", lambda answer: list(answer.chunks[0]["routing"]) == DECISION),
    chunks("a stream's other chunks have no routing", lambda answer: not any("routing" in chunk for chunk in answer.chunks[1:])),
    chunks("a stream's cost stands beside its usage", lambda answer: answer.chunks[-1]["routing"]["cost_usd"] > 0
           and not any("routing" in chunk for chunk in answer.chunks[1:-1]), stream_options=USAGE),
    chunks("a stream's text adds up", lambda answer: answer.streamed_text == "This is a simulated answer."),
    chunks("a stream's finish_reason comes once", lambda answer: [
        choice["finish_reason"] for chunk in answer.chunks for choice in chunk["choices"] if choice["finish_reason"]] == ["stop"]),
    chunks("a stream's last chunk has usage when it is asked for",
           lambda answer: answer.chunks[-1]["choices"] == [] and answer.chunks[-1]["usage"]["total_tokens"] > 0, stream_options=USAGE),
    chunks("a stream has no usage when it is not asked for", lambda answer: not any(chunk.get("usage") for chunk in answer.chunks)),
    chunks("a translated stream is the same", lambda answer: answer.streamed_text == "This is a simulated answer."
           and answer.chunks[-1]["usage"]["total_tokens"] > 0, model="claude-sonnet", stream_options=USAGE),
    Row("a streamed tool call adds up", 200, lambda scene: calling_a_tool(scene, True), whole=lambda answer: answer.done and "city" in json.loads("".join(
        call["function"].get("arguments") or "" for chunk in answer.chunks for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls") or []))),
]

EMBEDDINGS = [
    vectors("embeddings are a list of numbered vectors", lambda scene: scene.embed(), lambda body: body["object"] == "list" and [
        (item["object"], item["index"]) for item in body["data"]] == [("embedding", 0)]),
    vectors("embeddings name the catalogue's model", lambda scene: scene.embed(), lambda body: body["model"] == "text-embedding-3-small"),
    vectors("embeddings have usage", lambda scene: scene.embed(), lambda body: body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > 0),
    vectors("embeddings have routing", lambda scene: scene.embed(), lambda body: list(body["routing"]) == ROUTING
            and has(body, "routing", "selected") == "text-embedding-3-small" and has(body, "routing", "provider") == "openai"),
    vectors("an input may be a string", lambda scene: scene.embed("Hi."), lambda body: lengths(body) == [1536]),
    vectors("an input may be an array of strings", lambda scene: scene.embed(["Hi.", "And bye."]), lambda body: lengths(body) == [1536] * 2),
    vectors("an input may be an array of tokens", lambda scene: scene.embed([1, 2, 3]), lambda body: lengths(body) == [1536]),
    vectors("an input may be an array of token arrays", lambda scene: scene.embed([[1, 2], [3]]), lambda body: lengths(body) == [1536] * 2),
    vectors("vectors are floats by default", lambda scene: scene.embed(), lambda body: isinstance(has(body, "data", 0, "embedding", 0), float)),
    vectors("vectors are floats by encoding_format float", lambda scene: scene.embed(encoding_format="float"),
            lambda body: isinstance(has(body, "data", 0, "embedding", 0), float)),
    vectors("vectors are text by encoding_format base64", lambda scene: scene.embed(encoding_format="base64"),
            lambda body: isinstance(has(body, "data", 0, "embedding"), str) and lengths(body) == [1536]),
    vectors("vectors are the same in both encodings", same_in_both_forms, lambda body: True),
    vectors("dimensions shortens vectors", lambda scene: scene.embed(dimensions=64), lambda body: lengths(body) == [64]),
    vectors("an embedding takes user", lambda scene: scene.embed(user="somebody"), lambda body: lengths(body) == [1536]),
    vectors("an embedding takes route", lambda scene: scene.embed(route={"objective": "cost"}), lambda body: has(body, "routing", "objective") == "cost"),
    vectors("auto chooses an embedding model", lambda scene: scene.embed(model="auto"), lambda body: body["model"] == "text-embedding-3-small"),
]

MODEL = {"id", "object", "created", "owned_by", "provider", "kind", "context_window", "input_per_m", "output_per_m", "health",
         "success_rate", "latency"}
LISTED = [
    Row("models are listed", 200, lambda scene: scene.get("/v1/models"), headers={"content-type": "application/json"}, body=lambda body:
        body["object"] == "list" and {model["id"] for model in body["data"]} == {*PROVIDER_OF, "text-embedding-3-small"}),
    Row("a model has its documented members", 200, lambda scene: scene.get("/v1/models/gpt-4o"), body=lambda body: set(body) >= MODEL),
    Row("a chat model has max_output_tokens", 200, lambda scene: scene.get("/v1/models/gpt-4o"), body=lambda body: body["max_output_tokens"] == 16_384),
    Row("an embedding model has kind and dimensions", 200, lambda scene: scene.get("/v1/models/text-embedding-3-small"),
        body=lambda body: (body["kind"], body["dimensions"]) == ("embedding", 1536)),
    Row("health needs no key", 200, lambda scene: scene.get("/healthz", key=None), body=lambda body: body == {"status": "ok"}),
]

ROWS = [*CHAT, *ROUTED, *STREAM, *EMBEDDINGS, *LISTED]
