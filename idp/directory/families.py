"""Families: the owner's personal account and at most four more. Members see each other's names, never each other's data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.db.session import changed, insert_or_ignore, session
from idp.directory import accounts
from idp.directory.tables import Account, Family, FamilyMember, Invitation, User
from idp.errors import N_, Conflict, Forbidden, NotFound

MOST_MEMBERS = 4  # besides the owner


@dataclass(frozen=True)
class Relative:
    """One of a family, as the others may see them."""

    account_id: str
    name: str | None
    is_owner: bool
    joined_at: datetime


def found(owner_account_id: str) -> str:
    """The family of this personal account, made unless there is one; answers its id. Raises Forbidden without the premium entitlement."""
    owner = accounts.standing(owner_account_id)
    if owner is None or owner.kind != "personal" or not owner.may_enter:
        raise NotFound(detail=f"no personal account {owner_account_id} that may be entered")
    if not owner.is_premium:
        raise Forbidden(N_("A family comes with the premium subscription."))
    if session.scalar(sa.select(FamilyMember.id).where(FamilyMember.account_id == owner_account_id, FamilyMember.left_at.is_(None))):
        raise Conflict(N_("You belong to another family. Leave it first."))
    family_id = crypto.new_id("fam")
    if insert_or_ignore(Family, id=family_id, owner_account_id=owner_account_id, created_at=clock.now()):
        events.record("family.founded", user_id=owner.user_id, details={"family_id": family_id})
        return family_id
    family = family_of_owner(owner_account_id)
    if family is None:
        raise RuntimeError("a family was neither inserted nor found: the table lost its unique owner")
    return family.id


def family_of_owner(account_id: str) -> Family | None:
    """The family that this account owns."""
    return session.scalar(sa.select(Family).where(Family.owner_account_id == account_id))


def get(family_id: str, *, alone: bool = False) -> Family:
    """The family; raises NotFound. `alone` makes other writers of this family wait, so that two joins count each other."""
    wanted = sa.select(Family).where(Family.id == family_id)
    family = session.scalar(wanted.with_for_update() if alone else wanted)
    if family is None:
        raise NotFound(detail=f"no family {family_id}")
    return family


def members(family_id: str) -> list[Relative]:
    """Who belongs to the family now: the owner first, then in the order they joined."""
    family = get(family_id)
    named = sa.select(Account.id, User.name).join(User, User.id == Account.user_id)
    owner = session.execute(named.where(Account.id == family.owner_account_id)).one()
    joined = named.add_columns(FamilyMember.joined_at).join(FamilyMember, FamilyMember.account_id == Account.id)
    rows = session.execute(
        joined.where(FamilyMember.family_id == family_id, FamilyMember.left_at.is_(None)).order_by(FamilyMember.joined_at)
    )
    return [Relative(owner.id, owner.name, True, family.created_at), *(Relative(row.id, row.name, False, row.joined_at) for row in rows)]


def require_room(family_id: str, *, counting_offers: bool) -> None:
    """Raises Conflict when the family is full; open invitations count when one more is to be sent."""
    now = clock.now()
    taken = len(members(family_id)) - 1
    if counting_offers:
        offers = sa.select(sa.func.count()).where(
            Invitation.family_id == family_id, Invitation.status == "pending", Invitation.expires_at > now
        )
        taken += session.scalar(offers) or 0
    if taken >= MOST_MEMBERS:
        raise Conflict(N_("A family has room for %(most)s members besides its owner."), most=MOST_MEMBERS)


def is_member(account_id: str) -> bool:
    """Whether the account belongs to a family now, as its owner or as a member."""
    member = sa.exists().where(FamilyMember.account_id == account_id, FamilyMember.left_at.is_(None))
    return bool(session.scalar(sa.select(sa.or_(member, sa.exists().where(Family.owner_account_id == account_id)))))


def join(family_id: str, account_id: str) -> bool:
    """Let the account in, unless it belongs to a family already; answers whether it joined. Who may is `invitations.accept`'s to say."""
    joined = insert_or_ignore(FamilyMember, id=crypto.new_id("fme"), family_id=family_id, account_id=account_id, joined_at=clock.now())
    if joined:
        events.record("family.joined", user_id=_user_of(account_id), details={"family_id": family_id})
    return joined


def leave(family_id: str, account_id: str, *, by_account_id: str) -> None:
    """End a membership: the member goes, or the owner lets them go. Raises NotFound for anybody else."""
    family = get(family_id)
    if by_account_id not in {account_id, family.owner_account_id}:
        raise NotFound(detail=f"{by_account_id} neither owns {family_id} nor is the member")
    current = sa.update(FamilyMember).where(
        FamilyMember.family_id == family_id, FamilyMember.account_id == account_id, FamilyMember.left_at.is_(None)
    )
    if not changed(current.values(left_at=clock.now())):
        raise NotFound(detail=f"{account_id} is no member of {family_id}")
    actor = _user_of(by_account_id) if by_account_id != account_id else None
    events.record("family.left", user_id=_user_of(account_id), actor_id=actor, details={"family_id": family_id})


def _user_of(account_id: str) -> str | None:
    return session.scalar(sa.select(Account.user_id).where(Account.id == account_id))
