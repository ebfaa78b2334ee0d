"""`/health/live` and `/health/ready`, for whoever restarts processes and whoever sends them traffic."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from idp import keyring
from idp.db.session import session
from idp.errors import Unavailable
from idp.web.faces import json_response
from idp.web.http import Request, Response

_leaving: list[Callable[[], object]] = []


def leave_when(told: Callable[[], object]) -> None:
    """From the moment that `told()` is true, this process is not ready any more: it still answers what comes, but no more should."""
    _leaving[:] = [told]


def live(request: Request) -> Response:
    """The process answers. It says nothing of the database: restarting us would not bring that back."""
    del request
    return json_response({"status": "live"})


def ready(request: Request) -> Response:
    """The database answers, there are keys to sign with, nobody told us to stop; otherwise 503 (by the dispatcher, when the database is
    away)."""
    del request
    if any(told() for told in _leaving):
        raise Unavailable(detail="we were told to stop")
    session.execute(sa.text("SELECT 1"))
    if b'"kid"' not in keyring.jwks():
        raise Unavailable(detail="there are no signing keys")
    return json_response({"status": "ready"})
