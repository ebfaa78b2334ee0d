"""A portal as it is started: `python -m clients.<name>`, its own process, configured by the environment only."""

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from werkzeug.serving import make_server

from tests.clients.lab import Lab, Quiet, environment
from tests.machine import AUTHORITIES, free_port

ROOT = Path(__file__).parents[2]


@contextmanager
def started(name: str, environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", f"clients.{name}"], cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def wait(url: str, verify: ssl.SSLContext = AUTHORITIES) -> httpx2.Response:
    until = time.monotonic() + 20
    while True:
        try:
            return httpx2.get(f"{url}/health/live", verify=verify)
        except httpx2.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that is its own authority, and its key in PKCS#1, as openssl of old writes it."""
    folder = tmp_path_factory.mktemp("tls")
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1)
    )
    made = (
        builder.add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return folder / "certificate.pem", folder / "key.pem"


@pytest.mark.parametrize("name", ["seller", "staff", "partner"])
def test_each_portal_starts_serves_and_stops(name: str, lab: Lab, tmp_path: Path) -> None:
    port = free_port()
    with started(name, environment(lab, port, tmp_path / "store.sqlite3")) as process:
        assert wait(f"http://localhost:{port}").text == "ok"
        with httpx2.Client(follow_redirects=True, verify=AUTHORITIES) as client:
            assert "Анна Смирнова" in client.get(f"http://localhost:{port}/sign-in").text
    assert process.returncode == 0


def test_without_its_environment_it_says_what_is_missing() -> None:
    bare = {key: value for key, value in os.environ.items() if not key.startswith(("OIDC_", "PORTAL_"))}
    command = [sys.executable, "-m", "clients.seller"]
    done = subprocess.run(command, check=False, cwd=ROOT, env=bare, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "OIDC_ISSUER" in done.stderr
    assert "Traceback" not in done.stderr


def test_with_tls_cookies_are_secure_and_the_provider_is_checked(lab: Lab, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """The portal serves TLS itself, and trusts a provider of the laboratory by OIDC_CA_FILE and not without it."""
    server = make_server("127.0.0.1", 0, lab.app(), threaded=True, request_handler=Quiet, ssl_context=tuple(map(str, certificate)))
    lab.issuer = f"https://localhost:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    trust = ssl.create_default_context(cafile=certificate[0])
    port = free_port()
    environ = environment(lab, port, tmp_path / "store.sqlite3", PORTAL_CERTIFICATE=str(certificate[0]), PORTAL_KEY=str(certificate[1]))
    environ["PORTAL_URL"] = f"https://localhost:{port}"
    try:
        for more, status in (({"OIDC_CA_FILE": str(certificate[0])}, 200), ({}, 503)):
            with started("seller", environ | more):
                wait(environ["PORTAL_URL"], trust)
                with httpx2.Client(verify=trust, follow_redirects=True) as client:
                    page = client.get(f"{environ['PORTAL_URL']}/sign-in")
                    assert page.status_code == status
                    assert page.headers["strict-transport-security"]
                    names = {cookie.name: cookie for cookie in client.cookies.jar}
                    assert set(names) == {"__Host-seller_session"}
                    assert names["__Host-seller_session"].secure
    finally:
        server.shutdown()
        server.server_close()
    made = tmp_path / "store.sqlite3.tls.pem"
    assert made.stat().st_mode & 0o077 == 0
