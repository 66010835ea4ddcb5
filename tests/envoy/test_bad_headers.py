"""Header bytes of every value, and headers by which a client might steer the gateway."""

import json
import socket

import pytest

from configuration import PROVIDER_OF
from gateway import assert_error

pytestmark = pytest.mark.usefixtures("unharmed")

CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Hi."}]}'


def request(gateway, extra: bytes, authorization: bytes | None = None) -> bytes:
    """A valid chat call with these raw header lines in it."""
    key = b"Bearer " + gateway.key.encode() if authorization is None else authorization
    return (b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: " + key
            + b"\r\n" + extra + b"content-length: %d\r\n\r\n" % len(CHAT) + CHAT)


def in_sixteens():
    return [range(start, start + 16) for start in range(0, 256, 16)]


def assert_served_or_refused(answer, byte: int) -> None:
    if answer.status == 200:
        assert answer.json()["choices"], f"byte {byte:#04x}"
    else:
        assert_error(answer, 400, "invalid_request")


@pytest.mark.parametrize("bytes_", in_sixteens(), ids=lambda bytes_: f"{bytes_.start:#04x}…")
def test_any_byte_in_a_header_value_is_served_or_refused(gateway, bytes_):
    for byte in bytes_:
        for value in (b"a" + bytes([byte]) + b"b", bytes([byte]), bytes([byte]) * 3):
            assert_served_or_refused(gateway.raw(request(gateway, b"x-probe: " + value + b"\r\n")), byte)


@pytest.mark.parametrize("bytes_", in_sixteens(), ids=lambda bytes_: f"{bytes_.start:#04x}…")
def test_any_byte_in_a_header_name_is_served_or_refused(gateway, bytes_):
    for byte in bytes_:
        assert_served_or_refused(gateway.raw(request(gateway, b"x-" + bytes([byte]) + b"y: 1\r\n")), byte)


@pytest.mark.parametrize("bytes_", in_sixteens(), ids=lambda bytes_: f"{bytes_.start:#04x}…")
def test_any_byte_in_the_key_is_refused(gateway, no_provider_called, bytes_):
    for byte in bytes_:
        answer = gateway.raw(request(gateway, b"", b"Bearer nr-a" + bytes([byte]) + b"b"))
        kind = {400: "invalid_request", 401: "unauthenticated"}[answer.status]
        assert_error(answer, answer.status, kind)


@pytest.mark.parametrize("name", [b"content-type", b"accept", b"user-agent", b"x-request-id", b"traceparent", b"accept-encoding",
                                  b"content-encoding", b"host", b"x-forwarded-for", b"te"])
@pytest.mark.parametrize("value", [b"\xff", b"\xc3\x28", b"caf\xe9", b"\x80" * 2000])
def test_a_header_the_gateway_may_look_at_can_be_any_bytes(gateway, name, value):
    answer = gateway.raw(request(gateway, name + b": " + value + b"\r\n"))
    if answer.status == 415:
        assert name == b"content-encoding"
    else:
        assert_served_or_refused(answer, value[0])


@pytest.mark.parametrize("target", [b"/v1/models/%s", b"/v1/%s", b"/%s", b"/v1/models?%s"])
def test_the_path_can_hold_any_bytes(gateway, no_provider_called, target):
    for byte in range(256):
        line = b"GET " + target % bytes([byte]) + b" HTTP/1.1\r\n"
        answer = gateway.raw(line + b"host: x\r\nauthorization: Bearer " + gateway.key.encode() + b"\r\n\r\n")
        # A line feed ends the request line early: what is left is a request of HTTP/0.9, hence 426.
        assert answer.status in (200, 400, 404) or (byte == 0x0A and answer.status == 426), (byte, answer.status)
        if answer.status != 200:
            kinds = ("invalid_request", "model_not_found") if answer.status == 404 else ("invalid_request",)
            assert answer.json()["error"]["type"] in kinds
            assert_error(answer, answer.status, answer.json()["error"]["type"])


