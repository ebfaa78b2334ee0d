"""An ID is deleted, or signed out everywhere but here, in the very moment in which somebody signs in or keeps it: one outcome. Promise R5.

On PostgreSQL; what is stopped here stands between two statements until another one waits for it (`test_person_races`).
"""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from idp import clock
from idp.account import erasing
from idp.clock import freeze
from idp.credentials import trusted_device
from idp.db.session import session as database
from idp.directory import deletion, users
from idp.directory.tables import User
from idp.login import session as sessions
from idp.login.tables import Session
from idp.oidc.sign_out_everywhere import Stayed, sign_out_elsewhere
from tests.faults.test_person_races import LAZAREVA, here, id_of, live, party, stopped, world
from tests.login.http_lab import CHROME, cookie, cookies_set, copy_cookies, people_on, right_code
from tests.login.lab import at_code, where
from tests.world import Party, World

__all__ = ["party", "world"]
pytestmark = pytest.mark.postgresql
LATER = 15 * 86400


def row(world: World, user_id: str) -> tuple[str | None, bool]:
    """The number of the ID, and whether it was deleted."""
    with world.reads():
        found = database.execute(sa.select(User.phone, User.deleted_at).where(User.id == user_id)).one()
    return found.phone, found.deleted_at is not None


def asked(world: World) -> str:
    """The end of this ID was asked for."""
    user_id = id_of(world)
    with world.writes():
        deletion.request(user_id, wait=timedelta(days=14))
    return user_id


@pytest.mark.parametrize("moment", ["DELETE FROM devices", "UPDATE events", "UPDATE users SET phone"])
def test_a_code_while_the_id_is_erased(world: World, party: Party, moment: str) -> None:
    """Whoever entered the right code waits, and then is somebody new: no session of the former ID begins."""
    with freeze(clock.now()) as shift:
        user_id = asked(world)
        shift(LATER)
        browser = world.browser()
        page = at_code(world, browser, party, LAZAREVA)
        with stopped(world, moment, lambda: erasing.erase(user_id)) as failed:
            answer = browser.onward(browser.submit(page, code=right_code(world, page)))
        assert not failed
    assert row(world, user_id) == (None, True)
    assert where(answer) == "register"
    with world.reads():
        assert not database.scalar(sa.select(sa.func.count()).select_from(Session).where(Session.user_id == user_id))


def test_a_press_while_the_id_is_erased(world: World, party: Party) -> None:
    """A known browser vouches for nobody any more."""
    with freeze(clock.now()) as shift:
        user_id = asked(world)
        shift(LATER - 86400)
        browser = here(world, party, known=True)
        shift(2 * 86400)
        page = browser.authorize(party, prompt="select_account")
        with stopped(world, "DELETE FROM devices", lambda: erasing.erase(user_id)) as failed:
            answer = browser.submit(page, person=next(iter(people_on(page).values())))
        assert not failed
    assert "idp_session" not in cookies_set(answer)
    assert row(world, user_id) == (None, True)
    assert not live(world, user_id)


def test_kept_while_it_is_erased(world: World, party: Party) -> None:
    """The press of Keep waits for the erasing, and finds nothing to keep; before it, it wins, and nothing is erased."""
    with freeze(clock.now()) as shift:
        user_id = asked(world)
        shift(LATER)
        kept: list[bool] = []

        def keep() -> None:
            with world.writes():
                kept.append(deletion.cancel(user_id))

        other = threading.Thread(target=keep)
        with stopped(world, "DELETE FROM devices", lambda: erasing.erase(user_id)) as failed:
            other.start()
        other.join()
        assert (failed, kept, row(world, user_id)) == ([], [False], (None, True))


def test_two_workers_erase_once(world: World, party: Party) -> None:
    """The second one waits, and finds that it is done: one event, one last message."""
    with freeze(clock.now()) as shift:
        user_id = asked(world)
        shift(LATER)
        done: list[bool] = []

        def erase() -> None:
            with world.writes():
                done.append(erasing.erase(user_id))

        other = threading.Thread(target=erase)
        with stopped(world, "DELETE FROM devices", lambda: done.append(erasing.erase(user_id))) as failed:
            other.start()
        other.join()
        assert (failed, sorted(done)) == ([], [False, True])
    assert len(world.events(deletion.DELETED)) == 1
    with world.reads():
        assert users.find_by_phone(LAZAREVA) is None


@pytest.mark.parametrize("same", [True, False])
def test_a_press_while_all_but_here_is_signed_out(world: World, party: Party, same: bool) -> None:
    """Case 76: in another browser the press waits, and vouches no more; in another tab of the one that stays, its former cookies do not.
    What stays is one session with one known browser, and no theft is reported.
    """
    stays = here(world, party, known=True)
    with freeze(clock.now()) as shift:
        shift(60)
        presses = world.browser()
        if same:
            copy_cookies(stays, presses)
        else:
            presses = here(world, party, known=True)
        shift(60)
        page = presses.authorize(party, prompt="select_account")
        with world.reads():
            signed_in = sessions.find(cookie(stays, "idp_session") or "")
            known = trusted_device.recognise(cookie(stays, "idp_browser") or "", CHROME)
        assert signed_in is not None

        def sign_out() -> None:
            assert signed_in is not None
            done.append(sign_out_elsewhere(signed_in, known, user_agent=CHROME, ip="203.0.113.7"))

        done: list[Stayed] = []
        with stopped(world, "UPDATE token_families", sign_out) as failed:
            answer = presses.submit(page, person=next(iter(people_on(page).values())))
        assert not failed
    assert "idp_session" not in cookies_set(answer)
    with world.reads():
        assert [sessions.find(done[0].secret or "").id] == live(world, signed_in.user_id)  # type: ignore[union-attr]
        assert len(trusted_device.of_person(signed_in.user_id)) == 1
    assert not world.events("browser.stolen")
