"""Finding people and companies by a part of what is known of them (product.md §13: help a locked-out person)."""

from __future__ import annotations

import pytest

from idp import clock
from idp.directory import companies, search, users
from idp.errors import BadInput


def found(**how: object) -> list[str | None]:
    """The names of who is found."""
    return [user.name for user in search.people(**how)]  # type: ignore[arg-type]


@pytest.fixture
def three(world) -> dict[str, str]:
    """Three people, by name; the ids of these."""
    people = {name: world.person(name) for name in ("Анна Смирнова", "Пётр Смирнов", "Li 50% Wei_")}
    users.confirm_email(people["Анна Смирнова"].id, "Anna.S@Post.Example")
    users.block(people["Пётр Смирнов"].id, "test")
    return {name: user.id for name, user in people.items()}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["Li 50% Wei_", "Пётр Смирнов", "Анна Смирнова"]),
        ("смирнов", ["Пётр Смирнов", "Анна Смирнова"]),
        ("СМИРНОВА анна", ["Анна Смирнова"]),
        ("анна пётр", []),
        ("7900555", ["Li 50% Wei_", "Пётр Смирнов", "Анна Смирнова"]),
        ("+7 (900) 555-35-00", ["Анна Смирнова"]),
        ("anna.s@", ["Анна Смирнова"]),
        ("50%", ["Li 50% Wei_"]),
        ("%", ["Li 50% Wei_"]),  # a sign like any other, not a pattern
        ("_", ["Li 50% Wei_"]),
        ("'; DROP TABLE users; --", []),
        ("\u202e", []),
    ],
)
def test_people(three, text: str, names: list[str]) -> None:
    assert sorted(map(str, found(text=text))) == sorted(names)


def test_by_id_and_status(three) -> None:
    assert found(text=three["Анна Смирнова"]) == ["Анна Смирнова"]
    assert found(status="blocked") == ["Пётр Смирнов"]
    assert found(status="blocked", text="анна") == []


def test_page_by_page(world) -> None:
    """No person twice, none left out, whoever registers meanwhile."""
    names = [f"Имя {chr(0x430 + number)}" for number in range(5)]
    with clock.freeze(clock.now()) as later:
        for name in [*names, "Потом"]:
            later(1)
            if name == "Потом":
                first = search.people(limit=2)
            world.person(name)
    second = search.people(limit=2, after=first[-1].id)
    third = search.people(limit=2, after=second[-1].id)
    assert [user.name for page in (first, second, third) for user in page] == names[::-1]


def test_too_long(world) -> None:
    """SQLite would refuse the pattern."""
    with pytest.raises(BadInput):
        search.people("x" * 60_000)


def test_companies(world) -> None:
    owner = world.person()
    with clock.freeze(clock.now()) as later:
        first = world.company(owner)
        later(1)
        second = world.company(world.person(), kind="sole_proprietor")
    companies.suspend(first.id, "test")
    assert [one.id for one in search.companies("ромашка")] == [second.id, first.id]
    assert [one.id for one in search.companies("7700491276")] == [first.id]
    assert [one.id for one in search.companies("ромашка", status="suspended")] == [first.id]
    assert [one.id for one in search.companies(second.id)] == [second.id]
