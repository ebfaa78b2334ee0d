"""Compact JWS by hand (RFC 7515, RFC 7518, RFC 9864), for the tokens of our own: key pairs, headers, signatures. No storage, no trust.

A library reads every header that can be written; a provider that opens only its own tokens has one way to write them, and is ten times
as quick. What comes from clients (assertions, request objects) goes through the JOSE library instead.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from functools import lru_cache
from typing import Any, NamedTuple, cast

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

ALGORITHMS = ("RS256", "ES256", "Ed25519", "PS256")
ENCRYPTION = ("RSA-OAEP-256", "ECDH-ES")
"""Pairs that sign nothing: others encrypt to them (RFC 7518 §4), here and by the algorithms of the same kind that `jwe_received` names."""
OLDER_NAMES = {"EdDSA": "Ed25519"}  # what RFC 8037 called it: many libraries know no other word (RFC 9864)
LONGEST = 8192  # characters; more is not looked at (CVE-2025-61920)
PUBLIC_MEMBERS = ("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y")

Claims = dict[str, Any]
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_compact = re.compile(r"([A-Za-z0-9_-]{1,512})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{1,1024})")
_sha256, _pkcs1, _ecdsa = hashes.SHA256(), padding.PKCS1v15(), ec.ECDSA(hashes.SHA256())
_pss = padding.PSS(padding.MGF1(_sha256), 32)  # RFC 7518 §3.5: the salt is as long as the hash


def plain(algorithm: str) -> str:
    """An algorithm by its present name (RFC 9864)."""
    return OLDER_NAMES.get(algorithm, algorithm)


def generate(algorithm: str) -> tuple[str, dict[str, str]]:
    """A new key pair: the private half as PEM (PKCS 8), the public one as the members of a JWK. Slow for RSA: 100 ms and more."""
    private: Private
    if algorithm in {"RS256", "PS256", "RSA-OAEP-256"}:
        private = rsa.generate_private_key(65537, 2048)
        modulus = private.public_key().public_numbers().n
        members = {"kty": "RSA", "n": encode(modulus.to_bytes(256, "big")), "e": "AQAB"}
    elif algorithm in {"ES256", "ECDH-ES"}:
        private = ec.generate_private_key(ec.SECP256R1())
        point = private.public_key().public_numbers()
        members = {"kty": "EC", "crv": "P-256", "x": encode(point.x.to_bytes(32, "big")), "y": encode(point.y.to_bytes(32, "big"))}
    elif algorithm == "Ed25519":
        private = ed25519.Ed25519PrivateKey.generate()
        members = {"kty": "OKP", "crv": "Ed25519", "x": encode(private.public_key().public_bytes_raw())}
    else:
        raise ValueError(f"{algorithm} is not one of {', '.join(ALGORITHMS)}")
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode(), members


class Pair:
    """One key: its public half, parsed; and its headers, one for each type of token, ready to be signed."""

    def __init__(self, kid: str, algorithm: str, jwk: dict[str, str]) -> None:
        self.kid, self.algorithm, self.jwk = kid, algorithm, jwk
        self.public = _parse_public(jwk)
        self.private: Private | None = None
        self._padding: padding.AsymmetricPadding = _pss if algorithm == "PS256" else _pkcs1
        self._headers: dict[tuple[str, str], bytes] = {}

    def unlock(self, pem: str) -> None:
        """Take the private half in. `pem` is trusted: checking an RSA key's primes would take 40 ms."""
        self.private = cast("Private", serialization.load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True))

    def token(self, claims: Claims, typ: str, name: str) -> str:
        """`claims` as a compact JWS, signed; `name`: what its header calls the algorithm."""
        header = self._headers.get((typ, name))
        if header is None:
            header = base64.urlsafe_b64encode(orjson.dumps({"alg": name, "typ": typ, "kid": self.kid})).rstrip(b"=") + b"."
            self._headers[typ, name] = header
        message = header + base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=")
        return (message + b"." + base64.urlsafe_b64encode(self._sign(message)).rstrip(b"=")).decode("ascii")

    def _sign(self, message: bytes) -> bytes:
        private = self.private
        if isinstance(private, ec.EllipticCurvePrivateKey):  # RFC 7518 §3.4: raw r and s, not DER
            r, s = utils.decode_dss_signature(private.sign(message, _ecdsa))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if isinstance(private, rsa.RSAPrivateKey):
            return private.sign(message, self._padding, _sha256)
        if private is None:
            raise ValueError(f"{self.kid} has not been unlocked")
        return private.sign(message)

    def _is_signed(self, message: bytes, signature: bytes) -> bool:
        public = self.public
        try:
            if isinstance(public, ec.EllipticCurvePublicKey):
                if len(signature) != 64:
                    return False
                der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
                public.verify(der, message, _ecdsa)
            elif isinstance(public, rsa.RSAPublicKey):
                public.verify(signature, message, self._padding, _sha256)
            else:
                public.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def by_secret(secret: bytes, claims: Claims, typ: str) -> str:
    """`claims` as a compact JWS by HS256 (RFC 7518 §3.2). It has no `kid`: who shares the secret knows which it is."""
    message = encode(orjson.dumps({"alg": "HS256", "typ": typ})) + "." + encode(orjson.dumps(claims))
    return f"{message}.{encode(hmac.digest(secret, message.encode(), 'sha256'))}"


