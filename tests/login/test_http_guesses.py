"""Guessing at one code, and getting past it: cases 53, 54, 58, 60, 61, 64."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials.tables import Device, PhoneCode
from idp.db.session import session as database
from idp.directory import users
from idp.directory.tables import User
from idp.login.tables import Session
from tests.login.http_lab import ORLOV, base_of, claims, cookies_set, guess_wrong, judged, post, request_of, right_code, text_of, token_of
from tests.login.lab import ANNA, at_code, how_many, where, wrong
from tests.machine import count
from tests.world import Browser, Party, World, answer_of, new_phone

ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def tries(world: World) -> list[int]:
    """How many guesses each code has had, in the order in which they were sent."""
    with world.reads():
        return list(database.scalars(sa.select(PhoneCode.tries).order_by(PhoneCode.created_at, PhoneCode.id)))


class TestFive:
    """Case 53: five guesses, counted before they are looked at."""

    def test_one_after_the_other(self, world: World, party: Party) -> None:
        """The fifth wrong one is the last; the right one after it does not win, nor do more of them."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        code = right_code(world, page)
        texts = [text_of(answer) for answer in guess_wrong(world, browser, page, 7)]
        assert [f"{left} tr" in text for left, text in zip((4, 3, 2, 1), texts, strict=False)] == [True] * 4
        assert all("Too many wrong codes" in text for text in texts[4:])
        for _ in range(3):
            late = browser.submit(page, code=code)
            assert late.status_code == 422
            assert not cookies_set(late)
        assert tries(world) == [5]
        assert judged(world) == 5
        assert how_many(world, Session) == how_many(world, Device) == 0

    def test_the_fifth_may_be_right(self, world: World, party: Party) -> None:
        """Four wrong ones do no harm."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        guess_wrong(world, browser, page, 4)
        assert "code" in answer_of(browser.onward(browser.submit(page, code=right_code(world, page))))

    def test_all_at_once(self, world: World, party: Party) -> None:
        """Thirty at the same moment, the right one among them: five are looked at, and it wins only as one of them."""
        for turn in range(count(3, 30)):
            browser, phone = world.browser(address=f"198.51.{turn}.7"), new_phone(turn)
            page = at_code(world, browser, party, phone)
            code, before = right_code(world, page), judged(world)
            sent = [browser.filled(page, code=code if place == turn * 3 else wrong(code)) for place in range(30)]
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(browser.send, sent))
            won = [answer for answer in answers if answer.status_code == 303]
            assert {answer.status_code for answer in answers} <= {303, 422}
            # After the right one the code is used up: what comes later is led on, and not looked at.
            assert judged(world) - before <= 5 - bool(won)
            assert tries(world)[-1] <= 5
            if not won:
                assert tries(world)[-1] == judged(world) - before == 5


class TestOnce:
    """Case 54: a code works once."""

    def test_again(self, world: World, party: Party) -> None:
        """The same right code a second time leads on; it makes no second session, browser or event, and gives no cookie."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        request = browser.filled(page, code=right_code(world, page))
        first = browser.send(request)
        assert set(cookies_set(first)) == {"idp_session", "idp_session_state", "idp_browser"}
        again = browser.send(browser.filled(page, code=right_code(world, page)))
        assert again.status_code == 303
        assert not cookies_set(again)
        assert how_many(world, Session) == how_many(world, Device) == len(world.events("login.succeeded")) == 1

    @pytest.mark.parametrize("phone", [ANNA, new_phone(5)], ids=["known", "new"])
    def test_at_once(self, world: World, party: Party, phone: str) -> None:
        """Eight times at the same moment: one session, one trusted browser; of a new number one sign-up."""
        browser = world.browser()
        page = at_code(world, browser, party, phone)
        sent = [browser.filled(page, code=right_code(world, page)) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(browser.send, sent))
        assert {answer.status_code for answer in answers} == {303}
        if phone != ANNA:
            assert not any(cookies_set(answer) for answer in answers)
            page = browser.get(f"{base_of(page)}/register")
            sent = [browser.filled(page, name="Новый Человек", terms="1") for _ in range(8)]
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(browser.send, sent))
        assert sum("idp_session" in cookies_set(answer) for answer in answers) == 1
        assert how_many(world, Session) == how_many(world, Device) == len(world.events("login.succeeded")) == 1


