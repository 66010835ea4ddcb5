"""Providers over TLS and over HTTP/2: what is offered and asked for, and who gets the key."""

import datetime
import json
import ssl
from contextlib import ExitStack

import pytest

import configuration
import http2_provider
import programs
import stack as stacks
import tls
from configuration import EVERY_CAPABILITY, UPSTREAM_NAME
from programs import until

# Providers whose certificate is none for `localhost`, and why.
IMPOSTERS = ["another's name", "another's address", "unknown authority", "expired", "old TLS"]


class Providers:
    """The relays, by provider: three that are what they should be, and the imposters."""

    def __init__(self, simulator, folder, stack: ExitStack):
        self.authority, stranger = tls.Authority(folder), tls.Authority(_made(folder / "stranger"))
        issue = self.authority.issue
        target = simulator.providers
        long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        imposters = {
            "another's name": tls.server(issue("other.example"), "h2"),
            "another's address": tls.server(issue("127.0.0.1"), "h2"),
            "unknown authority": tls.server(stranger.issue("localhost"), "h2"),
            "expired": tls.server(issue("localhost", not_after=long_ago), "h2"),
            "old TLS": tls.server(issue("localhost"), "http/1.1", newest=ssl.TLSVersion.TLSv1_1),
        }
        relays = {
            "openai": tls.Relay(target["openai"], tls.server(issue("localhost"), "h2", "http/1.1")),
            "groq": tls.Relay(target["groq"], tls.server(issue("127.0.0.1"), "h2", "http/1.1")),
            "anthropic": tls.Relay(target["anthropic"]),
            "plain": tls.Relay(target["openai"], tls.server(issue("localhost"))),
        } | {name: tls.Relay(target["groq"], context) for name, context in imposters.items()}
        self.relays = {name: stack.enter_context(relay) for name, relay in relays.items()}

    def configure(self, config: dict) -> None:
        ca, port = {"file": str(self.authority.file)}, lambda name: self.relays[name].port
        providers = config["providers"]
        providers["openai"] |= {"base_url": f"https://localhost:{port('openai')}/v1", "ca": ca}
        providers["groq"] |= {"base_url": f"https://127.0.0.1:{port('groq')}/v1", "ca": ca, "http": 1}
        providers["anthropic"] |= {"base_url": f"http://127.0.0.1:{port('anthropic')}", "http": 2}
        for name in ["plain", *IMPOSTERS]:
            ident = _ident(name)
            providers[ident] = providers["openai"] | {"base_url": f"https://localhost:{port(name)}/v1"}
            config["models"].append({
                "id": f"at-{ident}", "provider_name": "Test", "context_window": 128_000, "max_output_tokens": 4_096, "price": "free",
                "capabilities": EVERY_CAPABILITY, "quality": {"default": 0.5},
                "deployments": [{"provider": ident, "model": "m"}],
            })
        [acme] = [workspace for workspace in config["workspaces"] if workspace["id"] == "acme"]
        acme["models"] = [*acme["models"], "at-*"]
        # A handshake takes its time beside other tests.
        config["routing"] |= {"first_token_timeout_ms": 3_000, "answer_timeout_ms": 3_000}


def _made(folder):
    folder.mkdir()
    return folder


def _ident(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)


@pytest.fixture(scope="module")
def secured(stack, tmp_path_factory):
    """An Envoy whose providers are behind the relays, and the relays."""
    folder = tmp_path_factory.mktemp("secured")
    with ExitStack() as opened:
        providers = Providers(stack.simulator, folder, opened)
        running = opened.enter_context(stacks.beside(stack, folder, workers=1, configure=providers.configure))
        yield running.gateway, providers.relays


# Which protocol is spoken, what the server was asked for, what it chose.
SPOKEN = [
    ("gpt-4o", "openai", b"PRI * HTTP/2.0", "localhost", "h2"),
    ("llama-3.3-70b", "groq", b"POST /v1/chat/completions HTTP/1.1", None, "http/1.1"),
    ("claude-sonnet", "anthropic", b"PRI * HTTP/2.0", None, None),
    ("at-plain", "plain", b"POST /v1/chat/completions HTTP/1.1", "localhost", None),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("model", "provider", "begins", "name", "protocol"), SPOKEN,
                         ids=["HTTP/2 by ALPN", "HTTP/1.1 as configured", "h2c as configured", "HTTP/1.1 without ALPN"])
def test_a_provider_is_spoken_to_as_both_sides_know(secured, sim, model, provider, begins, name, protocol, stream):
    gateway, relays = secured
    answer = gateway.chat(model, stream=stream)
    assert answer.status == 200, answer.body[:400]
    assert (answer.done and answer.streamed_text) if stream else answer.text
    assert [(seen.name, seen.protocol, seen.failed, seen.sent.startswith(begins)) for seen in relays[provider].seen][-1:] == [(name, protocol, None, True)]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", [{"kind": "status", "status": 500}, {"kind": "reset_before_headers"}, {"kind": "hang"}],
                         ids=["status", "reset", "silence"])
def test_a_call_leaves_a_failing_provider_over_tls_for_one_over_h2c(secured, sim, kind, stream):
    gateway, _ = secured
    sim.fault("openai", **kind)
    answer = gateway.chat("gpt-4o", stream=stream, route={"fallbacks": ["claude-sonnet"]})
    routing = answer.chunks[0]["routing"] if stream else answer.routing
    assert answer.status == 200 and [attempt["provider"] for attempt in routing["attempts"]] == ["openai", "anthropic"]
    assert sim.only("anthropic").json()["model"] == UPSTREAM_NAME["claude-sonnet"]


