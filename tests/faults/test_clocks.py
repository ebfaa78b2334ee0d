"""R15, case 64: machines whose clocks are a minute and a half apart, in either direction, on one PostgreSQL: they go by the database's.

What a machine believes is set where the provider asks it for the time; the connections that it makes from then on tell it better.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials.phone_limits import phone_digest
from idp.credentials.tables import PhoneCode
from idp.db.columns import table
from idp.db.session import engine, session
from tests.conftest import Told
from tests.login.http_lab import ORLOV, cookies_set
from tests.login.lab import ANNA, at_code
from tests.world import World

pytestmark = pytest.mark.postgresql


@contextmanager
def on_a_machine(world: World, late: float) -> Iterator[None]:
    """Meanwhile everything runs where the clock is so many seconds off; its connections are new."""

    class Off(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(seconds=late)

    with pytest.MonkeyPatch.context() as patch, world.app.app_context():
        patch.setattr(clock, "datetime", Off)
        clock.correct(lambda: Off.now(UTC))
        engine().dispose()
        try:
            yield
        finally:
            engine().dispose()
            patch.undo()
            clock.correct(lambda: datetime.now(UTC))


def lived(world: World, phone: str, seconds: float) -> None:
    """The code for this number is older by so much: as if somebody had waited."""
    codes = table(PhoneCode)
    with world.writes():
        mine = codes.c.phone_digest == phone_digest(phone)
        expires_at = session.scalars(sa.select(codes.c.expires_at).where(mine)).one()
        session.execute(sa.update(codes).where(mine).values(expires_at=expires_at - timedelta(seconds=seconds)))


@pytest.mark.parametrize(("first", "second"), [(90, -90), (-90, 90)])
def test_a_code_lives_as_long_on_both(told_on_postgresql: Told, first: float, second: float) -> None:
    """Sent by the one, entered at the other: in its five minutes it wins, after them it does not, whichever of the two is late."""
    told, url = told_on_postgresql, told_on_postgresql.copy()
    world = World(told.settings(url))
    try:
        party, in_time, too_late = world.party(), world.browser(), world.browser(address="198.51.100.7")
        with on_a_machine(world, first):
            assert abs(clock.now() - datetime.now(UTC)) > timedelta(seconds=80), "nobody has told it better yet"
            page, other = at_code(world, in_time, party, ANNA), at_code(world, too_late, party, ORLOV)
            assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=10)
            code, old = world.code_for(ANNA), world.code_for(ORLOV)
        lived(world, ANNA, 260)
        lived(world, ORLOV, 301)
        with on_a_machine(world, second):
            assert "idp_session" in cookies_set(in_time.submit(page, code=code))
            refused = too_late.submit(other, code=old)
            assert (refused.status_code, cookies_set(refused)) == (422, {})
    finally:
        world.close()
        told.drop(url)
        told.settings(told.url)
