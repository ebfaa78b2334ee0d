"""A person signs in in the very moment in which they are signed out, or their number is changed. Cases 76 and 80, promise R5.

On PostgreSQL, where units of work run side by side; what is stopped here is stopped between two statements, until another one waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from idp import clock
from idp.db.session import engine
from idp.directory import users
from idp.login import session as sessions
from idp.oidc.change_phone import change_phone
from idp.oidc.sign_out_everywhere import sign_out_everywhere
from tests.conftest import Told
from tests.login.http_lab import claims, cookie, cookies_set, people_on, post, prove, right_code, token_of
from tests.login.lab import at_code, where
from tests.security.meanwhile import meanwhile
from tests.world import Browser, Party, World, answer_of, new_phone

pytestmark = pytest.mark.postgresql
LAZAREVA, SIGN_OUT = "+79005553505", "/account/browsers/sign_out_everywhere"
WAITING = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
PATIENCE = 3  # seconds that somebody has to begin to wait


@pytest.fixture
def world(told_on_postgresql: Told) -> Iterator[World]:
    """A provider of this test's own; in its database nobody waited for one another in a circle."""
    assert told_on_postgresql.cluster
    log, url = told_on_postgresql.cluster.folder / "log", told_on_postgresql.copy()
    before = log.read_text("utf-8", "replace").count("deadlock detected")
    made = World(told_on_postgresql.settings(url))
    yield made
    made.close()
    told_on_postgresql.drop(url)
    assert log.read_text("utf-8", "replace").count("deadlock detected") == before


@pytest.fixture
def party(world: World) -> Party:
    """A relying party with a secret."""
    return world.party()


def id_of(world: World) -> str:
    """The person of these tests."""
    with world.reads():
        user = users.find_by_phone(LAZAREVA)
        assert user is not None
        return user.id


def here(world: World, party: Party, *, known: bool) -> Browser:
    """A browser in which the person is signed in, and that is remembered or not."""
    browser = world.browser()
    page = at_code(world, browser, party, LAZAREVA)
    ticked = {"remember": "1"} if known else {}
    answer_of(browser.onward(post(browser, page, code=right_code(world, page), **ticked)))
    assert (cookie(browser, "idp_browser") is not None) is known
    return browser


def live(world: World, user_id: str) -> list[str]:
    """Their sessions."""
    with world.reads():
        return [each.id for each in sessions.of_person(user_id)]


@contextmanager
def stopped(world: World, before: str, act: Callable[[], object]) -> Iterator[list[str]]:
    """`act` has begun in a unit of its own, and stands before its first statement that begins so until somebody waits; done at the end.

    Gives what went wrong in it.
    """
    standing, failed = threading.Event(), []

    def work() -> None:
        try:
            with world.writes():
                act()
        except Exception as e:
            failed.append(repr(e))
        standing.set()

    def stop(_connection: Any, _cursor: Any, text: str, *_more: Any) -> None:
        if threading.current_thread() is not worker or standing.is_set() or not text.startswith(before):
            return
        standing.set()
        until = time.monotonic() + PATIENCE
        with source.connect() as other:
            while not other.scalar(WAITING) and time.monotonic() < until:
                time.sleep(0.01)

    worker = threading.Thread(target=work)
    with world.app.app_context():
        source = engine()
    sa.event.listen(source, "before_cursor_execute", stop)
    try:
        worker.start()
        assert standing.wait(10)
        yield failed
    finally:
        worker.join()
        sa.event.remove(source, "before_cursor_execute", stop)


@pytest.mark.parametrize("known", [True, False])
def test_a_press_while_all_is_signed_out(world: World, party: Party, known: bool) -> None:
    """Case 76: the name is pressed while the sign-out everywhere is not committed yet: nothing of the former proof lives on."""
    browser, user_id = here(world, party, known=known), id_of(world)
    page = browser.authorize(party, prompt="select_account")
    with stopped(world, "UPDATE token_families", lambda: sign_out_everywhere(user_id)) as failed:
        answer = browser.submit(page, person=next(iter(people_on(page).values())))
    assert not failed
    assert "idp_session" not in cookies_set(answer)
    assert where(browser.onward(answer)) == "identify"
    assert not live(world, user_id)


@pytest.mark.parametrize("known", [True, False])
def test_a_code_while_all_is_signed_out(world: World, party: Party, known: bool) -> None:
    """A code is a proof of its own: its session begins after the sign-out, and is all there is."""
    browser, user_id = here(world, party, known=known), id_of(world)
    former = live(world, user_id)
    with clock.freeze(clock.now()) as later:
        later(60)
        page = browser.authorize(party, prompt="login")
        page = browser.onward(browser.submit(page, person=next(iter(people_on(page).values()))))
        assert where(page) == "phone_code"
        with stopped(world, "UPDATE token_families", lambda: sign_out_everywhere(user_id)) as failed:
            answer = browser.submit(page, code=right_code(world, page))
        assert not failed
        told = claims(world, party, browser.onward(answer))
    assert told["acr"] == "urn:idp:acr:code"
    assert live(world, user_id) == [told["sid"]]
    assert told["sid"] not in former


