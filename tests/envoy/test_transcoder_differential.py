"""Envoy's own transcoder from OpenAI to Anthropic, as a second opinion on ours.

Envoy 1.40 has one, work in progress: the filter `ai_protocol_manager` with the AI filter `transcoder`, which goes from a route's request
protocol to a common form, and from there to its response protocol. Every recorded request is sent through it to an upstream that gives
back what it gets, and compared member by member with our recorded translation, to which tests/golden.rs holds the filter. Where the two
differ, it is listed here with the reason, and only there: a difference that is not listed fails, and so does one that is gone.
"""

import contextlib
import http.server
import json
import threading
import urllib.error
import urllib.request

import pytest

import programs

FIXTURES = programs.ROOT / "tests/fixtures/anthropic/request"
EXTENSIONS = "type.googleapis.com/envoy.extensions."

#: Envoy's transcoder refuses the request, by its schema of OpenAI's or of Anthropic's.
REFUSED = {
    "allowed-tools": "tool_choice.type",
    "broken-arguments": "missing required field: messages[1].content",
    "dropped": "temperature",
    "results-first": "messages[1].content",
    "thinking-of-others": "missing required field: messages[1].content",
    "tool-result": "messages[1].content",
    "tools-of-the-past": "missing required field: messages[1].content",
}

STRICT = "Envoy leaves out `strict`"
LIMIT = "a limit that nobody has said: Envoy takes 4096, we what every model can"
SAMPLING = "left out by us where the model does not take it"
UNKNOWN = "Envoy does not translate it and sends OpenAI's member, which Anthropic refuses"
PARTS = "Envoy translates texts only"

#: What differs, by case and member of the body.
DIFFERENT = {
    "cache-control": {"messages": "Envoy leaves the marker on the message", "tools": STRICT},
    "document": {"messages": PARTS},
    "image": {"messages": PARTS},
    "interleaved-thinking": {
        "max_tokens": LIMIT,
        "messages": "Envoy leaves the thoughts where no field of Anthropic's is",
        "output_config": "nor efforts",
        "reasoning_effort": UNKNOWN,
        "thinking": "Envoy has no thinking",
    },
    "json-object": {"system": "we ask for JSON in words", "response_format": UNKNOWN},
    "json-schema": {"output_config": "Envoy has no structured outputs", "response_format": UNKNOWN},
    "multi-turn": {
        "max_tokens": LIMIT,
        "metadata": "the end user, whom Envoy leaves in `user`",
        "stop_sequences": "Anthropic refuses one of white space",
        "user": UNKNOWN,
    },
    "parallel-tools": {
        "tool_choice": "Envoy does not translate `parallel_tool_calls`",
        "parallel_tool_calls": UNKNOWN,
        "tools": STRICT + ", and the schema of a tool without parameters, which Anthropic demands",
    },
    "prefill": {"messages": "Anthropic refuses white space at the end"},
    "prefill-not-taken": {"messages": "Anthropic wants the user to begin, and of this model to end"},
    "reasoning": {"thinking": "Envoy has no thinking", "reasoning_effort": UNKNOWN, "temperature": SAMPLING},
    "reasoning-adaptive": {
        "max_tokens": LIMIT,
        "thinking": "Envoy has no thinking",
        "output_config": "nor structured outputs",
        "reasoning_effort": UNKNOWN,
        "response_format": UNKNOWN,
        "temperature": SAMPLING,
    },
    "schema-keywords": {
        "output_config": "Envoy has no structured outputs",
        "response_format": UNKNOWN,
        "tools": "Anthropic refuses a choice at the top of a schema",
    },
    "thinking-off": {"metadata": "Anthropic takes `user_id` only", "thinking": "Envoy has no thinking", "reasoning_effort": UNKNOWN},
    "thinking-round-trip": {"messages": PARTS, "thinking": "Envoy has no thinking", "reasoning_effort": UNKNOWN},
    "tool-call": {"tools": STRICT},
    "tool-not-forceable": {"tool_choice": "this model refuses a forced tool", "system": "we ask for it in words"},
}

CASES = sorted(path.stem for path in FIXTURES.glob("*.json"))


