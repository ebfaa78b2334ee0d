"""The way through a sign-in, over HTTP: `product.md` §2, threats A and E."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials import phone_code
from idp.credentials.tables import Device
from idp.db.session import session as database
from idp.directory.tables import User
from idp.login import flow, flow_row
from idp.login.policy import Demand
from idp.login.tables import LoginFlow, Session
from idp.web.http import Request
from tests.login.lab import ANNA, at_code, how_many, id_token, name_of, where, words
from tests.machine import count
from tests.world import Browser, Party, World, answer_of, new_phone


class TestTheFirstTime:
    """A number that nobody has."""

    def test_sign_up(self, world: World, party: Party) -> None:
        """`product.md` §2.4: number, code, name and terms, and back to the portal as a new person."""
        browser, phone = world.browser(), new_phone(1)
        page = at_code(world, browser, party, phone)
        assert where(page) == "phone_code"
        assert phone not in page.text
        page = browser.onward(browser.submit(page, code=world.code_for(phone)))
        assert where(page) == "register"
        bad = browser.submit(page, name=" ")
        assert bad.status_code == 422
        assert "Accept the terms" in bad.text
        claims = id_token(world, party, browser.onward(browser.submit(page, name=" Анна  Новая ", terms="on")))
        assert name_of(world, claims) == "Анна Новая"
        assert claims["acr"] == "urn:idp:acr:code"
        assert claims["amr"] == ["sms"]
        login = world.events("login.succeeded")[-1]
        assert login.user_id == claims["sub"]
        assert login.session_id == claims["sid"]

    def test_two_at_once(self, world: World, party: Party) -> None:
        """Case 71, R5: two first sign-ins of one number in parallel are one person, signed in twice."""
        for turn in range(count(2, 25)):
            phone, before = new_phone(turn), how_many(world, User)
            pages = []
            for _ in range(2):
                browser = world.browser()
                page = at_code(world, browser, party, phone)
                pages.append((browser, browser.onward(browser.submit(page, code=world.code_for(phone)))))
            together = Barrier(2)

            def register(each: tuple[Browser, httpx2.Response], together: Barrier = together) -> httpx2.Response:
                together.wait()
                return each[0].onward(each[0].submit(each[1], name="Анна", terms="on"))

            with ThreadPoolExecutor(2) as pool:
                subs = [id_token(world, party, answer)["sub"] for answer in pool.map(register, pages)]
            assert len(set(subs)) == 1
            assert how_many(world, User) == before + 1

    def test_nothing_can_be_skipped(self, world: World, party: Party) -> None:
        """Case 60: a page whose turn it is not leads to the one whose turn it is; forged fields prove nothing."""
        browser = world.browser()
        identify = browser.authorize(party)
        base = str(identify.url).removesuffix("/identify")
        token = re.search(r'name="csrf_token" value="([^"]+)"', identify.text)
        assert token is not None
        forged = {
            "csrf_token": token[1],
            "verified": "true",
            "phone": ANNA,
            "code": "000000",
            "name": "Eve",
            "terms": "on",
            "person": "dev_1",
        }
        for step in ("register", "phone_code", "people"):
            assert where(browser.go(f"{base}/{step}")) == "identify"
            assert where(browser.onward(browser.post(f"{base}/{step}", data=forged))) == "identify"
        browser.submit(identify, phone=new_phone(2))
        for step in ("register", "people"):
            assert where(browser.onward(browser.post(f"{base}/{step}", data=forged))) == "phone_code"
        assert how_many(world, Session) == 0
        assert how_many(world, Device) == 0

    def test_the_proved_number_and_no_other(self, world: World, party: Party) -> None:
        """Case 58: one's own right code never proves the number that another tab has meanwhile begun with."""
        browser, mine = world.browser(), new_phone(3)
        page = at_code(world, browser, party, mine)
        code = world.code_for(mine)
        flow_id = str(page.url).split("/")[-2]
        request = Request(
            {"REQUEST_METHOD": "POST", "HTTP_COOKIE": f"idp_login={browser.cookies['idp_login']}", "REMOTE_ADDR": "203.0.113.7"}
        )
        with world.writes():  # the first tab has had its guess counted and judged ...
            row = flow_row.get(request, flow_id)
            guess = phone_code.guess(row.phone_code_id or "", flow_id)
            assert guess is not None
            guess = phone_code.judge(guess, code)
            assert guess is not None
        other = browser.get(str(page.url).replace("phone_code", "identify"))
        browser.submit(other, phone=new_phone(4))  # ... when the second one names another number ...
        with world.writes():
            assert phone_code.redeem(guess)
            row = flow_row.get(request, flow_id)
            assert flow.proved_phone(row, request, guess, remember=True).status == 303
        page = browser.onward(browser.get(f"/login/{flow_id}"))  # ... and the first goes on
        assert where(page) == "register"
        assert "901 000-00-03" in words(page)


