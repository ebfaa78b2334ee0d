"""The certificate of a provider that serves TLS itself: is it good, and its key in the form that the server reads."""

from __future__ import annotations

import atexit
import os
import tempfile
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from idp import clock
from idp.cli.failures import Failure

SOON = timedelta(days=14)
MEMORY = Path("/dev/shm")  # noqa: S108 - in memory: a copy of the key must not stay on a disk


def as_pkcs8(key: Path) -> Path:
    """A file with the private key in PKCS#8, the only form that Granian reads: `key` itself, or a copy that goes when this process ends.

    Raises Failure when the file holds no key, or an encrypted one.
    """
    pem = _read(key)
    if b"-----BEGIN PRIVATE KEY-----" in pem:
        return key
    form = _private_key(pem, key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    handle, name = tempfile.mkstemp(prefix="idp-key-", suffix=".pem", dir=where)  # 0600 from its first moment
    with os.fdopen(handle, "wb") as file:
        file.write(form)
    atexit.register(_remove, Path(name), os.getpid())
    return Path(name)


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked worker: the next one still needs it
        path.unlink(missing_ok=True)


def problems(certificate: Path, key: Path, host: str) -> list[str]:
    """What is wrong with the certificate for `host`, a sentence each; empty when it is good. Raises Failure when a file cannot be read."""
    try:
        leaf = x509.load_pem_x509_certificates(_read(certificate))[0]
    except ValueError as e:
        raise Failure(f"{certificate} holds no certificate in PEM.") from e
    said = []
    public = _private_key(_read(key), key).public_key()
    if public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != leaf.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    ):
        said.append(f"{key} is not the key of {certificate}.")
    left = leaf.not_valid_after_utc - clock.now()
    if left <= timedelta(0):
        said.append(f"{certificate} expired on {leaf.not_valid_after_utc:%Y-%m-%d}.")
    elif left < SOON:
        said.append(f"{certificate} expires in {left.days} days.")
    if leaf.not_valid_before_utc > clock.now():
        said.append(f"{certificate} is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC.")
    if not _covers(leaf, host):
        said.append(f"{certificate} is not for {host}.")
    return said


def expires(certificate: Path) -> str:
    """The last day of the certificate, as 2027-01-31."""
    return f"{x509.load_pem_x509_certificates(_read(certificate))[0].not_valid_after_utc:%Y-%m-%d}"


def _covers(leaf: x509.Certificate, host: str) -> bool:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    hosts = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    return host in addresses or host in hosts or f"*.{host.partition('.')[2]}" in hosts


def _private_key(pem: bytes, path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, None)
    except TypeError as e:
        raise Failure(f"{path} is encrypted. Give the key without a passphrase, readable only by the user that serves.") from e
    except ValueError as e:
        raise Failure(f"{path} holds no private key in PEM.") from e


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise Failure(f"{path} cannot be read: {e.strerror}.") from e
