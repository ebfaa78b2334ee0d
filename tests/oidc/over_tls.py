"""The provider on a real loopback socket with TLS and a certificate of its own, for relying parties that are other programs."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests import machine
from tests.world import World


class Quiet(WSGIRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Threaded(ThreadingMixIn, WSGIServer):
    """A thread for each connection: a browser opens some that it may never use."""

    daemon_threads = True


def certificate(folder: Path) -> Path:
    """A PEM file with a key and a self-signed certificate for localhost, good for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "localhost.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def served(told, pem: Path | None, **changes: dict[str, object]) -> Iterator[World]:
    """A world whose issuer is https://localhost:<port>, and which answers there; http without a certificate."""
    port, url = machine.free_port(), told.copy()
    world = World(told.settings(url, server={"issuer": f"{'https' if pem else 'http'}://localhost:{port}"}, **changes))
    server = make_server("127.0.0.1", port, world.wsgi, server_class=Threaded, handler_class=Quiet)
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield world
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
        world.close()
        told.drop(url)
