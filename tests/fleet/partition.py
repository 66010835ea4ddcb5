"""Cutting one Envoy off from the rate-limit service, and from nothing else.

Where this user may make network namespaces, the Envoy runs in one of its own, on the other end of a cable (a veth
pair). The service has an address of its own on the near end, and a cut is a wrong hardware address for it: what the
Envoy sends goes into the void, as behind a switch that has died. Nobody is told, no connection ends. Its answers are
lost in the same way, as on the far end, too, the way to the service begins at an address of its own. Elsewhere the
Envoy reaches the service through a relay of this process, which takes everything and passes on what it may.
Which of the two it is, `name` says; NR_FLEET_PARTITION=relay asks for the second.
"""

import ipaddress
import os
import random
import shutil
import socket
import subprocess
import threading

NAMESPACE, RELAY = "network namespace", "relay"
# For tests of network equipment (RFC 2544): nobody routes to it.
NETWORK = ipaddress.ip_network("198.18.0.0/15")
NOBODY = "02:00:00:00:00:fe"


def far_side() -> "Namespace | Relay":
    """The place of the Envoy that is to be cut off."""
    if os.environ.get("NR_FLEET_PARTITION") != RELAY and shutil.which("ip") and os.geteuid() == 0:
        try:
            return Namespace()
        except subprocess.CalledProcessError as refused:
            print(f"no network namespace: {refused.stderr.strip()}")
    return Relay()


class Namespace:
    """A network namespace. `here` is this machine's address on the cable, `service` the service's, `there` the Envoy's."""

    name = NAMESPACE

    def __init__(self):
        ident = f"{random.randrange(16**6):06x}"
        self.space, self.near, self.far = f"nr-fleet-{ident}", f"nrf{ident}n", f"nrf{ident}f"
        subnet = NETWORK.network_address + 8 * random.randrange(NETWORK.num_addresses // 8)
        self.here, self.service, self.source, self.there = (str(subnet + offset) for offset in (1, 2, 3, 4))
        self.lost: set[tuple] = set()
        _ip("netns", "add", self.space)
        try:
            _ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.space)
            for address in (self.here, self.service):
                _ip("addr", "add", f"{address}/29", "dev", self.near)
            _ip("link", "set", self.near, "up")
            for address in (self.there, self.source):
                _ip("-n", self.space, "addr", "add", f"{address}/29", "dev", self.far)
            for link in ("lo", self.far):
                _ip("-n", self.space, "link", "set", link, "up")
            _ip("-n", self.space, "route", "add", f"{self.service}/32", "dev", self.far, "src", self.source)
        except subprocess.CalledProcessError:
            self.close()
            raise

    def argv(self, argv: list) -> list:
        """A command that runs there."""
        return ["ip", "netns", "exec", self.space, *argv]

    def reach(self, port: int) -> tuple[str, int]:
        """Where the service, which listens on this port of `service`, is found from there."""
        return self.service, port

    def cut(self) -> None:
        """From now on nothing arrives at the service."""
        self._lose(("-n", self.space, "neigh"), (self.service, "dev", self.far))

    def mute(self) -> None:
        """From now on all arrives at the service, and nothing of what it says arrives here."""
        self._lose(("neigh",), (self.source, "dev", self.near))

    def heal(self) -> None:
        """From now on all arrives, what is sent again of before as well."""
        while self.lost:
            where, whom = self.lost.pop()
            _ip(*where, "del", *whom)

    def _lose(self, where: tuple[str, ...], whom: tuple[str, ...]) -> None:
        _ip(*where, "replace", *whom, "lladdr", NOBODY, "nud", "permanent")
        self.lost.add((where, whom))

    def close(self) -> None:
        """Takes the cable and all else with it."""
        _ip("netns", "del", self.space)


def _ip(*words) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10)


class Relay:
    """A TCP relay. All addresses are loopback."""

    name = RELAY
    here = service = there = "127.0.0.1"

    def __init__(self):
        self.there_flows, self.back_flows = threading.Event(), threading.Event()
        self.heal()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def argv(self, argv: list) -> list:
        """The same command."""
        return argv

    def reach(self, port: int) -> tuple[str, int]:
        """The relay, which passes on to this port from now on."""
        self.port = port
        return self.listener.getsockname()

    def cut(self) -> None:
        """From now on nothing is passed on."""
        self.there_flows.clear()
        self.back_flows.clear()

    def mute(self) -> None:
        """From now on nothing of what the service says is passed on."""
        self.back_flows.clear()

    def heal(self) -> None:
        """From now on all is passed on, what has come meanwhile as well."""
        self.there_flows.set()
        self.back_flows.set()

    def close(self) -> None:
        """Takes no more connections."""
        self.heal()
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        self.there_flows.wait()
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self.port), 5)
            except OSError:
                return
            with server:
                server.settimeout(None)
                back = threading.Thread(target=_pour, args=(server, client, self.back_flows), daemon=True)
                back.start()
                _pour(client, server, self.there_flows)
                back.join()


def _pour(source: socket.socket, sink: socket.socket, flows: threading.Event) -> None:
    """What comes from the one goes to the other, until either ends."""
    try:
        while data := source.recv(65_536):
            flows.wait()
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
