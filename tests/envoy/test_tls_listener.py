"""Clients over TLS: which versions and protocols, and a certificate that changes while Envoy runs."""

import base64
import datetime
import json
import os
import re
import signal
import socket
import ssl
import stat

import httpx
import openai
import pytest

import configuration
import programs
import stack as stacks
import tls
from programs import Child, until


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return tls.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority):
    """Where the listener's certificate and key are."""
    certificate, key = authority.folder / "tls.pem", authority.folder / "tls-key.pem"
    tls.write(authority.issue("localhost", "127.0.0.1"), certificate, key)
    return certificate, key


def with_tls(pair):
    """Changes a configuration to one with this certificate."""
    def configure(config: dict) -> None:
        config["listen"]["tls"] = {"certificate": {"file": str(pair[0])}, "private_key": {"file": str(pair[1])}}
    return configure


@pytest.fixture(scope="module")
def served(stack, pair, tmp_path_factory):
    """An Envoy whose listener speaks TLS."""
    with stacks.beside(stack, tmp_path_factory.mktemp("tls"), configure=with_tls(pair)) as running:
        yield running


def handshake(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname="localhost")


def shown(port: int, authority) -> int:
    """The serial number of the certificate that is shown now."""
    with handshake(port, authority.client()) as conn:
        return int(conn.getpeercert()["serialNumber"], 16)


@pytest.mark.parametrize(("offered", "chosen", "version"), [
    (("h2", "http/1.1"), "h2", "HTTP/2"), (("http/1.1",), "http/1.1", "HTTP/1.1"), ((), None, "HTTP/1.1"),
], ids=["both", "http/1.1", "nothing"])
def test_the_client_s_offer_decides_between_http_2_and_1(served, sim, authority, offered, chosen, version):
    with handshake(served.gateway.port, authority.client(*offered)) as conn:
        assert conn.selected_alpn_protocol() == chosen
    with httpx.Client(verify=authority.client(), http2=chosen == "h2", trust_env=False) as client:
        answer = client.post(
            f"https://127.0.0.1:{served.gateway.port}/v1/chat/completions", headers={"authorization": f"Bearer {served.gateway.key}"},
            json={"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi."}]})
    assert (answer.status_code, answer.http_version) == (200, version)


@pytest.mark.parametrize(("version", "name"), [
    (ssl.TLSVersion.TLSv1, None), (ssl.TLSVersion.TLSv1_1, None), (ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
], ids=lambda value: getattr(value, "name", ""))
def test_tls_before_1_2_is_refused(served, authority, version, name):
    context = authority.client()
    tls.old(context, version)
    if name is None:
        # Said by the server: the client would have gone on.
        with pytest.raises(ssl.SSLError, match="(?i)alert protocol version"):
            handshake(served.gateway.port, context)
    else:
        with handshake(served.gateway.port, context) as conn:
            assert conn.version() == name


def test_what_is_not_tls_gets_no_answer(served):
    with socket.create_connection(("127.0.0.1", served.gateway.port), 5) as conn:
        conn.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        try:
            said = conn.recv(1000)
        except ConnectionResetError:
            said = b""
    assert b"HTTP/1" not in said, said


def test_openai_s_sdk_over_https(served, sim, authority):
    with httpx.Client(verify=authority.client(), trust_env=False) as http:
        client = openai.OpenAI(base_url=f"https://localhost:{served.gateway.port}/v1", api_key=served.gateway.key, http_client=http, max_retries=0)
        messages = [{"role": "user", "content": "Say hello."}]
        whole = client.chat.completions.create(model="gpt-4o", messages=messages)
        streamed = list(client.chat.completions.create(model="claude-sonnet", messages=messages, stream=True))
    assert whole.choices[0].message.content
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices) == whole.choices[0].message.content


def test_a_new_certificate_is_shown_without_a_restart_and_open_connections_stay(served, sim, authority, pair):
    port, before = served.gateway.port, shown(served.gateway.port, authority)
    fresh = authority.issue("localhost", "127.0.0.1")
    with handshake(port, authority.client("http/1.1")) as conn:
        # The certificate goes in before its key: for a moment the two do not belong together.
        tls.write(fresh, *pair)
        until(lambda: shown(port, authority) != before, "the new certificate", 10, 0.05)
        conn.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert conn.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_certificate_that_is_none_leaves_the_old_one_in_use(served, authority, pair):
    port, before = served.gateway.port, shown(served.gateway.port, authority)
    broken = pair[0].with_suffix(".new")
    whole = pair[0].read_bytes()
    said = len(served.envoy.errors())
    broken.write_bytes(b"no certificate")
    broken.rename(pair[0])
    until(lambda: re.search(r"(?i)failed to load certificate", served.envoy.errors()[said:]), "Envoy to complain", 10)
    assert shown(port, authority) == before
    broken.write_bytes(whole)
    broken.rename(pair[0])


def test_the_key_of_the_certificate_is_not_in_the_bootstrap_or_the_config_dump(served, pair):
    key, dump = pair[1].read_bytes(), served.config_dump() + served.bootstrap.read_text()
    shown_keys = re.findall(r'"private_key": \{\s*"inline_bytes": "([^"]*)"', dump)
    assert {base64.b64decode(shown_key) for shown_key in shown_keys} == {b"[redacted]"}
    assert base64.b64encode(key).decode()[40:200] not in dump and key.decode().splitlines()[1] not in dump


