"""`/health/live` and `/health/ready`, for whoever restarts processes and whoever sends them traffic."""

from __future__ import annotations

import sqlalchemy as sa

from idp import keyring
from idp.db.session import session
from idp.errors import Unavailable
from idp.web.faces import json_response
from idp.web.http import Request, Response


def live(request: Request) -> Response:
    """The process answers. It says nothing of the database: restarting us would not bring that back."""
    del request
    return json_response({"status": "live"})


def ready(request: Request) -> Response:
    """The database answers and there are keys to sign with; otherwise 503 (by the dispatcher, when the database is away)."""
    del request
    session.execute(sa.text("SELECT 1"))
    if b'"kid"' not in keyring.jwks():
        raise Unavailable(detail="there are no signing keys")
    return json_response({"status": "ready"})
