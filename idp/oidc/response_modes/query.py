"""`response_mode=query` (RFC 6749 §4.1.2): the answer in the query of the redirect address."""

from __future__ import annotations

from urllib.parse import urlencode

from idp.web.http import Response, see_other


def answer(redirect_uri: str, parameters: dict[str, str]) -> Response:
    """Send the person back with `parameters`."""
    return see_other(_with(redirect_uri, parameters))


def back(address: str, state: str | None, **parameters: str) -> str:
    """`address` with `parameters` and `state` in its query, behind what stands there already."""
    return _with(address, {**parameters, **({"state": state} if state is not None else {})})


def _with(address: str, parameters: dict[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters)}" if parameters else address