class TestWhoseSignIn:
    """The id in the address is worth nothing elsewhere."""

    def test_another_browser(self, world: World, party: Party) -> None:
        """Cases 7, 8 and 63: whoever is sent the link, or the code, can do nothing with it; nor can an attacker who prepared it."""
        attacker, victim = world.browser(), world.browser(address="198.51.100.9")
        page = at_code(world, attacker, party, ANNA)
        own = victim.authorize(party)
        token = re.search(r'name="csrf_token" value="([^"]+)"', own.text)
        assert token is not None
        base = str(page.url).removesuffix("/phone_code")
        for step in ("", "/identify", "/phone_code", "/people", "/register"):
            assert victim.get(base + step).status_code == 410
        for step in ("/identify", "/phone_code", "/phone_code/resend", "/people", "/people/forget", "/register"):
            refused = victim.post(base + step, data={"csrf_token": token[1], "code": world.code_for(ANNA), "phone": ANNA, "person": "x"})
            assert refused.status_code == 410
            assert "Set-Cookie" not in refused.headers
        assert how_many(world, Session) == 0
        assert "code" in answer_of(attacker.onward(attacker.submit(page, code=world.code_for(ANNA))))

    def test_without_the_forms_token(self, world: World, party: Party) -> None:
        """CWE-352: a form that another site sends does nothing, even with the right code."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        assert browser.post(str(page.url), data={"code": world.code_for(ANNA)}).status_code == 410
        assert how_many(world, Session) == 0

    def test_too_late(self, world: World, party: Party) -> None:
        """`pages.md` §2.21: after an hour the page says so and leads back to where the person came from."""
        with clock.freeze(clock.now()) as later:
            browser = world.browser()
            page = browser.authorize(party)
            later(3600)
            old = browser.get(str(page.url))
            assert old.status_code == 410
            assert re.search(r'href="/authorize/\w+"', old.text)

    def test_back(self, world: World, party: Party) -> None:
        """Case 15: Back into a finished sign-in leads on, asks nothing, sends nothing, and gives no second code for the portal."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        answer_of(browser.onward(browser.submit(page, code=world.code_for(ANNA))))
        for step in ("", "/identify", "/phone_code", "/people", "/register"):
            back = browser.get(str(page.url).removesuffix("/phone_code") + step)
            assert back.status_code == 303
            assert back.headers["Location"].startswith("/authorize/")
            assert browser.onward(back).status_code == 410
        assert len(world.inbox(ANNA)) == 1

    def test_signed_in_meanwhile(self, world: World, party: Party) -> None:
        """Two tabs: once signed in by one, the other leads on without asking anything."""
        browser = world.browser()
        first, second = browser.authorize(party), browser.authorize(party, state="second")
        page = browser.onward(browser.submit(first, phone=ANNA))
        browser.onward(browser.submit(page, code=world.code_for(ANNA)))
        assert answer_of(browser.onward(browser.get(str(second.url))))["state"] == "second"

    @pytest.mark.parametrize(
        "address", ["https://evil.example/", "//evil.example/", "/\\evil.example", "/a\nb", "/a b", "/a\\b", "", "a", "/\t/evil.example"]
    )
    def test_returns_home_only(self, world: World, address: str) -> None:
        """Case 2: a sign-in never returns to another site."""
        with world.writes(), pytest.raises(ValueError, match="path of this server"):
            flow.begin(return_to=address, demand=Demand(clock.now()), login_secret="s")


