"""What OpenAI's SDK makes of a streamed answer with `thinking_blocks`: its helper puts the pieces together, and the message that it
echoes in the next turn has every block with its signature. Played are the recorded translations of tests/fixtures."""

import contextlib
import http.server
import json
import pathlib
import threading

import openai
import pytest

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures/anthropic/stream"
MARK = "(until here another candidate could take over)"


def recorded(case):
    """The client's bytes of a golden."""
    lines = (FIXTURES / f"{case}.golden").read_text().splitlines()
    events = [line for line in lines if line.startswith("data: ")]
    assert events and MARK in lines
    return "".join(f"{event}\n\n" for event in events).encode()


@contextlib.contextmanager
def served(body):
    """A server that answers every call with a stream; yields its address and the requests it has had."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", requests
    finally:
        server.shutdown()
        server.server_close()


def blocks_sent(case):
    """The signed blocks as the provider sent them."""
    blocks = {}
    for line in (FIXTURES / f"{case}.sse").read_text().splitlines():
        event = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
        if event.get("type") == "content_block_start" and "thinking" in event["content_block"]["type"]:
            blocks[event["index"]] = dict(event["content_block"])
        delta = event.get("delta", {})
        for member in ("thinking", "signature"):
            if delta.get("type") == f"{member}_delta":
                blocks[event["index"]][member] += delta[member]
    return list(blocks.values())


@pytest.mark.parametrize("case", ["thinking-blocks", "thinking-omitted", "reasoning"])
def test_every_block_survives_the_accumulation_and_the_echo(case):
    expected = blocks_sent(case)
    assert expected
    with served(recorded(case)) as (url, requests), openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client:
        asked = [{"role": "user", "content": "Weather in Paris?"}]
        with client.chat.completions.stream(model="m", messages=asked) as stream:
            events = list(stream)
            message = stream.get_final_completion().choices[0].message
        assert any(event.type == "chunk" for event in events)
        found = [{name: value for name, value in block.items() if name != "index"} for block in message.thinking_blocks]
        assert found == expected
        assert [block["index"] for block in message.thinking_blocks] == list(range(len(expected)))

        client.chat.completions.create(model="m", messages=[*asked, message.model_dump(exclude_none=True)], stream=True).close()
        echoed = requests[-1]["messages"][1]
        assert [{name: block[name] for name in block if name != "index"} for block in echoed["thinking_blocks"]] == expected


def test_sources_survive_the_accumulation():
    with served(recorded("web-search")) as (url, _), openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client:
        with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "Shannon?"}]) as stream:
            message = stream.get_final_completion().choices[0].message
    (annotation,) = message.annotations
    cited = annotation.url_citation
    assert (cited.url, message.content[cited.start_index:cited.end_index]) == (
        "https://en.wikipedia.org/wiki/Claude_Shannon", "born on April 30")
