"""What a portal checks before it believes that somebody has signed out at the provider.

OpenID Connect Back-Channel Logout 1.0 §2.6 (https://openid.net/specs/openid-connect-backchannel-1_0.html). Anybody can POST to the address
that takes these tokens: nothing but the provider's signature says that one is true. An ID token, which is signed by the same key and which
the browser has had in its hands, must not pass for one: hence `typ`, `events`, and no `nonce`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPE = "logout+jwt"
# Seconds that the provider's clock may be ahead or behind.
LEEWAY = 60
# Seconds. Older ones are refused, whatever they say of their own end.
OLDEST = 10 * 60


class BadToken(ValueError):  # noqa: N818 - an answer
    """It is not to be believed; the text says why, for the log."""


@dataclass(frozen=True)
class LogoutToken:
    """Whose sessions are over: the one called `sid`, or all of the person `sub`. `jti` and `expires_at` are for noticing a replay."""

    sub: str | None
    sid: str | None
    jti: str
    expires_at: int


def read(token: str, keys: KeySet, *, algorithms: list[str], issuer: str, client_id: str) -> LogoutToken:
    """The token, when `keys` signed it and every check of §2.6 holds. Raises BadToken, and joserfc's JoseError for the signature."""
    # The algorithms are those of the provider's public keys: never `none`, never one that works with a secret.
    opened = jwt.decode(token, keys, registry=JWSRegistry(algorithms=algorithms, strict_check_header=False))
    claims, now = opened.claims, time.time()
    _require(opened.header.get("typ") == TYPE, "typ")
    _require(claims.get("iss") == issuer, "iss")
    audience = claims.get("aud")
    _require(client_id in (audience if isinstance(audience, list) else [audience]), "aud")
    issued, expires = claims.get("iat"), claims.get("exp")
    _require(_is_number(issued) and now - OLDEST < issued <= now + LEEWAY, "iat")
    _require(_is_number(expires) and now < expires + LEEWAY, "exp")
    events = claims.get("events")
    _require(isinstance(events, Mapping) and isinstance(events.get(EVENT), Mapping), "events")
    _require("nonce" not in claims, "nonce")
    sub, sid, jti = (_text(claims.get(name)) for name in ("sub", "sid", "jti"))
    _require(bool(sub or sid), "sub or sid")
    _require(bool(jti), "jti")
    return LogoutToken(sub, sid, str(jti), int(expires))


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise BadToken(what)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