@pytest.mark.parametrize("moment", ["UPDATE login_flows", "UPDATE sessions"])
@pytest.mark.parametrize("known", [True, False])
def test_a_press_while_the_session_ends(world: World, party: Party, known: bool, moment: str) -> None:
    """Case 80: the session that vouched is signed out in another tab, between our look and our UPDATE. No session begins of it; the
    desk looks anew, and a browser that is known vouches for as much as it remembers.
    """
    browser, user_id = here(world, party, known=known), id_of(world)
    page = browser.authorize(party, prompt="select_account")
    name, person = next(iter(people_on(page).items()))
    with meanwhile(world, moment, lambda: sessions.end_all(user_id, "signed_out")) as interrupted:
        answer = browser.submit(page, person=person)
    assert interrupted
    assert "idp_session" not in cookies_set(answer)
    assert ("idp_browser" in cookies_set(answer)) is known, "it has rotated"
    assert not live(world, user_id)
    page = browser.onward(answer)
    assert where(page) == ("people" if known else "identify")
    if known:
        with clock.freeze(clock.now()) as later:
            later(120)  # past the grace for a former value of its cookie
            told = claims(world, party, browser.onward(browser.submit(page, person=people_on(page)[name])))
        assert told["acr"] == "urn:idp:acr:remembered"
        assert not world.events("browser.stolen")


@pytest.mark.parametrize("moment", ["UPDATE devices", "UPDATE sessions"])
@pytest.mark.parametrize("known", [True, False])
def test_a_press_while_the_number_is_changed(world: World, party: Party, known: bool, moment: str) -> None:
    """Case 76: both are done, one after the other, and neither is ended for the other's sake; the press comes too late."""
    browser, user_id, phone = here(world, party, known=known), id_of(world), new_phone()
    page = browser.authorize(party, prompt="select_account")
    with stopped(world, moment, lambda: change_phone(user_id, phone)) as failed:
        answer = browser.submit(page, person=next(iter(people_on(page).values())))
    assert not failed
    assert answer.status_code == 303
    assert where(browser.onward(answer)) == "identify"
    assert not live(world, user_id)


def test_a_code_while_the_number_is_changed(world: World, party: Party) -> None:
    """Case 76: the right code to the former number, a moment too late, opens nothing: the number is nobody's by now."""
    browser, user_id = world.browser(), id_of(world)
    page = at_code(world, browser, party, LAZAREVA)
    with stopped(world, "UPDATE devices", lambda: change_phone(user_id, new_phone())) as failed:
        answer = browser.submit(page, code=right_code(world, page))
    assert not failed
    assert "idp_session" not in cookies_set(answer)
    assert where(browser.onward(answer)) == "register"
    assert not live(world, user_id)


def test_a_code_is_given_while_the_number_is_changed(world: World, party: Party) -> None:
    """An app asks in a session in this very moment, whose use is written down before the app's code, which names the person: no circle, and
    the code that it gets is worth nothing.
    """
    with clock.freeze(clock.now()) as later:
        browser, user_id = world.browser(), id_of(world)
        prove(world, browser, party, LAZAREVA)
        later(61)
        with stopped(world, "UPDATE devices", lambda: change_phone(user_id, new_phone())) as failed:
            answer = answer_of(browser.authorize(party, prompt="none"))
        assert not failed
        if "code" in answer:
            assert world.redeem(party, answer["code"]).json()["error"] == "invalid_grant"
        else:
            assert answer["error"] == "login_required"


def test_a_form_of_the_own_pages_while_all_is_signed_out(world: World, party: Party) -> None:
    """Case 76: a form is sent in a session that was not used for a minute, while the sign-out everywhere is not committed yet: no circle,
    and that session is over.
    """
    with clock.freeze(clock.now()) as later:
        browser, user_id = here(world, party, known=True), id_of(world)
        page = browser.go("/account/security")
        assert where(page) == "security"
        later(61)
        with stopped(world, "UPDATE sessions", lambda: sign_out_everywhere(user_id)) as failed:
            answer = browser.post(SIGN_OUT, data={"csrf_token": token_of(page), "where": "elsewhere"})
        assert not failed
        assert answer.status_code == 303
        assert not live(world, user_id)
        assert where(browser.go("/account/security")) == "identify"