def bootstrap(port: int, admin: int, upstream: int) -> dict:
    """A listener whose one route transcodes."""
    def extension(name: str, kind: str, **settings) -> dict:
        return {"name": name, "typed_config": {"@type": EXTENSIONS + kind, **settings}}

    def transcoder(direction: str) -> dict:
        return extension("envoy.http.ai_filters.transcoder", "http.ai_filters.transcoder.v3.Transcoder", request_handling=direction)

    def address(number: int) -> dict:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    name, manager = "envoy.filters.http.ai_protocol_manager", "filters.http.ai_protocol_manager.v3.AiProtocolManager"
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster": "upstream"},
        "typed_per_filter_config": {name: {
            "@type": f"{EXTENSIONS}{manager}PerRoute",
            "request": {"llm_protocol": "OPENAI_CHAT_COMPLETIONS"},
            "response": {"llm_protocol": "ANTHROPIC_MESSAGES"},
        }},
    }
    connections = extension(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="transcoder",
        http_filters=[
            extension(name, manager, request_handling={}, filters=[transcoder("TO_IR"), transcoder("FROM_IR")]),
            extension("envoy.filters.http.router", "filters.http.router.v3.Router"),
        ],
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    )
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}]
    return {
        "admin": {"address": address(admin)},
        "static_resources": {
            "listeners": [{"name": "transcoder", "address": address(port), "filter_chains": [{"filters": [connections]}]}],
            "clusters": [{"name": "upstream", "type": "STATIC",
                          "load_assignment": {"cluster_name": "upstream", "endpoints": endpoints}}],
        },
    }


class Mirror(http.server.BaseHTTPRequestHandler):
    """Gives back the body of every request."""

    def do_POST(self):
        length = self.headers["content-length"]
        body = self.rfile.read(int(length)) if length else b"".join(self.chunks())
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunks(self):
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def transcoder(tmp_path_factory):
    """The address of an Envoy that does nothing but transcode."""
    folder = tmp_path_factory.mktemp("transcoder")
    mirror = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=mirror.serve_forever, daemon=True).start()
    port, admin = programs.free_ports(2)
    config = folder / "envoy.json"
    config.write_text(json.dumps(bootstrap(port, admin, mirror.server_port)))
    envoy = programs.Child(
        "transcoder", [programs.envoy(), "--config-path", config, "--concurrency", 1, "--use-dynamic-base-id"], folder)

    def ready() -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{admin}/ready", timeout=5) as reply:
            return reply.read().strip() == b"LIVE"
        return False

    try:
        envoy.wait_until(ready, "to be live", 40)
        yield f"http://127.0.0.1:{port}/v1/chat/completions"
    finally:
        envoy.stop()
        mirror.shutdown()
        mirror.server_close()


def theirs(url: str, case: str) -> dict | str:
    """What Envoy makes of a recorded request, or why it does not."""
    recorded = json.loads((FIXTURES / f"{case}.json").read_text())
    call = recorded["call"]
    body = recorded["body"] | {"model": call["model"]} | ({"stream": True} if call["stream"] else {})
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()


def ours(case: str) -> dict | None:
    """The body of the golden; `None` if we refuse the request."""
    golden = (FIXTURES / f"{case}.golden").read_text()
    if not golden.startswith("POST "):
        return None
    return json.JSONDecoder().raw_decode(golden, golden.index("\n{") + 1)[0]


def plain(body: dict) -> dict:
    """The body in one of the ways in which the same can be said: every content a list of blocks, no member that says nothing."""
    def blocks(content):
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    def turn(message: dict) -> dict:
        return {name: value for name, value in message.items() if value is not None} | {"content": blocks(message["content"])}

    made = body | {"messages": [turn(message) for message in body["messages"]]}
    return made | ({"system": blocks(body["system"])} if "system" in body else {})


@pytest.mark.parametrize("case", CASES)
def test_envoys_transcoder_and_ours_agree_but_for_what_is_listed(transcoder, case):
    made = theirs(transcoder, case)
    if isinstance(made, str):
        assert case in REFUSED and REFUSED[case] in made, made
        return
    assert case not in REFUSED, "Envoy takes it now"
    own, other = plain(ours(case)), plain(made)
    differing = {name for name in own.keys() | other.keys() if own.get(name) != other.get(name)}
    shown = {name: (own.get(name), other.get(name)) for name in differing}
    assert differing == set(DIFFERENT.get(case, {})), shown


def test_the_lists_name_no_case_that_is_not_there():
    assert (REFUSED.keys() | DIFFERENT.keys()) <= set(CASES)
    assert len(CASES) - len(REFUSED) - len(DIFFERENT) >= 4, "hardly anything is compared in full"
