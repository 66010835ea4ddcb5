"""`nr top` on a real Envoy under load: its figures are what was sent, and the terminal is given back however it ends."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyte
import pytest

import programs
import stack as stacks
from programs import Child, until

WIDTH, HEIGHT = 130, 40
ALTERNATE, BACK, CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


@contextmanager
def child(folder, *options):
    """`nr top` into a pipe, or rather a file, which is no terminal either."""
    running = Child("top", [programs.nr(), "top", *options], folder, cwd=folder)
    try:
        yield running
    finally:
        running.stop()


class Terminal:
    """`nr top` on a terminal, which remembers every byte and shows what a person would see."""

    def __init__(self, folder, *options, environment=()):
        self.written, self.screen = b"", pyte.Screen(WIDTH, HEIGHT)
        self.stream = pyte.ByteStream(self.screen)
        self.closed, (self.master, self.slave) = False, pty.openpty()
        self.resize(WIDTH, HEIGHT)
        self.before = termios.tcgetattr(self.slave)
        usual = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.process = subprocess.Popen(
            [str(word) for word in (programs.nr(), "top", *options)], stdin=self.slave, stdout=self.slave, stderr=self.slave, cwd=folder,
            env=usual | {"TERM": "xterm-256color"} | dict(environment), start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))  # so that a change of size is told
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                piece = os.read(self.master, 65_536)
            except OSError:
                return
            if not piece:
                return
            self.written += piece
            self.stream.feed(piece)

    def resize(self, width, height):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    @property
    def text(self):
        """What is on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def shows(self, pattern, seconds=20):
        """Waits until the screen has this."""
        try:
            return until(lambda: re.search(pattern, self.text, re.M), f"{pattern} on the screen", seconds)
        except AssertionError as gave_up:
            raise AssertionError(f"{gave_up}:\n{self.text}") from None

    def press(self, keys):
        os.write(self.master, keys)

    def ended(self, seconds=10):
        """The exit status, once there is one; a signal that killed it is negative."""
        return self.process.wait(seconds)

    def assert_given_back(self):
        """The terminal is as it was: its settings, the usual screen, a cursor."""
        assert termios.tcgetattr(self.slave) == self.before
        until(lambda: self.written.count(ALTERNATE) == 1 and self.written.count(BACK) >= 1, "the usual screen")
        assert self.written.rfind(BACK) > self.written.rfind(ALTERNATE) and self.written.rfind(CURSOR) > self.written.find(ALTERNATE)

    def close(self):
        self.process.kill()
        self.process.wait()
        if not self.closed:
            os.close(self.slave)
            self.reader.join(5)
            os.close(self.master)


@pytest.fixture
def terminal(tmp_path):
    """Starts `nr top` on terminals, and ends what a test has left."""
    started = []

    def start(*options, **more):
        started.append(Terminal(tmp_path, *options, **more))
        return started[-1]
    yield start
    for one in started:
        one.close()


def once(stack, *options):
    """One look, as JSON."""
    ended = programs.run([programs.nr(), "top", "--admin", f"http://{stack.admin}", "--once", "--json", "--interval", "200ms", *options])
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def model(view, name):
    return next((model for model in view["models"] if model["model"] == name), {"attempts": 0})


def workspace(view, name):
    return next((one for one in view["workspaces"] if one["workspace"] == name), {"calls": 0})


