"""A signed token that somebody else made (RFC 7515, RFC 8725): its parts read without believing them, its signature looked at.

Whoever receives it judges what it says: a client's assertion, the ID token of another provider.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from idp.jws import LONGEST, decode, plain

COMPACT = re.compile(r"([A-Za-z0-9_-]{1,4096})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{1,2048})")
# Keys of the sender's choice, addresses to fetch some from, and extensions that change what is signed (threats: case 33).
NEVER = frozenset({"jwk", "jku", "x5u", "crit", "b64", "zip", "enc", "epk"})

Members = dict[str, Any]


def halves(token: str) -> tuple[str, str] | None:
    """Header and payload as they were sent; None for what is no compact JWS, or too long to be looked at."""
    shape = COMPACT.fullmatch(token) if len(token) <= LONGEST else None
    return (shape[1], shape[2]) if shape else None


def members(half: str) -> Members | None:
    """The JSON object in it; None for anything else, and where a name stands twice: two readers could take it for two things."""
    try:
        read = json.loads(decode(half), object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


@cache
def registry(algorithm: str) -> Any:
    """The library's registry with one algorithm in it. The first time takes long: not within a transaction."""
    from joserfc import jws  # noqa: PLC0415 - heavy, and most requests do without

    class Only(jws.JWSRegistry):
        def get_alg(self, name: str) -> Any:
            """The one algorithm. The library warns of Ed25519's older name, and takes each Edwards curve for it."""
            return super().get_alg(plain(name))

    return Only(algorithms=[plain(algorithm)], strict_check_header=False)


def is_signed(token: str, key: Any, algorithm: str) -> bool:
    """Whether `key` (the library's) signed it, by this algorithm and no other."""
    from joserfc import errors, jws  # noqa: PLC0415 - as above

    try:
        jws.deserialize_compact(token, key, registry=registry(algorithm))
    except (errors.JoseError, ValueError):
        return False
    return True


def _each_once(pairs: list[tuple[str, Any]]) -> Members:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a member stands there twice")
    return read
