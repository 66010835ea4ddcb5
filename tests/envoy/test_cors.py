"""Calls from web pages: answered for by Envoy where the configuration names their origins, and off without it."""

import copy
import dataclasses
import json

import pytest

import programs
import stack as stacks
from configuration import BODY_LIMIT, to_yaml
from gateway import Gateway, Response, assert_error
from stack import Stack

PAGE = "https://app.example.com"
LOCAL_PAGE = "http://localhost:3000"
STRANGER = "https://evil.example.com"
MAX_AGE_S = 1200

# What OpenAI's client for JavaScript sends from a browser: src/client.ts and src/internal/detect-platform.ts of
# openai/openai-node, and `x-stainless-helper-method` of its streaming helper.
SENT_BY_OPENAI_S_CLIENT = {
    "authorization", "content-type", "user-agent", "openai-organization", "openai-project", "x-stainless-lang",
    "x-stainless-package-version", "x-stainless-os", "x-stainless-arch", "x-stainless-runtime", "x-stainless-runtime-version",
    "x-stainless-retry-count", "x-stainless-timeout", "x-stainless-helper-method",
}
READ_BY_PAGES = {
    "retry-after", "x-request-id", "x-should-retry",
    *(f"x-ratelimit-{what}{of}" for what in ("limit", "remaining", "reset") for of in ("", "-requests", "-tokens")),
}
PATHS = ["/v1/chat/completions", "/v1/models", "/v1/models/gpt-4o", "/healthz"]


def envoy_with(cors: dict, stack: Stack, folder):
    """An Envoy of its own whose configuration has this `listen.cors`."""
    listen, admin_port = programs.free_ports(2)
    config = copy.deepcopy(stack.config)
    config["listen"] |= {"port": listen, "cors": cors}
    config["admin"]["port"] = admin_port
    file, bootstrap, admin = folder / "neural-router.yaml", folder / "envoy.yaml", f"127.0.0.1:{admin_port}"
    file.write_text(to_yaml(config))
    rendered = stacks.render(file, folder / "secrets", stack.secrets.environment())
    assert rendered.returncode == 0, rendered.stderr
    bootstrap.write_text(rendered.stdout)
    envoy = stacks.start_envoy("envoy", bootstrap, admin, folder, workers=1)
    gateway = Gateway(listen, stack.secrets.workspace["acme"])
    running = dataclasses.replace(stack, folder=folder, bootstrap=bootstrap, config=config, gateway=gateway, admin=admin, envoy=envoy)
    yield running
    ended = not envoy.running()
    envoy.stop()
    assert not ended, f"Envoy ended:\n{envoy.errors()[-4000:]}"
    assert running.faults_in_logs() == []


@pytest.fixture(scope="module")
def open_to_pages(stack: Stack, tmp_path_factory: pytest.TempPathFactory):
    """Two origins may call."""
    cors = {"allow_origins": [PAGE, LOCAL_PAGE], "max_age_s": MAX_AGE_S}
    yield from envoy_with(cors, stack, tmp_path_factory.mktemp("cors"))


@pytest.fixture(scope="module")
def open_to_all(stack: Stack, tmp_path_factory: pytest.TempPathFactory):
    """Every origin may call."""
    yield from envoy_with({"allow_origins": ["*"]}, stack, tmp_path_factory.mktemp("cors-all"))


@pytest.fixture
def pages(open_to_pages: Stack, sim) -> Gateway:
    """That gateway, before healthy providers."""
    return open_to_pages.gateway


def preflight(gateway: Gateway, path: str, origin: str | None, method: str = "POST") -> Response:
    """What a browser asks, without a key, before it lets a page make the call."""
    headers = [("access-control-request-method", method),
               ("access-control-request-headers", ",".join(sorted(SENT_BY_OPENAI_S_CLIENT)))]
    return gateway.call("OPTIONS", path, headers=headers + ([("origin", origin)] if origin else []), key=None)


def listed(answer: Response, name: str) -> set[str]:
    """A header that is a list of names."""
    return {item.strip().lower() for item in (answer.header(name) or "").split(",")}


def cors_headers(answer: Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith("access-control-")}


@pytest.mark.parametrize("origin", [PAGE, LOCAL_PAGE])
@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_of_a_named_origin_is_allowed(pages, no_provider_called, path, origin):
    answer = preflight(pages, path, origin)

    assert answer.status == 200 and answer.body == b""
    assert answer.header("access-control-allow-origin") == origin
    assert listed(answer, "access-control-allow-methods") == {"get", "post"}
    assert listed(answer, "access-control-allow-headers") >= SENT_BY_OPENAI_S_CLIENT | {"idempotency-key", "x-request-id"}
    assert answer.header("access-control-max-age") == str(MAX_AGE_S)
    assert answer.header("access-control-allow-credentials") is None
    assert answer.header("x-request-id")


