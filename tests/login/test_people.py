"""The known browser, over HTTP: `product.md` §3, threats F."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from idp import clock
from idp.credentials.tables import Device
from tests.login.lab import ANNA, OTHER, at_code, how_many, id_token, where, words
from tests.world import Browser, Party, World, answer_of, new_phone


class TestTheKnownBrowser:
    """`product.md` §3."""

    def known(self, world: World, party: Party, *, agent: str = OTHER) -> tuple[Browser, dict[str, object]]:
        """A browser in which Anna signed in a day ago, and the ID token of then."""
        browser = world.browser(user_agent=agent)
        first = id_token(world, party, world.sign_in(browser, party, ANNA))
        del browser.cookies["idp_session"]
        return browser, first

    def test_one_press(self, world: World, party: Party) -> None:
        """§3.2: a press and in, no code; the original auth_time and amr, the lower acr; both cookies are new (case 8)."""
        with clock.freeze(clock.now()) as later:
            browser, first = self.known(world, party)
            cookie = browser.cookies["idp_browser"]
            later(timedelta(days=3))
            page = browser.authorize(party)
            assert where(page) == "people"
            assert "no code is needed" in words(page)
            person = re.search(r'name="person" value="(dev_\w+)"', page.text)
            assert person is not None
            claims = id_token(world, party, browser.onward(browser.submit(page, person=person[1])))
            assert claims["sub"] == first["sub"]
            assert claims["auth_time"] == first["auth_time"]
            assert claims["amr"] == ["sms"]
            assert claims["acr"] == "urn:idp:acr:remembered"
            assert claims["sid"] != first["sid"]
            assert browser.cookies["idp_browser"] != cookie
            assert len(world.events("code.sent")) == 1

    @pytest.mark.parametrize("demand", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "3600"}, {"acr_values": "urn:idp:acr:code"}])
    def test_more_is_asked_for(self, world: World, party: Party, demand: dict[str, str]) -> None:
        """Cases 10 and 78: a known browser does not satisfy them; the press sends a code to the number at once, and auth_time moves."""
        with clock.freeze(clock.now()) as later:
            browser, first = self.known(world, party)
            later(7200)
            page = browser.authorize(party, **demand)
            assert "a code is needed" in words(page)
            person = re.search(r'name="person" value="(dev_\w+)"', page.text)
            assert person is not None
            page = browser.onward(browser.submit(page, person=person[1]))
            assert where(page) == "phone_code"
            assert "•••-35-01" in words(page)
            claims = id_token(world, party, browser.onward(browser.submit(page, code=world.code_for(ANNA))))
            assert claims["auth_time"] == int(clock.now().timestamp()) > int(str(first["auth_time"]))
            assert claims["acr"] == "urn:idp:acr:code"

    def test_an_old_session_is_not_fresh(self, world: World, party: Party) -> None:
        """Case 10: prompt=login in a signed-in browser asks for a proof; the sid stays, the cookie of before is dead (ASVS 7.2.4)."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            first = id_token(world, party, world.sign_in(browser, party, ANNA))
            old = browser.cookies["idp_session"]
            later(60)
            page = browser.authorize(party, prompt="login")
            person = re.search(r'name="person" value="(dev_\w+)"', page.text)
            assert person is not None
            page = browser.onward(browser.submit(page, person=person[1]))
            later(31)
            claims = id_token(world, party, browser.onward(browser.submit(page, code=world.code_for(ANNA))))
            assert claims["sid"] == first["sid"]
            assert int(str(claims["auth_time"])) == int(str(first["auth_time"])) + 91
            copied = world.browser()
            copied.cookies.set("idp_session", old, domain="localhost.local")
            copied.cookies.set("idp_session", old)
            assert where(copied.authorize(party)) == "identify"

    def test_the_tick(self, world: World, party: Party) -> None:
        """§3.1: without the tick nothing is remembered, and the session ends with the window."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        assert how_many(world, Device) == 0  # case 79: nothing is trusted before the code was right
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert token is not None
        answer = browser.post(str(page.url), data={"csrf_token": token[1], "code": world.code_for(ANNA)})
        cookies = answer.headers.get_list("Set-Cookie")
        assert [cookie.partition("=")[0] for cookie in cookies] == ["idp_session", "idp_session_state", "idp_shared"]
        assert "Max-Age" not in cookies[0]
        assert "HttpOnly" in cookies[0]
        assert "SameSite=Lax" in cookies[0]
        assert how_many(world, Device) == 0

    def test_somebody_elses_name(self, world: World, party: Party) -> None:
        """Case 75: a device of another browser, or an invented one, opens nothing here."""
        browser, _ = self.known(world, party)
        stranger = world.browser(address="198.51.100.9")
        world.sign_in(stranger, party, "+79005553502")
        del stranger.cookies["idp_session"]
        page = browser.authorize(party)
        hers = re.search(r'value="(dev_\w+)"', page.text)
        assert hers is not None
        other = stranger.authorize(party)
        for person in (hers[1], "dev_1", "", "ses_1"):
            assert where(stranger.onward(stranger.submit(other, person=person))) == "people"
        assert "idp_session" not in stranger.cookies

    def test_forget(self, world: World, party: Party) -> None:
        """Taken off the list: next time a code; whoever was signed in here as that person is signed out here."""
        browser = world.browser()
        world.sign_in(browser, party, ANNA)
        page = browser.authorize(party, prompt="select_account")
        page = browser.get(f"{page.url}?removing=1")
        person = re.search(r'value="(dev_\w+)"', page.text)
        assert person is not None
        assert where(browser.onward(browser.submit(page, person=person[1]))) == "identify"
        assert where(browser.authorize(party)) == "identify"
        assert [event.details["reason"] for event in world.events("session.ended")] == ["forgotten"]

    def test_stolen(self, world: World, party: Party) -> None:
        """Case 77: a copied cookie is used, its owner comes back: the browser and its sessions end, the person is told once."""
        owner, _ = self.known(world, party)
        thief = world.browser(address="192.0.2.66")
        for name, value in owner.cookies.items():
            thief.cookies.set(name, value)
        page = thief.authorize(party)
        person = re.search(r'value="(dev_\w+)"', page.text)
        assert person is not None
        assert "code" in answer_of(thief.onward(thief.submit(page, person=person[1])))
        assert where(owner.authorize(party)) == "identify"
        assert where(thief.authorize(party)) == "identify"
        assert len(world.events("browser.stolen")) == 1
        notices = [message for message in world.inbox(ANNA) if message["code"] is None]
        assert len(notices) == 1
        assert where(owner.authorize(party)) == "identify"
        assert len(world.events("browser.stolen")) == 1

    def test_sent_to_the_wrong_window(self, world: World, party: Party) -> None:
        """§2.3: a code works only in the sign-in it was asked for."""
        one, other = world.browser(), world.browser(address="198.51.100.9")
        at_code(world, one, party, ANNA)
        code = world.code_for(ANNA)
        page = at_code(world, other, party, new_phone(8))
        assert other.submit(page, code=code).status_code == 422
