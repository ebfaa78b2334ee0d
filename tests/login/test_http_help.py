"""Help that fits the moment, what became of the code, and what was typed: nothing of it is lost by looking. `product.md` §2.5, case 70."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.directory import users
from idp.login.receipts import OTHER, REASONS, why
from idp.login.tables import LoginDraft
from idp.messages import gateways
from tests.conftest import Told
from tests.login.http_lab import base_of, dump, guess_wrong, known, post, provider, right_code, text_of
from tests.login.lab import ANNA, at_code, where
from tests.login.rungs import ask, says
from tests.login.test_http_recycled import MAIL, SILENCE, ZIMIN
from tests.messages.pumping import ask as ask_for_code
from tests.messages.pumping import solve, spending
from tests.world import Browser, Party, World, _Forms, answer_of, new_phone

HEADINGS = {
    "code": "The code does not come",
    "number": "The number is lost or has changed",
    "app": "The authenticator app is lost, or its code is wrong",
    "locked": "Codes or the ID are locked",
    "linked": "The number leads to another ID",
}


def look(browser: Browser, page: httpx2.Response, at: str, **typed: str) -> httpx2.Response:
    """Fill in the form of the page and press its button that leads to `at` (a part of its address); the page there."""
    parser = _Forms()
    parser.feed(page.text)
    form = next(each for each in parser.forms if "csrf_token" in each["names"] and set(typed) <= each["names"])
    action = next(part.partition('"')[0] for part in page.text.split('formaction="')[1:] if at in part.partition('"')[0])
    fields = {name: value for name, value in (form["fields"] | typed).items() if value}
    return browser.onward(browser.post(urljoin(str(page.url), action.replace("&amp;", "&")), data=fields))


def back(browser: Browser, page: httpx2.Response) -> httpx2.Response:
    """Press the filled link of a page."""
    return browser.onward(browser.get(page.text.partition('class="button primary" href="')[2].partition('"')[0]))


class TestHelp:
    """Each page leads to help that fits."""

    def test_from_each_page(self, world: World, party: Party) -> None:
        """Number, code, sign-up, known people; where nothing works any more, on what is locked. It leads back to where one was."""
        browser = world.browser()
        page = browser.authorize(party)
        there = look(browser, page, "/help", phone="12 34")
        assert HEADINGS["number"] in text_of(there)
        assert where(back(browser, there)) == "identify"
        page = browser.onward(browser.submit(page, phone=new_phone(1)))
        there = look(browser, page, "/help", code="12 3")
        assert HEADINGS["code"] in text_of(there)
        assert where(back(browser, there)) == "phone_code"
        assert HEADINGS["locked"] in text_of(look(browser, guess_wrong(world, browser, page, 5)[-1], "/help"))
        page = browser.onward(browser.submit(page, channel="sms"))
        page = browser.onward(browser.submit(page, code=right_code(world, page)))
        there = look(browser, page, "/help", name="Вера")
        assert HEADINGS["linked"] in text_of(there)
        assert where(back(browser, there)) == "register"
        there = known(world, party, ANNA, address="198.51.100.1")
        page = there.authorize(party)
        assert where(page) == "people"
        assert (
            f"{base_of(page)}/help?about=number&amp;from=people" in page.text
            or f"{base_of(page)}/help?about=number&from=people" in page.text
        )

    def test_where_more_is_asked(self, world: World, party: Party) -> None:
        """The question whether it is you, and the code from the e-mail: help, back again, and the digits are still there."""
        with clock.freeze(clock.now()) as later:
            later(SILENCE)
            browser = world.browser()
            page = at_code(world, browser, party, ZIMIN)
            look(browser, page, "/help", code="31 7")
            page = browser.onward(browser.submit(page, code=right_code(world, page)))
            assert f"{base_of(page)}/help?about=linked&amp;from=further_proof" in page.text.replace("&from", "&amp;from")
            there = browser.get(f"{base_of(page)}/help?about=linked&from=further_proof")
            assert HEADINGS["linked"] in text_of(there)
            assert where(back(browser, there)) == "further_proof"
            page = browser.onward(browser.submit(page, answer="email"))
            assert 'value="31 7"' not in browser.get(f"{page.url}?back=1").text, "that was the field of another page"
            there = look(browser, page, "/help", code="48 29")
            assert HEADINGS["code"] in text_of(there)
            again = back(browser, there)
            assert where(again) == "email_code"
            assert 'value="48 29"' in again.text
            assert not world.events("code.wrong")
            assert "code" in answer_of(browser.onward(browser.submit(again, code=world.code_for(MAIL))))

    def test_where_work_is_asked(self, told: Told) -> None:
        """The page on which the browser computes: there and back, and what was asked for still waits."""
        with spending(told, work_from_network=1) as world:
            party = world.party()
            ask_for_code(world, party, new_phone(1))
            browser = world.browser()
            page = ask_for_code(world, party, new_phone(2), browser=browser)
            assert where(page) == "proof_of_work"
            assert f"{base_of(page)}/help?about=code&amp;from=proof_of_work" in page.text.replace("&from", "&amp;from")
            again = back(browser, browser.get(f"{base_of(page)}/help?about=code&from=proof_of_work"))
            assert where(again) == "proof_of_work"
            assert where(browser.onward(browser.submit(again, altcha=solve(again)))) == "phone_code"

    def test_one_contact_is_enough(self, told: Told) -> None:
        """Where only an address is configured, a refusal leads to it too."""
        with provider(told, brand={"support_email": "help@bazar.example"}) as world:
            assert '"mailto:help@bazar.example"' in world.browser().get("/login/flw_x").text

    @pytest.mark.parametrize("about", HEADINGS)
    def test_each_moment(self, told: Told, about: str) -> None:
        """Its own words, the configured contacts, and the way to the other moments."""
        support = {"support_url": "https://bazar.example/help", "support_email": "help@bazar.example", "support_phone": "+78005553535"}
        with provider(told, brand=support) as world:
            browser = world.browser()
            page = browser.authorize(world.party())
            there = browser.get(f"{base_of(page)}/help?about={about}")
            assert f"<h1>{HEADINGS[about]}</h1>" in there.text
            for address in ('"https://bazar.example/help"', '"mailto:help@bazar.example"', '"tel:+78005553535"'):
                assert address in there.text
            assert all(f"about={other}" in there.text for other in HEADINGS if other != about)

    def test_without_a_contact(self, world: World, party: Party) -> None:
        """Where nobody is named, the app's own support is; an unknown moment is the commonest one, an unknown page is none."""
        browser = world.browser()
        page = browser.authorize(party)
        there = browser.get(f"{base_of(page)}/help?about=%22%3E&from=//evil.example")
        assert "support of the app" in text_of(there)
        assert HEADINGS["code"] in text_of(there)
        assert "evil" not in there.text.partition("<main>")[2].partition("</main>")[0]
        assert world.browser().get(f"{base_of(page)}/help").status_code == 410

    def test_refused(self, world: World, party: Party) -> None:
        """A blocked ID, and a number of another ID than the app asks for: the refusal leads to what can be done."""
        phone = new_phone(6)
        with world.writes():
            users.block(users.register(phone, "Blocked", "ru", "1").id, "fraud")
        browser = world.browser()
        page = at_code(world, browser, party, phone)
        refused = browser.submit(page, code=right_code(world, page))
        assert refused.status_code == 403
        assert f"{base_of(page)}/help?about=locked" in refused.text
        there = browser.get(f"{base_of(page)}/help?about=locked")
        assert HEADINGS["locked"] in text_of(there)
        assert where(back(browser, there)) == "identify"


