"""Texts that content rules look for, and every place and way in which a request can hold one."""

import json
from dataclasses import dataclass

from tenants import PHRASE

PLACEHOLDER = "[redacted:{}]"
TOOL = {"type": "function", "function": {"name": "note", "parameters": {"type": "object", "properties": {"note": {"type": "string"}}}}}

# Put together here, so that no scanner takes them for somebody's secrets.
FOUND = {
    "credit card": "4111 1111 1111 1111",
    "credit card with dashes": "5500-0000-0000-0004",
    "credit card of fifteen digits": "378282246310005",
    "email": "ann.o-nym+tag@mail.example.org",
    "phone": "+49 30 90182000",
    "phone with brackets": "+1 (415) 555-2671",
    "iban": "DE89 3704 0044 0532 0130 00",
    "iban in one piece": "GB82WEST12345698765432",
    "ipv4": "192.168.10.254",
    "OpenAI's key": "sk-" + "proj-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6kL9nO2qR5tU8",
    "Anthropic's key": "sk-" + "ant-api03-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6kL9nO2qR5tU8",
    "AWS's key": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub's token": "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6",
    "this gateway's key": "nr-" + "3c1c5f6f77c23c0c423be6ad101256f4efe5efecfddb4a90",
}
NOT_FOUND = {
    "no credit card by Luhn": "4111 1111 1111 1112",
    "no iban by mod 97": "GB82WEST12345698765431",
    "a version": "1.2.3",
    "no address": "999.168.10.254",
    "an at": "look @ this",
    "a short word": "sk-1",
    "a date": "2026-11-22",
    "an amount": "1,234,567.89",
    "half a phrase": "the project of x",
}


@dataclass(frozen=True)
class Place:
    """A place in a request: `body(text)` are the members beside `model` that hold the text, which is JSON's inside of a string."""

    name: str
    template: str

    def body(self, written: str, model: str = "meter") -> bytes:
        """A request with this text, written as inside a JSON string."""
        return (f'{{"model":"{model}","max_tokens":10,' + self.template.replace("TEXT", written) + "}").encode()


def _messages(*messages: str) -> str:
    return '"messages":[' + ",".join([*messages, '{"role":"user","content":"Go on."}']) + "]"


def _role(role: str) -> Place:
    return Place(f"role {role}", _messages(f'{{"role":"{role}","content":"TEXT"}}'))


CALLS = '{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"note","arguments":"ARGUMENTS"}}]}'
RESULT = '{"role":"tool","tool_call_id":"c1","content":CONTENT}'
TOOLS = ',"tools":' + json.dumps([TOOL])

PLACES = [
    _role("user"), _role("system"), _role("developer"), _role("assistant"),
    Place("the name of a user", _messages('{"role":"user","name":"TEXT","content":"Hi."}')),
    Place("a part", _messages('{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"text","text":"TEXT"}]}')),
    Place("a part beside an image", _messages(
        '{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},{"type":"text","text":"TEXT"}]}')),
    Place("a part of a system message", _messages('{"role":"system","content":[{"type":"text","text":"TEXT"}]}')),
    Place("a refusal", _messages('{"role":"assistant","refusal":"TEXT"}')),
    Place("the arguments of a tool", _messages(
        CALLS.replace("ARGUMENTS", '{\\"note\\":\\"TEXT\\"}'), RESULT.replace("CONTENT", '"ok"')) + TOOLS),
    Place("the result of a tool", _messages(CALLS.replace("ARGUMENTS", "{}"), RESULT.replace("CONTENT", '"TEXT"')) + TOOLS),
    Place("a part of a tool's result", _messages(
        CALLS.replace("ARGUMENTS", "{}"), RESULT.replace("CONTENT", '[{"type":"text","text":"TEXT"}]')) + TOOLS),
    Place("the description of a tool", _messages() + ',"tools":' + json.dumps(
        [TOOL | {"function": TOOL["function"] | {"description": "TEXT"}}])),
    Place("the schema of a tool", _messages() + ',"tools":' + json.dumps([TOOL]).replace('"type": "string"', '"type": "string", "description": "TEXT"')),
    Place("a second message of a hundred", _messages(*['{"role":"user","content":"Hi."}'] * 50, '{"role":"user","content":"TEXT"}',
                                                     *['{"role":"user","content":"Hi."}'] * 49)),
]
USER = PLACES[0]
ARGUMENTS = next(place for place in PLACES if place.name == "the arguments of a tool")

# Ways to write the phrase inside a JSON string.
WRITTEN = {
    "as it is": PHRASE,
    "in capitals": PHRASE.upper(),
    "in mixed case": PHRASE.title(),
    "its first letter escaped": "\\u%04x%s" % (ord(PHRASE[0]), PHRASE[1:]),
    "wholly escaped": "".join(f"\\u{ord(char):04x}" for char in PHRASE),
    "wholly escaped in capitals": "".join(f"\\u{ord(char):04X}" for char in PHRASE.upper()),
    "beside other escapes": f'\\"\\n{PHRASE}\\ud83d\\ude00',
    "in the midst of words": f"the {PHRASE}, of course",
    "behind other scripts": f"Grüße 世界 {PHRASE}",
}


def halved(text: str, cut: int) -> str:
    """The text in the midst of another one, whose half ends after so many of its characters."""
    return "." * len(text) + text + "." * (2 * cut)
