"""Initial access tokens: who holds one may register clients (RFC 7591 §3). Kept by their digests, shown once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.db.columns import table
from idp.db.session import changed, session
from idp.delegation.registering import UNSEEN
from idp.delegation.tables import InitialAccessToken, as_dict
from idp.errors import N_, BadInput, NotFound

_T = table(InitialAccessToken)


def add(name: str, *, uses: int | None = None, lifetime: int | None = None) -> tuple[str, str]:
    """A new one; answers its id and itself. `uses`: how many clients it registers; `lifetime`: seconds; None: no end. Raises BadInput."""
    if not 1 <= len(name.strip()) <= 100 or UNSEEN.search(name):
        raise BadInput(N_("A name has 1 to 100 characters that can be seen."))
    made, token, now = crypto.new_id("iat"), crypto.new_secret(), clock.now()
    values = {
        "id": made,
        "digest": crypto.digest(token),
        "name": name,
        "uses_left": uses,
        "created_at": now,
        "expires_at": now + timedelta(seconds=lifetime) if lifetime else None,
    }
    session.execute(sa.insert(_T), values)
    events.record("registration_token.added", details={"token": made, "uses": uses, "lifetime": lifetime})
    return made, token


def list_all() -> list[dict[str, Any]]:
    """Those that can still be used, the oldest first: never what is compared."""
    shown = sa.select(*(_T.c[name] for name in ("id", "name", "uses_left", "created_at", "expires_at")))
    return [as_dict(row) for row in session.execute(shown.where(*_live()).order_by(_T.c.created_at, _T.c.id))]


def revoke(token_id: str) -> None:
    """It registers nothing any more; what it has registered stays. Raises NotFound."""
    if not changed(sa.update(_T).where(_T.c.id == token_id, *_live()).values(revoked_at=clock.now())):
        raise NotFound(N_("There is no registration token %(token)s."), token=token_id[:60])
    events.record("registration_token.revoked", details={"token": token_id})


def find(token: str) -> str | None:
    """The id of the live one that `token` is. It decides nothing: `spend` does."""
    return session.scalar(sa.select(_T.c.id).where(_T.c.digest == crypto.digest(token), *_live()))


def spend(token_id: str) -> bool:
    """Count one use; whether there was one left. Of any number at once, as many come through as it has."""
    return changed(sa.update(_T).where(_T.c.id == token_id, *_live()).values(uses_left=_T.c.uses_left - 1)) == 1


def _live() -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _T.c.revoked_at.is_(None),
        sa.or_(_T.c.expires_at.is_(None), _T.c.expires_at > clock.now()),
        sa.or_(_T.c.uses_left.is_(None), _T.c.uses_left > 0),
    )
