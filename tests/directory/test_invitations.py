"""Offers: once, in time, by someone who may (product.md §8.5, §10.2-3; cases 114, 115, 118)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from idp import clock, crypto
from idp.db.session import session, writes
from idp.directory import accounts, companies, employees, families, invitations, roles, users
from idp.directory.tables import Employee, Invitation
from idp.errors import BadInput, Conflict, Forbidden, Gone, NotFound, Refusal

ACCOUNTANT = roles.built_in("accountant")
EMAIL = "pavlova@romashka.example"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_an_accepted_offer_is_an_employee(world) -> None:
    """The role and the company are those of the row; the token is kept as a digest and works once."""
    company, person = world.company(world.person()), world.person("Ирина Павлова")
    issued = invitations.create(company.id, ACCOUNTANT, inviter=world.owner(company), email=EMAIL)
    row = invitations.look(issued.token)
    assert row.token_digest == crypto.digest(issued.token)
    account_id = invitations.accept(issued.token, person.id)
    standing = accounts.standing(account_id)
    assert standing is not None
    assert (standing.company_id, standing.roles, standing.user_id) == (company.id, ("accountant",), person.id)
    with pytest.raises(Gone):
        invitations.accept(issued.token, person.id)
    with pytest.raises(Gone):
        invitations.accept(issued.token, world.person().id)
    kept = invitations.of_company(company.id)[0]
    assert (kept.status, kept.account_id, kept.answered_by_user_id) == ("accepted", account_id, person.id)
    assert [name for name in world.events() if name.startswith("invitation.")] == ["invitation.created", "invitation.accepted"]


def test_two_accept_at_once(database: Flask, world_maker) -> None:
    """Case 115: four people (and one of them twice) follow one link in the same moment; exactly one works there after."""
    with writes():
        world = world_maker()
        company = world.company(world.person())
        issued = invitations.create(company.id, ACCOUNTANT, inviter=world.owner(company), email=EMAIL)
        people = [world.person().id for _ in range(4)]
        company_id = company.id
    start, taken, refused = threading.Barrier(5), [], []

    def follow(user_id: str) -> None:
        with database.app_context():
            start.wait()
            try:
                with writes():
                    taken.append(invitations.accept(issued.token, user_id))
            except Refusal as e:
                refused.append(e)
            finally:
                session.remove()

    threads = [threading.Thread(target=follow, args=(user_id,)) for user_id in [*people, people[0]]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 4)
    with writes():
        assert session.scalar(sa.select(sa.func.count()).where(Employee.company_id == company_id, sa.not_(Employee.is_owner))) == 1


def test_it_ends_to_the_second(world) -> None:
    """Case 115: one microsecond before the end it holds, at the end it does not; nobody has to tidy up first."""
    company = world.company(world.person())
    with clock.freeze(NOW) as shift:
        issued = invitations.create(company.id, ACCOUNTANT, inviter=world.owner(company), email=EMAIL)
        shift(timedelta(seconds=invitations.LIFETIME, microseconds=-1))
        invitations.look(issued.token)
        assert invitations.expire_due() == 0
        shift(timedelta(microseconds=1))
        with pytest.raises(Gone):
            invitations.accept(issued.token, world.person().id)
        assert invitations.expire_due() == 1
        assert invitations.of_company(company.id)[0].status == "expired"


@pytest.mark.parametrize(
    "what", ["revoked", "declined", "inviter_blocked", "inviter_demoted", "inviter_removed", "suspended", "person_blocked"]
)
def test_what_was_true_then_must_be_true_now(world, what: str) -> None:
    """Case 115: taken back, declined, the inviter lost their rights, the company was suspended: no employee comes of it."""
    company, person = world.company(world.person()), world.person()
    inviter = world.employee(company, world.person(), "administrator")
    issued = invitations.create(company.id, ACCOUNTANT, inviter=world.standing(inviter), email=EMAIL)
    match what:
        case "revoked":
            invitations.revoke(issued.invitation_id, by=world.owner(company))
        case "declined":
            invitations.decline(issued.token, person.id)
        case "inviter_blocked":
            employees.block(inviter.id)
        case "inviter_demoted":
            employees.change_roles(inviter.id, [roles.built_in("manager")])
        case "inviter_removed":
            employees.remove(inviter.id)
        case "suspended":
            companies.suspend(company.id, "Проверка")
        case "person_blocked":
            users.block(person.id, "Жалоба")
    with pytest.raises((Gone, Forbidden)):
        invitations.accept(issued.token, person.id)
    assert accounts.candidates(person.id, ["employee"]) == []


def test_who_may_invite_and_as_what(world) -> None:
    """Case 118: not without `employees:write`, not into another company, not above oneself, not with another company's role."""
    company, other = world.company(world.person()), world.company(world.person(), kind="sole_proprietor")
    people = roles.define(company.id, "people", "Кадры", ["employees:write", "documents:read", "finance:read"])
    foreign = roles.define(other.id, "people", "Кадры", [])
    recruiter = world.standing(employees.add(company.id, [people], user_id=world.person().id))
    clerk = world.standing(world.employee(company, world.person()))
    for inviter, company_id, role_id, refusal in (
        (clerk, company.id, ACCOUNTANT, Forbidden),
        (recruiter, other.id, ACCOUNTANT, NotFound),
        (recruiter, company.id, roles.built_in("administrator"), Forbidden),
        (recruiter, company.id, foreign, NotFound),
    ):
        with pytest.raises(refusal):
            invitations.create(company_id, role_id, inviter=inviter, email=EMAIL)
    with pytest.raises(BadInput):
        invitations.create(company.id, ACCOUNTANT, inviter=recruiter)
    issued = invitations.create(company.id, ACCOUNTANT, inviter=recruiter, email=EMAIL)
    with pytest.raises(NotFound):
        invitations.revoke(issued.invitation_id, by=world.owner(other))
    with pytest.raises(NotFound):
        invitations.look("not a token of ours")


