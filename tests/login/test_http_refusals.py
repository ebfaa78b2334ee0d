"""When it does not go on: too late, too often, broken. The page says what to do, and nothing that is nobody's business.

`pages.md` §2.15, §2.16, §2.21, §2.25.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials.tables import PhoneCode
from idp.db.session import engine
from idp.db.session import session as database
from idp.login.tables import Session
from tests.login.http_lab import base_of, cookies_set, dump, guess_wrong, people_on, prove, request_of, right_code, text_of
from tests.login.lab import ANNA, at_code, how_many, where
from tests.world import Browser, Party, World, answer_of

DETAIL = 'relation "phone_codes" of postgresql://idp:hunter2@db.internal/idp does not exist'
TIME = r"1?\d:\d\d [AP]M"


@contextmanager
def database_that(world: World, fails: Callable[[str], Exception | None]) -> Iterator[None]:
    """While it lasts, a statement for which `fails` gives an exception raises it."""

    def listen(*given: object) -> None:
        failure = fails(str(given[2]))
        if failure is not None:
            raise failure

    with world.app.app_context():
        listened = engine()
    sa.event.listen(listened, "before_cursor_execute", listen)
    try:
        yield
    finally:
        sa.event.remove(listened, "before_cursor_execute", listen)


def is_bare(page: httpx2.Response) -> bool:
    """Whether a refusal shows its request id and none of what only the log may know."""
    told = f'<dd class="mono">{page.headers["X-Request-Id"]}</dd>' in page.text
    secret = re.search(r"hunter2|phone_codes|postgresql|sqlite|Traceback|File &|\.py|SELECT|INSERT|ZeroDivision", page.text, re.IGNORECASE)
    return told and secret is None and not cookies_set(page)


class TestBroken:
    """A fault of ours: no detail on the page, the id that leads to the log, nothing half done."""

    @pytest.mark.parametrize("what", ["desk", "number", "code", "resend", "authorize", "press"])
    def test_a_bug(self, world: World, party: Party, what: str, caplog: pytest.LogCaptureFixture) -> None:
        """500: `Something broke on our side`, the request id, no detail; the log has both; nothing was written."""
        browser, _, request = steps(world, party, what)
        before = dump(world)
        fails = ("SELECT",) if what == "desk" else ("INSERT", "UPDATE", "DELETE")
        with database_that(world, lambda sql: ZeroDivisionError(DETAIL) if sql.startswith(fails) else None):
            answer = browser.send(request)
        assert answer.status_code == 500
        assert "Something broke on our side" in text_of(answer)
        assert "Try again in a minute" in text_of(answer)
        assert is_bare(answer)
        assert DETAIL in caplog.text
        assert dump(world) == before
        assert browser.send(request).status_code in {303, 422}, "it goes on where it was"

    @pytest.mark.parametrize("what", ["desk", "number", "code", "resend", "authorize", "press"])
    def test_the_database_is_away(self, world: World, party: Party, what: str) -> None:
        """503 with Retry-After: `Nothing is lost`, no detail; and so it is."""
        browser, page, request = steps(world, party, what)
        before = dump(world)
        with database_that(world, lambda sql: sa.exc.OperationalError(sql, {}, RuntimeError(DETAIL))):
            answer = browser.send(request)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "Nothing is lost" in text_of(answer)
        assert is_bare(answer)
        assert dump(world) == before
        assert browser.send(request).status_code == 303
        assert page.status_code == 200

    def test_machines_are_told_too(self, world: World) -> None:
        """The same as JSON, where a program asked."""
        for failure, status, error in (
            (ZeroDivisionError(DETAIL), 500, "server_error"),
            (sa.exc.OperationalError("", {}, RuntimeError(DETAIL)), 503, "temporarily_unavailable"),
        ):
            with database_that(world, lambda _, failure=failure: failure):
                answer = world.browser().post(
                    "/token", data={"grant_type": "refresh_token", "client_id": "seller-portal", "refresh_token": "x"}
                )
            assert (answer.status_code, answer.json()["error"]) == (status, error)
            assert "hunter2" not in answer.text
            assert answer.headers["X-Request-Id"]

    def test_a_counted_guess_stays_counted(self, world: World, party: Party) -> None:
        """Broken between counting and signing in: the guess is gone, nobody is in, and the same code still works (R20)."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        code = right_code(world, page)
        with database_that(world, lambda sql: ZeroDivisionError(DETAIL) if "INSERT INTO sessions" in sql else None):
            assert browser.submit(page, code=code).status_code == 500
        assert how_many(world, Session) == 0
        assert "4 tries left" in text_of(browser.submit(page, code="1"))
        assert "code" in answer_of(browser.onward(browser.submit(page, code=code)))


def steps(world: World, party: Party, what: str) -> tuple[Browser, httpx2.Response, httpx2.Request]:
    """A browser, the page it is on, and the request that goes wrong there."""
    browser = world.browser()
    if what == "press":
        prove(world, browser, party, ANNA)
        page = browser.authorize(party, prompt="select_account")
        return browser, page, browser.filled(page, person=next(iter(people_on(page).values())))
    page = browser.authorize(party)
    if what == "authorize":
        return browser, page, browser.build_request("GET", "/authorize", params=party.asks())
    if what == "desk":
        return browser, page, browser.build_request("GET", base_of(page))
    if what == "number":
        return browser, page, browser.filled(page, phone=ANNA)
    page = browser.onward(browser.submit(page, phone=ANNA))
    if what == "code":
        return browser, page, browser.filled(page, code=right_code(world, page))
    with world.writes():
        database.execute(sa.update(PhoneCode).values(next_send_at=clock.now()))
    return browser, page, browser.filled(page, channel="sms")


