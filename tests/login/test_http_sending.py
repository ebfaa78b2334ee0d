"""What is sent, how often, and to whom: `product.md` §2.2 and §2.7, cases 65, 66, 67."""

from __future__ import annotations

import httpx2
import pytest

from idp import clock
from idp.credentials.tables import PhoneCode
from tests.conftest import Told
from tests.login.http_lab import ORLOV, flow_of, guess_wrong, known, people_on, provider, right_code, text_of
from tests.login.lab import ANNA, at_code, how_many, where
from tests.world import Browser, Party, World, answer_of, new_phone

HOUR, DAY = 3600, 86400


def again(browser: Browser, page: httpx2.Response) -> httpx2.Response:
    """Press `Send a new text message`, and look at the page after it."""
    return browser.onward(browser.submit(page, channel="sms"))


class TestSendingAgain:
    """Case 65."""

    def test_pauses(self, world: World, party: Party) -> None:
        """After 30 and after 60 seconds, and not one before; three messages with one code; then no more for this sign-in."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(world, browser, party, ANNA)
            code = right_code(world, page)
            for pause, sent in ((30, 2), (60, 3)):
                later(pause - 1)
                page = again(browser, page)
                assert "You can get a new code at" in text_of(page)
                assert len(world.inbox(ANNA)) == sent - 1
                later(1)
                assert "Send a new text message" in text_of(browser.get(str(page.url)))
                page = again(browser, page)
                assert len(world.inbox(ANNA)) == sent
            for _ in range(3):
                later(60)
                assert browser.post(f"{page.url}/resend", data={"csrf_token": _token(browser, page)}).status_code == 303
            page = browser.get(str(page.url))
            assert "Send a new text message" not in text_of(page)
            assert "Call me and say the code" in text_of(page)
            assert [message["code"] for message in world.inbox(ANNA)] == [code] * 3
            assert len(world.events("code.sent")) == 3

    def test_a_third_pause(self, told: Told) -> None:
        """Where four messages may go out, the third new one waits two minutes."""
        with provider(told, login={"code_sends": 4, "code_pauses": [30, 60, 120, 300]}) as world, clock.freeze(clock.now()) as later:
            browser = world.browser()
            page = at_code(world, browser, world.party(), ANNA)
            for pause in (30, 60, 120):
                later(pause - 1)
                page = again(browser, page)
                later(1)
                page = again(browser, page)
            assert len(world.inbox(ANNA)) == 4

    def test_no_longer_life(self, world: World, party: Party) -> None:
        """A new sending does not lengthen the code's five minutes, and gives no new tries."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(world, browser, party, ANNA)
            guess_wrong(world, browser, page, 3)
            later(200)
            page = again(browser, page)
            assert "1 tr" in text_of(guess_wrong(world, browser, page)[0])
            later(100)
            answer = browser.submit(page, code=right_code(world, page))
            assert answer.status_code == 422
            assert "time of this code is over" in text_of(answer)

    def test_the_first_message_still_counts(self, world: World, party: Party) -> None:
        """Case 65: whichever of the messages arrives first, its code is right; used once, none of them is."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(world, browser, party, ANNA)
            first = world.code_for(ANNA)
            later(30)
            again(browser, page)
            assert "code" in answer_of(browser.onward(browser.submit(page, code=first)))
            other = at_code(world, world.browser(), party, ANNA)
            assert right_code(world, other) != first or flow_of(other) != flow_of(page)

    def test_a_new_code(self, world: World, party: Party) -> None:
        """When its time is over, or its five tries, the button gets another code at once, and the old one is dead."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(world, browser, party, ANNA)
            codes = [right_code(world, page)]
            later(300)
            page = again(browser, page)
            codes.append(right_code(world, page))
            guess_wrong(world, browser, page, 5)
            page = again(browser, page)
            codes.append(right_code(world, page))
            assert how_many(world, PhoneCode) == 3
            for old in {codes[0], codes[1]} - {codes[2]}:
                assert browser.submit(page, code=old).status_code == 422
            assert "code" in answer_of(browser.onward(browser.submit(page, code=codes[2])))

    def test_too_late_to_send(self, world: World, party: Party) -> None:
        """R2: a message that the worker finds after the code's end is not sent."""
        with clock.freeze(clock.now()) as later:
            at_code(world, world.browser(), party, ANNA)
            later(300)
            assert world.inbox(ANNA) == []