@pytest.mark.parametrize("why", IMPOSTERS)
def test_who_is_not_the_provider_gets_no_byte_of_the_call(secured, sim, why):
    gateway, relays = secured
    answer = gateway.chat(f"at-{_ident(why)}", text="Nobody else's business.", route={"fallbacks": ["llama-3.3-70b"]})
    assert answer.status == 200 and [attempt["provider"] for attempt in answer.routing["attempts"]] == [_ident(why), "groq"]
    assert relays[why].seen, "the imposter was never asked"
    assert all(seen.sent == b"" for seen in relays[why].seen), relays[why].seen
    assert len(sim.requests("groq")) == 1


def test_who_is_not_the_provider_and_has_no_successor_is_a_503(secured, sim):
    gateway, _ = secured
    answer = gateway.chat("at-unknown-authority")
    assert answer.status == 503 and answer.json()["error"]["type"] == "no_provider_available"
    assert "certificate" not in answer.json()["error"]["message"].lower()


def test_another_authority_is_believed_as_soon_as_its_file_is_there(stack, sim, tmp_path):
    """Envoy runs on. A provider whose authority cannot be read is left for the next candidate meanwhile."""
    first, second = tls.Authority(_made(tmp_path / "first")), tls.Authority(_made(tmp_path / "second"))
    file = _made(tmp_path / "trusted") / "ca.pem"

    def put(content: bytes) -> None:
        beside = file.with_suffix(".new")
        beside.write_bytes(content)
        beside.rename(file)
    put(first.file.read_bytes())
    with tls.Relay(stack.simulator.providers["openai"], tls.server(second.issue("localhost"), "h2", "http/1.1")) as relay:
        def configure(config: dict) -> None:
            config["providers"]["openai"] |= {"base_url": f"https://localhost:{relay.port}/v1", "ca": {"file": str(file)}}
            config["routing"] |= {"first_token_timeout_ms": 3_000, "answer_timeout_ms": 3_000, "adaptive": False}
        with stacks.beside(stack, _made(tmp_path / "envoy"), workers=1, configure=configure) as running:
            def who() -> list[str]:
                answer = running.gateway.chat("gpt-4o", route={"fallbacks": ["llama-3.3-70b"]})
                assert answer.status == 200, answer.body
                return [attempt["provider"] for attempt in answer.routing["attempts"]]
            assert who() == ["openai", "groq"]
            put(second.file.read_bytes())
            until(lambda: who() == ["openai"], "the other authority to be believed", 10)
            said = len(running.envoy.errors())
            put(b"no certificate")
            until(lambda: "Failed to load trusted CA certificates" in running.envoy.errors()[said:], "Envoy to complain", 10)
            assert who() == ["openai"], "a file that is none should leave the one before it in force"


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["no file", "nonsense"])
def test_an_authority_that_cannot_be_read_is_warned_of_and_its_provider_gets_nothing(stack, sim, tmp_path, content):
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    authority = tls.Authority(_made(tmp_path / "authority"))
    with tls.Relay(stack.simulator.providers["openai"], tls.server(authority.issue("localhost"), "h2")) as relay:
        def configure(config: dict) -> None:
            config["providers"]["openai"] |= {"base_url": f"https://localhost:{relay.port}/v1", "ca": {"file": str(file)}}
            config["routing"] |= {"first_token_timeout_ms": 3_000, "answer_timeout_ms": 3_000}
        config = json.loads(json.dumps(stack.config))
        configure(config)
        (tmp_path / "check.yaml").write_text(configuration.to_yaml(config))
        checked = programs.run([programs.nr(), "check", "--json", tmp_path / "check.yaml"], stack.secrets.environment())
        findings = [json.loads(line) for line in checked.stdout.splitlines()]
        assert [found["path"] for found in findings if found["rule"] == "tls-files"] == ["providers.openai.ca.file"], checked.stdout
        with stacks.beside(stack, _made(tmp_path / "envoy"), workers=1, configure=configure) as running:
            answer = running.gateway.chat("gpt-4o", route={"fallbacks": ["llama-3.3-70b"]})
            assert answer.status == 200 and [attempt["provider"] for attempt in answer.routing["attempts"]] == ["openai", "groq"]
    assert all(seen.sent == b"" for seen in relay.seen), relay.seen


@pytest.fixture(scope="module")
def trailing(stack, tmp_path_factory):
    """An Envoy whose providers end every answer with trailers: OpenAI over h2c, Groq over TLS."""
    folder = tmp_path_factory.mktemp("trailing")
    authority = tls.Authority(folder)
    with ExitStack() as opened:
        plain = opened.enter_context(http2_provider.Provider())
        relay = opened.enter_context(tls.Relay(f"127.0.0.1:{plain.port}", tls.server(authority.issue("localhost"), "h2")))

        def configure(config: dict) -> None:
            config["providers"]["openai"] |= {"base_url": f"http://localhost:{plain.port}/v1", "http": 2}
            config["providers"]["groq"] |= {
                "base_url": f"https://localhost:{relay.port}/v1", "http": 2, "ca": {"file": str(authority.file)}}
            config["routing"] |= {"first_token_timeout_ms": 3_000, "answer_timeout_ms": 3_000}
        yield opened.enter_context(stacks.beside(stack, folder, workers=1, configure=configure)).gateway


@pytest.mark.parametrize("model", ["gpt-4o", "llama-3.3-70b"], ids=["h2c", "h2 over TLS"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_provider_s_trailers_end_the_answer_and_are_not_passed_on(trailing, model, stream):
    answer = trailing.chat(model, stream=stream)
    assert answer.status == 200 and not answer.torn, answer.body[:400]
    assert (answer.done and answer.streamed_text == "Hello.") if stream else answer.text == "Hello."
    assert not any("trailer" in name or name.startswith("grpc") for name, _ in answer.headers)
    assert b"x-trailer" not in answer.body