class TestNothingIsLost:
    """What was typed is there again, without a script."""

    @pytest.mark.parametrize("typed", ["12 34", '"><script>alert(1)</script>', "", "+7 900 555-35-0", "9" * 399])
    def test_a_number(self, world: World, party: Party, typed: str) -> None:
        """As it was typed."""
        browser = world.browser()
        page = browser.authorize(party)
        again = back(browser, look(browser, page, "/help", phone=typed))
        assert again.status_code == 200
        parser = _Forms()
        parser.feed(again.text)
        assert next(form["fields"]["phone"] for form in parser.forms if "phone" in form["names"]) == typed
        assert "<script>alert" not in again.text

    @pytest.mark.parametrize("at", ["/help", "/receipts"])
    @pytest.mark.parametrize("ticked", [True, False])
    def test_a_code(self, world: World, party: Party, at: str, ticked: bool) -> None:
        """The digits and the tick; it was no guess, and the right code still works."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        again = back(browser, look(browser, page, at, code="48 29", remember="1" if ticked else ""))
        assert 'value="48 29"' in again.text
        assert ('value="1" checked' in again.text) is ticked
        assert not world.events("code.wrong")
        assert "error" not in again.text.partition("<main>")[2].partition("</form>")[0]
        assert browser.submit(again, code=right_code(world, page)).status_code == 303

    def test_a_name(self, world: World, party: Party) -> None:
        """Name and terms at sign-up."""
        browser = world.browser()
        page = at_code(world, browser, party, new_phone(2))
        page = browser.onward(browser.submit(page, code=right_code(world, page)))
        again = back(browser, look(browser, page, "/help", name="Вера Новикова", terms="1"))
        assert 'value="Вера Новикова"' in again.text
        assert 'name="terms" value="1" checked' in again.text

    def test_of_this_page_only(self, world: World, party: Party) -> None:
        """What was typed on another page, or is not asked for, is not filled in; the draft is sealed, and another browser's."""
        browser = world.browser()
        page = browser.authorize(party)
        look(browser, page, "/help", phone="+7 900 555 35 77")
        assert "900" not in browser.get(f"{base_of(page)}/identify").text
        page = browser.onward(browser.submit(page, phone=ANNA))
        assert 'value="+7 900 555 35 77"' not in browser.get(f"{base_of(page)}/phone_code?back=1").text
        assert "555 35 77" not in str(dump(world)[LoginDraft.__tablename__])
        assert len(dump(world)[LoginDraft.__tablename__]) == 1
        assert world.browser().get(f"{base_of(page)}/identify?back=1").status_code == 410