def test_up_says_https_when_it_is_ready(stack, sim, pair, authority, tmp_path):
    listen, admin = programs.free_ports(2)
    config = configuration.document(listen, admin, stack.simulator.providers, stack.secrets)
    with_tls(pair)(config)
    file = tmp_path / "neural-router.yaml"
    file.write_text(configuration.to_yaml(config))
    environment = stack.secrets.environment() | {"ENVOY_BIN": str(programs.envoy())}
    child = Child("up", [programs.nr(), "up", "--config", file, "--workers", 1, "--wasm", programs.wasm()], tmp_path, environment, tmp_path)
    try:
        line = child.wait_until(lambda: re.search(r"^ready (\S+)$", child.output(), re.M), "its ready line", 40)
        assert line.group(1) == f"https://127.0.0.1:{listen}"
        assert f"curl https://127.0.0.1:{listen}/v1/chat/completions" in child.output()
        # Ready means that calls are taken, so the first one is.
        assert httpx.get(f"{line.group(1)}/healthz", verify=authority.client(), trust_env=False).json() == {"status": "ok"}
        os.kill(child.process.pid, signal.SIGTERM)
        child.process.wait(15)
    finally:
        child.stop()


def checked(stack, tmp_path, certificate, key) -> list[dict]:
    """What `nr check` says of the listener's files."""
    config = json.loads(json.dumps(stack.config))
    with_tls((certificate, key))(config)
    file = tmp_path / "neural-router.yaml"
    file.write_text(configuration.to_yaml(config))
    said = programs.run([programs.nr(), "check", "--json", file], stack.secrets.environment())
    assert said.returncode == 0, said.stdout + said.stderr
    return [finding for line in said.stdout.splitlines() if (finding := json.loads(line))["rule"].startswith("tls-")]


def test_check_is_content_with_a_pair_that_only_its_owner_reads(stack, tmp_path, pair):
    assert checked(stack, tmp_path, *pair) == []


@pytest.mark.parametrize(("break_", "place", "words"), [
    (lambda cert, key, _: cert.unlink(), "listen.tls.certificate.file", "No such file"),
    (lambda cert, key, _: key.unlink(), "listen.tls.private_key.file", "No such file"),
    (lambda cert, key, _: cert.write_text("nothing"), "listen.tls.certificate.file", "no certificate in PEM form"),
    (lambda cert, key, _: key.write_text("nothing"), "listen.tls.private_key.file", "no private key in PEM form"),
    (lambda cert, key, other: key.write_bytes(other.private_key_pem.bytes()), "listen.tls.private_key.file", "is not the key of"),
], ids=["no certificate", "no key", "nonsense", "nonsense key", "another's key"])
def test_check_and_up_name_the_file_that_envoy_could_not_use(stack, authority, tmp_path, break_, place, words):
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    tls.write(authority.issue("localhost"), certificate, key)
    break_(certificate, key, authority.issue("localhost"))
    [finding] = checked(stack, tmp_path, certificate, key)
    assert (finding["rule"], finding["path"]) == ("tls-files", place) and words in finding["what"], finding
    listen, admin = programs.free_ports(2)
    config = configuration.document(listen, admin, stack.simulator.providers, stack.secrets)
    with_tls((certificate, key))(config)
    (tmp_path / "up.yaml").write_text(configuration.to_yaml(config))
    up = programs.run([programs.nr(), "up", "--config", tmp_path / "up.yaml", "--wasm", programs.wasm()],
                      stack.secrets.environment() | {"ENVOY_BIN": str(programs.envoy())})
    assert up.returncode == 1 and f"error: {place}: " in up.stderr and "BEGIN" not in up.stderr, up.stderr


def from_now(days: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)


@pytest.mark.parametrize(("begins", "ends", "words"), [
    (-90, -1, "expired at "), (-90, 0.01, ", in less than a day"), (-60, 29.5, ", in 29 days"), (-60, 30.5, None), (1, 90, "is not valid before "),
], ids=["over", "in minutes", "in 29 days", "in 30 days", "not begun"])
def test_check_warns_of_a_certificate_that_does_not_do_for_another_month(stack, authority, tmp_path, begins, ends, words):
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    begins, ends = from_now(begins), from_now(ends)
    tls.write(authority.issue("localhost", not_before=begins, not_after=ends), certificate, key)
    found = checked(stack, tmp_path, certificate, key)
    if words is None:
        assert found == []
        return
    [finding] = found
    assert (finding["rule"], finding["path"]) == ("tls-validity", "listen.tls.certificate.file")
    moment = begins if "not valid" in words else ends
    assert words in finding["what"] and f"{moment:%Y-%m-%dT%H:%M:%S}Z" in finding["what"], finding
    assert "BEGIN" not in str(finding)


def test_check_looks_at_the_whole_chain(stack, authority, tmp_path):
    """What the certificate was issued by ends before it does."""
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    tls.write(authority.issue("localhost"), certificate, key)
    with certificate.open("ab") as chain:
        chain.write(authority.issue("issuer.example", not_after=from_now(3.5)).cert_chain_pems[0].bytes())
    [finding] = checked(stack, tmp_path, certificate, key)
    assert finding["rule"] == "tls-validity" and "certificate 2 of the chain: expires" in finding["what"], finding


def test_check_warns_of_a_key_that_every_user_can_read(stack, authority, tmp_path):
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    tls.write(authority.issue("localhost"), certificate, key)
    key.chmod(0o644)
    [finding] = checked(stack, tmp_path, certificate, key)
    assert (finding["rule"], finding["path"]) == ("tls-key-exposed", "listen.tls.private_key.file")
    key.chmod(0o640)
    assert stat.S_IMODE(key.stat().st_mode) == 0o640 and checked(stack, tmp_path, certificate, key) == []
