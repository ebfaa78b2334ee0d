"""The ladder on the pages: which channel comes first, what is offered when one fails or stays silent, and what may be entered.

`product.md` §2.2 and §2.3, `pages.md` §2.11 to §2.13; cases 53, 65, 67, 70; `claims.md` on `amr` (RFC 8176).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from idp import clock
from idp.db.columns import table
from idp.db.session import session
from idp.directory import users
from idp.directory.tables import User
from tests.conftest import Told
from tests.login.http_lab import (
    base_of,
    claims,
    drop_cookies,
    guess_wrong,
    judged,
    people_on,
    post,
    provider,
    right_code,
    statements,
    text_of,
)
from tests.login.lab import ANNA, at_code, where, wrong
from tests.login.rungs import ALL, ask, climbing, offered, says, values
from tests.login.test_http_same_answer import CACHED, MADE_UP
from tests.world import Party, World, answer_of, new_phone

HEADINGS = {
    "flash_call": "Enter the last six digits of the number that calls",
    "sms": "Enter the code from the text message",
    "voice": "Enter the code from the call",
    "email": "Enter the code from the e-mail",
}
EMAIL = "anna@post.example"


@pytest.fixture
def ladder(told: Told) -> Iterator[World]:
    """A provider with all four rungs, where Anna has a confirmed address."""
    with provider(told, **climbing(*ALL)) as world:
        with world.writes():
            anna = users.find_by_phone(ANNA)
            assert anna is not None
            users.confirm_email(anna.id, EMAIL)
        yield world


@pytest.fixture
def portal(ladder: World) -> Party:
    """A portal."""
    return ladder.party()


class TestClimbing:
    """From rung to rung."""

    def test_the_first_rung(self, told: Told) -> None:
        """The ladder of the longest prefix that fits begins; e-mail never does, since nobody new could come in by it."""
        ladder = {"default": ["voice", "sms"], "7900": ["sms", "voice"], "79015": ["email", "flash_call"]}
        with provider(told, messages={"ladder": ladder}) as world:
            party = world.party()
            for phone, channel in ((ANNA, "sms"), ("+79015553501", "flash_call"), ("+79025553501", "voice")):
                page = at_code(world, world.browser(), party, phone)
                assert HEADINGS[channel] in text_of(page)
                assert [message["channel"] for message in world.inbox(phone)] == [channel]

    def test_one_after_the_other(self, ladder: World, portal: Party) -> None:
        """Each failure is said at once with its reason, and the next rung is the first button; no pause after it. Then the right code."""
        browser = ladder.browser()
        with clock.freeze(clock.now()):
            page = at_code(ladder, browser, portal, ANNA)
            assert HEADINGS["flash_call"] in text_of(page)
            for channel, following, lost in (
                ("flash_call", "sms", "The call did not get through."),
                ("sms", "voice", "The text message could not be delivered."),
                ("voice", "email", "The call did not get through."),
            ):
                says(ladder, page, "failed", "absent_subscriber")
                page = browser.get(str(page.url))
                assert f"{lost} The phone is off, busy or out of coverage." in text_of(page)
                assert offered(page)[0] == following
                assert channel == "voice" or offered(page)[-1] == channel
                page = ask(browser, page, following)
                assert HEADINGS[following] in text_of(page)
            assert [message["channel"] for message in ladder.inbox(EMAIL)] == ["email"]
            assert "code" in answer_of(browser.onward(browser.submit(page, code=ladder.code_for(EMAIL))))

    def test_silent(self, ladder: World, portal: Party) -> None:
        """Half a minute without word: the page says so and offers the other rungs; before that it offers none, nor takes a press."""
        browser = ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, ANNA)
            later(29)
            page = browser.get(str(page.url))
            assert offered(page) == ["flash_call"]
            assert "Nobody has confirmed" not in text_of(page)
            assert post(browser, page, "phone_code/resend", channel="voice").status_code == 303
            assert len(ladder.events("code.sent")) == 1
            later(1)
            page = browser.get(str(page.url))
            assert "Nobody has confirmed yet that it arrived." in text_of(page)
            assert offered(page) == ["flash_call", "sms", "voice", "email"]
            assert HEADINGS["voice"] in text_of(ask(browser, page, "voice"))

    def test_delivered(self, ladder: World, portal: Party) -> None:
        """What has arrived is not silent: the other rungs are offered once it was sent again."""
        browser = ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, ANNA)
            ladder.deliver()
            later(45)
            page = browser.get(str(page.url))
            assert offered(page) == ["flash_call"]
            page = ask(browser, page, "flash_call")
            assert offered(page) == ["flash_call", "sms", "voice", "email"]

    def test_the_script_asks_in_a_word(self, ladder: World, portal: Party) -> None:
        """A short answer that changes when the page would; it spends nothing, and tells a stranger nothing."""
        browser = ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, ANNA)
            address = f"{page.url}/state"

            def mark() -> str:
                return str(browser.get(address).json()["mark"])

            assert f'data-mark="{mark()}"' in page.text
            before = mark()
            says(ladder, page, "failed")
            assert mark() != before
            assert f'data-mark="{mark()}"' in browser.get(str(page.url)).text
            assert len(browser.get(address).content) < 100
            assert ladder.browser().get(address).status_code == 410
            later(300)
            assert mark() == "over"


class TestHowMany:
    """`threats.md` §1.10: three sendings and one spoken call for a sign-in; all counted for the number."""

    def test_three_and_a_call(self, ladder: World, portal: Party) -> None:
        """Whichever channels: three that are no spoken call, and one that is; then none, and the page says so."""
        browser = ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, ANNA)
            for channel, pause in (("sms", 30), ("voice", 60), ("email", 120)):
                later(pause)
                page = ask(browser, page, channel)
            assert offered(page) == []
            assert "No more codes can be sent" in text_of(page)
            for channel in ALL:
                assert post(browser, page, "phone_code/resend", channel=channel).status_code == 303
            assert [event.details["channel"] for event in ladder.events("code.sent")] == ["flash_call", "sms", "voice", "email"]

    def test_pauses(self, ladder: World, portal: Party) -> None:
        """Another channel is no way around the pause, unless the last sending failed."""
        browser = ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, ANNA)
            later(30)
            page = ask(browser, page, "sms")
            later(59)
            assert post(browser, page, "phone_code/resend", channel="voice").status_code == 303
            assert len(ladder.events("code.sent")) == 2
            says(ladder, page, "failed")
            post(browser, page, "phone_code/resend", channel="voice")
            assert len(ladder.events("code.sent")) == 3

    def test_over_all_channels(self, told: Told) -> None:
        """Case 67: ten messages to a number in a day, by whatever channel; the page says until when."""
        with provider(told, **climbing(*ALL)) as world, clock.freeze(clock.now()) as later:
            party = world.party()
            for n in range(3):
                browser = world.browser(address=f"198.51.{n}.7")
                page = at_code(world, browser, party, ANNA)
                for channel, pause in (("sms", 30), ("voice", 60), ("email", 120)):
                    later(pause)
                    if len(world.events("code.sent")) < 10:
                        page = ask(browser, page, channel)
            refused = browser.submit(browser.get(str(page.url)), channel="email")
            assert len(world.events("code.sent")) == 10
            assert refused.status_code == 429
            assert "Try again after" in text_of(refused)

    @pytest.mark.parametrize("sent", ["pigeon", "", "SMS", "sms,voice", "sms\u0000"])
    def test_no_such_channel(self, ladder: World, portal: Party, sent: str) -> None:
        """A channel that is not offered sends nothing; an empty one is the last one again."""
        browser = ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, ANNA)
            later(30)
            post(browser, page, "phone_code/resend", channel=sent)
            assert len(ladder.events("code.sent")) == (2 if not sent else 1)


class TestWhatIsRight:
    """Two values at most, five tries over both."""

    def test_a_flash_call(self, ladder: World, portal: Party) -> None:
        """The last six digits of the number that called; what was never sent is not right, and costs a try."""
        browser = ladder.browser()
        page = at_code(ladder, browser, portal, ANNA)
        repeated, digits = values(ladder, page)
        assert [message["code"] for message in ladder.inbox(ANNA)] == [digits]
        assert "4 tr" in text_of(browser.submit(page, code=repeated))
        assert claims(ladder, portal, browser.onward(browser.submit(page, code=digits)))["amr"] == ["tel"]

    @pytest.mark.parametrize("typed", ["digits", "repeated"])
    def test_both_are_right(self, ladder: World, portal: Party, typed: str) -> None:
        """Case 65: after a flash call and a text either value is right, and `amr` says by which channel it came."""
        browser = ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, ANNA)
            later(30)
            page = ask(browser, page, "sms")
            repeated, digits = values(ladder, page)
            assert ladder.code_for(ANNA) == repeated
            answer = browser.onward(browser.submit(page, code=digits if typed == "digits" else repeated))
            assert claims(ladder, portal, answer)["amr"] == (["tel"] if typed == "digits" else ["sms"])

    @pytest.mark.parametrize(
        ("channels", "amr"), [(("sms",), "sms"), (("voice",), "tel"), (("sms", "voice"), "tel"), (("sms", "email"), "otp")]
    )
    def test_amr(self, told: Told, channels: tuple[str, ...], amr: str) -> None:
        """The channel of the last sending; where an e-mail was among them, no phone is claimed."""
        with provider(told, **climbing(*dict.fromkeys((channels[0], *ALL)))) as world, clock.freeze(clock.now()) as later:
            party, browser = world.party(), world.browser()
            page = at_code(world, browser, party, ANNA)
            for channel in channels[1:]:
                later(60)
                page = ask(browser, page, channel)
            assert claims(world, party, browser.onward(browser.submit(page, code=right_code(world, page))))["amr"] == [amr]

    def test_no_channel_gives_a_guess(self, ladder: World, portal: Party) -> None:
        """Case 53: five wrong ones over all channels, tabs, and a number that was changed and restored; then neither value is right."""
        browser = ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, ANNA)
            guess_wrong(ladder, browser, page, 2)
            later(30)
            page = ask(browser, page, "sms")
            guess_wrong(ladder, browser, page)
            identify = browser.get(str(page.url).replace("phone_code", "identify"))
            assert "900" not in identify.text  # what was typed before is nobody else's to see
            page = browser.onward(browser.submit(identify, phone=ANNA))
            later(60)
            page = ask(browser, page, "voice")
            repeated, digits = values(ladder, page)
            assert "1 tr" in text_of(guess_wrong(ladder, browser, page)[0])
            assert "Too many wrong codes" in text_of(browser.submit(page, code=wrong(repeated)))
            for code in (repeated, digits):
                assert browser.submit(page, code=code).status_code == 422
            assert judged(ladder) == 5


class TestEmail:
    """Case 70: e-mail is offered for every number, and goes out where an ID has a confirmed address."""

    @pytest.mark.parametrize("channel", ALL)
    def test_the_same_for_all(self, ladder: World, portal: Party, channel: str) -> None:
        """Known with an address, known without, blocked, silent for a year, unknown: whatever is asked for, the same buttons, pages,
        lengths and statements, on the page of the code, on what became of it, in help; one gets a mail.
        """
        blocked, bare, silent, seen = new_phone(1), new_phone(4), new_phone(6), []
        with ladder.writes():
            users.register(bare, "Without an address", "ru", "1")
            users.block(users.register(blocked, "Blocked", "ru", "1").id, "fraud")
            gone = users.register(silent, "Silent", "ru", "1")
            long_ago = {name: clock.now() - timedelta(days=400) for name in ("created_at", "phone_verified_at", "phone_doubted_at")}
            session.execute(sa.update(table(User)).where(table(User).c.id == gone.id).values(long_ago))
        with clock.freeze(clock.now()) as later:
            phones = (ANNA, bare, blocked, silent, new_phone(2))
            walks = [(ladder.browser(address=f"192.0.{n}.7"), phone) for n, phone in enumerate(phones)]
            pages = [at_code(ladder, browser, portal, phone) for browser, phone in walks]
            later(30)
            for (browser, phone), page in zip(walks, pages, strict=True):
                waiting = browser.get(str(page.url))
                asked = browser.filled(waiting, channel=channel)
                with statements(ladder) as ran:
                    answer = browser.send(asked)
                after = [browser.get(str(page.url) + more) for more in ("", "/receipts", "/state")]
                after.append(browser.get(f"{base_of(page)}/help?about=code&from=phone_code"))
                shown = [waiting, answer, *after]
                bodies = [MADE_UP.sub("…", re.sub(r"otp_\w+|-\d\d-\d\d(?=[<.])", "", each.text)) for each in shown]
                headers = [sorted(each.headers.keys()) for each in shown]
                lengths = [len(each.content) for each in shown]
                statuses = [each.status_code for each in shown]
                assert statuses == [200, 303, 200, 200, 200, 200]
                seen.append((statuses, headers, bodies, lengths, [one for one in ran if not CACHED.search(one)]))
                assert phone not in "".join(each.text for each in shown)
            ladder.deliver()
            for each in seen:
                assert each == seen[0]
            assert "post.example" not in str(seen)
            mails = [message["to"] for message in ladder.inbox() if message["channel"] == "email"]
            assert mails == ([EMAIL] if channel == "email" else [])

    def test_nothing_of_its_fate_is_told(self, ladder: World, portal: Party) -> None:
        """Case 70: whether the mail arrived would tell that there was one."""
        browser = ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, ANNA)
            later(30)
            page = ask(browser, page, "email")
            ladder.deliver()
            before = browser.get(f"{page.url}/receipts").text
            says(ladder, page, "failed", "status_550")
            after = browser.get(f"{page.url}/receipts")
            assert MADE_UP.sub("", after.text) == MADE_UP.sub("", before)
            assert "could not be delivered" not in text_of(browser.get(str(page.url)))

    def test_a_new_person_does_not_come_in_by_it(self, ladder: World, portal: Party) -> None:
        """`product.md` §2.2: e-mail is for whoever has a confirmed address; a new number gets none, and its code by text still works."""
        phone, browser = new_phone(3), ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, phone)
            later(30)
            page = ask(browser, page, "email")
            assert "If the ID of" in text_of(page)
            assert not [message for message in ladder.inbox() if message["channel"] == "email"]
            later(60)
            page = ask(browser, page, "sms")
            assert where(browser.onward(browser.submit(page, code=ladder.code_for(phone)))) == "register"

    def test_a_number_that_changes_hands_meanwhile(self, ladder: World, portal: Party) -> None:
        """The mail went to the ID that had the number: whoever has the number a minute later is not entered by it, and no ID is made."""
        browser = ladder.browser()
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, ANNA)
            later(30)
            page = ask(browser, page, "email")
            code = ladder.code_for(EMAIL)
            with ladder.writes():
                session.execute(sa.update(User).where(User.phone == ANNA).values(phone=None))
            assert browser.submit(page, code=code).status_code == 422
            with ladder.writes():
                users.register(ANNA, "Somebody else", "ru", "1")
            assert browser.submit(page, code=code).status_code == 422

    def test_an_address_that_nobody_has_proves_the_phone(self, ladder: World, portal: Party) -> None:
        """RFC 8176: where the e-mail went to nobody, the code came by the text message, and `amr` says so."""
        browser, phone = ladder.browser(), new_phone(7)
        with ladder.writes():
            users.register(phone, "Without an address", "ru", "1")
        with clock.freeze(clock.now()) as later:
            page = at_code(ladder, browser, portal, phone)
            later(30)
            page = ask(browser, page, "email")
            assert browser.submit(page, code=values(ladder, page)[0]).status_code == 422, "it was never sent to anybody"
            later(60)
            page = ask(browser, page, "sms")
            answer = browser.onward(browser.submit(page, code=ladder.code_for(phone)))
            assert claims(ladder, portal, answer)["amr"] == ["sms"]

    def test_in_a_known_browser(self, ladder: World, portal: Party) -> None:
        """Pressing one's name where a code is due climbs the same ladder."""
        browser = ladder.browser()
        page = at_code(ladder, browser, portal, ANNA)
        answer_of(browser.onward(browser.submit(page, code=values(ladder, page)[1])))
        drop_cookies(browser, "idp_session")
        with clock.freeze(clock.now()) as later:
            page = browser.authorize(portal, prompt="login")
            page = browser.onward(browser.submit(page, person=next(iter(people_on(page).values()))))
            later(30)
            page = ask(browser, page, "email")
            assert claims(ladder, portal, browser.onward(browser.submit(page, code=ladder.code_for(EMAIL))))["amr"] == ["otp"]


def test_a_number_that_is_changed_back(ladder: World, portal: Party) -> None:
    """Case 53: another number and the first one again: nothing is sent anew, and the guesses go on where they were."""
    browser = ladder.browser()
    page = at_code(ladder, browser, portal, ANNA)
    guess_wrong(ladder, browser, page, 3)
    identify = str(page.url).replace("phone_code", "identify")
    for phone in (new_phone(5), ANNA, new_phone(5), ANNA):
        page = browser.onward(browser.submit(browser.get(identify), phone=phone))
    assert len(ladder.events("code.sent")) == 2
    assert "1 tr" in text_of(guess_wrong(ladder, browser, page)[0])
    assert "code" in answer_of(browser.onward(browser.submit(page, code=ladder.code_for(ANNA))))
