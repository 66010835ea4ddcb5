"""What a caller may send: every documented field reaches the provider, and what it may not be is refused with its name."""

import json

from contract import Row, Scene
from gateway import Response
from requests_json import JSON_SCHEMA, WEATHER_TOOL

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
FUNCTION = WEATHER_TOOL["function"]

# Fields that an OpenAI-protocol provider gets as they are.
PASSED = {
    "temperature": [0, 0.7, 2], "top_p": [0, 1], "n": [1, 3], "stop": ["END", ["A", "B", "C", "D"]], "max_tokens": [1, 500],
    "max_completion_tokens": [1, 500], "presence_penalty": [-2, 2.0], "frequency_penalty": [-2.0, 2], "logit_bias": [{}, {"50256": -100}],
    "user": ["somebody"], "seed": [0, -7, 2**53], "logprobs": [True, False], "response_format": [{"type": "text"}, {"type": "json_object"}, JSON_SCHEMA],
    "tools": [[WEATHER_TOOL]], "metadata": [{"a": "b"}], "store": [False], "service_tier": ["auto"], "reasoning_effort": ["low"],
    "prompt_cache_key": ["k"], "safety_identifier": ["s"], "verbosity": ["low"],
}
# Fields that need another one beside them.
TOGETHER = {
    "top_logprobs": ({"logprobs": True}, [0, 20]),
    "parallel_tool_calls": ({"tools": [WEATHER_TOOL]}, [True, False]),
    "tool_choice": ({"tools": [WEATHER_TOOL]}, ["none", "auto", "required", {"type": "function", "function": {"name": "get_weather"}}]),
}
# The field that the refusal names, by default its own; for each, values it may not have.
REFUSED = {
    "temperature": [-0.1, 2.1, "hot", True, []], "top_p": [-0.1, 1.1, "1"], "n": [0, -1, 129, 1.5, "3"], "stop": [7, {}],
    "max_tokens": [0, -1, 1.5, "many", 2**64], "max_completion_tokens": [0, -1, "many"], "presence_penalty": [-2.1, 2.1, "x"],
    "frequency_penalty": [-2.1, 2.1, {}], "user": [7], "seed": [1.5, "x"], "logprobs": ["yes", 1], "top_logprobs": [-1, 21, "x"],
    "stream": ["yes", 1], "stream_options": [7, []], "tools": [7], "tool_choice": [7, "sometimes"], "parallel_tool_calls": ["yes"],
    "response_format": ["json"], "metadata": [7], "store": ["yes"], "service_tier": [7], "reasoning_effort": [7], "logit_bias": [7, []],
    "messages": [[], "Hi.", 7, {}], "model": [7, [], {}, ""], "route": [7, "cost", []],
}
# Where the fault lies deeper, the path of the member is named.
DEEPER = {
    "logit_bias.50256": {"logit_bias": {"50256": 101}}, "stop[1]": {"stop": ["A", 7]}, "stop[4]": {"stop": ["A", "B", "C", "D", "E"]},
    "stream_options.include_usage": {"stream_options": {"include_usage": 7}},
    "response_format.type": {"response_format": {"type": "xml"}}, "tools[0].type": {"tools": [{"function": FUNCTION}]},
    "tools[0].function": {"tools": [{"type": "function"}]}, "tools[0].function.name": {"tools": [{"type": "function", "function": {}}]},
    "messages[0].role": {"messages": [{"role": "robot", "content": "Hi."}]},
    "messages[1].content": {"messages": [{"role": "user", "content": "Hi."}, {"role": "user", "content": 7}]},
    "messages[0].content[1]": {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi."}, {"text": "Hi."}]}]},
    "route.objective": {"route": {"objective": "cheapest"}}, "route.task_class": {"route": {"task_class": "poetry"}},
    "route.max_latency_ms": {"route": {"max_latency_ms": 0}}, "route.fallbacks": {"route": {"fallbacks": "gpt-4o"}},
    "route.fallbacks[1]": {"route": {"fallbacks": ["gpt-4o", 7]}}, "route.unknown": {"route": {"unknown": 1}},
}
EMBEDDING_REFUSED = {
    "input": ["", [], 7, None, {}], "encoding_format": ["hex", 7], "dimensions": [0, -1, "x"], "user": [7], "model": [7, ""], "route": [7],
}
WORDS = {
    "route.objective": ("quality-per-dollar", "quality", "cost", "latency"),
    "route.unknown": ("objective", "fallbacks", "max_latency_ms", "task_class"),
    "route.task_class": ("code", "math", "extraction", "summarization", "translation", "qa", "reasoning", "creative", "chat", "classification", "tools"),
}


def shown(value) -> str:
    """A value in a row's name."""
    text = json.dumps(value)
    return text if len(text) < 40 else text[:36] + "…"


def reaches(name: str, value, beside: dict) -> Row:
    def call(scene: Scene) -> Response:
        scene.sim.behave("openai", validate=False)  # whether the provider would take it is not the question
        answer = scene.chat(**{name: value}, **beside)
        assert scene.sim.only("openai").json()[name] == value
        return answer
    return Row(f"{name} {shown(value)} reaches the provider", 200, call)


def refused(name: str, value) -> Row:
    def call(scene: Scene) -> Response:
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi."}]} | {name: value}
        return unasked(scene, scene.gateway.post(json.dumps(body).encode()))
    return Row(f"{name} may not be {shown(value)}", 400, call, param=name)


def unasked(scene: Scene, answer: Response) -> Response:
    """The answer, after which no provider has been asked."""
    assert not any(scene.sim.requests(provider) for provider in scene.sim.providers)
    return answer


def deeper(param: str, fields: dict) -> Row:
    words = WORDS.get(param, ())
    return Row(f"a fault of {param} is named" + (", with the valid words" if words else ""), 400,
               lambda scene: unasked(scene, scene.chat(**fields)), param=param,
               body=lambda body: all(word in body["error"]["message"] for word in words))


def no_embedding(name: str, value) -> Row:
    return Row(f"an embedding's {name} may not be {shown(value)}", 400,
               lambda scene: unasked(scene, scene.embed(**({"text": value} if name == "input" else {name: value}))), param=name)


def needs(what: str, param: str, **fields) -> Row:
    """What no candidate can do is a 400 that says what is missing."""
    return Row(f"{what} goes to nobody who cannot, and the 400 says so", 400,
               lambda scene: unasked(scene, scene.chat("trial-plain", key=scene.callers.stack.secrets.workspace["trial"], **fields)),
               code="unsupported_capability", param=param, body=lambda body: what in body["error"]["message"])


def passed_header(name: str, value: str, arrives: bool) -> Row:
    def call(scene: Scene) -> Response:
        answer = scene.chat(headers=[(name, value)])
        assert (scene.sim.only("openai").values(name) == [value]) is arrives
        return answer
    return Row(f"the header {name} {'reaches' if arrives else 'does not reach'} the provider", 200, call)


def capable(says: str, selected: str, **fields) -> Row:
    """With `auto` only a model that can is asked, cheap as the others may be."""
    return Row(says, 200, lambda scene: scene.chat("auto", key=scene.callers.stack.secrets.workspace["trial"],
                                                   text="json " * 8_000, route={"objective": "cost"}, **fields),
               body=lambda body: body["model"] == selected)


ROWS = [
    *(reaches(name, value, {}) for name, values in PASSED.items() for value in values),
    *(reaches(name, value, beside) for name, (beside, values) in TOGETHER.items() for value in values),
    reaches("a_field_of_next_year", {"deep": [1, None]}, {}),
    *(refused(name, value) for name, values in REFUSED.items() for value in values),
    *(deeper(param, fields) for param, fields in DEEPER.items()),
    *(no_embedding(name, value) for name, values in EMBEDDING_REFUSED.items() for value in values),
    needs("tools", "tools", tools=[WEATHER_TOOL]),
    needs("json_object", "response_format", response_format={"type": "json_object"}),
    needs("json_schema", "response_format", response_format=JSON_SCHEMA),
    needs("vision", "messages", messages=[{"role": "user", "content": [IMAGE]}]),
    needs("reasoning", "reasoning_effort", reasoning_effort="low"),
    capable("a call with tools goes to a model with tools", "trial-tools", tools=[WEATHER_TOOL]),
    capable("a call for a JSON object goes to a model that gives one", "trial-full", response_format={"type": "json_object"}),
    capable("a call for a schema goes to a model that keeps it", "trial-full", response_format=JSON_SCHEMA),
    capable("a call that fits the cheapest model goes there", "trial-plain"),
    Row("n above 1 goes to nobody who cannot, and the 400 says so", 400, lambda scene: unasked(scene, scene.chat("claude-sonnet", n=2)),
        code="unsupported_capability", param="n"),
    passed_header("idempotency-key", "a-key-of-mine", True),
    passed_header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
    passed_header("cookie", "a=b", False),
    passed_header("x-forwarded-for", "203.0.113.9", False),
]
