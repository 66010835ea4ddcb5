"""Clients that want too much: connections, streams, headers, or time. The others must be served all the same."""

import contextlib
import socket
import time

import h2.config
import h2.connection
import h2.events
import h2.settings
import httpx
import pytest

import http2
import stack as stacks
import tls
from gateway import assert_error
from programs import until

CONNECTIONS = 60
SECONDS = 0.5

HCM = "envoy.filters.network.http_connection_manager"


def manager(bootstrap: dict) -> dict:
    """The connection manager of a bootstrap."""
    [chain] = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
    [found] = [found["typed_config"] for found in chain["filters"] if found["name"] == HCM]
    return found


def impatient(bootstrap: dict) -> None:
    """The bounds in time that are shipped, in seconds that a test has. That they are shipped is checked by `nr`'s own tests."""
    found = manager(bootstrap)
    assert (found["request_headers_timeout"], found["request_timeout"]) == ("10s", "130s")
    found["request_headers_timeout"] = found["request_timeout"] = f"{SECONDS}s"


@pytest.fixture(scope="module")
def small(stack, tmp_path_factory):
    """An Envoy with few connections and little patience."""
    def configure(config: dict) -> None:
        config["listen"]["max_connections"] = CONNECTIONS
    with stacks.beside(stack, tmp_path_factory.mktemp("small"), workers=1, configure=configure, edit=impatient) as running:
        yield running


@pytest.fixture
def open_(small):
    """Opens connections that end with the test; then those of others are let in again."""
    with contextlib.ExitStack() as held:
        def connect() -> socket.socket:
            return held.enter_context(socket.create_connection((small.gateway.host, small.gateway.port), 10))
        yield connect
    until(lambda: small.counter("http.clients.downstream_cx_active") == 0, "all connections to be gone")


def served(small) -> bool:
    return small.gateway.chat().status == 200


def closed(conn: socket.socket, read: int = 1) -> bool:
    """Whether the other side closes instead of saying more."""
    try:
        return conn.recv(read) == b""
    except ConnectionResetError:
        return True


def test_a_connection_above_the_bound_is_closed_and_those_below_it_are_served(small, sim, open_):
    held = [open_() for _ in range(CONNECTIONS)]
    until(lambda: small.counter("http.clients.downstream_cx_active") == CONNECTIONS, "the connections to be there")
    assert all(closed(open_()) for _ in range(100))

    held[0].sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert held[0].recv(1000).startswith(b"HTTP/1.1 200")
    assert httpx.get(f"http://{small.admin}/ready", trust_env=False).text.strip() == "LIVE", "the administration is not counted"
    assert small.counter("listener.127.*downstream_global_cx_overflow") >= 100

    held.pop().close()
    until(lambda: small.counter("http.clients.downstream_cx_active") < CONNECTIONS, "one connection to be gone")
    assert served(small)


def test_headers_that_never_end_are_answered_when_the_time_is_up(small, sim, open_):
    slow = [open_() for _ in range(20)]
    started = time.monotonic()
    for conn in slow:
        conn.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-a: ")
    assert served(small), "others are served meanwhile"
    for conn in slow:
        answer = conn.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 408") and b'"code":"request_timeout"' in answer, answer
    assert SECONDS - 0.02 <= time.monotonic() - started < 10
    assert all(closed(conn) for conn in slow)


def test_a_body_that_never_ends_is_answered_when_the_time_is_up(small, sim):
    head = [b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ", small.gateway.key.encode(),
            b"\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"]
    answer = small.gateway.raw(b"".join(head))
    assert_error(answer, 408, "invalid_request", "request_timeout")
    # Envoy's timers are up to a few milliseconds early by our clock.
    assert answer.seconds >= SECONDS - 0.02 and sim.requests("openai") == []


