"""People and companies, found by a part of what is known of them: what support and operators look for. Newest first, page by page.

An id begins with the time of its making, so it is the order, and the last one of a page is where the next begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from idp.db.session import session
from idp.directory.tables import Company, User
from idp.errors import N_, BadInput

LONGEST = 200  # characters of what is looked for
WORDS = 10
USER_STATES = ("active", "blocked", "deleted")
COMPANY_STATES = ("registered", "active", "suspended")
_AROUND_DIGITS = " +-()."

Column = InstrumentedAttribute[Any]


def people(text: str = "", *, status: str | None = None, limit: int = 50, after: str | None = None) -> Sequence[User]:
    """The people whose id, phone, e-mail or name fits `text` (empty: all), at most `limit`.

    An id fits whole, a phone by some of its digits, an address by a part, a name when each word of `text` is in it. `after`: the last id
    of the page before. Raises BadInput for a text that is too long.
    """
    wanted = sa.select(User).order_by(User.id.desc()).limit(limit)
    if _required(text):
        ways = [User.id == text.strip(), User.email_canonical.contains(text.strip().casefold(), autoescape=True), _words(text, User.name)]
        wanted = wanted.where(sa.or_(*ways, *_digits(text, User.phone)))
    return session.scalars(_page(wanted, User, status, after), execution_options={"populate_existing": True}).all()


def companies(text: str = "", *, status: str | None = None, limit: int = 50, after: str | None = None) -> Sequence[Company]:
    """The companies whose id, INN, OGRN or name fits `text` (empty: all), at most `limit`; as `people` does it."""
    wanted = sa.select(Company).order_by(Company.id.desc()).limit(limit)
    if _required(text):
        ways = [Company.id == text.strip(), _words(text, Company.short_name), _words(text, Company.legal_name)]
        wanted = wanted.where(sa.or_(*ways, *_digits(text, Company.inn, Company.ogrn)))
    return session.scalars(_page(wanted, Company, status, after), execution_options={"populate_existing": True}).all()


def _page(wanted: sa.Select[Any], model: type[User] | type[Company], status: str | None, after: str | None) -> sa.Select[Any]:
    if status is not None and model is User:  # who was deleted is blocked for good, and is neither to whoever looks
        wanted = wanted.where(User.deleted_at.is_not(None) if status == "deleted" else (User.status == status) & User.deleted_at.is_(None))
    elif status is not None:
        wanted = wanted.where(model.status == status)
    return wanted.where(model.id < after) if after is not None else wanted


def _required(text: str) -> bool:
    """Whether there is something to look for."""
    if len(text) > LONGEST:
        raise BadInput(N_("Shorten this to %(longest)s characters."), longest=LONGEST)
    return bool(text.strip())


def _digits(text: str, *columns: Column) -> Iterable[sa.ColumnElement[bool]]:
    digits = "".join(c for c in text if c not in _AROUND_DIGITS)
    if len(digits) >= 3 and digits.isascii() and digits.isdigit():
        yield from (column.contains(digits) for column in columns)


def _words(text: str, column: Column) -> sa.ColumnElement[bool]:
    return sa.and_(*(sa.or_(*(column.contains(one, autoescape=True) for one in _spellings(word))) for word in text.split()[:WORDS]))


def _spellings(word: str) -> list[str]:
    # SQLite knows no small and capital letters but the Latin ones, PostgreSQL those of its locale: so we write them down.
    return sorted({word, word.lower(), word.upper(), word.capitalize(), word.title()})
