"""An ID that its owner wants deleted: asked for, awaited, taken back, done. What of it stands in other rooms is `account/erasing`'s.

The time of waiting is the person's: whoever has stolen a session, or a phone, deletes nothing before its owner has heard of it and could
say no. NOTE: what a company keeps of those who worked there (`employees`: name, address, position) is the company's, and stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import clock, events
from idp.db.columns import table
from idp.db.session import changed, session
from idp.directory import employees, families, users
from idp.directory.tables import Account, Company, Employee, FamilyMember, Invitation, User
from idp.errors import N_, Conflict

REQUESTED = "user.deletion_requested"
CANCELLED = "user.deletion_cancelled"
DUE_SOON = "user.deletion_due_soon"
DELETED = "user.deleted"
SOON = timedelta(days=2)
OWNER_FIRST = N_("Hand your companies over first: a company is never left without an owner.")

# What the row of somebody who is gone still says. Everything else that may be empty is emptied, whatever is added to the table one day.
KEPT = frozenset({"id", "status", "created_at", "updated_at", "is_test", "terms_version", "terms_accepted_at"})
KEPT |= {"blocked_at", "deletion_requested_at", "deleted_at"}

_users, _accounts, _employees, _companies = table(User), table(Account), table(Employee), table(Company)
_PENDING = (_users.c.deletion_due_at.is_not(None), _users.c.deleted_at.is_(None))


class Lost(NamedTuple):
    """What ends with an ID, besides the ID: companies that keep it from being deleted, others it works in, the family it owns or is in."""

    owned: list[str]
    works_in: list[str]
    family: str | None


def lost(user_id: str) -> Lost:
    """What the person would lose. `family`: `owner`, `member` or None."""
    jobs = (
        sa.select(_companies.c.short_name, _employees.c.is_owner)
        .select_from(_accounts.join(_employees, _employees.c.account_id == _accounts.c.id))
        .join(_companies, _companies.c.id == _employees.c.company_id)
        .where(_accounts.c.user_id == user_id, _accounts.c.status == "active", _employees.c.status != "removed")
        .order_by(_companies.c.short_name)
    )
    rows = session.execute(jobs).all()
    return Lost([r.short_name for r in rows if r.is_owner], [r.short_name for r in rows if not r.is_owner], _family_of(user_id))


def _family_of(user_id: str) -> str | None:
    for account_id in _accounts_of(user_id):
        if families.family_of_owner(account_id) is not None:
            return "owner"
        if families.is_member(account_id):
            return "member"
    return None


def _accounts_of(user_id: str) -> list[str]:
    return list(session.scalars(sa.select(_accounts.c.id).where(_accounts.c.user_id == user_id).order_by(_accounts.c.id)))


def request(user_id: str, *, wait: timedelta, personal: dict[str, str] | None = None) -> datetime:
    """The person, who has just proved who they are, wants the ID deleted; answers when it will be. A second time changes nothing.

    Raises Conflict for the owner of a company, NotFound.
    """
    users.get(user_id, alone=True)
    if lost(user_id).owned:
        raise Conflict(OWNER_FIRST, title=N_("You own a company"))
    now = clock.now()
    asked = sa.update(_users).where(_users.c.id == user_id, _users.c.deletion_due_at.is_(None), _users.c.deleted_at.is_(None))
    if changed(asked.values(deletion_requested_at=now, deletion_due_at=now + wait)):
        events.record(REQUESTED, user_id=user_id, details={"due_at": now + wait}, personal=personal)
    due_at: datetime | None = session.scalar(sa.select(_users.c.deletion_due_at).where(_users.c.id == user_id))
    return due_at or now


def cancel(user_id: str, *, actor_id: str | None = None, reason: str = "asked", personal: dict[str, str] | None = None) -> bool:
    """Let the ID live; answers whether it was to be deleted until now. Against `begin` one of the two wins, by the row count."""
    kept = sa.update(_users).where(_users.c.id == user_id, *_PENDING)
    if not changed(kept.values(deletion_requested_at=None, deletion_due_at=None)):
        return False
    events.record(CANCELLED, user_id=user_id, actor_id=actor_id, details={"reason": reason}, personal=personal)
    return True


def remind() -> int:
    """Say once more, two days before, that an ID is to be deleted, unless it was asked for only then; answers of how many it was said."""
    now, said = clock.now(), 0
    soon = (*_PENDING, _users.c.deletion_due_at <= now + SOON, _users.c.deletion_requested_at <= now - SOON)
    for row in session.execute(sa.select(_users.c.id, _users.c.deletion_requested_at, _users.c.deletion_due_at).where(*soon)).all():
        if not events.search(user_id=row.id, name=DUE_SOON, since=row.deletion_requested_at, limit=1):
            events.record(DUE_SOON, user_id=row.id, details={"due_at": row.deletion_due_at})
            said += 1
    return said


def due() -> str | None:
    """Somebody whose time is over, whoever: one that cannot be deleted holds up no other."""
    over = sa.select(_users.c.id).where(*_PENDING, _users.c.deletion_due_at <= clock.now())
    return session.scalar(over.order_by(sa.func.random()).limit(1))


def begin(user_id: str) -> bool:
    """From here on nobody comes in with this ID; answers whether it was due and is so by this call. The person is held (`users.get`).

    NOTE: no column that others refer to is touched yet (the order: `db/session`); that is `blank`, the last thing.
    """
    now = clock.now()
    ripe = sa.update(_users).where(_users.c.id == user_id, *_PENDING, _users.c.deletion_due_at <= now)
    return changed(ripe.values(deleted_at=now, status="blocked", blocked_at=now, updated_at=now)) > 0


def leave_everything(user_id: str) -> None:
    """The person works nowhere any more and belongs to no family; their accounts are closed and have neither e-mail nor password."""
    for employee_id in session.scalars(
        sa.select(_employees.c.id)
        .join(_accounts, _accounts.c.id == _employees.c.account_id)
        .where(_accounts.c.user_id == user_id, _employees.c.status != "removed")
        .order_by(_employees.c.id)
    ).all():
        employees.remove(employee_id)
    for account_id in _accounts_of(user_id):
        _leave_family(account_id)
    emptied: dict[str, Any] = {"login_email": None, "login_email_canonical": None, "password_digest": None, "is_premium": False}
    closed = sa.case((_accounts.c.closed_at.is_(None), clock.now()), else_=_accounts.c.closed_at)
    changed(sa.update(_accounts).where(_accounts.c.user_id == user_id).values(**emptied, status="closed", closed_at=closed))


def _leave_family(account_id: str) -> None:
    mine = families.family_of_owner(account_id)
    if mine is not None:
        for relative in families.members(mine.id):
            if not relative.is_owner:
                families.leave(mine.id, relative.account_id, by_account_id=account_id)
        open_offers = sa.update(Invitation).where(Invitation.family_id == mine.id, Invitation.status == "pending")
        changed(open_offers.values(status="revoked"))
    of = session.scalar(sa.select(FamilyMember.family_id).where(FamilyMember.account_id == account_id, FamilyMember.left_at.is_(None)))
    if of is not None:
        families.leave(of, account_id, by_account_id=account_id)


def blank(user_id: str) -> None:
    """Empty the row: phone, e-mail, name, all of it. The number can begin a fresh ID; what was offered to it runs out."""
    row = session.execute(sa.select(_users.c.phone, _users.c.email_canonical).where(_users.c.id == user_id)).one()
    contacts = [contact for contact in row if contact]
    changed(sa.update(Invitation).where(Invitation.contact.in_(contacts), Invitation.status == "pending").values(status="expired"))
    emptied = dict.fromkeys(column.name for column in _users.c if column.nullable and column.name not in KEPT)
    changed(sa.update(_users).where(_users.c.id == user_id).values(**emptied))
