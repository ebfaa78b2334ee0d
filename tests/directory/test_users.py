"""One person, one ID: registration, e-mail, profile, claims (OpenID Connect Core §5.1, §5.4)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from flask import Flask

from idp import clock
from idp.db.session import reads, session, writes
from idp.directory import accounts, names, users
from idp.directory.tables import Account, User
from idp.errors import BadInput, Conflict, NotFound

PHONE = "+79005553599"


def test_two_first_sign_ins_at_once_make_one_person(database: Flask) -> None:
    """Case 71: eight threads register one new number in the same moment; one user and one personal account come of it."""
    start, found, failed = threading.Barrier(8), [], []

    def sign_in(number: int) -> None:
        with database.app_context():
            start.wait()
            try:
                with writes():
                    found.append(users.register(PHONE, f"Имя {number}", "ru", "1").id)
            except Exception as e:  # whatever it is, the test wants to see it
                failed.append(e)
            finally:
                session.remove()

    threads = [threading.Thread(target=sign_in, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(found) == 8
    assert len(set(found)) == 1
    with reads():
        assert session.scalar(sa.select(sa.func.count()).select_from(User)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(Account)) == 1


def test_registering_a_known_number_changes_nothing(world) -> None:
    """Who comes second is the same person: their name stays, and history has one registration."""
    first = users.register(PHONE, "Анна Смирнова", "ru-RU", "1")
    second = users.register(PHONE, "Кто-то ещё", "en", "2")
    assert (second.id, second.name, second.locale, second.terms_version) == (first.id, "Анна Смирнова", "ru-RU", "1")
    assert world.events() == ["user.registered"]
    assert accounts.personal_of(first.id).startswith("acc_")


@pytest.mark.parametrize("phone", ["89005553599", "+7 900 555-35-99", "+7900555359٩", "+", "+79005553599\n", ""])
def test_a_number_that_is_not_e164_is_refused(world, phone: str) -> None:
    """Whoever calls has read what was typed; here only E.164 comes in."""
    with pytest.raises(BadInput):
        users.register(phone, "Анна", "ru", "1")


def test_find_and_get(world) -> None:
    """`find_*` may give None, `get` raises."""
    person = world.person()
    assert users.get(person.id).id == person.id
    assert users.find_by_phone(person.phone or "").id == person.id  # type: ignore[union-attr]
    assert users.find("usr_none") is None
    with pytest.raises(NotFound):
        users.get("usr_none")


def test_block_and_unblock(world) -> None:
    """A block is one event, however often it is asked for, and can be taken back."""
    person = world.person()
    users.block(person.id, "Жалоба", actor_id="usr_operator")
    users.block(person.id, "Ещё раз")
    blocked = users.get(person.id)
    assert (blocked.status, blocked.blocked_reason) == ("blocked", "Жалоба")
    users.unblock(person.id)
    assert users.get(person.id).status == "active"
    assert world.events() == ["user.registered", "user.blocked", "user.unblocked"]
    with pytest.raises(NotFound):
        users.block("usr_none", "Жалоба")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mike@Example.com", "mike@example.com"),
        (" mike@example.com ", "mike@example.com"),
        ("ｍike@example.com", "mike@example.com"),
        ("mike@bücher.example", "mike@xn--bcher-kva.example"),
        ("straße@example.com", "STRASSE@example.com"),
    ],
)
def test_one_address_in_two_spellings(one: str, other: str) -> None:
    """Case 98: case, width and the spelling of the domain make no second address."""
    assert names.canonical_email(one) == names.canonical_email(other)


@pytest.mark.parametrize(("one", "other"), [("mıke@example.com", "mike@example.com"), ("mike+a@example.com", "mike@example.com")])
def test_two_addresses(one: str, other: str) -> None:
    """Case 98: a dotless i is another letter (CVE-2019-19844), and what a plus means is the mailbox's affair."""
    assert names.canonical_email(one) != names.canonical_email(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mike",
        "@example.com",
        "mike@",
        "mike@example",
        "a b@example.com",
        "a@b@example.com",
        "a\r\nBcc:x@example.com",
        "mike@exa mple.com",
        '"mike"@example.com',
        ".mike@example.com",
        "mi..ke@example.com",
        "m\u202eike@example.com",
        "a＠b@example.com",
        f"{'a' * 65}@example.com",
    ],
)
def test_what_is_no_address(text: str) -> None:
    """Nothing that could be read as a second recipient, a header, or another address gets in."""
    with pytest.raises(BadInput):
        names.canonical_email(text)