def test_its_figures_are_what_was_sent(stack, gateway, sim):
    before = once(stack)
    sim.fault("anthropic", "status", status=429, times=3)
    for _ in range(20):
        assert gateway.chat().status == 200
    for _ in range(3):
        assert gateway.chat("claude-sonnet", route={"fallbacks": ["gpt-4o"]}).status == 200
    for _ in range(4):
        assert gateway.chat(key="nr-wrong").status == 401

    after = once(stack)

    assert after["gateway"]["calls"] - before["gateway"]["calls"] == 27
    assert workspace(after, "acme")["calls"] - workspace(before, "acme")["calls"] == 23
    assert model(after, "gpt-4o")["attempts"] - model(before, "gpt-4o")["attempts"] == 23
    assert model(after, "claude-sonnet")["attempts"] - model(before, "claude-sonnet")["attempts"] == 3
    causes = [{(one["provider"], one["cause"]): one["count"] for one in view["failovers"]} for view in (before, after)]
    assert causes[1][("anthropic", "rate_limited")] - causes[0].get(("anthropic", "rate_limited"), 0) == 3
    assert after["gateway"]["usd"] > before["gateway"]["usd"]
    assert after["gateway"]["envoy"].startswith("1.40.") and after["gateway"]["state"] == "LIVE"


def test_its_rates_add_up_to_what_was_sent(stack, gateway, tmp_path):
    with child(tmp_path, "--admin", f"http://{stack.admin}", "--json", "--interval", "300ms") as top:
        top.wait_until(lambda: top.output().count("\n") >= 1, "its first line")
        for _ in range(30):
            assert gateway.chat().status == 200
        for _ in range(5):
            gateway.chat(model="no-such-model")

        def sums():
            views = [json.loads(line) for line in top.output().splitlines(keepends=True) if line.endswith("\n")]
            total = sum(view["gateway"]["calls_per_s"] * view["gateway"]["interval_s"] for view in views)
            errors = sum(view["gateway"]["errors_per_s"]["caller"] * view["gateway"]["interval_s"] for view in views)
            return round(total, 6), round(errors, 6)
        top.wait_until(lambda: sums()[0] >= 35, "all calls in its rates")
        assert sums() == (35, 5)


def test_into_a_pipe_it_writes_lines_without_escapes(stack, gateway, tmp_path):
    gateway.chat()
    with child(tmp_path, "--admin", f"http://{stack.admin}", "--interval", "200ms") as top:
        top.wait_until(lambda: top.output().count("MODEL") >= 3, "three tables")
        assert "\x1b" not in top.output() and "\r" not in top.output() and top.errors() == ""
        assert re.search(r"^gpt-4o +openai ", top.output(), re.M) and re.search(r"^WORKSPACE +CALLS/S", top.output(), re.M)


def test_a_terminal_is_refreshed_by_what_happens_and_sorted_by_keys(stack, sim, terminal, tmp_path):
    # An Envoy that has counted nothing yet: thousands of calls are not shown to the unit.
    with stacks.beside(stack, tmp_path, workers=1) as running:
        running.gateway.chat()
        top = terminal("--admin", f"http://{running.admin}", "--interval", "300ms")
        top.shows(r"^ gpt-4o +openai ")
        top.shows(" 1 calls ")
        for _ in range(7):
            assert running.gateway.chat().status == 200
        top.shows(" 8 calls ")
        assert "healthy" in top.text and "acme" in top.text
        top.press(b"n")
        top.press(b"q")
        assert top.ended() == 0
        top.assert_given_back()


