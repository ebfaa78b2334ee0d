"""Tokens as an attacker, or a careless server, would write them: any header, any payload, signed with whatever is at hand."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from idp import clock, crypto, keyring
from idp.db.session import session
from idp.jws import encode
from tests.ground import ISSUER, Ground

AUDIENCE = "cli_seller"


def claims(**changes: Any) -> dict[str, Any]:
    """Sound claims of an access token, five minutes long; `changes` replace some."""
    now = clock.timestamp()
    return {"iss": ISSUER, "sub": "usr_1", "aud": AUDIENCE, "iat": now, "exp": now + 300, **changes}


def active(ground: Ground, algorithm: str = "ES256") -> tuple[str, Any, dict[str, str]]:
    """kid, private key and JWK of the key that signs now."""
    with ground.reads():
        row = session.scalars(sa.select(keyring.SigningKey).filter_by(algorithm=algorithm, state="active")).one()
    pem = crypto.unseal(keyring.PURPOSE, row.private_sealed or "")
    return row.kid, serialization.load_pem_private_key(pem.encode(), None), row.public_jwk


def compact(header: Any, payload: Any, key: Any) -> str:
    """header.payload.signature; header and payload are JSON, or text as it is; `key` signs by its kind, bytes are an HMAC's."""
    message = ".".join(encode((part if isinstance(part, str) else json.dumps(part)).encode()) for part in (header, payload))
    return f"{message}.{encode(signature(message.encode(), key))}"


def signature(message: bytes, key: Any) -> bytes:
    """The JWS signature of `message`; none for None."""
    if key is None:
        return b""
    if isinstance(key, bytes):
        from hmac import digest

        return digest(key or b"\0", message, "sha256")
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    return key.sign(message)