class TestTooLate:
    """`pages.md` §2.21."""

    def test_an_old_sign_in(self, world: World, party: Party) -> None:
        """After an hour every page of it says so, with a button that begins again, and that button works."""
        with clock.freeze(clock.now()) as later:
            browser = world.browser()
            page = at_code(world, browser, party, ANNA)
            filled = browser.filled(page, code=right_code(world, page))
            later(world.settings.login.flow_lifetime)
            for answer in (browser.get(str(page.url)), browser.get(base_of(page)), browser.send(filled)):
                assert answer.status_code == 410
                assert "This sign-in is out of date" in text_of(answer)
                assert "It stood open for too long" in text_of(answer)
                assert not cookies_set(answer)
            button = re.search(r'<a class="button primary" href="([^"]+)">Start again</a>', answer.text)
            assert button is not None
            again = browser.go(button[1])
            assert (again.status_code, where(again)) == (200, "identify")
            again = browser.onward(browser.submit(again, phone=ANNA))
            assert answer_of(browser.onward(browser.submit(again, code=right_code(world, again))))["state"] == "state-1"

    def test_an_old_request(self, world: World) -> None:
        """The request itself is over: the button leads to where the client can be entered."""
        party = world.party(initiate_login_uri="https://rp.example/start")
        with clock.freeze(clock.now()) as later:
            browser = world.browser()
            page = browser.authorize(party)
            request = request_of(browser, page)
            later(world.settings.oidc.request_lifetime + 1)
            answer = browser.get(request)
            assert answer.status_code == 410
            start = "https://rp.example/start?iss=http%3A%2F%2Flocalhost%3A8000"
            assert f'<a class="button primary" href="{start}">Start again</a>' in answer.text

    def test_just_in_time(self, world: World, party: Party) -> None:
        """A second before the hour everything still works."""
        with clock.freeze(clock.now()) as later:
            browser = world.browser()
            page = browser.authorize(party)
            later(world.settings.login.flow_lifetime - 1)
            assert where(browser.onward(browser.submit(page, phone=ANNA))) == "phone_code"

    def test_somebody_elses_address(self, world: World, party: Party) -> None:
        """An address that is none, or another browser's: the same page, without a button that would lead to somebody else's request."""
        page = world.browser().authorize(party)
        for address in (base_of(page), "/login/flw_1", "/login/x", "/login/" + "x" * 5000, "/login/'OR 1=1--"):
            answer = world.browser().get(address)
            assert answer.status_code == 410
            assert "Start again</a>" not in answer.text
            assert is_bare(answer)


class TestTooOften:
    """`pages.md` §2.15 and §2.16: by cause, with the tries that are left, or the time from which it works again."""

    def test_what_the_code_page_says(self, world: World, party: Party) -> None:
        """Four, three, two, one try left; then that the code is used up, with the button for a new one; the hint and title follow."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        assert "tries left" not in text_of(page)
        assert re.search(rf"The code works until {TIME}", text_of(page))
        texts = [text_of(answer) for answer in guess_wrong(world, browser, page, 5)]
        for left, text in zip(("4 tries left", "3 tries left", "2 tries left", "1 try left"), texts, strict=False):
            assert f"This code is wrong. Check the message and enter it again. {left}" in text
        assert "Too many wrong codes. Ask for a new one." in texts[4]
        assert "The code works until" not in texts[4]
        assert "Send a new text message" in texts[4]
        dead = browser.get(str(page.url))
        assert dead.status_code == 200
        assert "Too many wrong codes. Ask for a new one." in text_of(dead)
        assert "<title>Error: " in dead.text

    def test_what_the_number_says(self, world: World, party: Party) -> None:
        """Ten wrong codes for a number: the time at which it can go on, on the code page and on the number's; at that minute it does."""
        with clock.freeze(clock.now().replace(second=30)) as later:
            browser = world.browser()
            waiting = at_code(world, browser, party, ANNA)
            for n in range(2):
                other = world.browser(address=f"198.51.{n}.7")
                guess_wrong(world, other, at_code(world, other, party, ANNA), 5)
            wait = 0
            for answer in (browser.submit(waiting, code="000000"), browser.submit(browser.authorize(party), phone=ANNA)):
                assert answer.status_code == 429
                assert re.search(rf"Too many wrong codes were entered for this number. Try again after {TIME}", text_of(answer))
                assert "<title>Error: " in answer.text
                wait = int(answer.headers["Retry-After"])
            later(wait)
            assert where(at_code(world, browser, party, ANNA)) == "phone_code"

    def test_what_the_network_says(self, world: World, party: Party) -> None:
        """Too many messages from a network: what was typed stays, the time is on the page and in Retry-After."""
        for n in range(20):
            at_code(world, world.browser(address=f"203.0.113.{n}"), party, f"+7901000{n:04}")
        browser = world.browser()
        answer = browser.submit(browser.authorize(party), phone="8 900 555-35-01")
        assert answer.status_code == 429
        assert re.search(rf"Try again after {TIME}", text_of(answer))
        assert 'value="8 900 555-35-01"' in answer.text
        assert 0 < int(answer.headers["Retry-After"]) <= 3600
