"""Software statements: what the maker of a program says of it, signed (RFC 7591 §2.3). Only of issuers that the settings name.

What a statement says takes the place of what the client says of itself. Unsigned ones are refused, and so are those of strangers: to leave
them aside would let their words stand as if nobody had to sign them (case 49).
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from idp import clock, jws_received
from idp.config import settings
from idp.delegation import client_keys, client_metadata
from idp.delegation.client_metadata import refuse
from idp.errors import BadInput, Unavailable

INVALID, UNAPPROVED = "invalid_software_statement", "unapproved_software_statement"
SKEW = 10  # seconds that the issuer's clock may be ahead of ours


def applied(given: dict[str, Any]) -> dict[str, Any]:
    """`given` with what its statement says in it; unchanged where there is none. Not within a transaction. Raises OAuthRefusal."""
    statement = given.get("software_statement")
    if statement is None:
        return given
    halves = jws_received.halves(statement) if isinstance(statement, str) else None
    header, claims = (jws_received.members(half) for half in halves) if halves else (None, None)
    if header is None or claims is None:
        raise refuse("The software statement is a JWT of at most 8192 characters.", INVALID)
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in client_keys.ALGORITHMS or jws_received.NEVER & header.keys() or not isinstance(kid, str | None):
        raise refuse(f"A software statement is signed, by one of: {', '.join(client_keys.ALGORITHMS)}.", INVALID)
    issuer = claims.get("iss")
    file = settings().registration.software_statements.get(issuer) if isinstance(issuer, str) else None
    if file is None:
        raise refuse("Software statements of this issuer are not approved here.", UNAPPROVED)
    if not client_keys.is_signed_by(_keys(file), statement, kid=kid, algorithm=algorithm):
        raise refuse("The software statement is not signed by a key of its issuer.", INVALID)
    now = clock.timestamp()
    times = [claims.get("exp", now + 1), claims.get("iat", now), claims.get("nbf", now)]
    if not all(type(time) is int for time in times) or times[0] <= now or max(times[1:]) > now + SKEW:
        raise refuse("The software statement has expired, or is not valid yet.", INVALID)
    return given | {name: value for name, value in claims.items() if client_metadata.is_known(name)}


@lru_cache(maxsize=8)
def _keys(file: Path) -> tuple[dict[str, str], ...]:
    try:
        return tuple(client_keys.require_registrable(json.loads(file.read_text("utf-8")))["keys"])
    except (OSError, ValueError, BadInput) as e:
        raise Unavailable(detail=f"{file} holds no keys of an issuer of software statements: {type(e).__name__}") from e