def open_by_secret(secret: bytes, token: str, typ: str) -> Claims | None:
    """The claims of what `by_secret` made with this secret, or None."""
    shape = _compact.fullmatch(token) if len(token) <= LONGEST else None
    if shape is None or shape[1] != encode(orjson.dumps({"alg": "HS256", "typ": typ})):
        return None
    made = encode(hmac.digest(secret, token[: shape.end(2)].encode(), "sha256"))
    if not hmac.compare_digest(made, shape[3]):
        return None
    try:
        claims = orjson.loads(decode(shape[2]))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


class Header(NamedTuple):
    """All that a header of ours says."""

    alg: str
    kid: str
    typ: str


class Parts(NamedTuple):
    """A token taken apart and not yet believed."""

    header: Header
    message: str
    payload: str
    signature: str


def take_apart(token: str) -> Parts | None:
    """`token` in its parts, or None when it is too long, not compact, or its header says more than ours do."""
    if len(token) > LONGEST:
        return None
    parts = _compact.fullmatch(token)
    header = _read_header(parts[1]) if parts else None
    return Parts(header, token[: parts.end(2)], parts[2], parts[3]) if parts and header else None


def open_with(pair: Pair, parts: Parts) -> Claims | None:
    """The claims, when `pair` signed them."""
    # The algorithm is the key's, never the token's choice (CVE-2024-37568: an HMAC made with the public key).
    if pair.algorithm != plain(parts.header.alg):
        return None
    try:
        signature = decode(parts.signature)
        if encode(signature) != parts.signature or not pair._is_signed(parts.message.encode(), signature):
            return None
        claims = orjson.loads(decode(parts.payload))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


@lru_cache(maxsize=256)
def _read_header(segment: str) -> Header | None:
    # `alg`, `kid`, `typ`, once each, and nothing else: `jwk`, `jku`, `x5u`, `crit`, `b64` have no place in a token of ours.
    try:
        members = json.loads(decode(segment), object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return None
    if (
        not isinstance(members, dict)
        or members.keys() != {"alg", "kid", "typ"}
        or not all(type(value) is str for value in members.values())
    ):
        return None
    return Header(**members)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands there twice")
    return members


def encode(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of base64url without padding; raises ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _parse_public(jwk: dict[str, str]) -> Public:
    if jwk["kty"] == "RSA":
        return rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
    if jwk["kty"] == "EC":
        return ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), ec.SECP256R1()).public_key()
    return ed25519.Ed25519PublicKey.from_public_bytes(decode(jwk["x"]))


def _number(text: str) -> int:
    return int.from_bytes(decode(text), "big")
