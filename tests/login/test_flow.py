"""Signing in, over HTTP: `product.md` §§2 and 3, threats A, E and F."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from urllib.parse import urlsplit

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials import phone_code
from idp.credentials.tables import Device
from idp.db.session import session as database
from idp.directory import users
from idp.directory.tables import User
from idp.login import flow
from idp.login.policy import Demand
from idp.login.tables import LoginFlow, Session
from idp.web.http import Request
from tests.machine import count
from tests.world import Browser, Party, World, answer_of, claims_of, new_phone

ANNA = "+79005553501"
OTHER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0"


@pytest.fixture
def party(world: World) -> Party:
    """A portal."""
    return world.party()


def at_code(world: World, browser: Browser, party: Party, phone: str, **asked: str) -> httpx2.Response:
    """The page where the code is entered."""
    page = browser.authorize(party, **asked)
    return browser.onward(browser.submit(page, phone=phone))


def id_token(world: World, party: Party, answer: httpx2.Response) -> dict[str, object]:
    """The claims of the ID token that the answer leads to."""
    response = world.redeem(party, answer_of(answer)["code"])
    assert response.status_code == 200, response.text
    return claims_of(response.json()["id_token"])


def how_many(world: World, model: type[Session | Device | User]) -> int:
    """How many rows there are."""
    with world.reads():
        return int(database.scalar(sa.select(sa.func.count()).select_from(model)) or 0)


def where(page: httpx2.Response) -> str:
    """The last word of a page's address."""
    return urlsplit(str(page.url)).path.rpartition("/")[2]


def words(page: httpx2.Response) -> str:
    """The page with ordinary spaces."""
    return page.text.replace("\u00a0", " ")


def name_of(world: World, claims: dict[str, object]) -> str | None:
    """The person's name as it is kept."""
    with world.reads():
        return users.get(str(claims["sub"])).name


def wrong(code: str) -> str:
    """Not the code."""
    return f"{(int(code) + 1) % 10**6:06}"


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
            row = flow.get(request, flow_id)
            guess = phone_code.guess(row.phone_code_id or "", flow_id)
            assert guess is not None
            assert phone_code.judge(guess, code)
        other = browser.get(str(page.url).replace("phone_code", "identify"))
        browser.submit(other, phone=new_phone(4))  # ... when the second one names another number ...
        with world.writes():
            assert phone_code.redeem(guess)
            row = flow.get(request, flow_id)
            assert flow.proved_phone(row, request, guess, remember=True).status == 303
        page = browser.onward(browser.get(f"/login/{flow_id}"))  # ... and the first goes on
        assert where(page) == "register"
        assert "901 000-00-03" in words(page)


