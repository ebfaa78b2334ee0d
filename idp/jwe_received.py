"""An encrypted token that somebody else made for us, opened with our key (RFC 7516, RFC 7518 §4, §5).

Only by the algorithms that stand here: no RSA1_5, whose padding gives itself away, no passwords, whose rounds the sender chooses, no shared
key. Nothing is inflated (`zip`): what comes out is no longer than what came in. Why something does not open is nobody's business: one
answer for all of it. That it opens proves nothing: anybody can encrypt to a public key, so what is inside is signed.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, Literal

from idp import crypto, jws_received, keyring

ALGORITHMS = {
    # alg: the key of ours that it is for, as the keyring calls it
    "RSA-OAEP": "RSA-OAEP-256",
    "RSA-OAEP-256": "RSA-OAEP-256",
    "ECDH-ES": "ECDH-ES",
    "ECDH-ES+A128KW": "ECDH-ES",
    "ECDH-ES+A256KW": "ECDH-ES",
}
CONTENT = ("A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM")
LONGEST = 16384  # characters: a token of 8,192 within it
HEADER = frozenset({"alg", "enc", "kid", "typ", "cty", "epk", "apu", "apv"})
COMPACT = re.compile(r"([A-Za-z0-9_-]{1,1024})\.([A-Za-z0-9_-]{0,512})\.([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{1,64})")
MOST_TRIES = 2  # keys, where the header does not say which


def is_one(token: str) -> bool:
    """Whether it looks like a compact JWE; nothing else about it is known."""
    return token.count(".") == 4


def opened(token: str) -> str | None:
    """What is inside, as text; None for whatever does not open. RSA takes a millisecond: not within a unit, where it can be helped."""
    parts = COMPACT.fullmatch(token) if len(token) <= LONGEST else None
    header = jws_received.members(parts[1]) if parts else None
    if header is None or not header.keys() <= HEADER:
        return None
    algorithm, content, kid = header.get("alg"), header.get("enc"), header.get("kid")
    if type(algorithm) is not str or algorithm not in ALGORITHMS or content not in CONTENT or not (kid is None or type(kid) is str):
        return None
    for each, sealed in keyring.private_keys(ALGORITHMS[algorithm], kid)[:MOST_TRIES]:
        inside = _decrypted(token, _private(each, sealed, "RSA" if algorithm.startswith("RSA") else "EC"), algorithm, str(content))
        if inside is not None:
            return inside
    return None


def _decrypted(token: str, key: Any, algorithm: str, content: str) -> str | None:
    from joserfc import jwe  # noqa: PLC0415 - heavy, and most requests do without

    try:
        plain = jwe.decrypt_compact(token, key, registry=_registry(algorithm, content)).plaintext
        return plain.decode("ascii") if plain is not None else None
    except Exception:  # a library's and a backend's own kinds of faults, of what strangers wrote
        return None


@cache
def _registry(algorithm: str, content: str) -> Any:
    from joserfc import jwe  # noqa: PLC0415 - as above

    return jwe.JWERegistry(algorithms=[algorithm, content])


@lru_cache(maxsize=16)
def _private(kid: str, sealed: str, kind: Literal["RSA", "EC"]) -> Any:
    """Parsed once: looking an RSA key's primes over takes 40 ms."""
    from joserfc import jwk  # noqa: PLC0415 - as above

    del kid
    return jwk.import_key(crypto.unseal(keyring.PURPOSE, sealed), kind)