class TestWhoIsAskedFor:
    """prompt, hints."""

    def test_select_account(self, world: World, party: Party) -> None:
        """A signed-in browser that is not remembered still lists who is here; one press, the same session."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert token is not None
        answer = browser.onward(browser.post(str(page.url), data={"csrf_token": token[1], "code": world.code_for(ANNA)}))
        first = id_token(world, party, answer)
        page = browser.authorize(party, prompt="select_account")
        assert where(page) == "people"
        person = re.search(r'name="person" value="(ses_\w+)"', page.text)
        assert person is not None
        again = id_token(world, party, browser.onward(browser.submit(page, person=person[1])))
        assert (again["sid"], again["acr"], again["auth_time"]) == (first["sid"], "urn:idp:acr:code", first["auth_time"])

    def test_another_person(self, world: World, party: Party) -> None:
        """Case 15: in one browser first one, then another: the tokens are the second one's, the first one's session is over."""
        browser = world.browser()
        first = id_token(world, party, world.sign_in(browser, party, ANNA))
        page = browser.authorize(party, prompt="select_account")
        page = browser.get(str(page.url).replace("people", "identify"))
        page = browser.onward(browser.submit(page, phone="+79005553502"))
        second = id_token(world, party, browser.onward(browser.submit(page, code=world.code_for("+79005553502"))))
        assert second["sub"] != first["sub"]
        assert second["sid"] != first["sid"]
        assert world.events("session.ended")[-1].session_id == first["sid"]
        assert where(browser.authorize(party, prompt="select_account")) == "people"

    def test_only_this_person(self, world: World, party: Party) -> None:
        """`id_token_hint`: somebody else's right code signs nobody in, says so, and nothing about whom the app meant."""
        browser = world.browser()
        hint = world.tokens(browser, party, ANNA)["id_token"]
        stranger = world.browser(address="198.51.100.9")
        for phone in ("+79005553502", new_phone(9)):
            page = at_code(world, stranger, party, phone, id_token_hint=hint)
            refused = stranger.submit(page, code=world.code_for(phone))
            assert refused.status_code == 403
            assert "another ID" in refused.text
            assert "Анна" not in refused.text
            assert "idp_session" not in stranger.cookies
        page = at_code(world, stranger, party, ANNA, id_token_hint=hint)
        assert "code" in answer_of(stranger.onward(stranger.submit(page, code=world.code_for(ANNA))))

    def test_hint(self, world: World, party: Party) -> None:
        """`login_hint`: the number stands in the field, known or not; what is no number does not, and can do no harm."""
        for phone in (ANNA, new_phone(10)):
            assert f'value="{phone}"' in world.browser().authorize(party, login_hint=phone).text
        page = world.browser().authorize(party, login_hint='"><script>alert(1)</script>')
        assert "alert(1)" not in page.text
        with world.reads():
            kept = database.scalars(sa.select(LoginFlow)).all()
            assert not any(ANNA in f"{row.demand}{row.login_hint}" for row in kept)

    def test_hint_in_a_known_browser(self, world: World, party: Party) -> None:
        """The hint of a person who is known here leads to the press, another one's to the field; the list stays reachable."""
        browser = world.browser()
        world.sign_in(browser, party, ANNA)
        del browser.cookies["idp_session"]
        assert where(browser.authorize(party, login_hint=ANNA)) == "people"
        page = browser.authorize(party, login_hint=new_phone(11))
        assert where(page) == "identify"
        assert "/people" in page.text

    def test_create(self, world: World, party: Party) -> None:
        """`prompt=create`: the sign-up page, also where somebody is known or signed in."""
        browser = world.browser()
        world.sign_in(browser, party, ANNA)
        page = browser.authorize(party, prompt="create")
        assert where(page) == "identify"
        assert "Create your ID" in page.text
        page = browser.onward(browser.submit(page, phone=new_phone(12)))
        page = browser.onward(browser.submit(page, code=world.code_for(new_phone(12))))
        claims = id_token(world, party, browser.onward(browser.submit(page, name="Новый Человек", terms="on")))
        assert name_of(world, claims) == "Новый Человек"


def test_swept(world: World, party: Party) -> None:
    """Two days after its end a sign-in is gone."""
    with clock.freeze(clock.now()) as later:
        world.browser().authorize(party)
        later(timedelta(days=2, hours=1, seconds=1))
        with world.writes():
            assert flow_row.sweep(clock.now()) == 1
