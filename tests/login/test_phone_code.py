"""The code page, and what nobody learns from it, over HTTP: `product.md` §2, `pages.md` §2, threats E."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from idp import clock
from idp.directory import users
from idp.login.tables import Session
from tests.login.lab import ANNA, at_code, how_many, where, words, wrong
from tests.machine import count
from tests.world import Party, World, answer_of, new_phone


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
