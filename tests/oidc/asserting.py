"""Assertions of a client's own (RFC 7523 §3) for the tests: keys of every kind, and assertions as libraries and as attackers write them."""

from __future__ import annotations

import secrets
from functools import cache
from typing import Any

import httpx2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from idp import clock
from idp.jws import encode
from tests.keyring import forge
from tests.world import ISSUER, Party, World

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GRANT = {"grant_type": "client_credentials"}
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")


def private(kind: str, bits: int = 2048) -> Any:
    """A private key, the same each time; `kind`: RSA, EC or OKP."""
    return _private(kind, bits)


@cache
def _private(kind: str, bits: int) -> Any:
    if kind == "RSA":
        return rsa.generate_private_key(65537, bits)
    return ec.generate_private_key(ec.SECP256R1()) if kind == "EC" else ed25519.Ed25519PrivateKey.generate()


def kind_of(algorithm: str) -> str:
    """The kind of key that signs so."""
    return "RSA" if algorithm in {"RS256", "PS256"} else "EC" if algorithm == "ES256" else "OKP"


def number(value: int) -> str:
    """As a member of a JWK."""
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def public(kind: str, *, bits: int = 2048, **more: str) -> dict[str, str]:
    """The public half as a JWK."""
    half = private(kind, bits).public_key()
    if kind == "RSA":
        return {"kty": "RSA", "n": number(half.public_numbers().n), "e": number(half.public_numbers().e), **more}
    if kind == "EC":
        point = half.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": encode(point.x.to_bytes(32, "big")), "y": encode(point.y.to_bytes(32, "big")), **more}
    return {"kty": "OKP", "crv": "Ed25519", "x": encode(half.public_bytes_raw()), **more}


def robot(world: World, *keys: dict[str, str]) -> Party:
    """A machine that proves itself by a key."""
    return world.machine(token_endpoint_auth_method="private_key_jwt", jwks={"keys": list(keys) or [public("EC", kid="k1")]})


def says(party: Party, **changes: Any) -> dict[str, Any]:
    """Sound claims, a minute long; None takes one out."""
    now, client_id = clock.timestamp(), party.client.id
    sound = {"iss": client_id, "sub": client_id, "aud": ISSUER, "jti": secrets.token_urlsafe(16), "iat": now, "exp": now + 60}
    return {name: value for name, value in (sound | changes).items() if value is not None}


def signed(claims: Any, *, algorithm: str = "ES256", header: dict[str, Any] | None = None, key: Any = None) -> str:
    """An assertion; `header` replaces members of a sound one, None takes one out."""
    sound = {"alg": algorithm, "typ": "JWT", "kid": "k1", **(header or {})}
    sound = {name: value for name, value in sound.items() if value is not None}
    chosen = private(kind_of(algorithm)) if key is None else key
    if algorithm != "PS256":
        return forge.compact(sound, claims, chosen)
    message = forge.compact(sound, claims, None).rstrip(".")
    made = chosen.sign(message.encode(), padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return f"{message}.{encode(made)}"


def ask(world: World, assertion: str, headers: dict[str, str] | None = None, **more: str) -> httpx2.Response:
    """A token request that is proved by `assertion`."""
    form = {**GRANT, "client_assertion": assertion, "client_assertion_type": TYPE, **more}
    return world.browser(address="198.51.100.20").post("/token", data=form, headers=headers)