@pytest.mark.parametrize("origin", [STRANGER, "null", PAGE + ".evil.com", "http://app.example.com", PAGE + ":8443", PAGE.upper(), "*", ""])
@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_of_another_origin_is_refused_as_ever(pages, gateway, no_provider_called, path, origin):
    answer = preflight(pages, path, origin)

    error = assert_error(answer, 405, "invalid_request", "method_not_allowed")
    assert cors_headers(answer) == {}
    assert error == preflight(gateway, path, origin).json()["error"], "the same as where CORS is off"


def test_an_options_request_that_is_no_preflight_is_refused(pages, no_provider_called):
    answer = pages.call("OPTIONS", "/v1/chat/completions", headers=[("origin", PAGE)])
    assert_error(answer, 405, "invalid_request", "method_not_allowed")


@pytest.mark.parametrize("make", [
    pytest.param(lambda page: page.chat(headers=[("origin", PAGE)]), id="a whole answer"),
    pytest.param(lambda page: page.chat("claude-sonnet", headers=[("origin", PAGE)]), id="a translated answer"),
    pytest.param(lambda page: page.chat(stream=True, headers=[("origin", PAGE)]), id="a stream"),
    pytest.param(lambda page: page.call("GET", "/v1/models", headers=[("origin", PAGE)]), id="the models"),
    pytest.param(lambda page: page.call("GET", "/healthz", headers=[("origin", PAGE)], key=None), id="health"),
    pytest.param(lambda page: page.chat(key=None, headers=[("origin", PAGE)]), id="no key"),
    pytest.param(lambda page: page.chat("nothing", headers=[("origin", PAGE)]), id="no such model"),
    pytest.param(lambda page: page.post(b"{", headers=[("origin", PAGE)]), id="no JSON"),
    pytest.param(lambda page: page.post(b"x" * (BODY_LIMIT + 1), headers=[("origin", PAGE)], chunked=True), id="too large"),
    pytest.param(lambda page: page.call("GET", "/nowhere", headers=[("origin", PAGE)]), id="no such path"),
])
def test_a_page_may_read_every_response_and_the_headers_it_needs(pages, make):
    answer = make(pages)

    assert cors_headers(answer).keys() == {"access-control-allow-origin", "access-control-expose-headers"}, answer.headers
    assert answer.header("access-control-allow-origin") == PAGE
    assert listed(answer, "access-control-expose-headers") == READ_BY_PAGES
    assert answer.header("x-request-id")


def test_a_page_may_read_why_a_call_failed(pages, sim):
    sim.fault("openai", "status", status=429, retry_after=7)
    answer = pages.chat(headers=[("origin", PAGE)])
    assert answer.status == 503 and answer.routing["attempts"] and answer.header("retry-after") == "7"
    assert answer.header("access-control-allow-origin") == PAGE


@pytest.mark.parametrize("stream", [False, True])
def test_other_clients_are_answered_and_told_nothing_of_pages(pages, stream):
    for headers in ([], [("origin", STRANGER)]):
        answer = pages.chat(headers=headers, stream=stream)
        assert answer.status == 200 and cors_headers(answer) == {}, headers


def test_the_origin_of_a_page_does_not_reach_a_provider(pages, sim):
    assert pages.chat(headers=[("origin", PAGE), ("x-stainless-lang", "js")]).status == 200
    assert not sim.only("openai").names() & {"origin", "x-stainless-lang"}


def test_a_preflight_is_a_line_of_the_access_log_without_a_workspace(pages, open_to_pages):
    answer = preflight(pages, "/v1/chat/completions?key=query-canary", PAGE)

    def line():
        return next((line for line in open_to_pages.envoy.output().splitlines() if answer.header("x-request-id") in line), None)
    entry = json.loads(programs.until(line, "the access log line", 10))
    assert (entry["method"], entry["path"], entry["status"]) == ("OPTIONS", "/v1/chat/completions", 200)
    assert (entry["workspace"], entry["usage"]) == (None, None)


@pytest.mark.parametrize("origin", [PAGE, STRANGER, "null"])
def test_a_star_lets_every_page_call(open_to_all, sim, origin):
    asked = preflight(open_to_all.gateway, "/v1/chat/completions", origin)
    assert asked.status == 200 and asked.header("access-control-allow-origin") in (origin, "*")
    assert asked.header("access-control-max-age") == "600"
    answer = open_to_all.gateway.chat(headers=[("origin", origin)])
    assert answer.status == 200 and answer.header("access-control-allow-origin") in (origin, "*")
    assert answer.header("access-control-allow-credentials") is None


@pytest.mark.parametrize("origin", [PAGE, "null"])
@pytest.mark.parametrize("path", PATHS)
def test_without_it_in_the_configuration_no_page_may_call(gateway, no_provider_called, path, origin):
    answer = preflight(gateway, path, origin)
    assert_error(answer, 405, "invalid_request", "method_not_allowed")
    assert cors_headers(answer) == {}
    assert cors_headers(gateway.call("GET", "/v1/models", headers=[("origin", origin)])) == {}


def test_without_it_in_the_configuration_the_bootstrap_holds_nothing_of_it(stack):
    assert "cors" not in stack.bootstrap.read_text()
