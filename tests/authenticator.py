"""A passkey provider in software, for tests: it makes keys and signs, soundly or with whatever lie a test wants told.

What comes out is the JSON that `passkey.js` would put into the form's `credential` field.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.world import ISSUER

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40
SYNCED, BOUND = UP | UV | BE | BS, UP | UV
ES256, EDDSA, RS256, ES384 = -7, -8, -257, -35
CHROMIUM = "b5397666-4885-aa6b-cebf-e52262a439a2"


def text(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(given: str) -> bytes:
    """And back."""
    return base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))


def _make(algorithm: int) -> Any:
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == RS256:
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP384R1() if algorithm == ES384 else ec.SECP256R1())


@dataclass
class Authenticator:
    """One passkey: what it says by default is sound; each of the ceremonies takes what shall be said instead."""

    algorithm: int = ES256
    flags: int = SYNCED
    counter: int = 0
    aaguid: str = CHROMIUM
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(20))
    handle: str | None = None
    key: Any = None

    def __post_init__(self) -> None:
        self.key = self.key or _make(self.algorithm)

    @property
    def credential_id(self) -> str:
        """As the pages write it."""
        return text(self.credential)

    def create(self, options: dict[str, Any], **lies: Any) -> str:
        """The answer to `navigator.credentials.create`."""
        self.handle = options["user"]["id"]
        client = self._client("webauthn.create", options["challenge"], lies)
        credential = self.credential
        attested = bytes.fromhex(self.aaguid.replace("-", "")) + len(credential).to_bytes(2, "big") + credential
        attested += lies.get("cose") or cbor2.dumps(self._cose(lies.get("algorithm", self.algorithm)))
        said = self._said(options["rp"]["id"], lies, AT) + attested
        attestation = cbor2.dumps({"fmt": lies.get("fmt", "none"), "attStmt": lies.get("statement", {}), "authData": said})
        response = {
            "clientDataJSON": text(client),
            "attestationObject": text(attestation),
            "transports": ["hybrid", "internal", "telepathy"],
        }
        return self._whole(response, lies)

    def get(self, options: dict[str, Any], **lies: Any) -> str:
        """The answer to `navigator.credentials.get`."""
        client = self._client("webauthn.get", options["challenge"], lies)
        if self.counter:
            self.counter += 1
        said = self._said(options["rpId"], lies, 0)
        signature = self._sign(said + hashlib.sha256(client).digest())
        handle = lies.get("handle", self.handle)
        response = {"clientDataJSON": text(client), "authenticatorData": text(said), "signature": text(lies.get("signature", signature))}
        return self._whole(response | ({} if handle is None else {"userHandle": handle}), lies)

    def _whole(self, response: dict[str, Any], lies: dict[str, Any]) -> str:
        named = lies.get("credential_id", self.credential_id)
        return json.dumps({"id": named, "rawId": named, "type": "public-key", "clientExtensionResults": {}, "response": response})

    @staticmethod
    def _client(kind: str, challenge: str, lies: dict[str, Any]) -> bytes:
        said = {"type": lies.get("type", kind), "challenge": lies.get("challenge", challenge), "origin": lies.get("origin", ISSUER)}
        return json.dumps(said | {"crossOrigin": False} | lies.get("client", {})).encode()

    def _said(self, domain: str, lies: dict[str, Any], more: int) -> bytes:
        digest = hashlib.sha256(lies.get("domain", domain).encode()).digest()
        return digest + bytes([lies.get("flags", self.flags) | more]) + lies.get("counter", self.counter).to_bytes(4, "big")

    def _cose(self, algorithm: int) -> dict[int, Any]:
        public = self.key.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {1: 3, 3: algorithm, -1: numbers.n.to_bytes((public.key_size + 7) // 8, "big"), -2: b"\x01\x00\x01"}
        if isinstance(public, ed25519.Ed25519PublicKey):
            return {1: 1, 3: algorithm, -1: 6, -2: public.public_bytes_raw()}
        numbers = public.public_numbers()
        size = (public.curve.key_size + 7) // 8
        curve = 1 if isinstance(public.curve, ec.SECP256R1) else 2
        return {1: 2, 3: algorithm, -1: curve, -2: numbers.x.to_bytes(size, "big"), -3: numbers.y.to_bytes(size, "big")}

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), SHA256())
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        signature: bytes = self.key.sign(data, ec.ECDSA(SHA256()))
        return signature
