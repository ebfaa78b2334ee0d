"""Serve one portal: one worker process of granian, with or without TLS.

Granian is told the address of a function, not an app: the app, and with it the store, is made in the worker.
"""

import os
import socket
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from granian import Granian
from granian.constants import Interfaces, SSLProtocols
from granian.log import LogLevels

from clients import settings


def run(name: str) -> int:
    """Serve the portal `name` until a signal ends it. The exit code: 0, or 2 when the environment is wrong."""
    try:
        found = settings.read(name, os.environ)
        host = socket.getaddrinfo(found.host, found.port, type=socket.SOCK_STREAM)[0][4][0]
    except (settings.BadSettings, OSError) as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 2
    sys.stdout.write(f"{name}: {found.url} (provider {found.issuer})\n")
    sys.stdout.flush()
    Granian(
        f"clients.{name}.app:create_app",
        factory=True,
        address=str(host),
        port=found.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=8,
        websockets=False,
        log_level=LogLevels.error,
        ssl_cert=found.certificate,
        ssl_key=_pkcs8(found.key, found.store) if found.key else None,
        ssl_protocol_min=SSLProtocols.tls12,
    ).serve()
    return 0


def _pkcs8(key: Path, store: Path) -> Path:
    """Granian reads PKCS#8 keys only; another form is turned into it, beside the store."""
    pem = key.read_bytes()
    if b"BEGIN PRIVATE KEY" in pem:
        return key
    path = store.with_name(store.name + ".tls.pem")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(load_pem_private_key(pem, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
