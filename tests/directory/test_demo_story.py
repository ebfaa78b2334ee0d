"""The demo's story: everything commands.md names is in it, every number is valid, and a second run changes nothing."""

from __future__ import annotations

import phonenumbers
import pytest
import sqlalchemy as sa
from flask import Flask

from idp.cli import demo_story
from idp.db.columns import Base
from idp.db.session import reads, session, writes
from idp.directory import accounts, employees, families, invitations, partners, users
from idp.directory.tables import Connection, Invitation

ALL = ["personal", "business", "employee"]


@pytest.fixture
def story(database: Flask) -> demo_story.Story:
    """The story, told into an empty database."""
    with writes():
        return demo_story.seed()


def _counts() -> dict[str, int]:
    return {table.name: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in Base.metadata.sorted_tables}


def test_a_second_run_starts_from_what_the_first_left(story: demo_story.Story) -> None:
    """Nothing is written twice, and what a visitor changed stays changed."""
    people = {person.key: person for person in story.people}
    with writes():
        blocked = accounts.candidates(people["karimov"].user_id, ["employee"])[0]
        employees.unblock(blocked.employee_id or "")
    with writes():
        before = _counts()
        again = demo_story.seed()
        assert _counts() == before
        assert accounts.candidates(people["karimov"].user_id, ["employee"])[0].may_enter
    assert again.people == story.people
    assert (again.companies, again.partners, again.invitation_token) == (story.companies, story.partners, None)


def test_the_people(story: demo_story.Story) -> None:
    """Ten valid mobile numbers; each person has all fourteen claims, an address and a verified e-mail."""
    with reads():
        for person in story.people:
            number = phonenumbers.parse(person.phone)
            assert phonenumbers.is_valid_number(number)
            assert phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
            claims = users.standard_claims(users.get(person.user_id), {"profile", "email", "phone", "address"})
            assert set(claims) == {
                *users.PROFILE,
                "updated_at",
                "email",
                "email_verified",
                "phone_number",
                "phone_number_verified",
                "address",
            }
            assert claims["email_verified"]
            assert set(claims["address"]) == set(users.ADDRESS)
    assert len({person.phone for person in story.people}) == len(story.people) == 10


def test_anna_chooses(story: demo_story.Story) -> None:
    """Accountant of the first company, owner of the second, sees why not the third; personal and business besides."""
    anna = next(person for person in story.people if person.key == "anna")
    with reads():
        found = accounts.candidates(anna.user_id, ALL)
        by_company = {one.company_id: one for one in found if one.kind == "employee"}
        first, second, third = (by_company[story.companies[key]] for key in ("romashka", "smirnova", "veter"))
        assert (first.company_name, first.roles, first.permissions) == (
            "ООО «Ромашка»",
            ("accountant",),
            ("documents:read", "finance:read"),
        )
        assert (second.roles, second.company_type, second.company_status) == (("administrator", "owner"), "sole_proprietor", "active")
        assert (third.may_enter, third.reason, third.note) == (False, "company_suspended", "Истёк срок документов")
        assert sorted(one.kind for one in found if one.kind != "employee") == ["business", "personal"]


def test_roles_family_partners_invitation(story: demo_story.Story) -> None:
    """All five roles, a block until a day, a family of two, two partners of which one is connected, one open offer."""
    people = {person.key: person.user_id for person in story.people}
    with reads():
        staff = employees.of_company(story.companies["romashka"])
        assert {key for _, standing in staff for key in standing.roles} >= {
            "administrator",
            "manager",
            "content_manager",
            "accountant",
            "warehouse_operator",
        }
        assert [standing.reason for _, standing in staff if not standing.may_enter] == ["blocked_until"]
        assert len(accounts.candidates(people["zimin"], ALL)) == 1
        assert len(accounts.candidates(people["lazareva"], ["employee"])) == 1
        family = families.family_of_owner(accounts.personal_of(people["zimina"]))
        assert family is not None
        assert [one.name for one in families.members(family.id)] == ["Мария Зимина", "Павел Зимин"]
        assert [partner.name for partner in partners.search()] == ["Полка", "Учётка"]
        assert session.scalars(sa.select(Connection.status)).all() == ["active"]
        assert session.scalars(sa.select(Invitation.email).where(Invitation.status == "pending")).all() == ["pavlova@romashka.example"]
        assert story.invitation_token is not None
        assert invitations.look(story.invitation_token).company_id == story.companies["romashka"]
