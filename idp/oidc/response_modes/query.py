"""`response_mode=query` (RFC 6749 §4.1.2): the answer in the query of the redirect address, with `iss` always (RFC 9207)."""

from __future__ import annotations

from urllib.parse import urlencode

from idp.config import settings
from idp.web.http import Response, see_other


def answer(redirect_uri: str, state: str | None, **parameters: str) -> Response:
    """Send the person back with `parameters`, `state` as it came, and who we are."""
    return see_other(back(redirect_uri, state, **parameters, iss=settings().server.issuer))


def back(address: str, state: str | None, **parameters: str) -> str:
    """`address` with `parameters` and `state` in its query, behind what stands there already."""
    pairs = {**parameters, **({"state": state} if state is not None else {})}
    return f"{address}{'&' if '?' in address else '?'}{urlencode(pairs)}" if pairs else address
