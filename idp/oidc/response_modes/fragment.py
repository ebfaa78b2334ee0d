"""`response_mode=fragment` (OAuth 2.0 Multiple Response Types §2.1): the answer behind a `#`, which the browser sends to no server.

A registered address has no fragment of its own (`delegation/redirects`), so there is nothing to keep.
"""

from __future__ import annotations

from urllib.parse import urlencode

from idp.web.http import Response, see_other


def answer(redirect_uri: str, parameters: dict[str, str]) -> Response:
    """Send the person back with `parameters`."""
    return see_other(f"{redirect_uri}#{urlencode(parameters)}")
