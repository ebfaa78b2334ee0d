"""Clients' logos: fetched through the one door, drawn anew as people's pictures are, and served by us (RFC 7591 §2, `logo_uri`).

A person's browser never asks the client's own server, which would learn who is about to sign in; and what a stranger's file holds beside
the points is not kept. No logo is no error: the first letter stands there instead.
"""

from __future__ import annotations

import base64

from idp.delegation import fetched
from idp.delegation.clients import Client
from idp.directory import pictures
from idp.errors import Refusal

KIND = "logo "  # apart from what else may stand at the same address
OLD, AGAIN = 7 * 86400.0, 86400.0  # seconds: looked at again after a week; where there was nothing, after a day


def path(client: Client) -> str | None:
    """Where we serve it, for a page; None where there is none, as far as is known. Fetches nothing: the page is not held up by it."""
    if client.logo_uri is None or fetched.brought_nothing(KIND + client.logo_uri):
        return None
    return f"/logos/{client.id}"


def find(client: Client) -> bytes | None:
    """It as a small JPEG; raises `fetched.Wanted` where it has to be fetched first."""
    if client.logo_uri is None:
        return None
    text = fetched.find(KIND + client.logo_uri, max_age=OLD, every=AGAIN, read=_drawn)
    return base64.b64decode(text) if text else None


def _drawn(file: bytes) -> str | None:
    try:
        return base64.b64encode(pictures.draw(file).small).decode()
    except Refusal:
        return None
