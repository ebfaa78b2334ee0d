"""speed.md §4: how often a request goes to PostgreSQL and back. Counted on the wire, by who speaks when."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from idp import clock, events
from idp.db.session import session
from idp.delegation import tokens
from tests.conftest import Told
from tests.faults.wire import Wire, wire
from tests.world import World, answer_of

pytestmark = pytest.mark.postgresql
ANNA = "+79005553501"


@pytest.fixture(scope="module")
def between(told_on_postgresql: Told) -> Iterator[Wire]:
    assert told_on_postgresql.cluster
    with wire(told_on_postgresql.cluster.port) as made:
        yield made


@pytest.fixture(scope="module")
def world(told_on_postgresql: Told, between: Wire) -> Iterator[World]:
    """Speaks to its database over the wire."""
    url = told_on_postgresql.copy()
    made = World(told_on_postgresql.settings(between.url(url)))
    yield made
    made.close()
    told_on_postgresql.drop(url)


def test_as_few_as_promised(world: World, between: Wire) -> None:
    """Reads: one, without BEGIN. A code that is redeemed: three (BEGIN with the code, the family with the look at the person, the event
    with COMMIT). A request that gives a code at once: two."""
    party, browser = world.party(), world.browser()
    answer_of(world.sign_in(browser, party, ANNA))
    needed: dict[str, set[int]] = {}

    def count(what: str) -> None:
        needed.setdefault(what, set()).add(between.counted())

    for turn in range(12):
        if turn == 8:  # by now each statement is prepared, and the client is remembered
            needed.clear()
        between.counted()
        code = answer_of(browser.authorize(party))["code"]
        count("authorize")
        given = world.redeem(party, code).json()
        count("redeem")
        given = world.refresh(party, given["refresh_token"]).json()
        count("refresh")
        assert world.userinfo(given["access_token"]).status_code == 200
        count("userinfo")
    # Once a second one of them also looks whether a client or a key has changed: the least is what it needs itself.
    least = {what: min(found) for what, found in needed.items()}
    assert all(least[what] <= most for what, most in {"authorize": 2, "redeem": 3, "refresh": 3, "userinfo": 1}.items()), least


@pytest.mark.parametrize("follows", [lambda: None, lambda: session.execute(sa.select(1)), lambda: events.record("probe")])
def test_what_was_held_back_and_fails(world: World, follows: Callable[[], object]) -> None:
    """A statement whose answer nobody reads: its failure is raised by what follows, COMMIT or another, and nothing of the unit stays."""
    issued = {"client_id": world.party().client.id, "user_id": "usr_of_nobody", "session_id": "ses_1", "auth_time": clock.now()}
    issued |= {"account_id": None, "company_id": None, "scopes": [], "amr": [], "acr": "", "claims": None, "resources": None}
    before = len(world.events("probe"))

    def unit() -> None:
        with world.writes():
            events.record("probe")
            tokens.begin("fam_1", issued, refreshable=True)
            follows()

    with pytest.raises(IntegrityError):
        unit()
    assert len(world.events("probe")) == before
    with world.writes():
        events.record("probe")
    assert len(world.events("probe")) == before + 1
