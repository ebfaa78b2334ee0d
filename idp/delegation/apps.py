"""The apps of a person: what they allowed each client, where they are signed in, and the end of it.

A client stands here while a consent holds or a token of its lives. What it was given in the person's name ends in one transaction:
consents, codes on their way, families with all their tokens. Introspection, userinfo and refreshing look at the family, so they say no
at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from idp import clock, events
from idp.db.columns import table
from idp.db.session import changed, session
from idp.delegation import device_authorizations
from idp.delegation.tables import Code, Consent, TokenFamily
from idp.delegation.tokens import SESSIONS

WITHDRAWN = "consent.withdrawn"
SIGNED_OUT = "app.signed_out"
REASON = "withdrawn"

_consents, _codes, _families = table(Consent), table(Code), table(TokenFamily)


@dataclass(frozen=True, slots=True)
class App:
    """What one client holds of a person. `consented`: they were asked; else an operator decided, and they only signed in there.

    `accounts`: as which accounts. `since`: of the first of what holds now; `used_at`: when it last got a token.
    """

    client_id: str
    scopes: tuple[str, ...]
    accounts: tuple[str, ...]
    consented: bool
    signed_in: bool
    since: datetime
    used_at: datetime | None


def of_person(user_id: str) -> list[App]:
    """The person's apps, the last used first."""
    allowed: dict[str, list[Any]] = {}
    theirs = sa.select(_consents).where(_consents.c.user_id == user_id, _consents.c.withdrawn_at.is_(None))
    for row in session.execute(theirs.order_by(_consents.c.granted_at)):
        allowed.setdefault(row.client_id, []).append(row)
    given: dict[str, list[Any]] = {}
    for row in session.execute(_living(user_id)):
        given.setdefault(row.client_id, []).append(row)
    found = [_app(client_id, allowed.get(client_id, []), given.get(client_id, [])) for client_id in {**allowed, **given}]
    return sorted(found, key=lambda app: (app.used_at or app.since, app.client_id), reverse=True)


def _living(user_id: str) -> sa.Select[Any]:
    """The families whose tokens are good: those that outlive a session, and those of a live one."""
    now = clock.now()
    columns = (_families.c.client_id, _families.c.scopes, _families.c.account_id, _families.c.created_at, _families.c.rotated_at)
    stands = _families.c.offline | (SESSIONS.c.ended_at.is_(None) & (SESSIONS.c.expires_at > now))
    living = sa.select(*columns).select_from(_families.outerjoin(SESSIONS, SESSIONS.c.id == _families.c.session_id))
    fits = (_families.c.user_id == user_id, _families.c.revoked_at.is_(None), stands)
    return living.where(*fits, _families.c.expires_at > now, _families.c.idle_expires_at > now).order_by(_families.c.created_at)


def _app(client_id: str, allowed: list[Any], given: list[Any]) -> App:
    scopes = dict.fromkeys(scope for row in (*allowed, *given) for scope in row.scopes)
    accounts = dict.fromkeys(row.account_id for row in (*allowed, *given) if row.account_id)
    begun = [row.granted_at for row in allowed] + [row.created_at for row in given]
    used = max((row.rotated_at for row in given), default=None)
    return App(client_id, tuple(scopes), tuple(accounts), bool(allowed), bool(given), min(begun), used)


def withdraw(user_id: str, client_id: str, *, personal: dict[str, str] | None = None) -> bool:
    """The client may do nothing more in the person's name; answers whether it could until now. The next time it has to ask again."""
    theirs = (_consents.c.user_id == user_id, _consents.c.client_id == client_id, _consents.c.withdrawn_at.is_(None))
    withdrawn = changed(sa.update(_consents).where(*theirs).values(withdrawn_at=clock.now()))
    ended = end(user_id, client_id)
    if not withdrawn and not ended:
        return False
    name = WITHDRAWN if withdrawn else SIGNED_OUT
    events.record(name, user_id=user_id, client_id=client_id, details={"consents": withdrawn, "apps": ended}, personal=personal)
    return True


def end(user_id: str, client_id: str, *, before: datetime | None = None) -> int:
    """End the codes and tokens that the client has of the person, with `before` those that were issued until then, and what came of them;
    answers how many families lived.
    """
    now = clock.now()
    of_codes = (_codes.c.user_id == user_id, _codes.c.client_id == client_id, _codes.c.expires_at > (before or now))
    issued = _codes.c.created_at < before if before is not None else sa.true()
    # First the codes: whoever redeems one in this very moment has its row, and what it gives is seen by the second statement.
    changed(sa.update(_codes).where(*of_codes, _codes.c.used_at.is_(None), issued).values(expires_at=now))
    device_authorizations.end(user_id, client_id, before=before)
    mine = (_families.c.user_id == user_id, _families.c.client_id == client_id, _families.c.revoked_at.is_(None))
    came = sa.select(_codes.c.family_id).where(*of_codes, issued, _codes.c.family_id.is_not(None))
    older = sa.or_(_families.c.created_at < before, _families.c.id.in_(came)) if before is not None else sa.true()
    return changed(sa.update(_families).where(*mine, older).values(revoked_at=now, revoked_reason=REASON))
