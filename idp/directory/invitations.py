"""Offers to become an employee or a family member: sent, looked at, accepted once, declined, revoked, sent again, run out.

The link holds a random token, its digest is stored, and everything offered stands in the row (case 114). Accepting looks again at what
was true when the offer was made: the company, the inviter and their rights (case 115).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from idp import clock, crypto, events
from idp.db.session import changed, insert_or_ignore, session
from idp.directory import accounts, companies, employees, families, roles, users
from idp.directory.accounts import Standing
from idp.directory.names import canonical_email, clean_name, kept_email, require_phone
from idp.directory.tables import Account, Employee, Invitation, User
from idp.errors import N_, BadInput, Conflict, Forbidden, Gone, NotFound, Refusal

LIFETIME = 7 * 24 * 3600

ENDED = {
    "accepted": N_("This invitation was accepted already."),
    "declined": N_("This invitation was declined."),
    "revoked": N_("This invitation was taken back. Ask the one who sent it."),
    "expired": N_("This invitation has run out. Ask for a new one."),
}
UNKNOWN = N_("There is no such invitation. Open the newest link that you were sent.")
NO_LONGER = N_("This invitation no longer holds. Ask the company for a new one.")
WORKS_HERE = N_("You work in this company already.")
TITLE = N_("The invitation cannot be used")


@dataclass(frozen=True)
class Issued:
    """A new offer. The token goes into the link and is never seen again."""

    invitation_id: str
    token: str


def create(
    company_id: str, role_id: str, *, inviter: Standing, email: str | None = None, phone: str | None = None, name: str | None = None
) -> Issued:
    """Invite someone into a company, by e-mail or phone, in a role that is not above the inviter's.

    Raises Forbidden, NotFound for another company or its role, Conflict when one is open for this address or its owner works there.
    """
    _require_inviter(inviter, company_id, role_id)
    roles.require_in_company([role_id], company_id)
    contact = _contact(email, phone)
    if _works_here(company_id, contact):
        raise Conflict(N_("Someone with this address works in the company already."))
    return _issue(inviter, contact, email=email, phone=phone, name=name, company_id=company_id, role_id=role_id)


def create_for_family(inviter: Standing, *, email: str | None = None, phone: str | None = None, name: str | None = None) -> Issued:
    """Invite someone into the inviter's family, made at the first invitation. Raises Forbidden without premium, Conflict when full."""
    family = families.get(families.found(inviter.account_id), alone=True)
    families.require_room(family.id, counting_offers=True)
    return _issue(inviter, _contact(email, phone), email=email, phone=phone, name=name, family_id=family.id)


def _contact(email: str | None, phone: str | None) -> str:
    if email:
        return canonical_email(email)
    if phone:
        return require_phone(phone)
    raise BadInput(N_("Enter an e-mail address or a phone number."))


def _issue(inviter: Standing, contact: str, *, email: str | None, phone: str | None, name: str | None, **target: str) -> Issued:
    now, token, invitation_id = clock.now(), crypto.new_secret(), crypto.new_id("inv")
    overdue = sa.update(Invitation).where(Invitation.contact == contact, Invitation.status == "pending", Invitation.expires_at <= now)
    changed(overdue.values(status="expired"))
    inserted = insert_or_ignore(
        Invitation,
        id=invitation_id,
        token_digest=crypto.digest(token),
        email=kept_email(email) if email else None,
        phone=phone,
        contact=contact,
        name=clean_name(name) if name else None,
        inviter_account_id=inviter.account_id,
        created_at=now,
        sent_at=now,
        expires_at=now + timedelta(seconds=LIFETIME),
        **target,
    )
    if not inserted:
        raise Conflict(N_("An invitation for this address is waiting for an answer. Send it again, or take it back."))
    _record("invitation.created", invitation_id, inviter.user_id, target.get("company_id"), email=email, phone=phone)
    return Issued(invitation_id, token)


def look(token: str) -> Invitation:
    """The open offer behind a link. Raises NotFound for no token of ours, Gone with the reason for one that has ended."""
    wanted = sa.select(Invitation).where(Invitation.token_digest == crypto.digest(token))
    invitation = session.scalar(wanted, execution_options={"populate_existing": True})
    if invitation is None:
        raise NotFound(UNKNOWN, title=TITLE)
    status = "expired" if invitation.status == "pending" and invitation.expires_at <= clock.now() else invitation.status
    if status != "pending":
        raise Gone(ENDED[status], title=TITLE)
    return invitation