class TestHowMany:
    """Cases 66 and 67."""

    def test_one_number(self, world: World, party: Party) -> None:
        """Ten messages to a number in a day, over all browsers, networks and sign-ins, sent again or anew; then none for a day."""
        with clock.freeze(clock.now()) as later:
            for n in range(5):
                browser = world.browser(address=f"198.51.{n}.7")
                page = at_code(world, browser, party, ANNA)
                later(30)
                again(browser, page)
            for n in range(5, 8):
                browser = world.browser(address=f"2001:db8:{n}::7")
                refused = browser.submit(browser.authorize(party, prompt="create" if n == 6 else None), phone=ANNA)
                assert refused.status_code == 429
                assert DAY - 300 < int(refused.headers["Retry-After"]) <= DAY
            assert len(world.events("code.sent")) == 10
            assert where(at_code(world, world.browser(address="198.51.100.1"), party, ORLOV)) == "phone_code"
            later(DAY)
            assert where(at_code(world, world.browser(), party, ANNA)) == "phone_code"

    def test_sending_again_counts(self, world: World, party: Party) -> None:
        """The tenth goes out by the button, the eleventh does not, and the page says why and stays usable."""
        with clock.freeze(clock.now()) as later:
            for n in range(9):
                at_code(world, world.browser(address=f"198.51.{n}.7"), party, ANNA)
            browser = world.browser(address="198.51.100.7")
            page = at_code(world, browser, party, ANNA)
            later(30)
            refused = browser.submit(page, channel="sms")
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) > DAY - 60
            assert len(world.events("code.sent")) == 10
            assert "code" in answer_of(browser.onward(browser.submit(page, code=right_code(world, page))))

    def test_the_owners_browser(self, world: World, party: Party) -> None:
        """Case 67: whoever bombs a number does not keep its owner's own browser from three codes a day."""
        browser = known(world, party, ANNA, address="198.51.100.7")
        for n in range(12):
            other = world.browser(address=f"198.51.{n}.7")
            other.submit(other.authorize(party), phone=ANNA)
        sent = len(world.events("code.sent"))
        assert sent == 10
        for _ in range(3):
            page = browser.authorize(party, prompt="login")
            assert where(browser.onward(browser.submit(page, person=next(iter(people_on(page).values()))))) == "phone_code"
        page = browser.authorize(party, prompt="login")
        refused = browser.submit(page, person=next(iter(people_on(page).values())))
        assert refused.status_code == 429
        assert len(world.events("code.sent")) == sent + 3

    @pytest.mark.parametrize("address", ["198.51.100.{0}", "2001:db8:0:7{0:02x}::1"])
    def test_one_network(self, world: World, party: Party, address: str) -> None:
        """Twenty messages an hour from a network (IPv4 /24, IPv6 /56), whatever the number and the forwarding header say."""
        with clock.freeze(clock.now()) as later:
            for n in range(22):
                browser = world.browser(address=address.format(n + 1))
                browser.headers["X-Forwarded-For"] = f"192.0.2.{n}, 10.0.0.1"
                answer = browser.submit(browser.authorize(party), phone=new_phone(n))
                assert answer.status_code == (303 if n < 20 else 429)
            assert len(world.events("code.sent")) == 20
            elsewhere = world.browser(address="203.0.113.7")
            assert elsewhere.submit(elsewhere.authorize(party), phone=new_phone(30)).status_code == 303
            later(HOUR)
            assert browser.submit(browser.authorize(party), phone=new_phone(31)).status_code == 303

    def test_behind_a_proxy(self, told: Told) -> None:
        """Case 123: with one trusted proxy the network is the one that it saw, not what the client wrote before it."""
        with provider(told, server={"trusted_hops": 1}, login={"network_messages_per_hour": 2}) as world:
            party, statuses = world.party(), []
            for n, seen in enumerate(("198.51.100.1", "198.51.100.2", "198.51.100.3", "203.0.113.1")):
                browser = world.browser(address="127.0.0.1")
                browser.headers["X-Forwarded-For"] = f"192.0.{n}.1, {seen}"
                statuses.append(browser.submit(browser.authorize(party), phone=new_phone(n)).status_code)
            assert statuses == [303, 303, 429, 303]


class TestWhereTo:
    """Case 66: only mobiles of the countries that are served."""

    @pytest.mark.parametrize(
        ("phone", "why"),
        [
            ("+4915112345678", "this country"),
            ("+77012345678", "this country"),  # Kazakhstan has +7 too
            ("+12015550123", "this country"),
            ("+8613800138000", "this country"),
            ("+74951234567", "cannot be sent"),  # a landline
            ("+78001234567", "cannot be sent"),  # toll-free
            ("+78091234567", "cannot be sent"),  # premium
            ("+79005553501;ext=22", "Enter a phone number"),
            ("+882164000000", "Enter a phone number"),
            ("+870301234567", "Enter a phone number"),
            ("+7900555350", "Enter a phone number"),
            ("112", "Enter a phone number"),
            ("", "Enter a phone number"),
            ("anna", "Enter a phone number"),
            ("+7900" + "5" * 5000, "Enter a phone number"),
        ],
    )
    def test_refused(self, world: World, party: Party, phone: str, why: str) -> None:
        """Nothing is sent, nothing is kept, and the field says what to do; what was typed stays as it was."""
        browser = world.browser()
        answer = browser.submit(browser.authorize(party), phone=phone)
        assert answer.status_code == 422
        if phone not in {"+882164000000", "+870301234567"}:  # satellites and networks without a country: any of the reasons
            assert why in text_of(answer)
        assert 'aria-invalid="true"' in answer.text
        assert how_many(world, PhoneCode) == 0
        assert not world.events("code.sent")
        if phone and len(phone) < 100:
            assert f'value="{phone}"' in answer.text

    def test_where_more_is_served(self, told: Told) -> None:
        """A country that is listed is served, its premium and toll-free numbers are not, and the others still are not."""
        with provider(told, login={"countries": ["DE", "US"]}) as world:
            party, statuses = world.party(), {}
            for phone in ("+4915112345678", "+12015550123", "+19002345678", "+18002345678", "+49900123456", ANNA):
                browser = world.browser()
                statuses[phone] = browser.submit(browser.authorize(party), phone=phone).status_code
            assert statuses == {
                "+4915112345678": 303,
                "+12015550123": 303,
                "+19002345678": 422,
                "+18002345678": 422,
                "+49900123456": 422,
                ANNA: 422,
            }

    @pytest.mark.parametrize(
        "typed", ["8 900 555-35-01", "9005553501", "+7 (900) 555 35 01", "tel:+7-900-555-35-01", "７９００５５５３５０１"]
    )
    def test_as_people_write_it(self, world: World, party: Party, typed: str) -> None:
        """`pages.md` §2.2: with spaces, brackets, 8, 7 or nothing before it: it is the same number."""
        at_code(world, world.browser(), party, typed)
        assert len(world.inbox(ANNA)) == 1


def _token(browser: Browser, page: httpx2.Response) -> str:
    found: str = browser.get(str(page.url)).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    return found
