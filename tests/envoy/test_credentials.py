"""`auth`: tokens from a file, tokens Envoy fetches, and signatures, before real requests."""

import itertools
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import http2
import sigv4
import stack as stacks
from configuration import PROVIDER_OF
from programs import free_ports, until
from stack import Stack
from token_endpoint import TokenEndpoint

HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
SIGNATURE = {"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}
MODEL_AT = {provider: model for model, provider in PROVIDER_OF.items()}
SPLICED = "llama-signed"
LIFETIME_S = 2


def canary(name: str) -> str:
    """A secret that one search finds."""
    return f"{name}-canary-{secrets.token_hex(16)}"


@dataclass
class Credentials:
    """An Envoy of its own: `openai` with OAuth 2.0, `groq` with a token file, `anthropic` and `SPLICED` signed."""

    folder: Path
    stack: Stack = None
    endpoint: TokenEndpoint = None
    token: str = field(default_factory=lambda: canary("token"))
    key_id: str = field(default_factory=lambda: f"AKIA{secrets.token_hex(8).upper()}")
    key: str = field(default_factory=lambda: canary("aws") + "/+")
    session: str = field(default_factory=lambda: canary("session") + "/+==")

    def file(self, name: str, text: str) -> str:
        """A file with a secret, put there as a rotation does."""
        place = self.folder / name
        beside = place.with_suffix(".new")
        beside.write_text(text)
        beside.rename(place)
        return str(place)

    def configure(self, config: dict) -> None:
        """Replaces the keys of the suite's configuration."""
        providers = config["providers"]
        for provider in providers.values():
            del provider["api_key"]
        providers["openai"]["auth"] = {"oauth2": {
            "token_url": self.endpoint.url, "client_id": "the-client",
            "client_secret": {"file": self.file("client-secret", self.endpoint.secret)},
            "scopes": ["https://scope.example/.default", "second"]}}
        providers["groq"]["auth"] = {"token": {"file": self.file("token", self.token + "\n")}}
        keys = {
            "access_key_id": {"file": self.file("key-id", self.key_id + "\n")},
            "secret_access_key": {"file": self.file("key", self.key)},
            "session_token": {"file": self.file("session", self.session)},
        }
        providers["anthropic"] |= {"region": "eu-central-1", "auth": {"aws": keys}}
        providers["signed"] = providers["groq"] | {"region": "eu-central-1", "auth": {"aws": keys | {"region": "us-west-2"}}}
        for model in config["models"]:
            model["context_window"] = 1 << 24
        model = next(model for model in config["models"] if model["id"] == MODEL_AT["groq"])
        config["models"].append(model | {"id": SPLICED, "deployments": [{"provider": "signed", "model": "spliced"}]})

    def everything(self) -> list[str]:
        """All secrets and tokens so far."""
        return [self.token, self.key, self.session, self.endpoint.secret, *self.endpoint.given]


@pytest.fixture(scope="module")
def running(stack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("credentials")
    made = Credentials(folder, endpoint=TokenEndpoint(canary("client"), canary("access"), LIFETIME_S))
    try:
        with stacks.beside(stack, folder, configure=made.configure) as made.stack:
            until(lambda: made.endpoint.given, "the first token to be asked for")
            yield made
    finally:
        made.endpoint.close()


@pytest.fixture
def own(running, sim):
    """The Envoy before healthy providers."""
    return running


def call(own: Credentials, model: str, **fields):
    answer = own.stack.gateway.chat(model, **fields)
    assert answer.status == 200, answer.body[:600]
    return answer


def seen(recorded) -> dict[str, list[str]]:
    """The credentials that a provider was shown."""
    return {name: values for name in HEADERS if (values := recorded.values(name))}


def assert_own_credentials(own: Credentials, provider: str, recorded) -> None:
    if provider == "anthropic":
        assert set(seen(recorded)) == SIGNATURE
        assert_signed(own, recorded, "eu-central-1")
        return
    bearers = [own.token] if provider == "groq" else own.endpoint.given
    assert set(seen(recorded)) == {"authorization"}
    [authorization] = recorded.values("authorization")
    assert authorization in [f"Bearer {bearer}" for bearer in bearers], f"{provider} saw {authorization}"


def assert_signed(own: Credentials, recorded, region: str) -> None:
    """The signature is right for what the provider really received."""
    [authorization] = recorded.values("authorization")
    signed = sigv4.claims(authorization)
    assert (signed.key, signed.region, signed.service) == (own.key_id, region, "bedrock")
    assert {"host", "content-type", "content-length", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"} <= set(signed.headers)
    assert recorded.values("x-amz-security-token") == [own.session]
    assert recorded.values("content-length") == [str(len(recorded.body))]
    assert "transfer-encoding" not in recorded.names()
    expected = sigv4.signature(own.key, signed, recorded.method, recorded.path, recorded.values, recorded.body)
    assert signed.signature == expected


def test_the_check_of_signatures_knows_a_signature_that_aws_publishes():
    # `get-vanilla` of the test suite for Signature Version 4.
    headers = {"host": ["example.amazonaws.com"], "x-amz-date": ["20150830T123600Z"]}
    published = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    signed = sigv4.claims(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={published}")
    assert sigv4.signature("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", signed, "GET", "/", headers.get, b"") == published


def test_a_token_from_a_file_is_a_bearer_and_a_rotated_one_is_used(own, sim):
    call(own, MODEL_AT["groq"])
    assert seen(sim.only("groq")) == {"authorization": [f"Bearer {own.token}"]}

    own.token = canary("token")
    own.file("token", own.token)

    def used() -> bool:
        call(own, MODEL_AT["groq"])
        return seen(sim.requests("groq")[-1]) == {"authorization": [f"Bearer {own.token}"]}
    until(used, "the new token to reach the provider", 15, 0.1)


def test_a_token_is_fetched_with_the_client_s_secret_and_renewed_before_it_expires(own, sim):
    call(own, MODEL_AT["openai"])
    assert_own_credentials(own, "openai", sim.only("openai"))
    assert {
        "grant_type": ["client_credentials"], "client_id": ["the-client"], "client_secret": [own.endpoint.secret],
        "scope": ["https://scope.example/.default second"],
    } in own.endpoint.asked

    first = len(own.endpoint.given)

    def renewed() -> bool:
        call(own, MODEL_AT["openai"])
        [authorization] = sim.requests("openai")[-1].values("authorization")  # there is one all the time
        return authorization in [f"Bearer {token}" for token in own.endpoint.given[first + 1:]]
    until(renewed, "two renewals", 15, 0.1)


def test_without_a_token_the_next_provider_answers_until_the_secret_is_right_again(own, sim):
    sim.behave("openai", api_key="whatever is sent, it is not this")
    own.endpoint.secret = canary("client")

    def without() -> bool:
        answer = call(own, MODEL_AT["openai"], route={"fallbacks": [MODEL_AT["groq"]]})
        assert [(a["provider"], a["outcome"], a["status"]) for a in answer.routing["attempts"]] == [
            ("openai", "status", 401), ("groq", "ok", 200)]
        assert_own_credentials(own, "groq", sim.requests("groq")[-1])
        return seen(sim.requests("openai")[-1]) == {}
    until(without, "the last token to expire", 15, 0.1)

    sim.reset()
    own.file("client-secret", own.endpoint.secret)

    def again() -> bool:
        call(own, MODEL_AT["openai"])
        return seen(sim.requests("openai")[-1]) == {"authorization": [f"Bearer {own.endpoint.given[-1]}"]}
    until(again, "a token for the new secret", 15, 0.1)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("size", [1, 100_000, 3_000_000])
def test_a_translated_and_a_spliced_request_are_signed_as_the_provider_receives_them(own, sim, stream, size):
    text = "ö" * (size // 2) + "x"
    for model, provider, region in ((MODEL_AT["anthropic"], "anthropic", "eu-central-1"), (SPLICED, "groq", "us-west-2")):
        call(own, model, text=text, stream=stream, max_tokens=5)
        recorded = sim.only(provider)
        assert len(recorded.body) > size
        assert_signed(own, recorded, region)


@pytest.mark.parametrize(("model", "provider"), [(MODEL_AT["anthropic"], "anthropic"), (SPLICED, "signed")])
def test_a_request_that_ends_with_trailers_is_not_signed_and_is_left_to_the_next_provider(own, sim, model, provider):
    received_by = "groq" if provider == "signed" else provider
    sim.behave(received_by, api_key="whatever is sent, it is not this")
    port = own.stack.gateway.port
    headers = http2.request_headers(port, "POST", "/v1/chat/completions", own.stack.gateway.key)
    body = {"model": model, "messages": [{"role": "user", "content": "Hello."}], "route": {"fallbacks": [MODEL_AT["openai"]]}}

    answer = http2.exchange(port, headers, json.dumps(body).encode(), trailers=[("x-checksum", "1")])

    assert answer.status == 200, answer.body[:600]
    assert [(a["provider"], a["status"]) for a in answer.routing["attempts"]] == [(provider, 401), ("openai", 200)]
    assert seen(sim.only(received_by)) == {}
    assert_own_credentials(own, "openai", sim.only("openai"))


@pytest.mark.parametrize("order", list(itertools.permutations(MODEL_AT)), ids=" then ".join)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_after_a_failover_the_next_provider_sees_nothing_of_the_earlier_one_s_credentials(own, sim, order, stream):
    for provider in order[:-1]:
        sim.fault(provider, "status", status=500)

    call(own, MODEL_AT[order[0]], route={"fallbacks": [MODEL_AT[name] for name in order[1:]]}, stream=stream)

    for provider in order:
        assert_own_credentials(own, provider, sim.only(provider))


def test_without_keys_a_request_goes_out_unsigned_and_rotated_keys_sign(own, sim):
    sim.behave("anthropic", api_key="whatever is sent, it is not this")
    file = own.stack.secrets_folder / "provider_anthropic.aws"
    written = file.read_text()
    assert written == (f"[provider_anthropic]\naws_access_key_id={own.key_id}\naws_secret_access_key={own.key}\n"
                       f"aws_session_token={own.session}\n")
    replace(file, "[provider_anthropic]\n")

    def unsigned() -> bool:
        answer = call(own, MODEL_AT["anthropic"], route={"fallbacks": [MODEL_AT["groq"]]})
        assert [a["provider"] for a in answer.routing["attempts"]] == ["anthropic", "groq"]
        return "authorization" not in sim.requests("anthropic")[-1].names()
    until(unsigned, "the keys to be gone", 15, 0.1)
    assert_own_credentials(own, "groq", sim.requests("groq")[-1])

    sim.reset()
    key, own.key = own.key, canary("aws")
    replace(file, written.replace(key, own.key))

    def signed() -> bool:
        call(own, MODEL_AT["anthropic"])
        return "authorization" in sim.requests("anthropic")[-1].names()
    until(signed, "the new keys to be read", 15, 0.1)
    assert_signed(own, sim.requests("anthropic")[-1], "eu-central-1")


def test_envoy_s_own_search_for_keys_begins_in_its_environment(stack, sim, tmp_path, monkeypatch):
    made = Credentials(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", made.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", made.key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", made.session)

    def configure(config: dict) -> None:
        del config["providers"]["openai"]["api_key"]
        config["providers"]["openai"] |= {"region": "us-east-1", "auth": {"aws": "default"}}

    with stacks.beside(stack, tmp_path, configure=configure) as made.stack:
        call(made, MODEL_AT["openai"])
        assert_signed(made, sim.only("openai"), "us-east-1")


def test_nothing_secret_is_in_the_configuration_that_envoy_shows_or_in_a_log(own, sim):
    for model in (*PROVIDER_OF, SPLICED):
        call(own, model)
    everything = own.everything()
    assert len(everything) > 5
    places = {"the bootstrap": own.stack.bootstrap.read_text(), "the config dump": own.stack.config_dump(), **own.stack.logs()}
    assert "oauth2_openai" in places["the config dump"] and "provider_anthropic.aws" in places["the config dump"]
    for place, text in places.items():
        assert [word for word in everything if word in text] == [], place


@pytest.mark.parametrize("keys", ["[provider_anthropic]\n", "", None], ids=["no keys", "an empty file", "no file"])
def test_an_envoy_that_starts_without_credentials_serves_and_takes_them_when_they_come(stack, sim, tmp_path, monkeypatch, keys):
    [nobody] = free_ports(1)
    # The keys of whoever runs Envoy, for something else.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("[default]\naws_access_key_id=AKIAELSEWHERE\naws_secret_access_key=x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(elsewhere))
    made = Credentials(tmp_path, endpoint=TokenEndpoint(canary("client"), canary("access"), LIFETIME_S))

    def configure(config: dict) -> None:
        made.configure(config)
        config["providers"]["openai"]["auth"]["oauth2"]["token_url"] = f"http://127.0.0.1:{nobody}/token"
        for name in ("token", "client-secret", "key-id", "key", "session"):
            (tmp_path / name).unlink()

    def edit(_: dict) -> None:
        file = tmp_path / "secrets/provider_anthropic.aws"
        file.unlink() if keys is None else file.write_text(keys)

    try:
        with stacks.beside(stack, tmp_path, configure=configure, edit=edit) as made.stack:
            for provider, model in MODEL_AT.items():
                sim.behave(provider, api_key="whatever is sent, it is not this")
                answer = made.stack.gateway.chat(model)
                assert answer.status == 503, answer.body[:600]
                assert [(a["provider"], a["status"]) for a in answer.routing["attempts"]] == [(provider, 401)]
                assert not {"authorization", "x-api-key", "x-amz-security-token"} & sim.only(provider).names()

            made.file("token", made.token)
            sim.reset()

            def used() -> bool:
                call(made, MODEL_AT["groq"])
                return seen(sim.requests("groq")[-1]) == {"authorization": [f"Bearer {made.token}"]}
            until(used, "the token to be read", 15, 0.1)
    finally:
        made.endpoint.close()


def replace(file: Path, text: str) -> None:
    """Rotates as documented: a new file beside it, renamed over it."""
    beside = file.with_suffix(".new")
    beside.touch(0o600)
    beside.write_text(text)
    beside.rename(file)
