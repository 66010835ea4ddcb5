"""`nr explain` says what the filter decides: the same bytes, from a native program and from a module in V8."""

import itertools
import json
import subprocess

import pytest

import programs
import stack as stacks
from requests_json import JSON_SCHEMA, WEATHER_TOOL, members

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
DRY = {"dry_run": True, "explain": True}

PROMPTS = {
    "hello": "Say hello.",
    "code": "Write a Rust function that merges two sorted slices.\n```rust\nfn merge(a: &[u32], b: &[u32]) -> Vec<u32> {\n```",
    "python": "Why does `for i in range(len(x)): del x[i]` raise IndexError?\n\n```python\nx = [1, 2, 3]\n```",
    "maths": "Prove that \\(\\sqrt{2}\\) is irrational, then compute 17^23 mod 101 and \u222b\u2080\u00b9 x\u00b2 e\u02e3 dx.",
    "german": "\u00dcbersetze ins Franz\u00f6sische: \u201eDer gro\u00dfe Fu\u00df st\u00f6\u00dft an die T\u00fcr.\u201c",
    "japanese": "\u6b21\u306e\u6587\u7ae0\u3092\u4e09\u884c\u3067\u8981\u7d04\u3057\u3066\u304f\u3060\u3055\u3044\u3002\u543e\u8f29\u306f\u732b\u3067\u3042\u308b\u3002",
    "arabic": "\u0627\u0634\u0631\u062d \u0644\u064a \u0643\u064a\u0641 \u062a\u0639\u0645\u0644 \u0627\u0644\u0637\u0627\u0626\u0631\u0629",
    "emoji": "Classify as positive or negative: \U0001f600\U0001f44d\U0001f3fd great!! \u0000 \\u0041 \"quoted\" \\ / \t\r\n",
    "extraction": "Extract name, date and amount as JSON from: Invoice 4711, Ann Nonym, 2026-11-22, 1.234,56 EUR.",
    "digits": "3.14159 " * 60,
    "long": "It was the best of times, it was the worst of times. " * 3_000,
    "longer than most windows": "word " * 150_000,
    "creative": "Write a sonnet about a proxy that dreams of electric sheep.",
    "hard": "Let G be a finite group of order p^2 q with p < q primes. Show step by step that G is solvable; consider the Sylow subgroups.",
}
TURNS = [
    {"role": "system", "content": "You are terse. Answer in JSON."},
    {"role": "user", "content": "How tall is Mont Blanc?"},
    {"role": "assistant", "content": "4,806 m"},
    {"role": "user", "content": [{"type": "text", "text": "And in feet?"}, {"type": "text", "text": "Round it."}]},
]
TOOL_LOOP = [
    {"role": "user", "content": "Is it warm in Rome?"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Rome\"}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "31 degrees"},
]
IMAGE = [{"role": "user", "content": [
    {"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}]


def chat(content="Say hello.", route=None, **fields) -> dict:
    """A body; `route` is what the caller wants beside the dry run."""
    body = {"model": "auto", "messages": [{"role": "user", "content": content}]} | fields
    return body | {"route": DRY | (route or {})}


def cases() -> dict[str, tuple[str, str, dict]]:
    """Path, workspace and body, by name."""
    asked: dict[str, tuple[str, str, dict]] = {}
    for (name, text), objective in itertools.product(PROMPTS.items(), ["quality-per-dollar", "quality", "cost", "latency"]):
        asked[f"{name}, {objective}"] = (CHAT, "acme", chat(text, {"objective": objective}))
    classes = ["code", "math", "extraction", "summarization", "translation", "qa", "reasoning", "creative", "chat", "classification", "tools"]
    for name in classes:
        asked[f"class {name}"] = (CHAT, "acme", chat(PROMPTS["hard"], {"task_class": name}))
    for ms in (1, 600, 2_600, 5_000, 9_000, 60_000):
        asked[f"within {ms} ms"] = (CHAT, "acme", chat(route={"max_latency_ms": ms}))
    for tokens in (1, 700, 8_000, 40_000, 130_000):
        asked[f"at most {tokens} tokens"] = (CHAT, "acme", chat(max_completion_tokens=tokens))
    for name, turns in {"turns": TURNS, "tool loop": TOOL_LOOP, "image": IMAGE, "many turns": TURNS * 20}.items():
        tools = {"tools": [WEATHER_TOOL]} if turns is TOOL_LOOP else {}
        for objective in ("quality-per-dollar", "cost", "latency"):
            asked[f"{name}, {objective}"] = (CHAT, "acme", chat(route={"objective": objective}, messages=turns, **tools))
    more = {
        "tools": chat(tools=[WEATHER_TOOL], parallel_tool_calls=True),
        "json": chat(response_format={"type": "json_object"}),
        "schema": chat(response_format=JSON_SCHEMA),
        "reasoning": chat(reasoning_effort="high"),
        "several": chat(n=3, max_tokens=50),
        "stream": chat(stream=True),
        "by id": chat(model="gpt-4o"),
        "by id with fallbacks": chat(model="gpt-4o", route={"fallbacks": ["llama-3.3-70b", "claude-sonnet"]}),
        "auto with fallbacks": chat(route={"fallbacks": ["llama-3.3-70b"], "objective": "quality"}),
        "by id, which is too slow": chat(model="claude-sonnet", route={"max_latency_ms": 700, "fallbacks": ["gpt-4o"]}),
    }
    asked |= {name: (CHAT, "acme", body) for name, body in more.items()}
    asked["more deployments than attempts"] = (CHAT, "wide", chat())
    asked["small window"] = (CHAT, "trial", chat("x" * 30_000, {"objective": "cost"}))
    asked["redacted"] = (CHAT, "redact-1", chat("Mail ann.o-nym+tag@mail.example.org about project x."))
    for name, given in {"text": "Say hello.", "texts": ["a", "b" * 9_000], "tokens": [[1, 2, 3], [4]]}.items():
        for objective in ("quality", "cost"):
            body = {"model": "auto", "input": given, "route": DRY | {"objective": objective}}
            asked[f"vectors of {name}, {objective}"] = (EMBEDDINGS, "vectors", body)
    asked["vectors of a length"] = (EMBEDDINGS, "vectors", {"model": "embed-large", "input": "a", "dimensions": 3072, "route": DRY})
    return asked


REFUSED = {
    "no such model": (CHAT, "acme", chat(model="nothing")),
    "no such fallback": (CHAT, "acme", chat(route={"fallbacks": ["gpt-4o", "wide-model"]})),
    "no such objective": (CHAT, "acme", chat(route={"objective": "fame"})),
    "no such class": (CHAT, "acme", chat(route={"task_class": "poetry"})),
    "no such member": (CHAT, "acme", chat(route={"fallback": []})),
    "no messages": (CHAT, "acme", {"model": "auto", "route": DRY}),
    "wrong type": (CHAT, "acme", chat(max_tokens="many")),
    "too long for all": (CHAT, "acme", chat("word " * 250_000)),
    "nobody can": (CHAT, "acme", chat(model="llama-3.3-70b", messages=IMAGE)),
    "a vector model": (CHAT, "acme", chat(model="text-embedding-3-small")),
    "vectors of a chat model": (EMBEDDINGS, "vectors", {"model": "gpt-4o", "input": "a", "route": DRY}),
    "vectors too long": (EMBEDDINGS, "vectors", {"model": "auto", "input": "a", "dimensions": 4_000, "route": DRY}),
    "blocked": (CHAT, "block-1", chat("Mail ann.o-nym+tag@mail.example.org.")),
    "out of bounds": (CHAT, "bounds-1", chat(max_tokens=101)),
}


@pytest.fixture(scope="module")
def started(stack, tmp_path_factory):
    """A gateway that has not had a call yet: it knows no more than `nr explain` does."""
    with stacks.beside(stack, tmp_path_factory.mktemp("explain")) as beside:
        yield beside


def explain(stack, workspace: str, body: bytes, *options: str) -> subprocess.CompletedProcess:
    """`nr explain` with the configuration of the gateway."""
    argv = [programs.nr(), "explain", "-", "--config", stack.folder / "neural-router.yaml", "--workspace", workspace, *options]
    return subprocess.run([str(word) for word in argv], input=body, capture_output=True, timeout=30)


@pytest.mark.parametrize("name", cases())
def test_the_routing_object_is_the_filter_s_to_the_byte(started, no_provider_called, name):
    path, workspace, body = cases()[name]
    answer = started.gateway.call("POST", path, body=json.dumps(body).encode(), key=started.secrets.workspace[workspace])
    assert answer.status == 200, answer.body[:600]
    # Not asked for, the decision is the same, and so is what is printed.
    plain = body | {"route": {name: value for name, value in body["route"].items() if name not in DRY}}

    printed = [explain(started, workspace, json.dumps(asked).encode(), "--json", "--key-id", "only") for asked in (body, plain)]

    [routing] = [value for name, value in members(answer.body.decode()) if name == "routing"]
    assert [program.stdout.decode() for program in printed] == [routing + "\n"] * 2
    assert json.loads(routing)["candidates"] and not json.loads(routing)["attempts"]
    table = explain(started, workspace, json.dumps(body).encode())
    assert table.returncode == 0 and json.loads(routing)["reason"] in table.stdout.decode()


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_the_filter_s_to_the_byte(started, no_provider_called, name):
    path, workspace, body = REFUSED[name]
    sent = json.dumps(body).encode()
    answer = started.gateway.call("POST", path, body=sent, key=started.secrets.workspace[workspace])
    assert 400 <= answer.status < 500, answer.body[:600]

    printed = explain(started, workspace, sent, "--json")

    assert printed.returncode == 1 and printed.stdout == answer.body + b"\n"
    told = explain(started, workspace, sent)
    assert told.returncode == 1 and told.stdout == b""
    assert told.stderr.decode().startswith(f"error: the gateway would refuse this with {answer.status}: {answer.json()['error']['message']}")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":"auto","messages":[{"role":"user","content":"\xff"}]}', b"\xef\xbb\xbf{}"])
def test_what_is_no_request_is_refused_in_the_filter_s_words(started, no_provider_called, body):
    answer = started.gateway.post(body)
    assert answer.status == 400
    assert explain(started, "acme", body, "--json").stdout == answer.body + b"\n"
