"""A session ends when it should: signed out, idle, thirty days old, blocked. Cases 80, 83, 85 (here), ASVS 5.0 §7.3 and §7.4."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock
from idp.cli.demo_story import Story
from idp.directory import users
from tests.login.http_lab import ORLOV, claims, cookie, cookies_set, copy_cookies, drop_cookies, people_on, press, prove, signed_in
from tests.login.lab import ANNA, where
from tests.world import SIGNED_OUT, Browser, Party, World, answer_of

NAME = "Анна Смирнова"
ZIMIN, BUYER = "+79005553510", "Павел Зимин"  # no administrator: those have shorter sessions
HOUR = timedelta(hours=1)


def copied(world: World, browser: Browser) -> Browser:
    """Another browser that holds the same session cookie."""
    other = world.browser(address="192.0.2.66")
    copy_cookies(browser, other, "idp_session")
    return other


@pytest.mark.parametrize("way", ["hint", "button"])
def test_signed_out(world: World, party: Party, way: str) -> None:
    """Case 80: after signing out every copy of the cookie is worth nothing, everywhere it could be shown."""
    browser = world.browser()
    token = world.tokens(browser, party, ANNA)["id_token"]
    thief = copied(world, browser)
    assert signed_in(world, thief, party)
    if way == "hint":
        out = browser.get("/end_session", params={"id_token_hint": token, "post_logout_redirect_uri": SIGNED_OUT})
        assert out.headers["Location"] == SIGNED_OUT
    else:
        out = browser.press(browser.get("/end_session"), "/end_session/confirm")
        assert out.status_code == 200
    assert "Max-Age=0" in cookies_set(out)["idp_session"]
    assert not cookie(browser, "idp_session")
    for holder in (thief, browser):
        assert answer_of(holder.authorize(party, prompt="none"))["error"] == "login_required"
        assert "Анна" not in holder.get("/end_session").text
    assert where(thief.authorize(party)) == "identify"
    assert where(thief.authorize(party, prompt="select_account")) == "identify"
    assert where(browser.authorize(party)) == "people", "signing out does not take the browser's name off the list"


def test_thirty_days(world: World, party: Party) -> None:
    """Case 83: polling (`prompt=none`), refreshing and pressing one's name keep a session alive for thirty days, and not for longer."""
    browser = world.browser()
    with clock.freeze(clock.now()) as later:
        tokens = world.tokens(browser, party, ZIMIN, scope="openid offline_access")
        until = clock.now() + timedelta(days=30)
        refresh = tokens["refresh_token"]
        for turn in range(65):
            later(11 * HOUR)
            assert signed_in(world, browser, party), turn
            if turn % 20 == 0:
                refreshed = world.refresh(party, refresh)
                refresh = refreshed.json()["refresh_token"]
                page = browser.authorize(party, prompt="select_account")
                press(browser, page, BUYER)
        later(until - clock.now() - timedelta(seconds=1))
        assert signed_in(world, browser, party)
        later(1)
        assert not signed_in(world, browser, party)
        assert where(browser.authorize(party)) == "people"


@pytest.mark.parametrize(("idle", "lives"), [(12 * HOUR - timedelta(seconds=1), True), (12 * HOUR, False), (20 * HOUR, False)])
def test_idle(world: World, party: Party, idle: timedelta, lives: bool) -> None:
    """Case 83: twelve hours without use end it; a refresh token in a server's hands is no use of the browser."""
    browser = world.browser()
    with clock.freeze(clock.now()) as later:
        tokens = world.tokens(browser, party, ZIMIN, scope="openid offline_access")
        later(idle / 2)
        assert world.refresh(party, tokens["refresh_token"]).status_code == 200
        later(idle / 2)
        assert signed_in(world, browser, party) is lives


def test_blocked(world: World, party: Party, story: Story) -> None:
    """ASVS 7.4.2: blocked by an operator, a person is out with the next request, in every browser."""
    browsers = [world.browser(address=f"198.51.{n}.7") for n in range(2)]
    (sub,) = {prove(world, browser, party, ANNA)["sub"] for browser in browsers}
    with world.writes():
        users.block(sub, "fraud")
    for browser in browsers:
        assert answer_of(browser.authorize(party, prompt="none"))["error"] == "login_required"
        assert where(browser.authorize(party)) == "identify"
        assert "Анна" not in browser.get("/end_session").text


def test_a_new_secret_for_every_proof(world: World, party: Party) -> None:
    """ASVS 7.2.4, case 80: after a step-up the cookie of before is dead, so whoever copied it is out."""
    browser = world.browser()
    with clock.freeze(clock.now()) as later:
        first = prove(world, browser, party, ANNA)
        thief = copied(world, browser)
        later(60)
        second = prove(world, browser, party, ANNA, prompt="login")
        assert second["sid"] == first["sid"]
        assert not signed_in(world, thief, party)
        assert signed_in(world, browser, party)


def test_another_person(world: World, party: Party) -> None:
    """Case 15: somebody else signs in, in the same browser: the former session is over, and its copies with it."""
    browser = world.browser()
    prove(world, browser, party, ANNA)
    thief = copied(world, browser)
    with clock.freeze(clock.now()) as later:
        later(1)
        mine = prove(world, browser, party, ORLOV, prompt="select_account")
        assert not signed_in(world, thief, party)
        later(1)
        page = browser.authorize(party, prompt="select_account")
        assert len(people_on(page)) == 2
        assert claims(world, party, browser.authorize(party, prompt="none"))["sub"] == mine["sub"]


def test_what_is_not_remembered(world: World, party: Party) -> None:
    """A window that was closed took the session with it: in a browser that is not remembered nothing is left."""
    browser = world.browser()
    prove(world, browser, party, ANNA)
    drop_cookies(browser, "idp_session", "idp_browser")
    assert where(browser.authorize(party)) == "identify"
    assert not signed_in(world, browser, party)


def test_what_ends_with_it(world: World, party: Party) -> None:
    """Case 85: signed out here, what hangs on the session is dead for every client; what was given for the person's absence goes on."""
    other, browser = world.party(), world.browser()
    with clock.freeze(clock.now()) as later:
        first = world.tokens(browser, party, ZIMIN, scope="openid")
        later(60)
        second = world.redeem(other, answer_of(browser.authorize(other, scope="openid"))["code"]).json()
        kept = world.redeem(party, answer_of(browser.authorize(party, scope="openid offline_access"))["code"]).json()
        browser.press(browser.get("/end_session"), "/end_session/confirm")
        for client, tokens in ((party, first), (other, second)):
            assert world.refresh(client, tokens["refresh_token"]).json()["error"] == "invalid_grant"
            assert world.introspect(client, tokens["access_token"]).json() == {"active": False}
        assert world.refresh(party, kept["refresh_token"]).status_code == 200