@pytest.mark.parametrize("end", [b"q", b"\x03", signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=str)
def test_the_terminal_is_given_back(stack, terminal, end):
    top = terminal("--admin", f"http://{stack.admin}", "--interval", "60s")
    top.shows("Envoy 1.40")
    if isinstance(end, bytes):
        top.press(end)
    else:
        top.process.send_signal(end)
    assert top.ended() == 0
    top.assert_given_back()


def test_a_terminal_that_goes_away_ends_it(stack, terminal):
    top = terminal("--admin", f"http://{stack.admin}", "--interval", "200ms")
    top.shows("Envoy 1.40")
    os.close(top.slave)
    os.close(top.master)
    top.closed = True
    top.ended()


def test_a_terminal_may_change_its_size(stack, gateway, terminal):
    gateway.chat()
    top = terminal("--admin", f"http://{stack.admin}")
    top.shows(r"TTFT p50")
    top.screen.resize(HEIGHT, 62)
    top.resize(62, HEIGHT)
    until(lambda: "STATE" in top.text and "TOKENS/S" not in top.text, "the narrow table")
    assert max(map(len, top.text.splitlines())) <= 62


@pytest.mark.parametrize(("environment", "coloured"), [((), True), ((("NO_COLOR", "1"),), False)], ids=["colours", "NO_COLOR"])
def test_colours_are_left_out_on_demand(stack, gateway, terminal, environment, coloured):
    gateway.chat()
    top = terminal("--admin", f"http://{stack.admin}", environment=environment)
    top.shows("healthy")
    styles = re.findall(rb"\x1b\[([0-9;]*)m", top.written)
    assert styles and any(re.search(rb"(^|;)(3[0-8]|9[0-7])(;|$)", style) for style in styles) == coloured


class Admin:
    """Envoy's administration endpoint, to be taken away: as old as it is told, with so many calls."""

    def __init__(self):
        self.port, self.uptime, self.calls, self.server = programs.free_ports(1)[0], 100, 1_000, None

    def start(self):
        admin = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                labels = 'workspace="acme",model="m",provider="p",outcome="ok",fault="none"'
                info = {"version": "c/1.40.0/Clean/RELEASE/B", "state": "LIVE", "uptime_current_epoch": f"{admin.uptime}s"}
                body = json.dumps(info) if self.path == "/server_info" else f"nr_calls_total{{{labels}}} {admin.calls}\n"
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


@pytest.fixture
def admin():
    """An endpoint that is there."""
    running = Admin()
    running.start()
    yield running
    running.stop()


def test_a_terminal_waits_for_a_gateway_that_went_and_counts_one_that_began_anew(admin, terminal):
    top = terminal("--admin", f"127.0.0.1:{admin.port}", "--interval", "200ms")
    top.shows(" 1000 calls ")
    admin.stop()
    top.shows("cannot be reached: nobody listens there")
    assert " 1000 calls " in top.text
    admin.uptime, admin.calls = 1, 5
    admin.start()
    top.shows(" 5 calls ")
    assert "cannot be reached" not in top.text
    top.press(b"q")
    assert top.ended() == 0


def test_a_terminal_without_a_gateway_says_so_and_can_be_left(terminal):
    [port] = programs.free_ports(1)
    top = terminal("--admin", f"127.0.0.1:{port}", "--interval", "200ms")
    top.shows("cannot be reached: nobody listens there")
    top.press(b"q")
    assert top.ended() == 0
    top.assert_given_back()


def test_where_nobody_sits_a_gateway_that_is_not_there_is_an_error(admin, tmp_path):
    [port] = programs.free_ports(1)
    for options in (["--once"], ["--json"], []):
        ended = programs.run([programs.nr(), "top", "--admin", f"127.0.0.1:{port}", *options])
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.count("\n") == 1 and f"127.0.0.1:{port}" in ended.stderr and "--admin" in ended.stderr
    with child(tmp_path, "--admin", f"127.0.0.1:{admin.port}", "--interval", "100ms") as top:
        top.wait_until(lambda: "calls" in top.output(), "a first table")
        admin.stop()
        assert top.process.wait(10) == 1 and "cannot be reached" in top.errors()


def test_the_endpoint_and_the_limits_come_from_the_configuration(admin, stack, tmp_path):
    config = tmp_path / "neural-router.yaml"
    text = stack.bootstrap.with_name("neural-router.yaml").read_text()
    config.write_text(re.sub(r"(admin:\n  address: \S+\n  port: )\d+", rf"\g<1>{admin.port}", text))
    for options, cwd in ((["--config", config], programs.ROOT), ([], tmp_path)):
        ended = programs.run([programs.nr(), "top", "--once", "--json", "--interval", "100ms", *options], cwd=cwd)
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["gateway"]["admin"] == f"http://127.0.0.1:{admin.port}"
    assert programs.run([programs.nr(), "top", "--config", tmp_path / "nowhere.yaml"]).returncode == 1
