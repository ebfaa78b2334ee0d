"""What strangers leave behind is swept however much it is. Case 128 of threats.md."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from idp import clock, limits, outbox, schedule
from idp.credentials import phone_code, phone_limits, trusted_device
from idp.db.columns import table
from idp.db.session import SOME, session
from idp.delegation import codes, requests, tokens
from idp.delegation.tables import ParkedRequest
from idp.login import flow_row
from idp.login import session as sessions
from idp.messages import inbox
from tests.oidc.asking import phone
from tests.world import World, answer_of

FLOOD = SOME + 700
SWEEPS = (outbox, limits, inbox, requests, codes, tokens, flow_row, sessions, phone_code, phone_limits, trusted_device)


def how_many(world: World) -> int:
    """The parked requests that are there."""
    with world.reads():
        return session.scalar(sa.select(sa.func.count()).select_from(table(ParkedRequest))) or 0


def test_a_flood_of_requests(world: World) -> None:
    """Case 128: a run takes so many as fit into a moment, says so, and is due again at once; at last all are gone."""
    world.browser().authorize(world.party())
    rows = table(ParkedRequest)
    with world.writes():
        values = dict(session.execute(sa.select(rows)).one()._mapping)
        long_ago = values["expires_at"] - timedelta(days=3)
        flood = [values | {"id": f"req_{number:026}", "expires_at": long_ago} for number in range(FLOOD)]
        session.execute(sa.insert(rows), flood)
    job = next(job for job in schedule.SCHEDULE if job.name == "parked_requests")
    with world.app.app_context():
        assert schedule.run(job)
        assert how_many(world) == FLOOD - SOME + 1
        assert job in schedule.due()
        assert schedule.run(job)
        assert how_many(world) == 1
        assert job not in schedule.due()


def test_every_sweep(world: World, story) -> None:
    """Each takes what is over and nothing else: a whole sign-in, looked at on its day and years later."""
    answer = answer_of(world.sign_in(world.browser(), party := world.party(), phone(story, "zimin"), scope="openid offline_access"))
    assert world.redeem(party, answer["code"]).status_code == 200
    with world.writes():
        now = clock.now()
        assert [sweep.__name__ for sweep in SWEEPS if sweep.sweep(now)] == []
    with world.writes():
        later = now + timedelta(days=800)
        assert [sweep.__name__ for sweep in SWEEPS if not sweep.sweep(later)] == []
