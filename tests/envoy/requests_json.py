"""Requests as raw JSON text, so that a test can compare bytes and not only values."""

import json

_DECODER = json.JSONDecoder()


def members(text: str) -> list[tuple[str, str]]:
    """The members of a JSON object: each key with the exact text of its value, in order."""
    found, at = [], _skip(text, 0)
    assert text[at] == "{", text[:80]
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        assert text[at] == ":", text[at:at + 20]
        start = _skip(text, at + 1)
        _, at = _DECODER.raw_decode(text, start)
        found.append((key, text[start:at]))
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    assert not text[at + 1:].strip(), "something follows the object"
    return found


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"], "type": "string"}},
            "required": ["city"],
        },
    },
}

JSON_SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "greeting", "strict": True,
        "schema": {
            "type": "object", "properties": {"hello": {"type": "string"}},
            "required": ["hello"], "additionalProperties": False,
        },
    },
}

# Valid OpenAI fields beyond the documented ones, their values spelled in ways a re-encoder would change.
UNUSUAL = {
    "top_p": "0.10e1",
    "n": "1",
    "stop": '[ "END" ,\t"\\u0053TOP" ]',
    "presence_penalty": "-0.0",
    "frequency_penalty": "1E-2",
    "logit_bias": '{ "50256" : -100 }',
    "user": '"caf\\u00e9 \\/ \\ud83d\\ude00"',
    "seed": "9007199254740993",
    "logprobs": "false",
    "service_tier": '"auto"',
    "store": "false",
    "metadata": '{"b":"2",  "a":"1"}',
    "parallel_tool_calls": "true",
    "prompt_cache_key": '"k"',
    "safety_identifier": '"s"',
}
