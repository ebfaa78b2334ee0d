"""What a relying party can ask for and a remembered browser never gives: cases 10 and 78, `claims.md` ("How strong, how fresh")."""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock
from tests.login.http_lab import ORLOV, claims, drop_cookies, known, people_on, press, prove, right_code
from tests.login.lab import ANNA, where, words
from tests.world import Party, World, answer_of

NAME = "Анна Смирнова"
ZIMIN, BUYER = "+79005553510", "Павел Зимин"  # no administrator: those are remembered for a shorter time
DAY = timedelta(days=1)


@pytest.mark.parametrize("is_live", [True, False], ids=["signed in", "remembered"])
@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "3600"}, {"acr_values": "urn:idp:acr:code"}])
def test_a_proof_is_asked_for(world: World, party: Party, asked: dict[str, str], is_live: bool) -> None:
    """Cases 10 and 78: neither an old session nor a remembered browser will do; the press sends a code, and `auth_time` moves."""
    browser = world.browser()
    with clock.freeze(clock.now()) as later:
        first = prove(world, browser, party, ANNA)
        later(DAY)  # the session has run out: a press makes one that is only `remembered`
        if is_live:
            pressed = claims(world, party, press(browser, browser.authorize(party), NAME))
            assert (pressed["acr"], pressed["auth_time"]) == ("urn:idp:acr:remembered", first["auth_time"])
        assert answer_of(browser.authorize(party, prompt="none", **{k: v for k, v in asked.items() if k != "prompt"})).get("error") == (
            "login_required" if not is_live or "prompt" not in asked else None
        )
        page = browser.authorize(party, **asked)
        assert where(page) == "people"
        assert "a code is needed" in words(page)
        page = press(browser, page, NAME)
        assert where(page) == "phone_code"
        assert where(browser.go(str(page.url).replace("phone_code", "people"))) == "people"
        assert where(press(browser, browser.get(str(page.url).replace("phone_code", "people")), NAME)) == "phone_code"
        later(30)
        second = claims(world, party, browser.onward(browser.submit(page, code=right_code(world, page))))
        assert second["auth_time"] == int(clock.now().timestamp())
        assert (second["acr"], second["amr"], second["sub"]) == ("urn:idp:acr:code", ["sms"], first["sub"])
        assert len(world.events("code.sent")) == 2


def test_a_fresh_session_is_not_asked_twice(world: World, party: Party) -> None:
    """Case 10: `prompt=login` counts from its own request: a proof of a second before does not do, one after it does."""
    browser = world.browser()
    with clock.freeze(clock.now()) as later:
        prove(world, browser, party, ANNA)
        later(1)
        first = browser.authorize(party, prompt="login", state="one")
        second = browser.authorize(party, prompt="login", state="two")
        later(1)
        page = press(browser, first, NAME)
        answered = answer_of(browser.onward(browser.submit(page, code=right_code(world, page))))
        assert answered["state"] == "one"
        assert answer_of(browser.go(str(second.url)))["state"] == "two", "it was asked before the proof, so the proof is its own"


def test_a_press_in_another_tab_is_no_proof(world: World, party: Party) -> None:
    """Case 10: while `prompt=login` waits, a press in another tab makes a session, and the request goes on waiting."""
    with clock.freeze(clock.now()) as later:
        browser = known(world, party, ANNA)
        later(60)
        for asked in ({"prompt": "login"}, {"max_age": "1"}, {"acr_values": "urn:idp:acr:code"}):
            waiting = browser.authorize(party, **asked)
            other = browser.authorize(party)
            if where(other) == "people":
                assert claims(world, party, press(browser, other, NAME))["acr"] == "urn:idp:acr:remembered"
            assert where(browser.go(str(waiting.url))) == "people"
            assert where(browser.go(str(waiting.url).replace("/people", ""))) == "people"
            assert answer_of(browser.authorize(party, prompt="none", acr_values="urn:idp:acr:code"))["error"] == "login_required"


def test_what_is_remembered(world: World, party: Party) -> None:
    """`claims.md`: it keeps the original `auth_time` and `amr` with the lower `acr`, however often it is used; more is never remembered."""
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        first = prove(world, browser, party, ZIMIN)
        for days in (1, 20, 50):
            later(days * DAY)
            drop_cookies(browser, "idp_session")
            page = browser.authorize(party)
            assert "no code is needed" in words(page)
            again = claims(world, party, press(browser, page, BUYER))
            assert (again["auth_time"], again["amr"]) == (first["auth_time"], first["amr"])
            assert again["acr"] == "urn:idp:acr:remembered"
            silent = claims(world, party, browser.authorize(party, prompt="none", acr_values="urn:idp:acr:remembered"))
            assert silent["acr"] == "urn:idp:acr:remembered"
        later(60 * DAY)
        assert where(browser.authorize(party)) == "identify", "sixty days without use, and it is forgotten"


def test_more_than_there_is(world: World, party: Party) -> None:
    """`acr_values` is a wish (Core §5.5.1.1): a level that nobody here can reach is met by the strongest, and never by `remembered`."""
    browser = known(world, party, ANNA)
    page = browser.authorize(party, acr_values="urn:idp:acr:phishing_resistant urn:idp:acr:code")
    assert "a code is needed" in words(page)
    page = press(browser, page, NAME)
    assert claims(world, party, browser.onward(browser.submit(page, code=right_code(world, page))))["acr"] == "urn:idp:acr:code"


def test_the_proof_of_somebody_else(world: World, party: Party) -> None:
    """Case 10: with two people in one browser the fresh proof of one is not the other's: the other's press still needs a code."""
    with clock.freeze(clock.now()) as later:
        browser = known(world, party, ANNA)
        later(600)
        prove(world, browser, party, ORLOV)
        later(1)
        page = browser.authorize(party, prompt="select_account", max_age="300")
        assert len(people_on(page)) == 2
        assert where(press(browser, page, NAME)) == "phone_code"