class TestTheCodePage:
    """Right, wrong, again."""

    def test_wrong(self, world: World, party: Party) -> None:
        """`pages.md` §2.15: the reason by its cause, the tries that are left; after five a new code can be asked for at once."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        code = world.code_for(ANNA)
        for typed, why in (("12", "Some are missing"), ("1234567", "too many"), ("abcdef", "made of digits"), ("", "Some are missing")):
            refused = browser.submit(page, code=typed)
            assert refused.status_code == 422
            assert why in refused.text
        for left in (4, 3, 2, 1):
            refused = browser.submit(page, code=wrong(code))
            assert refused.status_code == 422
            assert "This code is wrong" in refused.text
            assert f"{left} tr" in words(refused)
        assert "Too many wrong codes" in browser.submit(page, code=wrong(code)).text
        dead = browser.submit(page, code=code)
        assert dead.status_code == 422
        assert "Too many wrong codes" in dead.text
        page = browser.onward(browser.submit(dead, channel="sms"))
        assert world.code_for(ANNA) != code
        assert "code" in answer_of(browser.onward(browser.submit(page, code=world.code_for(ANNA))))

    def test_time_over(self, world: World, party: Party) -> None:
        """Case 64 and `pages.md` §2.14: the page says that the time is over, and a new code can be asked for."""
        with clock.freeze(clock.now()) as later:
            browser = world.browser()
            page = at_code(world, browser, party, ANNA)
            code = world.code_for(ANNA)
            later(300)
            assert "time of this code is over" in browser.submit(page, code=code).text
            page = browser.get(str(page.url))
            assert page.status_code == 200
            page = browser.onward(browser.submit(page, channel="sms"))
            later(1)
            assert "code" in answer_of(browser.onward(browser.submit(page, code=world.code_for(ANNA))))

    def test_sending_again(self, world: World, party: Party) -> None:
        """Case 65: not before the pause; then the same code; Back and the same number again send nothing."""
        with clock.freeze(clock.now()) as later:
            browser = world.browser()
            page = at_code(world, browser, party, ANNA)
            browser.submit(page, channel="sms")
            again = browser.get(str(page.url).replace("phone_code", "identify"))
            assert where(browser.onward(browser.submit(again, phone="8 (900) 555-35-01"))) == "phone_code"
            assert len(world.inbox(ANNA)) == 1
            later(30)
            browser.submit(page, channel="sms")
            assert [message["code"] for message in world.inbox(ANNA)] == [world.code_for(ANNA)] * 2

    def test_a_number_that_was_wrong(self, world: World, party: Party) -> None:
        """`product.md` §2.1: corrected without starting over; the first number's code opens nothing any more."""
        browser = world.browser()
        page = at_code(world, browser, party, new_phone(5))
        first = world.code_for(new_phone(5))
        page = browser.get(str(page.url).replace("phone_code", "identify"))
        page = browser.onward(browser.submit(page, phone=ANNA))
        if first != world.code_for(ANNA):
            assert browser.submit(page, code=first).status_code == 422
        assert "code" in answer_of(browser.onward(browser.submit(page, code=world.code_for(ANNA))))

    def test_twenty_at_once(self, world: World, party: Party) -> None:
        """Case 53 over HTTP: of many guesses at once five are judged; the right one after them does not win."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        code = world.code_for(ANNA)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: browser.submit(page, code=wrong(code)).status_code, range(20)))
        assert set(answers) == {422}
        assert len(world.events("code.wrong")) == 5
        assert browser.submit(page, code=code).status_code == 422
        assert how_many(world, Session) == 0

    def test_right_twice_at_once(self, world: World, party: Party) -> None:
        """Case 54: the same right code sent twice at once signs in once."""
        for _ in range(count(3, 50)):
            browser, before = world.browser(), how_many(world, Session)
            page = at_code(world, browser, party, ANNA)
            code = world.code_for(ANNA)
            with ThreadPoolExecutor(4) as pool:
                answers = list(pool.map(lambda _, b=browser, p=page, c=code: b.submit(p, code=c), range(4)))
            assert sum("idp_session" in answer.headers.get("Set-Cookie", "") for answer in answers) == 1
            assert how_many(world, Session) == before + 1

    def test_limits_have_a_face(self, world: World, party: Party) -> None:
        """Too many messages: the page stays, says when, and so does Retry-After."""
        with clock.freeze(clock.now()) as later:
            for n in range(20):
                at_code(world, world.browser(), party, new_phone(n))
            later(60)
            browser = world.browser()
            refused = browser.submit(browser.authorize(party), phone=ANNA)
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) <= 3540
            assert "Try again after" in refused.text
            assert world.inbox(ANNA) == []


class TestNobodyLearnsAnything:
    """Case 70."""

    def test_the_same_answer(self, world: World, party: Party) -> None:
        """Known, unknown and blocked numbers: the same status, headers and body up to the digits that were typed, and the same work."""
        blocked, unknown = "+79025553501", "+79035553501"
        with world.writes():
            users.block(users.register(blocked, "Blocked", "ru", "1").id, "fraud")
        seen = []
        with clock.freeze(clock.now()):
            for n, phone in enumerate((ANNA, unknown, blocked)):
                browser = world.browser(address=f"203.0.{n}.7")
                page = at_code(world, browser, party, phone)
                again = browser.submit(page, channel="sms")
                body = re.sub(r"flw_\w+|nonce-[\w-]+|nonce=\"[^\"]+\"|value=\"[\w-]{43}\"|req_\w+", "", page.text)
                names = [(name, len(value)) for name, value in page.headers.multi_items()]
                seen.append((page.status_code, names, body, again.status_code, again.headers["Location"].rpartition("/")[2]))
        assert seen[0] == seen[1] == seen[2]
        assert all(len(world.inbox(phone)) == 1 for phone in (ANNA, unknown, blocked))

    def test_blocked(self, world: World, party: Party) -> None:
        """A blocked person learns it after the right code, and is not signed in; another number can be tried."""
        phone = new_phone(6)
        with world.writes():
            users.block(users.register(phone, "Blocked", "ru", "1").id, "fraud")
        browser = world.browser()
        page = at_code(world, browser, party, phone)
        refused = browser.submit(page, code=world.code_for(phone))
        assert refused.status_code == 403
        assert "blocked" in refused.text
        assert "fraud" not in refused.text
        assert "Set-Cookie" not in refused.headers
        assert how_many(world, Session) == 0
        assert where(browser.go(str(page.url))) == "identify"
        assert world.events("login.refused")[-1].details["reason"] == "blocked"


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
        assert [cookie.partition("=")[0] for cookie in cookies] == ["idp_session"]
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
            assert flow.sweep(clock.now()) == 1
