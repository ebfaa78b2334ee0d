"""What an authorization request can be answered with (OAuth 2.0 Multiple Response Type Encoding Practices §3 and §5).

`code`, and where `[oidc] legacy_response_types` is on the older ones, whose tokens pass through the browser (RFC 9700 §2.1.2). The words of
one may stand in any order.
"""

from __future__ import annotations

from idp.config import settings

CODE, TOKEN, ID_TOKEN = "code", "token", "id_token"
LEGACY = ("id_token", "id_token token", "code id_token", "code token", "code id_token token")
_KNOWN = {tuple(sorted(each.split(" "))): each for each in (CODE, *LEGACY)}


def named(words: str) -> str | None:
    """The response type that `words` are, as its specification writes it; None when they are none of ours."""
    return words if words == CODE else _KNOWN.get(tuple(sorted(words.split(" "))))


def supported() -> tuple[str, ...]:
    """Those that are served here."""
    return (CODE, *LEGACY) if settings().oidc.legacy_response_types else (CODE,)


def default_mode(response_type: str) -> str:
    """How its answer goes back when the request does not say: what holds a token never stands in a query, which servers log."""
    return "query" if response_type == CODE else "fragment"