class TestWhatIsNoCode:
    """Case 61."""

    @pytest.mark.parametrize(
        "typed",
        ["", " ", "\t\n", "12345", "1234567", "000000000000", "1_2_3_4_5_6", "+12345", "12345a", "0x12345", "1e5", "null", "[]", "123.456"],
    )
    def test_not_counted(self, world: World, party: Party, typed: str) -> None:
        """It is refused with the reason at the field, looked at by nobody, and costs no try."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        answer = browser.submit(page, code=typed)
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text
        assert tries(world) == [0]
        assert judged(world) == 0

    def test_the_right_one_disguised(self, world: World, party: Party) -> None:
        """Other digits, an array, JSON, a control character, a name spelled otherwise: none of them is the code, though it is in them."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        code, token = right_code(world, page), token_of(page)
        for typed in (code.translate(ARABIC), code.translate(FULL_WIDTH), "_".join(code), f"+{code}", f"{code}.0", f"0{code}", f"'{code}'"):
            assert browser.submit(page, code=typed).status_code == 422
        for fields in ({"code[]": code}, {"code[0]": code}, {"Code": code}, {}):
            assert browser.post(str(page.url), data={"csrf_token": token} | fields).status_code == 422
        assert browser.post(str(page.url), data={"csrf_token": token, "code": f"{code}\x00"}).status_code == 400
        as_json = {"csrf_token": token, "code": code}
        for sent in (browser.post(str(page.url), json=as_json), browser.post(str(page.url), files={"code": ("", code)}, data=as_json)):
            assert sent.status_code == 400
        assert browser.post(f"{page.url}?code={code}", data={"csrf_token": token}).status_code == 422
        assert tries(world) == [0]
        assert how_many(world, Session) == 0

    def test_six_zeros_are_a_guess(self, world: World, party: Party) -> None:
        """`000000` is a code like any other: counted, and wrong unless it was sent."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        if right_code(world, page) != "000000":
            assert browser.submit(page, code="000000").status_code == 422
            assert tries(world) == [1]

    def test_two_at_a_time(self, world: World, party: Party) -> None:
        """Several codes in one form are one guess: the first."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        code = right_code(world, page)
        body = f"csrf_token={token_of(page)}&code={wrong(code)}&code={code}"
        answer = browser.post(str(page.url), content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status_code == 422
        assert (tries(world), judged(world)) == ([1], 1)

    def test_before_any_was_sent(self, world: World, party: Party) -> None:
        """CVE-2024-5150: where no code was made, an empty one is not it; neither is any other."""
        browser = world.browser()
        page = browser.authorize(party)
        for typed in ("", "0", "000000", "None", "null"):
            assert where(browser.onward(post(browser, page, "phone_code", code=typed))) == "identify"
        assert how_many(world, PhoneCode) == how_many(world, Session) == 0

    @pytest.mark.parametrize("between", [" ", "-", "\u2011", "\u2013", "\u00a0", "\u2009", "\n"])
    def test_as_people_paste_it(self, world: World, party: Party, between: str) -> None:
        """`pages.md` §2.8: spaces and dashes of all kinds are taken out."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        code = right_code(world, page)
        typed = f" {code[:3]}{between}{code[3:]} "
        assert "code" in answer_of(browser.onward(browser.submit(page, code=typed)))


class TestWhoseNumber:
    """Case 58: which number is proved stands in the row of the code, and nowhere in a form."""

    FORGED = ("phone", "number", "user_id", "user", "sub", "flow", "flow_id", "code_id", "phone_code_id", "id", "login_hint")

    def forged(self, world: World, party: Party) -> dict[str, str]:
        """Everything by which a form could try to name Anna, her code and another sign-in."""
        hers = at_code(world, world.browser(address="198.51.100.9"), party, ANNA)
        with world.reads():
            anna = users.find_by_phone(ANNA)
            code_id = database.scalars(sa.select(PhoneCode.id)).one()
        assert anna is not None
        values = {"phone": ANNA, "number": ANNA, "login_hint": ANNA, "user_id": anna.id, "user": anna.id, "sub": anna.id}
        ids = {"code_id": code_id, "phone_code_id": code_id, "id": code_id, "flow": base_of(hers)[7:], "flow_id": base_of(hers)[7:]}
        return values | ids

    def test_a_known_one(self, world: World, party: Party) -> None:
        """My own right code, with everything else naming somebody else: I am signed in as myself."""
        forged = self.forged(world, party)
        browser = world.browser()
        page = at_code(world, browser, party, ORLOV)
        answer = browser.onward(post(browser, page, code=right_code(world, page), **forged))
        sub = claims(world, party, answer)["sub"]
        assert sub != forged["sub"]
        with world.reads():
            assert users.get(sub).phone == ORLOV

    def test_a_new_one(self, world: World, party: Party) -> None:
        """The same at sign-up: the ID belongs to the number that was proved."""
        forged, phone, browser = self.forged(world, party), new_phone(6), world.browser()
        page = at_code(world, browser, party, phone)
        page = browser.onward(post(browser, page, code=right_code(world, page), **forged))
        assert where(page) == "register"
        mine = forged | {"is_test": "1", "status": "active", "phone_verified_at": "2026-01-01", "email": "anna@post.example"}
        sub = claims(world, party, browser.onward(post(browser, page, name="Ева", terms="1", **mine)))["sub"]
        with world.reads():
            made = users.get(sub)
            assert (made.phone, made.email, made.is_test) == (phone, None, False)


class TestInOrder:
    """Case 60: the server knows what was proved."""

    def everything(self, browser: Browser, page: httpx2.Response) -> list[httpx2.Response]:
        """Every form of a sign-in, with every field that could pretend to be further than it is."""
        forged = {"verified": "true", "otp_verified": "1", "step": "done", "proved": "1", "used_at": "2026-01-01T00:00:00", "skip": "1"}
        more = {"name": "Ева", "terms": "1", "remember": "1", "person": "dev_1", "code": "", "account": "acc_1", "answer": "allow"}
        steps = ("people", "people/forget", "register", "phone_code", "phone_code/resend")
        return [post(browser, page, step, **forged, **more) for step in steps]

    def test_nothing_comes_of_it(self, world: World, party: Party) -> None:
        """Before a number, with a code under way, with a dead code: no session, no trusted browser, no person."""
        browser, people = world.browser(), how_many(world, User)
        page = browser.authorize(party)
        for state in ("identify", "phone_code", "dead"):
            if state == "phone_code":
                page = browser.onward(browser.submit(page, phone=new_phone(7)))
            if state == "dead":
                guess_wrong(world, browser, page, 5)
            for answer in self.everything(browser, page):
                assert answer.status_code in {303, 422}
                assert not cookies_set(answer)
                where_to = answer.headers.get("Location", "/login/")
                assert where_to.startswith("/login/")
                assert not where_to.endswith("/register")
        assert how_many(world, Session) == how_many(world, Device) == 0
        assert how_many(world, User) == people

    def test_the_requests_own_pages(self, world: World, party: Party) -> None:
        """The pages after the sign-in are not reached without it: they lead back to it, and a press on them does nothing."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA, scope="openid account company")
        request = request_of(browser, page)
        for step, fields in (("account", {"account": "acc_1"}), ("consent", {"answer": "allow"})):
            for answer in (
                browser.get(f"{request}/{step}"),
                browser.post(f"{request}/{step}", data={"csrf_token": token_of(page)} | fields),
            ):
                assert answer.status_code == 303
                assert answer.headers["Location"].startswith("/login/")
        assert not world.events("authorization.granted")


class TestTime:
    """Case 64: five minutes, to the second."""

    @pytest.mark.parametrize(("after", "wins"), [(299, True), (299.999999, True), (300, False), (301, False), (3000, False)])
    def test_to_the_second(self, world: World, party: Party, after: float, wins: bool) -> None:
        """Right and in time it wins; from the end of its time on it never does, and says why."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(world, browser, party, ANNA)
            code = right_code(world, page)
            later(after)
            answer = browser.submit(page, code=code)
            assert (answer.status_code == 303) is wins
            if not wins:
                assert answer.status_code == 422
                assert "time of this code is over" in text_of(answer)
                assert tries(world) == [0, 0]  # and a new one has been sent

    def test_what_has_expired_stays_so(self, world: World, party: Party) -> None:
        """The clock goes back an hour after the code was replaced: the old one opens nothing all the same."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(world, browser, party, ANNA)
            old = right_code(world, page)
            later(301)
            page = browser.onward(browser.submit(page, channel="sms"))
            new = right_code(world, page)
            later(-300)
            if old != new:
                assert browser.submit(page, code=old).status_code == 422
        assert how_many(world, Session) == 0