class TestReceipts:
    """`GET /login/<flow>/phone_code/receipts`."""

    def test_each_sending(self, world: World, party: Party) -> None:
        """Channel, masked number, times and state, the reason in plain words; and the id for support."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(world, browser, party, ANNA)
            said = [text_of(browser.get(f"{page.url}/receipts"))]
            says(world, page, "sent")
            said.append(text_of(browser.get(f"{page.url}/receipts")))
            later(30)
            says(world, page, "failed", "blocked_by_operator")
            page = ask(browser, page, "voice")
            says(world, page, "delivered")
            said.append(text_of(browser.get(f"{page.url}/receipts")))
            says(world, page, "queued", "connection")
            said.append(text_of(browser.get(f"{page.url}/receipts")))
        assert "Text message" in said[0]
        assert "On its way to the operator" in said[0]
        assert "Handed over" in said[1]
        assert "Not delivered" in said[2]
        assert "The operator or the phone does not accept it." in said[2]
        assert "Call that says the code" in said[2]
        assert "Delivered" in said[2]
        assert "Not taken yet, we keep trying" in said[3]
        assert "We could not hand it over to the operator." in said[3]
        assert all("+7 ••• •••-35-01" in text and "900" not in text and "For support: otp_" in text for text in said)

    @pytest.mark.parametrize("phone", [ANNA, new_phone(8)])
    def test_whoever_has_the_number(self, world: World, party: Party, phone: str) -> None:
        """Case 70: it says the same; nothing is sent by looking, and a stranger sees nothing."""
        browser = world.browser()
        page = at_code(world, browser, party, phone)
        for _ in range(3):
            there = browser.get(f"{page.url}/receipts")
        text = text_of(there).replace(phone[-4:-2] + "-" + phone[-2:], "").replace(".", "")
        assert "Anna" not in text
        assert "Анна" not in text
        assert len(world.events("code.sent")) == 1
        assert world.browser().get(f"{page.url}/receipts").status_code == 410

    def test_not_its_turn(self, world: World, party: Party) -> None:
        """Before a number there is nothing to tell; the way leads on."""
        browser = world.browser()
        page = browser.authorize(party)
        for request in (lambda: browser.get(f"{base_of(page)}/phone_code/receipts"), lambda: post(browser, page, "phone_code/receipts")):
            answer: Callable[[], httpx2.Response] = request
            assert where(browser.onward(answer())) == "identify"

    @pytest.mark.parametrize(
        ("word", "place"),
        [
            ("expired", 0),
            ("absent_subscriber", 1),
            ("no_answer", 1),
            ("unknown_subscriber", 2),
            ("refused", 3),
            ("status_500", 4),
            ("timeout", 4),
            (gateways.OPEN, 4),
            (gateways.NOBODY, 4),
            (gateways.LATE, 0),
            ("login", 4),
            ("throttled", 4),
            ("smpp_08", 4),
            ("unknown_host", 4),
            ("bad_number", 2),
            ("rejectd", 3),
        ],
    )
    def test_plain_words(self, word: str, place: int) -> None:
        """A gateway's word becomes a sentence; one that nobody knows is said to be none."""
        assert why(word) == REASONS[place][1]
        assert why("x17") == why(None) == OTHER


def test_a_draft_goes_with_its_sign_in(world: World, party: Party) -> None:
    """Nothing that was typed outlives the sign-in."""
    from idp.db.session import session
    from idp.login import flow_row

    browser = world.browser()
    with clock.freeze(clock.now()) as later:
        look(browser, browser.authorize(party), "/help", phone="12")
        later(3 * 86400)
        with world.writes():
            flow_row.sweep(clock.now())
            assert session.scalar(sa.select(sa.func.count()).select_from(LoginDraft)) == 0
