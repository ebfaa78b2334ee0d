"""A code is redeemed in the very moment in which its session ends: its client is told all the same. Case 85, promise R5.

On PostgreSQL, where units of work run side by side.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from idp.db.session import session
from idp.delegation import codes, session_clients
from idp.login import session as sessions
from idp.oidc.logout import backchannel
from idp.outbox import Outbox
from tests.conftest import Told
from tests.faults.test_person_races import LAZAREVA, stopped
from tests.oidc.asking import rows
from tests.world import World, answer_of, claims_of

pytestmark = pytest.mark.postgresql


@pytest.fixture
def world(told_on_postgresql: Told) -> Iterator[World]:
    """A provider of this test's own."""
    url = told_on_postgresql.copy()
    made = World(told_on_postgresql.settings(url))
    yield made
    made.close()
    told_on_postgresql.drop(url)


def test_a_code_that_is_being_redeemed(world: World) -> None:
    """Its family is not to be seen yet when the worker looks who is to be told: it waits for the redemption, and then sees it."""
    first, second = world.party(), world.party(backchannel_logout_uri="https://127.0.0.1/logout")
    browser = world.browser()
    tokens = world.tokens(browser, first, LAZAREVA, scope="openid")
    sid = str(claims_of(tokens["id_token"])["sid"])
    code = answer_of(browser.authorize(second, scope="openid"))["code"]

    def redeem() -> None:
        codes.redeem(code, client_id=second.client.id, redirect_uri=second.redirect_uri, verifier=second.verifier, refreshable=True)
        session.flush()

    with stopped(world, "INSERT INTO token_families", redeem) as failed:
        with world.writes():
            assert sessions.end(sid, "signed_out")
        with world.writes():
            assert session_clients.of_session(sid) == [first.client.id]  # so it would be missed
            assert session_clients.of_ended(sid) == sorted([first.client.id, second.client.id])
    assert not failed
    world.deliver()
    told = [row for row in rows(world, Outbox) if row.kind.startswith(f"{backchannel.KIND}:")]
    assert len(told) == 1