def accept(token: str, user_id: str) -> str:
    """Take the offer as this ID, once; answers the account that it opened (for a family: the personal one).

    Raises as `look` does; Forbidden when company, inviter or their rights are no longer what they were; Conflict when the person
    is in already.
    """
    invitation = look(token)
    if users.get(user_id).status != "active":
        raise Forbidden(accounts.REASONS["user_blocked"])
    if invitation.company_id is not None:
        return _accept_work(invitation, user_id, invitation.company_id)
    return _accept_family(invitation, user_id, invitation.family_id or "")


def _accept_work(invitation: Invitation, user_id: str, company_id: str) -> str:
    role_id = invitation.role_id or ""
    inviter = accounts.standing(invitation.inviter_account_id)
    try:
        if inviter is None or companies.get(company_id).status == "suspended":
            raise Forbidden(detail=f"{company_id} is suspended")
        _require_inviter(inviter, company_id, role_id)
    except Refusal as e:
        raise Forbidden(NO_LONGER, title=TITLE, detail=e.detail) from e
    if any(one.company_id == company_id for one in accounts.candidates(user_id, ["employee"])):
        raise Conflict(WORKS_HERE, title=TITLE)
    _consume(invitation, user_id)
    person = users.get(user_id)
    try:
        employee = employees.add(
            company_id,
            [role_id],
            user_id=user_id,
            name=invitation.name or person.name,
            email=invitation.email or person.email,
            by=inviter.user_id,
        )
    except Conflict as e:  # this person accepted another invitation of this company in the same moment
        _give_back(invitation)
        raise Conflict(WORKS_HERE, title=TITLE) from e
    return _accepted(invitation, user_id, employee.account_id)


def _accept_family(invitation: Invitation, user_id: str, family_id: str) -> str:
    family = families.get(family_id, alone=True)
    owner = accounts.standing(family.owner_account_id)
    if owner is None or not owner.may_enter or not owner.is_premium:
        raise Forbidden(N_("This invitation no longer holds. Ask the one who sent it."), title=TITLE)
    account_id = accounts.personal_of(user_id)
    if families.is_member(account_id):
        raise Conflict(N_("You belong to a family already. Leave it first."), title=TITLE)
    families.require_room(family_id, counting_offers=False)
    _consume(invitation, user_id)
    if not families.join(family_id, account_id):
        _give_back(invitation)
        raise Conflict(N_("You belong to a family already. Leave it first."), title=TITLE)
    return _accepted(invitation, user_id, account_id)


def _consume(invitation: Invitation, user_id: str, status: str = "accepted") -> None:
    """The one conditional UPDATE that decides (case 115): by the token, open, and not run out, to the microsecond."""
    now = clock.now()
    current = sa.update(Invitation).where(
        Invitation.id == invitation.id,
        Invitation.token_digest == invitation.token_digest,
        Invitation.status == "pending",
        Invitation.expires_at > now,
    )
    if not changed(current.values(status=status, answered_at=now, answered_by_user_id=user_id)):
        raise Gone(ENDED["accepted"], title=TITLE)


def _give_back(invitation: Invitation) -> None:
    """Nothing came of it: the offer is open again, before anyone else could see it taken."""
    values = {"status": "pending", "answered_at": None, "answered_by_user_id": None}
    changed(sa.update(Invitation).where(Invitation.id == invitation.id).values(**values))


def _accepted(invitation: Invitation, user_id: str, account_id: str) -> str:
    changed(sa.update(Invitation).where(Invitation.id == invitation.id).values(account_id=account_id))
    details = {"invitation_id": invitation.id, "account_id": account_id}
    events.record("invitation.accepted", user_id=user_id, company_id=invitation.company_id, details=details)
    return account_id


def decline(token: str, user_id: str) -> None:
    """Say no, once. Raises as `look` does."""
    invitation = look(token)
    _consume(invitation, user_id, "declined")
    events.record("invitation.declined", user_id=user_id, company_id=invitation.company_id, details={"invitation_id": invitation.id})


