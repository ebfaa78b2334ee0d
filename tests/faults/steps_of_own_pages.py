"""What may die in the middle on a person's own pages: browsers signed out, an app withdrawn, a copy of their data, the end of their ID."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import sqlalchemy as sa

from idp import clock
from idp.account import erasing
from idp.clock import freeze
from idp.db.session import session
from idp.directory import deletion
from idp.directory.tables import User
from tests.faults.crash import Step
from tests.faults.steps import LAZAREVA, Act, _doing, _sending, _signed_in
from tests.world import Browser, World, answer_of


def _at(world: World, path: str) -> tuple[Browser, httpx2.Response]:
    browser, party = _signed_in(world)
    answer_of(browser.authorize(party, scope="openid offline_access"))
    return browser, browser.go(path)


def _elsewhere(world: World) -> None:
    """The person is signed in in another browser too, since a minute."""
    with freeze(clock.now() - timedelta(minutes=1)):
        _signed_in(world)


def sign_out_elsewhere(world: World) -> Act:
    """Everywhere but here: a new session and a new cookie, all else ended."""
    _elsewhere(world)
    browser, page = _at(world, "/account/security")
    return _sending(browser.filled(page, where="elsewhere"))


def sign_out_one(world: World) -> Act:
    """One browser of two."""
    _elsewhere(world)
    browser, page = _at(world, "/account/security")
    return _sending(browser.pressed(page, "/browsers/sign_out"))


def withdraw(world: World) -> Act:
    """An app may do nothing more."""
    browser, _ = _signed_in(world)
    app = world.party(first_party=False)
    code = answer_of(browser.allow(browser.authorize(app, scope="openid offline_access")))["code"]
    assert world.redeem(app, code).status_code == 200
    return _sending(browser.pressed(browser.go(f"/account/apps/{app.client.id}"), app.client.id))


def take_a_copy(world: World) -> Act:
    """Counted and told before it is made: one that is lost has cost one of the day's."""
    browser, page = _at(world, "/account/data/archive")
    return _sending(browser.pressed(page, "/data/archive"))


def ask_for_deletion(world: World) -> Act:
    """From now on it is awaited."""
    browser, page = _at(world, "/account/deletion")
    return _sending(browser.filled(page, sure="1"))


def keep_the_id(world: World) -> Act:
    """It was to be deleted, and is not."""
    browser, page = _at(world, "/account/deletion")
    page = browser.onward(browser.submit(page, sure="1"))
    return _sending(browser.pressed(page, "/cancel"))


def erase(world: World) -> Act:
    """The schedule deletes an ID whose time is over: an employee's, with sessions, a known browser, tokens."""
    _signed_in(world, LAZAREVA)
    with world.reads():
        user_id = str(session.scalar(sa.select(User.id).where(User.phone == LAZAREVA)))
    with world.writes():
        deletion.request(user_id, wait=timedelta(days=14))

    def act(other: World) -> str:
        with freeze(clock.now()) as shift:
            shift(15 * 86400)
            return _doing(lambda: erasing.erase(user_id))(other)

    return act


STEPS_OF_OWN_PAGES = (
    Step("sign out elsewhere", sign_out_elsewhere),
    Step("sign out one browser", sign_out_one),
    Step("withdraw an app", withdraw),
    Step("take a copy", take_a_copy),
    Step("ask for deletion", ask_for_deletion),
    Step("keep the ID", keep_the_id),
    Step("erase an ID", erase),
)
