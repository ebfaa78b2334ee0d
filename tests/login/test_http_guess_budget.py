"""What one number can be guessed at, over everything: 10 wrong codes an hour, 20 a day, 100 in a row. Case 55 (AuthQuake)."""

from __future__ import annotations

import httpx2

from idp import clock
from idp.credentials import phone_limits
from tests.login.http_lab import ORLOV, cookies_set, guess_wrong, judged, known, people_on, right_code, text_of
from tests.login.lab import ANNA, at_code, where
from tests.world import Browser, Party, World, answer_of

HOUR, DAY = 3600, 86400


class Attacker:
    """Comes each time as somebody else: another browser, another network (IPv4 and IPv6 in turn), a forwarding header made up."""

    def __init__(self, world: World, party: Party) -> None:
        self.world, self.party, self.turn = world, party, 0

    def browser(self) -> Browser:
        """A browser that was never here."""
        self.turn += 1
        address = f"198.{18 + self.turn % 2}.{self.turn}.7" if self.turn % 2 else f"2001:db8:{self.turn:x}::{self.turn:x}"
        made = self.world.browser(address=address, user_agent=f"Robot/{self.turn}")
        made.headers |= {"X-Forwarded-For": f"192.0.2.{self.turn}", "Forwarded": f"for=192.0.2.{self.turn}", "X-Real-IP": "192.0.2.1"}
        return made

    def guess(self, phone: str = ANNA) -> httpx2.Response:
        """A new sign-in and five wrong codes; the last answer. Where no code goes out, the page that says so."""
        browser = self.browser()
        page = browser.onward(browser.submit(browser.authorize(self.party), phone=phone))
        return guess_wrong(self.world, browser, page, 5)[-1] if where(page) == "phone_code" else page

    def guess_until_refused(self, phone: str = ANNA) -> int:
        """As long as anything is looked at; how many were."""
        before = judged(self.world)
        while self.guess(phone).status_code == 422:
            assert judged(self.world) - before <= 100
        return judged(self.world) - before


def test_nothing_multiplies_guesses(world: World, party: Party) -> None:
    """Case 55: new sign-ins, browsers, networks and headers share the number's ten an hour and twenty a day; another number is its own."""
    attacker = Attacker(world, party)
    with clock.freeze(clock.now()) as later:
        assert attacker.guess_until_refused() == 10
        assert attacker.guess_until_refused() == 0
        assert attacker.guess_until_refused(ORLOV) == 10
        later(HOUR - 1)
        assert attacker.guess_until_refused() == 0
        later(2)
        assert attacker.guess_until_refused() == 10
        for hours in (1, 1, 10, 10):
            later(hours * HOUR)
            assert attacker.guess_until_refused() == 0
        later(HOUR)  # 24 hours after the first ten
        assert attacker.guess_until_refused() == 10
        later(HOUR + 1)  # and after the second ten
        assert attacker.guess_until_refused() == 10


def test_the_right_code_is_too_late(world: World, party: Party) -> None:
    """Case 55: where the guesses are spent, a sign-in that waits gets no more either, not even with the right code; later it does."""
    attacker = Attacker(world, party)
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        attacker.guess()
        page = at_code(world, browser, party, ANNA)
        attacker.guess()
        answer = browser.submit(page, code=right_code(world, page))
        assert answer.status_code == 429
        assert not cookies_set(answer)
        assert 0 < int(answer.headers["Retry-After"]) <= HOUR + 1
        assert "Too many wrong codes were entered for this number. Try again after" in text_of(answer)
        later(HOUR + 1)
        page = at_code(world, browser, party, ANNA)
        assert "code" in answer_of(browser.onward(browser.submit(page, code=right_code(world, page))))


def test_no_code_goes_out_for_it(world: World, party: Party) -> None:
    """While nothing can be entered, nothing is sent: the page of the number says so, and until when."""
    attacker = Attacker(world, party)
    attacker.guess_until_refused()
    sent, browser = len(world.events("code.sent")), world.browser()
    answer = browser.submit(browser.authorize(party), phone=ANNA)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= HOUR + 1
    assert "Try again after" in text_of(answer)
    assert len(world.events("code.sent")) == sent


def test_a_hundred_in_a_row(world: World, party: Party) -> None:
    """NIST SP 800-63B-4 §3.2.2: after a hundred wrong ones in a row codes are off for the number, until an operator turns them on."""
    attacker = Attacker(world, party)
    with clock.freeze(clock.now()) as later:
        while judged(world) < 100:
            assert attacker.guess_until_refused() == 10
            later(DAY // 2 + 1)
        later(10 * DAY)
        browser = world.browser()
        refused = browser.submit(browser.authorize(party), phone=ANNA)
        assert refused.status_code == 429
        assert "Codes are off for this number" in text_of(refused)
        assert attacker.guess_until_refused() == 0
        with world.writes():
            assert phone_limits.turn_on(ANNA)
        page = at_code(world, browser, party, ANNA)
        assert "code" in answer_of(browser.onward(browser.submit(page, code=right_code(world, page))))


def test_a_right_one_ends_the_row(world: World, party: Party) -> None:
    """Case 69: whoever types well is never counted, and ends the row of wrong ones."""
    attacker = Attacker(world, party)
    with clock.freeze(clock.now()) as later:
        for _ in range(8):  # 112 wrong ones in all, never a hundred in a row
            attacker.guess_until_refused()
            later(DAY // 2)
            browser = world.browser()
            page = at_code(world, browser, party, ANNA)
            guess_wrong(world, browser, page, 4)
            assert "code" in answer_of(browser.onward(browser.submit(page, code=right_code(world, page))))
            later(DAY // 2)
        with world.reads():
            phone_limits.require_open(phone_limits.budget(ANNA))


def test_the_owners_browser(world: World, party: Party) -> None:
    """Case 69: the browser that knows the person has limits of its own: strangers do not lock it out."""
    browser = known(world, party, ANNA)
    attacker = Attacker(world, party)
    assert attacker.guess_until_refused() == 10
    page = browser.authorize(party, prompt="login")
    page = browser.onward(browser.submit(page, person=next(iter(people_on(page).values()))))
    guess_wrong(world, browser, page, 5)
    page = browser.onward(browser.submit(page, channel="sms"))
    assert "code" in answer_of(browser.onward(browser.submit(page, code=right_code(world, page))))
    assert attacker.guess_until_refused() == 0


def test_another_persons_browser(world: World, party: Party) -> None:
    """Case 75: a browser that knows Orlov gives nobody a guess more at Anna."""
    browser = known(world, party, ORLOV)
    Attacker(world, party).guess_until_refused()
    page = browser.get(str(browser.authorize(party).url).replace("people", "identify"))
    assert browser.submit(page, phone=ANNA).status_code == 429