def test_an_address_belongs_to_one_person(world) -> None:
    """Case 98: the second one is refused in any spelling; mail goes to the address as it was given."""
    one, other = world.person(), world.person()
    users.confirm_email(one.id, "Anna@Example.com")
    with pytest.raises(Conflict):
        users.confirm_email(other.id, "ANNA@example.COM")
    found = users.find_by_email("anna@example.com")
    assert found is not None
    assert (found.id, found.email) == (one.id, "Anna@Example.com")
    assert users.find_by_email("nonsense") is None


def test_profile_takes_the_claims_and_nothing_else(world) -> None:
    """Case 122: a form can name any field; only the claims of the profile are written."""
    person = world.person()
    for name, value in {"phone": "+79005550000", "status": "active", "is_test": True, "email": "a@b.example", "id": "usr_x"}.items():
        with pytest.raises(BadInput):
            users.change_profile(person.id, {name: value})
    with pytest.raises(BadInput):
        users.change_profile(person.id, {"address": {"status": "active"}})
    users.change_profile(person.id, {"nickname": "Аня", "address": {"locality": "Москва"}})
    assert users.get(person.id).nickname == "Аня"
    users.change_profile(person.id, {"nickname": None})
    assert users.get(person.id).nickname is None


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("picture", "javascript:alert(1)"),
        ("website", "https://user:pass@example.com/"),
        ("profile", "//example.com"),
        ("picture", 'https://example.com/"onerror='),
        ("birthdate", "12.04.1991"),
        ("birthdate", "1991-13-01"),
        ("zoneinfo", "../../etc/passwd"),
        ("zoneinfo", "Europe/Nowhere"),
        ("locale", "ru_RU; drop"),
        ("name", "x" * 101),
        ("name", "\u202e"),
        ("name", 5),
    ],
)
def test_a_claim_that_a_portal_could_not_bear(world, claim: str, value: object) -> None:
    """A portal puts these into href and src, and parses the rest by OpenID Connect Core §5.1."""
    with pytest.raises(BadInput):
        users.change_profile(world.person().id, {claim: value})


def test_names_read_as_they_are_written(world) -> None:
    """Case 74: line breaks and direction marks are taken out of names."""
    assert users.register(PHONE, " Анна\r\n\u202eСмирнова\u2066  ", "ru", "1").name == "Анна Смирнова"


def test_standard_claims(world) -> None:
    """OpenID Connect Core §5.4: each scope gives its claims, only those that are filled in, in their types."""
    at = datetime(2026, 11, 22, 12, 0, 0, 500, tzinfo=UTC)
    with clock.freeze(at):
        person = world.person()
        assert users.standard_claims(person, {"openid"}) == {}
        assert users.standard_claims(person, {"profile"}) == {"name": "Анна Смирнова", "locale": "ru-RU", "updated_at": int(at.timestamp())}
        assert users.standard_claims(person, {"email", "address"}) == {}
        assert users.standard_claims(person, {"phone"}) == {"phone_number": person.phone, "phone_number_verified": True}
        everything = dict.fromkeys(users.PROFILE, "x") | {
            "profile": "https://people.example/a",
            "picture": "https://people.example/a.jpg",
            "website": "https://a.example/",
            "birthdate": "1991-04-12",
            "zoneinfo": "Europe/Moscow",
            "locale": "ru-RU",
        }
        address = {"formatted": "ул. Лесная, д. 14", "locality": "Москва", "country": "Россия"}
        users.change_profile(person.id, {**everything, "address": address})
        users.confirm_email(person.id, "anna@post.example")
        claims = users.standard_claims(users.get(person.id), {"profile", "email", "address"})
        assert claims == {
            **everything,
            "updated_at": int(at.timestamp()),
            "email": "anna@post.example",
            "email_verified": True,
            "address": address,
        }
        assert len(users.standard_claims(users.get(person.id), {"profile"})) == 14
