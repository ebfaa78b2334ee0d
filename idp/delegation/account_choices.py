"""Which account a person last chose for a client: a default for the next time, never a right. And which one `company=` means."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from idp import clock
from idp.db.columns import table
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.delegation.tables import AccountChoice
from idp.directory.accounts import Standing

_T = table(AccountChoice)
# The room of sessions is a neighbour: its table is known here by name only, as a foreign key would know it.
_sessions = sa.table("sessions", sa.column("id"))


def of_company(there: list[Standing], company_id: str | None, account_types: Collection[str]) -> list[Standing]:
    """The accounts among `there` that `company=` means to a client of these `account_types`: the person's work in that company.

    NOTE: a buyer's account of the same company counts only for clients that employees do not enter at all. Otherwise whoever was blocked or
    removed as an employee would come in through it.
    """
    kind = "employee" if "employee" in account_types else "business"
    return [standing for standing in there if standing.company_id == company_id and standing.kind == kind]


def of_session(session_id: str, client_id: str) -> str | None:
    """The account that this session last chose for this client."""
    found: str | None = session.execute(
        sa.select(_T.c.account_id).where(_T.c.session_id == session_id, _T.c.client_id == client_id)
    ).scalar_one_or_none()
    return found


def of_person(user_id: str, client_id: str) -> str | None:
    """The account that this person last chose for this client, in any browser."""
    found: str | None = session.execute(
        sa.select(_T.c.account_id).where(_T.c.user_id == user_id, _T.c.client_id == client_id).order_by(_T.c.chosen_at.desc()).limit(1)
    ).scalar_one_or_none()
    return found


def remember(*, session_id: str, client_id: str, user_id: str, account_id: str) -> None:
    """Note the choice."""
    values = {"user_id": user_id, "account_id": account_id, "chosen_at": clock.now()}
    if not insert_or_ignore(AccountChoice, session_id=session_id, client_id=client_id, **values):
        changed(sa.update(_T).where(_T.c.session_id == session_id, _T.c.client_id == client_id).values(values))


def sweep(now: datetime) -> int:
    """Forget the choices of sessions that are not even kept any more; answers how many."""
    del now  # a session is deleted half a year after its end: that is the measure
    return delete_some(AccountChoice, ~sa.exists().where(_sessions.c.id == _T.c.session_id))
