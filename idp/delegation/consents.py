"""What a person allowed a client (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.4): asked once, remembered until it is withdrawn."""

from __future__ import annotations

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.db.columns import table
from idp.db.session import changed, insert_or_ignore, session
from idp.delegation.tables import Consent

_T = table(Consent)


def covers(*, user_id: str, client_id: str, account_id: str | None, scopes: tuple[str, ...]) -> bool:
    """Whether the person has allowed all of `scopes` to this client, as this account."""
    allowed = session.execute(
        sa.select(_T.c.scopes).where(
            _T.c.user_id == user_id, _T.c.client_id == client_id, _T.c.account_id == (account_id or ""), _T.c.withdrawn_at.is_(None)
        )
    ).scalar_one_or_none()
    return allowed is not None and set(scopes) <= set(allowed)


def grant(*, user_id: str, client_id: str, account_id: str | None, scopes: tuple[str, ...], session_id: str) -> None:
    """Remember that the person allowed `scopes`, besides what was allowed before."""
    key = {"user_id": user_id, "client_id": client_id, "account_id": account_id or ""}
    now = clock.now()
    if not insert_or_ignore(Consent, id=crypto.new_id("gnt"), scopes=list(scopes), granted_at=now, **key):
        where = [_T.c[name] == value for name, value in key.items()]
        row = session.execute(sa.select(_T.c.scopes, _T.c.withdrawn_at).where(*where).with_for_update()).one()
        before = [] if row.withdrawn_at else row.scopes
        changed(sa.update(_T).where(*where).values(scopes=list(dict.fromkeys([*before, *scopes])), granted_at=now, withdrawn_at=None))
    events.record("consent.granted", user_id=user_id, client_id=client_id, session_id=session_id, details={"scopes": list(scopes)})
