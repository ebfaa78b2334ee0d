"""Which clients a session has signed in to: they are told when it ends (OpenID Connect Back-Channel Logout, Front-Channel Logout).

A client stands here by its token families, which each code that was redeemed begins, whatever became of them since; or by a row of its own,
where the authorization answer itself told it who is here (an ID token without a code). So the code flow writes nothing for this. A code
that was issued and never redeemed told its client nothing: there is nothing to end.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from idp import clock
from idp.db.columns import table
from idp.db.session import delete_some, insert_or_ignore, session
from idp.delegation.tables import Code, DeviceAuthorization, SessionClient, TokenFamily
from idp.delegation.tokens import SESSIONS

KEPT = timedelta(days=180)  # as long as a session's own row

_codes, _devices, _families, _rows = table(Code), table(DeviceAuthorization), table(TokenFamily), table(SessionClient)


def remember(*, session_id: str, client_id: str, user_id: str) -> None:
    """The answer of the authorization endpoint itself says who is here: an ID token that no code stands behind."""
    insert_or_ignore(SessionClient, session_id=session_id, client_id=client_id, user_id=user_id, first_at=clock.now())


def of_session(session_id: str, *, living: bool = False) -> list[str]:
    """The ids of the clients that the session has signed in to; `living`: without those whose tokens were all taken back since then."""
    theirs = sa.select(_families.c.client_id).where(_families.c.session_id == session_id)
    if living:
        theirs = theirs.where(_families.c.revoked_at.is_(None))
    rows = sa.select(_rows.c.client_id).where(_rows.c.session_id == session_id)
    return sorted(session.scalars(theirs.union(rows)))


def of_ended(session_id: str) -> list[str]:
    """The same for a session that has just ended, with those whose code, or a device's, was being redeemed just then. In a writing unit.

    NOTE: who redeems a code holds its row until the commit: we wait for it, and then see its family. Who begins after the end is refused.
    """
    under_way = sa.select(_codes.c.digest).where(_codes.c.expires_at > clock.now(), _codes.c.session_id == session_id)
    session.execute(under_way.order_by(_codes.c.digest).with_for_update(read=True))
    of_devices = sa.select(_devices.c.digest).where(
        _devices.c.expires_at > clock.now(), _devices.c.issued["session_id"].as_string() == session_id
    )
    session.execute(of_devices.order_by(_devices.c.digest).with_for_update(read=True))
    return of_session(session_id)


def of_person(user_id: str) -> list[tuple[str, str]]:
    """Every live session of a person with each client that it has signed in to."""
    found: list[tuple[str, str]] = []
    for each in (_families, _rows):
        live = sa.and_(SESSIONS.c.id == each.c.session_id, SESSIONS.c.ended_at.is_(None), SESSIONS.c.expires_at > clock.now())
        theirs = sa.select(each.c.session_id, each.c.client_id).distinct().select_from(each.join(SESSIONS, live))
        found += [(row.session_id, row.client_id) for row in session.execute(theirs.where(each.c.user_id == user_id))]
    return sorted(set(found))


def sweep(now: datetime) -> int:
    """Delete rows of sessions that are long over; answers how many."""
    return delete_some(SessionClient, _rows.c.first_at < now - KEPT)