def test_no_duplicates_and_sending_again(world) -> None:
    """product.md §10.3: one open offer for an address; sending again kills the old link; a run-out one can be replaced or sent again."""
    company = world.company(world.person())
    owner = world.owner(company)
    with clock.freeze(NOW) as shift:
        first = invitations.create(company.id, ACCOUNTANT, inviter=owner, email=EMAIL)
        with pytest.raises(Conflict):
            invitations.create(company.id, ACCOUNTANT, inviter=owner, email=EMAIL.upper())
        again = invitations.resend(first.invitation_id, by=owner)
        with pytest.raises(NotFound):
            invitations.look(first.token)
        assert invitations.look(again.token).id == first.invitation_id
        shift(invitations.LIFETIME)
        second = invitations.create(company.id, ACCOUNTANT, inviter=owner, email=EMAIL)
        with pytest.raises(Conflict):
            invitations.resend(first.invitation_id, by=owner)
        invitations.revoke(second.invitation_id, by=owner)
        with pytest.raises(Gone):
            invitations.resend(second.invitation_id, by=owner)
        with pytest.raises(Gone):
            invitations.revoke(second.invitation_id, by=owner)
        revived = invitations.resend(first.invitation_id, by=owner)
        assert invitations.look(revived.token).status == "pending"
        assert len(invitations.of_company(company.id)) == 2


def test_whoever_works_there_is_not_invited(world) -> None:
    """By the company's address, by the ID's own, and when the link is followed."""
    company, person = world.company(world.person()), world.person()
    owner = world.owner(company)
    users.confirm_email(person.id, "anna@post.example")
    employee = world.employee(company, person)
    employees.change_contact(employee.id, email="Smirnova@romashka.example")
    for email in ("ANNA@post.example", "smirnova@romashka.example"):
        with pytest.raises(Conflict):
            invitations.create(company.id, ACCOUNTANT, inviter=owner, email=email)
    with pytest.raises(Conflict):
        invitations.create(company.id, ACCOUNTANT, inviter=owner, phone=person.phone)
    issued = invitations.create(company.id, ACCOUNTANT, inviter=owner, email="another@post.example")
    with pytest.raises(Conflict):
        invitations.accept(issued.token, person.id)
    assert invitations.look(issued.token).status == "pending"
    employees.remove(employee.id)
    invitations.accept(issued.token, person.id)


def test_offers_waiting_for_a_person(world) -> None:
    """Only to an address that the person proved."""
    company, person = world.company(world.person()), world.person()
    invitations.create(company.id, ACCOUNTANT, inviter=world.owner(company), email=EMAIL)
    assert invitations.waiting_for(person.id) == []
    users.confirm_email(person.id, EMAIL)
    assert [one.company_id for one in invitations.waiting_for(person.id)] == [company.id]


def _family_owner(world):
    account_id = accounts.personal_of(world.person("Мария Зимина").id)
    accounts.give_premium(account_id)
    owner = accounts.standing(account_id)
    assert owner is not None
    return owner


def test_a_family_of_five(world) -> None:
    """product.md §8.5: the owner and at most four, open offers counted; either side ends it."""
    owner = _family_owner(world)
    people = [world.person(f"Родня {number}") for number in range(5)]
    issued = [invitations.create_for_family(owner, phone=person.phone) for person in people[:4]]
    with pytest.raises(Conflict):
        invitations.create_for_family(owner, phone=people[4].phone)
    joined = [invitations.accept(one.token, person.id) for one, person in zip(issued, people, strict=False)]
    family = families.family_of_owner(owner.account_id)
    assert family is not None
    assert [one.name for one in families.members(family.id)] == ["Мария Зимина", "Родня 0", "Родня 1", "Родня 2", "Родня 3"]
    with pytest.raises(NotFound):
        families.leave(family.id, joined[0], by_account_id=joined[1])
    families.leave(family.id, joined[0], by_account_id=joined[0])
    families.leave(family.id, joined[1], by_account_id=owner.account_id)
    with pytest.raises(NotFound):
        families.leave(family.id, joined[1], by_account_id=owner.account_id)
    assert len(families.members(family.id)) == 3
    assert not families.is_member(joined[0])


def test_one_family_at_a_time(world) -> None:
    """Who belongs to a family joins no other, and the owner joins nobody's; the offer stays open."""
    one, other = _family_owner(world), _family_owner(world)
    person = world.person()
    first = invitations.create_for_family(one, phone=person.phone)
    second = invitations.create_for_family(other, phone=person.phone)
    third = invitations.create_for_family(one, email="other@post.example")
    invitations.accept(first.token, person.id)
    with pytest.raises(Conflict):
        invitations.accept(second.token, person.id)
    assert invitations.look(second.token).status == "pending"
    with pytest.raises(Conflict):
        invitations.accept(third.token, other.user_id or "")
    with pytest.raises(NotFound):
        invitations.revoke(second.invitation_id, by=one)
    invitations.revoke(second.invitation_id, by=other)


def test_a_family_hangs_on_the_entitlement(world) -> None:
    """Without premium there is no inviting, and an open offer no longer holds."""
    owner = _family_owner(world)
    issued = invitations.create_for_family(owner, email=EMAIL)
    accounts.give_premium(owner.account_id, is_premium=False)
    with pytest.raises(Forbidden):
        invitations.create_for_family(owner, email="other@post.example")
    with pytest.raises(Forbidden):
        invitations.accept(issued.token, world.person().id)
    assert session.scalar(sa.select(Invitation.status).where(Invitation.id == issued.invitation_id)) == "pending"