def start(conn: socket.socket) -> h2.connection.H2Connection:
    """HTTP/2 on a connection, with the other side's settings read."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    conn.sendall(connection.data_to_send())
    while connection.remote_settings.get(h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS, 2**32) > 1000:
        connection.receive_data(conn.recv(65_536))
    return connection


def headers(small) -> list[tuple[str, str]]:
    return http2.request_headers(small.gateway.port, "POST", "/v1/chat/completions", small.gateway.key)


def test_more_streams_at_once_than_was_agreed_end_the_connection_and_no_other(small, sim, open_):
    other = start(kept := open_())
    conn = open_()
    connection = start(conn)
    assert connection.remote_settings.max_concurrent_streams == 100
    connection.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 1000  # so that our library lets us
    connection.remote_settings.acknowledge()
    before = small.counter("http.clients.downstream_cx_protocol_error")
    for _ in range(120):
        connection.send_headers(connection.get_next_available_stream_id(), headers(small))
    conn.sendall(connection.data_to_send())

    until(lambda: closed(conn, 65_536), "the end of the connection")
    assert small.counter("http.clients.downstream_cx_protocol_error") == before + 1
    stream = other.get_next_available_stream_id()
    other.send_headers(stream, http2.request_headers(small.gateway.port, "GET", "/healthz", None), end_stream=True)
    kept.sendall(other.data_to_send())
    until(lambda: any(isinstance(event, h2.events.StreamEnded) for event in other.receive_data(kept.recv(65_536))), "an answer to the other")


def test_streams_that_are_begun_and_reset_end_the_connection(small, sim, open_):
    conn = open_()
    connection = start(conn)
    sent = 0
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        for sent in range(20_000):
            stream = connection.get_next_available_stream_id()
            connection.send_headers(stream, headers(small))
            connection.reset_stream(stream)
            conn.sendall(connection.data_to_send())
    assert sent < 19_999, "the connection was never closed"
    assert small.counter("http.clients.downstream_rq_too_many_premature_resets") == 1
    assert served(small)


@pytest.mark.parametrize(("count", "size"), [(5_000, 1), (500, 1_000)], ids=["many", "large"])
def test_headers_without_end_in_http_2_end_their_stream_or_connection(small, sim, open_, count, size):
    conn = open_()
    connection = start(conn)
    stream = connection.get_next_available_stream_id()
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        connection.send_headers(stream, [*headers(small), *((f"x-{n}", "a" * size) for n in range(count))])
        conn.sendall(connection.data_to_send())

    def ended() -> bool:
        try:
            data = conn.recv(65_536)
        except ConnectionResetError:
            return True
        events = connection.receive_data(data)
        statuses = [dict(event.headers)[":status"] for event in events if isinstance(event, h2.events.ResponseReceived)]
        assert set(statuses) <= {"431", "400"}, statuses
        return not data or bool(statuses) or any(isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated) for event in events)
    until(ended, "the end of the stream")
    assert served(small) and len(sim.requests("openai")) == 1


def test_a_tls_handshake_that_does_not_begin_ends_the_connection(stack, sim, tmp_path):
    authority = tls.Authority(tmp_path)
    certificate, key = tmp_path / "tls.pem", tmp_path / "key.pem"
    tls.write(authority.issue("localhost"), certificate, key)

    def configure(config: dict) -> None:
        config["listen"]["tls"] = {"certificate": {"file": str(certificate)}, "private_key": {"file": str(key)}}

    def hurry(bootstrap: dict) -> None:
        [chain] = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
        assert chain["transport_socket_connect_timeout"] == "10s"
        chain["transport_socket_connect_timeout"] = f"{SECONDS}s"
    with stacks.beside(stack, tmp_path, workers=1, configure=configure, edit=hurry) as running:
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", running.gateway.port), 10) as conn:
            assert closed(conn) and SECONDS * 0.9 <= time.monotonic() - started < 8


def test_near_the_bound_of_the_heap_new_calls_are_refused_in_the_api_s_form(stack, sim, tmp_path):
    def configure(config: dict) -> None:
        config["listen"]["max_heap_bytes"] = 128 << 20

    def full(bootstrap: dict) -> None:
        manager = bootstrap["overload_manager"]
        [heap] = [monitor for monitor in manager["resource_monitors"] if monitor["name"].endswith("fixed_heap")]
        assert heap["typed_config"]["max_heap_size_bytes"] == 128 << 20
        heap["typed_config"]["max_heap_size_bytes"] = 1 << 20  # which any Envoy has long used
        manager["actions"] = [action for action in manager["actions"] if not action["name"].endswith("stop_accepting_connections")]
    with stacks.beside(stack, tmp_path, workers=1, configure=configure, edit=full) as running:
        until(lambda: running.counter("overload.envoy.overload_actions.stop_accepting_requests.active") == 1, "the overload to be seen")
        answer = running.gateway.chat()
        assert_error(answer, 503, "no_provider_available", "overloaded")
        assert answer.header("retry-after") == "1"
        assert running.gateway.call("GET", "/healthz", key=None).status == 503, "whoever shares out load learns it"
    assert sim.requests("openai") == []