STEERING = [
    ("x-envoy-max-retries", "0"), ("x-envoy-retry-on", ""), ("x-envoy-upstream-rq-timeout-ms", "1"),
    ("x-envoy-upstream-rq-per-try-timeout-ms", "1"), ("x-envoy-retriable-status-codes", "200"),
    ("x-envoy-retriable-header-names", "content-type"), ("x-envoy-hedge-on-per-try-timeout", "true"),
    ("x-envoy-attempt-count", "9"), ("x-envoy-original-path", "/admin"), ("x-envoy-expected-rq-timeout-ms", "1"),
    ("x-envoy-internal", "true"), ("x-envoy-upstream-alt-stat-name", "a"), ("x-envoy-decorator-operation", "a"),
    ("x-envoy-force-trace", "true"), ("x-envoy-ip-tags", "a"), ("x-envoy-downstream-service-cluster", "a"),
    ("x-nr-next", "provider_groq"), ("x-nr-workspace", "wide"), ("x-nr-plan", "[]"), ("nr-next", "provider_groq"),
    ("x-nr-attempt", "9"), ("wasm.nr_next", "provider_groq"), ("nr_next", "provider_groq"),
]


@pytest.mark.parametrize("header", STEERING, ids=lambda header: header[0])
def test_a_client_cannot_steer_the_gateway_by_a_header(gateway, sim, header):
    sim.fault("openai", "status", status=500)
    sim.behave("anthropic", text="Served.", first_token_ms=20)

    answer = gateway.chat("gpt-4o", route={"fallbacks": ["claude-sonnet"]}, headers=[header])

    assert answer.status == 200, answer.body[:400]
    assert [attempt["model"] for attempt in answer.routing["attempts"]] == ["gpt-4o", "claude-sonnet"]
    assert sim.requests("groq") == []
    for provider in ("openai", "anthropic"):
        leaked = [name for name in sim.only(provider).names() if name.startswith(("x-envoy-", "x-nr-", "nr-", "nr_", "wasm."))]
        assert leaked == []


def test_all_of_them_at_once_change_nothing(gateway, sim):
    answer = gateway.chat("gpt-4o", headers=STEERING)
    assert answer.status == 200 and answer.routing["selected"] == "gpt-4o"
    assert not [name for name in sim.only("openai").names() if name.startswith(("x-envoy-", "x-nr-"))]


@pytest.mark.parametrize("line", [
    b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"transfer-encoding: gzip, chunked\r\n",
    b"transfer-encoding: identity\r\n", b"upgrade: websocket\r\nconnection: upgrade\r\n", b" folded: yes\r\n",
    b"connection: x-api-key, authorization\r\n", b"te: trailers\r\n", b"host: y\r\n", b"no colon\r\n",
], ids=lambda line: line.decode().strip())
def test_a_message_of_doubtful_length_or_form_is_served_once_or_refused(gateway, sim, line):
    answer = gateway.raw(request(gateway, line))
    error_kinds = {400: "invalid_request", 401: "unauthenticated", 403: "invalid_request", 426: "invalid_request", 501: "invalid_request"}
    if answer.status != 200:
        assert_error(answer, answer.status, error_kinds[answer.status])
    assert len(sim.requests("openai")) == (1 if answer.status == 200 else 0)
    for recorded in sim.requests("openai"):
        assert recorded.completed and recorded.json()["messages"]


@pytest.mark.parametrize("cut", [1, 20, 60, 200, -30, -1])
def test_a_client_that_goes_away_harms_nobody(gateway, cut):
    whole = request(gateway, b"")
    with socket.create_connection((gateway.host, gateway.port), 5) as conn:
        conn.sendall(whole[:cut])


@pytest.mark.parametrize("model", PROVIDER_OF)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_client_that_goes_away_while_the_provider_works_harms_nobody(gateway, sim, model, stream):
    sim.behave(PROVIDER_OF[model], chunks=5, chunk_interval_ms=30)
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi."}], "stream": stream}).encode()
    for _ in range(4):
        with socket.create_connection((gateway.host, gateway.port), 5) as conn:
            conn.sendall(request(gateway, b"").partition(b"content-length")[0] + b"content-length: %d\r\n\r\n" % len(body) + body)
            conn.settimeout(0.08)
            try:
                conn.recv(10)
            except TimeoutError:
                pass
