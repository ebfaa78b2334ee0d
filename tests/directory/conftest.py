"""What the tests of the directory stand on: an empty database of their own, and short ways to make people and companies."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from idp.config import Database
from idp.db.columns import Base
from idp.db.session import connect_application, engine, session, writes
from idp.directory import accounts, companies, employees, roles, tables, users
from idp.directory.accounts import Standing
from idp.events import Event

INN = {"legal_entity": "7700491276", "sole_proprietor": "770049138660"}


class World:
    """Makes people and companies, and reads what was written about them."""

    def __init__(self) -> None:
        self.numbers = itertools.count(3500)

    def person(self, name: str = "Анна Смирнова") -> tables.User:
        """A new person with a number of their own."""
        return users.register(f"+7900555{next(self.numbers)}", name, "ru-RU", "2026-11-01")

    def company(self, owner: tables.User, *, kind: companies.Kind = "legal_entity", inn: str | None = None) -> tables.Company:
        """A registered company."""
        return companies.register(
            kind, inn or INN[kind], "Общество «Ромашка»", short_name="ООО «Ромашка»", owner_user_id=owner.id, offer_version="2026-11-01"
        )

    def employee(self, company: tables.Company, person: tables.User, role: str = "accountant") -> tables.Employee:
        """A person at work."""
        return employees.add(company.id, [roles.built_in(role)], user_id=person.id, name=person.name)

    def standing(self, employee: tables.Employee) -> Standing:
        """How the employee's account stands now."""
        found = accounts.standing(employee.account_id)
        assert found is not None
        return found

    def owner(self, company: tables.Company) -> Standing:
        """How the owner's account stands now."""
        owner = companies.owner_of(company.id)
        assert owner is not None
        return self.standing(owner)

    def events(self) -> list[str]:
        """The names of all events, oldest first."""
        return list(session.scalars(sa.select(Event.name).order_by(Event.at, Event.id)))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Flask]:
    """An application with nothing but a database, its context pushed."""
    app = Flask("directory")
    connect_application(app, Database(url=f"sqlite:///{tmp_path / 'directory.sqlite3'}"), threads=4)
    with app.app_context():
        Base.metadata.create_all(engine())
        with writes():
            roles.install()
        yield app
        session.remove()
        engine().dispose()


@pytest.fixture
def world(database: Flask) -> Iterator[World]:
    """One unit of work, open for the whole test."""
    with writes():
        yield World()


@pytest.fixture
def world_maker() -> type[World]:
    """For tests that open units of work themselves."""
    return World