def revoke(invitation_id: str, *, by: Standing) -> None:
    """Take an open offer back: the link is dead at once, whoever works there already stays. Raises NotFound, Gone when it was answered."""
    invitation = _require_mine(invitation_id, by)
    if not changed(sa.update(Invitation).where(Invitation.id == invitation_id, Invitation.status == "pending").values(status="revoked")):
        raise Gone(ENDED.get(invitation.status, ENDED["accepted"]), title=TITLE)
    _record("invitation.revoked", invitation_id, by.user_id, invitation.company_id)


def resend(invitation_id: str, *, by: Standing) -> Issued:
    """A new link for an open or run-out offer, in the name of who sends it; the old link is dead. Raises as `create` and `revoke` do."""
    invitation = _require_mine(invitation_id, by)
    if invitation.company_id and invitation.role_id:
        _require_inviter(by, invitation.company_id, invitation.role_id)
    if invitation.family_id and invitation.status != "pending":
        families.require_room(families.get(invitation.family_id, alone=True).id, counting_offers=True)
    now, token = clock.now(), crypto.new_secret()
    renewed = {
        "token_digest": crypto.digest(token),
        "status": "pending",
        "inviter_account_id": by.account_id,
        "sent_at": now,
        "expires_at": now + timedelta(seconds=LIFETIME),
    }
    try:
        with session.begin_nested():
            sent = changed(
                sa.update(Invitation).where(Invitation.id == invitation_id, Invitation.status.in_(["pending", "expired"])).values(**renewed)
            )
    except IntegrityError as e:  # a newer offer is open for the same address
        raise Conflict(N_("A newer invitation for this address is waiting for an answer.")) from e
    if not sent:
        raise Gone(ENDED.get(invitation.status, ENDED["accepted"]), title=TITLE)
    _record("invitation.resent", invitation_id, by.user_id, invitation.company_id)
    return Issued(invitation_id, token)


def expire_due() -> int:
    """Mark what has run out; answers how many. For the schedule: `look` and `accept` do not wait for it."""
    return changed(
        sa.update(Invitation).where(Invitation.status == "pending", Invitation.expires_at <= clock.now()).values(status="expired")
    )


def of_company(company_id: str) -> list[Invitation]:
    """Every offer the company made, newest first; what came of it stands in `status` and `account_id`."""
    wanted = sa.select(Invitation).where(Invitation.company_id == company_id).order_by(Invitation.created_at.desc(), Invitation.id.desc())
    return list(session.scalars(wanted, execution_options={"populate_existing": True}))


def waiting_for(user_id: str) -> list[Invitation]:
    """Open offers to the person's proved e-mail or phone, soonest to run out first. They still need the link: an address is no token."""
    user = users.get(user_id)
    mine = [contact for contact in (user.email_canonical, user.phone) if contact]
    open_ones = sa.select(Invitation).where(
        Invitation.contact.in_(mine), Invitation.status == "pending", Invitation.expires_at > clock.now()
    )
    return list(session.scalars(open_ones.order_by(Invitation.expires_at)))


def _require_inviter(inviter: Standing, company_id: str, role_id: str) -> None:
    accounts.require_may(inviter, "employees:write", company_id=company_id)
    roles.require_within(roles.permissions_of([role_id]), inviter.permissions)


def _require_mine(invitation_id: str, by: Standing) -> Invitation:
    invitation = session.get(Invitation, invitation_id, populate_existing=True)
    if invitation is None:
        raise NotFound(detail=f"no invitation {invitation_id}")
    if invitation.company_id is not None:
        accounts.require_may(by, "employees:write", company_id=invitation.company_id)
    elif families.get(invitation.family_id or "").owner_account_id != by.account_id:
        raise NotFound(detail=f"{by.account_id} does not own the family of {invitation_id}")
    return invitation


def _works_here(company_id: str, contact: str) -> bool:
    same = sa.or_(
        Account.login_email_canonical == contact,
        User.email_canonical == contact,
        User.phone == contact,
        sa.func.lower(Employee.email) == contact,
    )
    here = sa.select(Employee.id).join(Account, Account.id == Employee.account_id).outerjoin(User, User.id == Account.user_id)
    return session.scalar(here.where(Employee.company_id == company_id, Employee.status != "removed", same).limit(1)) is not None


def _record(event: str, invitation_id: str, actor_id: str | None, company_id: str | None, **personal: str | None) -> None:
    known = {name: value for name, value in personal.items() if value}
    events.record(event, actor_id=actor_id, company_id=company_id, details={"invitation_id": invitation_id}, personal=known)
