"""Which clients a session has signed in to: they are told when it ends (OpenID Connect Back-Channel Logout, Front-Channel Logout).

A client stands here by its token families, whatever became of them since: a code begins one when it is redeemed, and so does an answer of
the authorization endpoint with tokens in it. So nothing is written for this. A code that was issued and never redeemed told its client
nothing: there is nothing to end.
"""

from __future__ import annotations

import sqlalchemy as sa

from idp import clock
from idp.db.columns import table
from idp.db.session import session
from idp.delegation.tables import Code, TokenFamily
from idp.delegation.tokens import SESSIONS

_codes, _families = table(Code), table(TokenFamily)


def of_session(session_id: str, *, living: bool = False) -> list[str]:
    """The ids of the clients that the session has signed in to; `living`: without those whose tokens were all taken back since then."""
    theirs = sa.select(_families.c.client_id).distinct().where(_families.c.session_id == session_id)
    return sorted(session.scalars(theirs.where(_families.c.revoked_at.is_(None)) if living else theirs))


def of_ended(session_id: str) -> list[str]:
    """The same for a session that has just ended, with those whose code was being redeemed at that moment. In a writing unit.

    NOTE: who redeems a code holds its row until the commit: we wait for it, and then see its family. Who begins after the end is refused.
    """
    under_way = sa.select(_codes.c.digest).where(_codes.c.expires_at > clock.now(), _codes.c.session_id == session_id)
    session.execute(under_way.order_by(_codes.c.digest).with_for_update(read=True))
    return of_session(session_id)


def of_person(user_id: str) -> list[tuple[str, str]]:
    """Every live session of a person with each client that it has signed in to."""
    live = sa.and_(SESSIONS.c.id == _families.c.session_id, SESSIONS.c.ended_at.is_(None), SESSIONS.c.expires_at > clock.now())
    theirs = sa.select(_families.c.session_id, _families.c.client_id).distinct().select_from(_families.join(SESSIONS, live))
    return sorted((row.session_id, row.client_id) for row in session.execute(theirs.where(_families.c.user_id == user_id)))
