"""Certificates made for one run, and a relay that puts TLS before a server that has none."""

import select
import socket
import ssl
import threading
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import trustme

# What every connection over HTTP/2 begins with.
PREFACE = b"PRI * HTTP/2.0"


class Authority:
    """A certificate authority that nobody else knows."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.ca = trustme.CA()
        self.file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.file))

    def issue(self, *names: str, **options) -> trustme.LeafCert:
        """A certificate and its key for these names or addresses."""
        return self.ca.issue_cert(*names, **options)

    def client(self, *alpn: str) -> ssl.SSLContext:
        """Trusts this authority alone."""
        context = ssl.create_default_context(cafile=self.file)
        if alpn:
            context.set_alpn_protocols(alpn)
        return context


def write(leaf: trustme.LeafCert, certificate: Path, key: Path) -> None:
    """Puts certificate and key in their places as one that rotates them does: beside, then renamed."""
    pieces = [(certificate, b"".join(blob.bytes() for blob in leaf.cert_chain_pems)), (key, leaf.private_key_pem.bytes())]
    for place, content in pieces:
        beside = place.with_suffix(".new")
        beside.touch(0o600)
        beside.write_bytes(content)
        beside.rename(place)


def server(leaf: trustme.LeafCert, *alpn: str, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Shows this certificate; knows these protocols, and no newer version of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    context.set_alpn_protocols(alpn)
    if newest:
        old(context, newest)
    return context


def old(context: ssl.SSLContext, newest: ssl.TLSVersion) -> None:
    """Makes a context speak versions of TLS that are given up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    context.set_ciphers("ALL:@SECLEVEL=0")


@dataclass
class Seen:
    """A connection that came in. `sent`: its first bytes, once they can be read."""

    name: str | None = None
    protocol: str | None = None
    failed: str | None = None
    sent: bytes = b""


@dataclass
class Relay:
    """Accepts connections, with TLS if it is given a context, and passes their bytes on to `target` (`host:port`)."""

    target: str
    context: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._names = threading.local()
        if self.context:
            self.context.sni_callback = lambda _, name, __: setattr(self._names, "name", name)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No further connections; those there are end with their ends."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        seen = Seen()
        self.seen.append(seen)
        host, _, port = self.target.partition(":")
        try:
            if self.context:
                self._names.name = None
                try:
                    client = self.context.wrap_socket(client, server_side=True)
                finally:
                    seen.name = self._names.name
                seen.protocol = client.selected_alpn_protocol()
            upstream = socket.create_connection((host, int(port)), 5)
        except OSError as error:  # a failed handshake is one
            seen.failed = str(error)
            client.close()
            return
        # A TLS socket is not for two threads at a time, so one thread waits for both ends.
        with client, upstream:
            _pump(client, upstream, seen)


def _pump(client, upstream: socket.socket, seen: Seen) -> None:
    client.settimeout(5)
    while True:
        pending = isinstance(client, ssl.SSLSocket) and client.pending()
        ready = [client] if pending else select.select([client, upstream], [], [])[0]
        try:
            for end, other in ((client, upstream), (upstream, client)):
                if end in ready:
                    data = end.recv(65_536)
                    if not data:
                        return
                    if end is client and len(seen.sent) < 4096:
                        seen.sent += data
                    other.sendall(data)
        except OSError:
            return
