"""`response_mode=query` (RFC 6749 §4.1.2): the answer in the query of the redirect address, with `iss` always (RFC 9207)."""

from __future__ import annotations

from urllib.parse import urlencode

from idp.config import settings
from idp.web.http import Response, see_other


def answer(redirect_uri: str, state: str | None, **parameters: str) -> Response:
    """Send the person back with `parameters`, `state` as it came, and who we are."""
    pairs = {**parameters, **({"state": state} if state is not None else {}), "iss": settings().server.issuer}
    return see_other(f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(pairs)}")
