"""A lost phone: `product.md` §6.3; threats G 92 and 97, cases 60, 70, 76, 78 and 98; NIST SP 800-63B-4 §3.1.3; ASVS 5.0 §6.3, §6.4."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import pytest

from idp import clock
from idp.credentials import email_code, recoveries
from idp.directory import numbers, users
from idp.oidc import recovery
from idp.oidc.change_phone import change_phone
from tests.login.http_lab import (
    ORLOV,
    base_of,
    claims,
    cookies_set,
    drop_cookies,
    known,
    post,
    press,
    prove,
    signed_in,
    text_of,
)
from tests.login.lab import OTHER, at_code
from tests.login.password_lab import enter, give
from tests.login.recovering import (
    WAIT,
    at_ways,
    by_browser,
    case_of,
    choose,
    long_known,
    look_what_is_due,
    named,
    new_code,
    person,
    step,
)
from tests.login.test_http_passkey import has_passkey
from tests.login.test_http_passkey import press as show_passkey
from tests.machine import count
from tests.world import Browser, Party, World, answer_of, new_phone

ZIMIN, MAIL = "+79005553510", "zimin@post.example"


def id_of(world: World, phone: str) -> str:
    """Whose the number is."""
    with world.reads():
        user = users.find_by_phone(phone)
    assert user is not None
    return user.id


class TestByAKnownBrowser:
    """The browser's word, the waiting time, and what follows."""

    def test_from_the_help_page_to_the_new_number(self, world: World, party: Party) -> None:
        """Cases 76, 92 and 97: all channels are told at once, nothing changes before its time, nobody is signed in by it, and then all that
        was signed in under the former number is out.
        """
        new = new_phone()
        with clock.freeze(clock.now()) as later:
            user_id = id_of(world, ZIMIN)
            browser = known(world, party, ZIMIN)
            later(1)  # of two codes of one instant nobody says which is newer
            elsewhere = world.browser(user_agent=OTHER)
            prove(world, elsewhere, party, ZIMIN)
            page = browser.authorize(party)
            assert f"{base_of(page)}/recover" in browser.get(f"{base_of(page)}/help?about=number").text
            case = by_browser(world, browser, party, ZIMIN, new)
            assert case.due_at == clock.now() + timedelta(seconds=WAIT)
            told = {mail["to"]: mail for mail in world.inbox() if "72" in mail["text"] and not mail["code"]}
            assert set(told) == {ZIMIN, MAIL}
            assert told[ZIMIN]["link"] is None
            assert told[MAIL]["link"].startswith("http://localhost:8000/recovery/rcv_")
            later(WAIT - 1)
            look_what_is_due(world)
            assert person(world, user_id).phone == ZIMIN
            later(1)
            look_what_is_due(world)
            after = person(world, user_id)
            assert (after.phone, after.phone_changes_at) == (new, None)
            assert not signed_in(world, elsewhere, party)
            assert not signed_in(world, browser, party)
            assert all("номер" in world.inbox(to)[0]["text"].lower() and not world.inbox(to)[0]["code"] for to in (ZIMIN, MAIL, new))
            assert prove(world, world.browser(), party, new)["sub"] == user_id
        names = [event.name for event in world.events() if event.name.startswith("recovery.")]
        assert names == ["recovery.begun", "recovery.completed"]
        assert [event.user_id for event in world.events("user.phone_changed")] == [user_id]

    def test_whose_word_does_not_do(self, world: World, party: Party) -> None:
        """Case 78: not of a browser that knows somebody else, that was remembered for an e-mail, or that knows an administrator."""
        with clock.freeze(clock.now()) as later:
            stranger = world.browser()
            refused = choose(stranger, at_ways(world, stranger, party, ZIMIN, new_phone()), "browser")
            other = known(world, party, ZIMIN)
            long_known(world)
            also = choose(other, at_ways(world, other, party, "+79005553507", new_phone()), "browser")
            by_mail = world.browser()
            page = at_code(world, by_mail, party, ZIMIN)
            later(31)
            page = by_mail.onward(post(by_mail, page, "phone_code/resend", channel="email"))
            later(61)
            page = by_mail.onward(post(by_mail, page, "phone_code/resend", channel="email")) if "e-mail" not in page.text else page
            by_mail.onward(by_mail.submit(page, code=world.code_for(MAIL)))
            later(1)
            long_known(world)
            read = choose(by_mail, at_ways(world, by_mail, party, ZIMIN, new_phone()), "browser")
            administrator = known(world, party, ORLOV)
            long_known(world)
            more = choose(administrator, at_ways(world, administrator, party, ORLOV, new_phone()), "browser")
        for page in (refused, also, read, more):
            assert page.status_code == 422
            assert "Choose another way" in page.text
        assert world.events(recoveries.BEGUN) == []

    def test_a_browser_that_was_trusted_just_now(self, world: World, party: Party) -> None:
        """Cases 76, 78 and 97: what was proved a minute ago, or for longer by less than the number, is no word of a browser."""
        with clock.freeze(clock.now()) as later:
            browser, by_password = known(world, party, ZIMIN), world.browser(user_agent=OTHER)
            give(world, id_of(world, ZIMIN))
            assert "code" in answer_of(enter(by_password, party, MAIL))
            drop_cookies(by_password, "idp_session")
            later(WAIT - 1)
            page = at_ways(world, browser, party, ZIMIN, new_phone())
            assert choose(browser, page, "browser").status_code == 422
            assert world.events(recoveries.BEGUN) == []
            later(1)
            assert step(by_password.authorize(party)) == "people"
            refused = choose(by_password, at_ways(world, by_password, party, ZIMIN, new_phone()), "browser")
            assert refused.status_code == 422
            assert "Choose another way" in refused.text
            assert step(choose(browser, page, "browser")) == "state"

    def test_one_at_a_time_and_three_a_day(self, world: World, party: Party) -> None:
        """Whoever has the proof cannot flood its owner: one waits, and after three in a day there are no more notices."""
        with clock.freeze(clock.now()) as later:
            browser = known(world, party, ZIMIN)
            first = by_browser(world, browser, party, ZIMIN, new_phone())
            again = choose(browser, at_ways(world, browser, party, ZIMIN, new_phone()), "browser")
            assert again.status_code == 409
            for _ in range(2):
                with world.writes():
                    case = recoveries.of_person(first.user_id or "")
                    assert case is not None
                    assert recoveries.cancel(case.id, recoveries.WITHDRAWN)
                by_browser(world, browser, party, ZIMIN, new_phone())
            with world.writes():
                case = recoveries.of_person(first.user_id or "")
                assert case is not None
                recoveries.cancel(case.id, recoveries.WITHDRAWN)
            more = choose(browser, at_ways(world, browser, party, ZIMIN, new_phone()), "browser")
            assert more.status_code == 429
            assert int(more.headers["Retry-After"]) > 0
            later(86401)
            by_browser(world, browser, party, ZIMIN, new_phone())


def id_of_(phone: str) -> str:
    """The same, in a unit that runs."""
    user = users.find_by_phone(phone)
    assert user is not None
    return user.id


class TestByPasskey:
    """A sign-in by passkey, fresh, in this browser."""

    def test_shown(self, world: World, party: Party) -> None:
        """It leads to the passkey and back; one shown before the request does not count; it waits a day, and a notice says so."""
        with clock.freeze(clock.now()) as later:
            device, browser = has_passkey(world, party, ZIMIN), world.browser()
            later(5)
            browser.onward(show_passkey(browser, browser.authorize(party), device))
            later(5)
            page = at_ways(world, browser, party, ZIMIN, new_phone())
            question = browser.onward(browser.submit(page, answer="passkey"))
            assert step(question) == "passkey"
            later(5)
            back = browser.onward(show_passkey(browser, question, device))
            assert str(back.url) == str(page.url)
            assert "that you have shown" in back.text
            assert world.events(recoveries.BEGUN) == []
            page = choose(browser, back, "passkey")
            assert step(page) == "state"
            case = case_of(world, page)
            assert (case.way, case.due_at) == (recoveries.PASSKEY, clock.now() + timedelta(days=1))
            assert any("24" in message["text"] and not message["code"] for message in world.inbox(ZIMIN))
            assert choose_again(world, browser, party) == 422  # whoever has a passkey does not go around it by this browser's word

    def test_of_another_id(self, world: World, party: Party) -> None:
        """Case 101: whose passkey it is, decides."""
        with clock.freeze(clock.now()) as later:
            device, browser = has_passkey(world, party, "+79005553507"), world.browser()
            page = at_ways(world, browser, party, ZIMIN, new_phone())
            later(5)
            question = browser.onward(browser.submit(page, answer="passkey"))
            page = choose(browser, browser.onward(show_passkey(browser, question, device)), "passkey")
            assert page.status_code == 422
            assert "does not open that ID" in page.text


def choose_again(world: World, browser: Browser, party: Party) -> int:
    """What the same browser's word is answered with."""
    with world.writes():
        case = recoveries.of_person(id_of_(ZIMIN))
        assert case is not None
        recoveries.cancel(case.id, recoveries.WITHDRAWN)
    fresh = known(world, party, ZIMIN)
    del browser
    long_known(world)
    return choose(fresh, at_ways(world, fresh, party, ZIMIN, new_phone()), "browser").status_code


class TestWhoeverHasTheIdCanStopIt:
    """Case 97: the notice, the pages, any sign-in."""

    def test_by_the_link_in_the_mail(self, world: World, party: Party) -> None:
        """Case 93: the token leaves the address at once, in whatever browser. GET shows (mail scanners follow links), POST stops, once;
        then the browser that vouched is out, and all are told.
        """
        browser = known(world, party, ZIMIN)
        case = by_browser(world, browser, party, ZIMIN, new_phone())
        link = next(mail["link"] for mail in world.inbox(MAIL) if mail["link"])
        victim = world.browser()
        followed = victim.get(link)
        assert (followed.status_code, followed.headers["Location"]) == (303, "/recovery")
        assert followed.headers["Referrer-Policy"] == "no-referrer"
        page = victim.onward(followed)
        assert page.status_code == 200
        assert link.rpartition("/")[2] not in page.text
        assert "ZIMIN".lower() not in page.text.lower()
        assert "Зимин" not in page.text
        with world.reads():
            waits = recoveries.find(case.id)
        assert waits is not None
        assert waits.is_waiting
        page = victim.onward(victim.press(page, "/recovery"))
        assert "The change was stopped" in page.text
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.url.path == "/recovery"
        assert victim.go(link).status_code == 200
        for odd in (link[:-1] + ("a" if link[-1] != "a" else "b"), link.replace("rcv_", "rcv_0"), "/recovery/x"):
            assert world.browser().go(odd).status_code == 410
        world.deliver()
        page = browser.authorize(party)
        assert step(page) == "identify"  # it knows nobody any more
        [event] = world.events(recoveries.ENDED)
        assert event.details["reason"] == recoveries.NOT_ME
        assert "stopped" in world.inbox(MAIL)[0]["text"] or "отменена" in world.inbox(MAIL)[0]["text"]
        assert victim.post("/recovery", data={}).status_code == 410  # no form of ours

    def test_by_signing_in_with_the_old_number(self, world: World, party: Party) -> None:
        """They are asked on their way; either answer leads on, and the sign-in is as it would have been."""
        browser = known(world, party, ZIMIN)
        by_browser(world, browser, party, ZIMIN, new_phone())
        owner = world.browser(user_agent=OTHER)
        page = at_code(world, owner, party, ZIMIN)
        page = owner.onward(owner.submit(page, code=world.code_for(ZIMIN)))
        assert step(page) == "asked"
        mine = owner.onward(owner.submit(page, answer="mine"))
        assert claims(world, party, mine)["sub"]
        page = press(browser, browser.authorize(party), person(world, id_of(world, ZIMIN)).name or "")
        assert step(page) == "asked"
        answer = browser.onward(browser.submit(page, answer="not_me"))
        assert claims(world, party, answer)["sub"]
        assert len(world.events(recoveries.ENDED)) == 1
        assert step(browser.get(str(page.url))) != "nowhere"

    def test_by_whoever_asked(self, world: World, party: Party) -> None:
        """The one with the new number sees how it stands, in a later sign-in too, and can withdraw; then the number begins anew."""
        new = new_phone()
        browser = known(world, party, ZIMIN)
        by_browser(world, browser, party, ZIMIN, new)
        later = world.browser()
        page = at_code(world, later, party, new)
        page = later.onward(later.submit(page, code=world.code_for(new)))
        assert step(page) == "state"
        assert "The number changes on" in text_of(page)
        page = later.onward(later.press(page, "/recover/stop"))
        assert step(page) == "register"
        assert [event.details["reason"] for event in world.events(recoveries.ENDED)] == [recoveries.WITHDRAWN]

    def test_on_the_pages_of_the_id(self, world: World, party: Party) -> None:
        """Sign-in and security shows it, and stops it."""
        browser = known(world, party, ZIMIN)
        by_browser(world, browser, party, ZIMIN, new_phone())
        owner = world.browser()
        prove_on_account(world, owner)
        page = owner.go("/account/security")
        assert 'action="/account/recovery"' in page.text
        page = owner.onward(owner.press(page, "/account/recovery"))
        assert 'action="/account/recovery"' not in page.text
        assert len(world.events(recoveries.ENDED)) == 1


def prove_on_account(world: World, browser: Browser) -> httpx2.Response:
    """Signed in to the own pages, and past the question."""
    browser.get("/language?to=en")
    page = browser.go("/account/security")
    page = browser.onward(browser.submit(browser.get(f"{base_of(page)}/identify"), phone=ZIMIN))
    page = browser.onward(browser.submit(page, code=world.code_for(ZIMIN)))
    return browser.onward(browser.submit(page, answer="mine"))


class TestWhatIsShown:
    """Case 70, goal G-7: whose an ID is, nobody learns who has not proved it."""

    @pytest.mark.parametrize("way", ["browser", "email", "vouched", "passkey"])
    def test_the_same_for_nobody(self, world: World, party: Party, way: str) -> None:
        """Known, unknown, blocked, by number and by address: the same pages, headers and statuses; nothing is sent to who is unknown."""
        seen = []
        with world.writes():
            users.block(id_of_("+79005553507"), "for the test")
        with clock.freeze(clock.now()):
            for who in (ZIMIN, "+79005553507", new_phone(), MAIL, "nobody@post.example"):
                browser = world.browser()
                page = at_ways(world, browser, party, who, new_phone())
                answer = browser.submit(page, answer=way)
                shown = page if way == "passkey" else browser.onward(answer)
                if way == "email":
                    shown = browser.submit(shown, code="000000")
                seen.append((answer.status_code, shown.status_code, same(shown), sorted(cookies_set(shown)), sorted(shown.headers)))
        assert all(each == seen[0] for each in seen)
        assert world.events(recoveries.BEGUN) == []

    def test_the_same_limit_for_nobody(self, world: World, party: Party) -> None:
        """Five mails a day for an ID as it was typed, whether anybody has it; a burnt address is not told to who typed the number."""
        burn(world)
        for who in (ZIMIN, new_phone()):
            for turn in range(6):
                browser = world.browser(address=f"203.0.{turn}.7")
                page = choose(browser, at_ways(world, browser, party, who, new_phone()), "email")
                assert page.status_code == (200 if turn < 5 else 429), (who, turn)


def burn(world: World) -> None:
    """Somebody else has asked for ten codes to this address today."""
    for turn in range(10):
        with world.writes():
            email_code.begin(MAIL, for_id=f"flw_{turn}", purpose="other", language="en", network=f"10.{turn}.0.0/24")


def same(page: httpx2.Response) -> str:
    """What is seen of a page, without what is random: ids, codes, the end of the new number, nonces."""
    shown = text_of(page)
    shown = re.sub(r"\b[0-9a-z]{4}-[0-9a-z]{4}\b", "CODE", shown)
    return re.sub(r"\d\d-\d\d|\d", "#", shown)


class TestInput:
    """What is typed."""

    def test_which_id_and_which_number(self, world: World, party: Party) -> None:
        """Case 61: errors stand beside their fields, nothing typed is lost; the number of the ID itself is no new one."""
        browser = world.browser()
        page = browser.authorize(party)
        for who, phone, words in (
            ("", "", "e-mail address of your ID"),
            ("12", "+7 901 000-00-01", "Enter a phone number"),
            ("a@b", "+7 901 000-00-01", "Enter an e-mail address"),
            (ZIMIN, "8 900 555 35 10", "This is the number that the ID has"),
        ):
            answer = browser.submit(browser.get(f"{base_of(page)}/recover"), login=who, phone=phone)
            assert answer.status_code == 422
            assert words in text_of(answer)
            assert 'aria-invalid="true"' in answer.text
            assert not who or who in answer.text
        assert world.waiting() == 0

    def test_a_number_that_has_an_id(self, world: World, party: Party) -> None:
        """Told to who has proved that number, and to nobody before."""
        browser = world.browser()
        page = named(browser, browser.authorize(party), ZIMIN, ORLOV)
        assert step(page) == "code"
        page = browser.submit(page, code=new_code(world, page))
        assert page.status_code == 422
        assert "opens an ID already" in page.text
        assert step(browser.go(f"{base_of(page)}/recover/ways")) != "ways"

    def test_no_step_can_be_skipped(self, world: World, party: Party) -> None:
        """Case 60: pages opened by their address, forms of other steps, another browser."""
        browser = world.browser()
        page = browser.authorize(party)
        for path in ("code", "ways", "email", "state"):
            assert browser.get(f"{base_of(page)}/recover/{path}").status_code == 410
        page = named(browser, page, ZIMIN, new_phone())
        for path in ("ways", "email", "state"):
            assert step(browser.go(f"{base_of(page)}/recover/{path}")) in {"code", "recover"}
        for way in ("browser", "email", "vouched"):
            assert step(browser.onward(post(browser, page, "recover/ways", answer=way))) == "code"
        assert world.browser().get(str(page.url)).status_code == 410
        case = case_of(world, page)
        assert (case.state, case.phone_proved_at) == (recoveries.DRAFT, None)


class TestWhenTheTimeIsOver:
    """What is looked at once more, and what happens once."""

    def test_two_at_once(self, world: World, party: Party) -> None:
        """R5: of two completions at once one happens."""
        new = new_phone()
        with clock.freeze(clock.now()) as later:
            case = by_browser(world, known(world, party, ZIMIN), party, ZIMIN, new)
            later(WAIT)

            def complete(_: int) -> None:
                with world.writes():
                    recovery.complete_next()

            with ThreadPoolExecutor(4) as pool:
                list(pool.map(complete, range(4)))
            assert person(world, case.user_id or "").phone == new
        assert len(world.events(recoveries.DONE)) == 1
        assert len(world.events("user.phone_changed")) == 1

    def test_stopped_in_the_last_moment(self, world: World, party: Party) -> None:
        """R5: stopped and completed at once, it is either the one or the other."""
        for turn in range(count(3, 50)):
            phone, new = new_phone(), new_phone()
            with world.writes():
                users.register(phone, "Ева Ким", "ru", "1")
            with clock.freeze(clock.now()) as later:
                case = by_browser(world, known(world, party, phone, address=f"203.0.{turn}.7"), party, phone, new)
                later(WAIT)

                def end(nth: int, case_id: str = case.id) -> None:
                    with world.writes():
                        recoveries.cancel(case_id, recoveries.NOT_ME) if nth % 2 else recovery.complete_next()

                with ThreadPoolExecutor(4) as pool:
                    list(pool.map(end, range(4)))
                with world.reads():
                    ended = recoveries.find(case.id)
            assert ended is not None
            happened = ended.state == recoveries.COMPLETED
            assert happened or ended.state == recoveries.CANCELLED
            assert person(world, case.user_id or "").phone == (new if happened else phone)
        assert len(world.events(recoveries.DONE)) + len(world.events(recoveries.ENDED)) == count(3, 50)

    @pytest.mark.parametrize(
        ("meanwhile", "reason"),
        [("changed", recoveries.CHANGED), ("taken", recoveries.TAKEN), ("blocked", recoveries.BLOCKED), ("given_up", None)],
    )
    def test_what_has_become_otherwise(self, world: World, party: Party, meanwhile: str, reason: str | None) -> None:
        """A number changed by support, one that began an ID of its own, a blocked ID: nothing follows. A former number that went to
        somebody else is no reason.
        """
        new, third = new_phone(), new_phone()
        with clock.freeze(clock.now()) as later:
            user_id = id_of(world, ZIMIN)
            case = by_browser(world, known(world, party, ZIMIN), party, ZIMIN, new)
            with world.writes():
                if meanwhile == "changed":
                    change_phone(user_id, third)
                elif meanwhile == "taken":
                    users.register(new, "Другой", "ru", "1")
                elif meanwhile == "blocked":
                    users.block(user_id, "for the test")
                else:
                    numbers.doubt(user_id, ZIMIN)
                    assert numbers.give_up(user_id, ZIMIN)
            world.deliver()
            later(WAIT)
            look_what_is_due(world)
            expected = {"changed": third, "given_up": new}.get(meanwhile, ZIMIN)
            assert person(world, user_id).phone == expected
            with world.reads():
                ended = recoveries.find(case.id)
            assert ended is not None
            assert (ended.state, ended.ended_reason) == ("completed" if reason is None else "cancelled", reason)

    def test_swept(self, world: World, party: Party) -> None:
        """What came to nothing goes after two days, what ended after half a year."""
        with clock.freeze(clock.now()) as later:
            browser = known(world, party, ZIMIN)
            named(browser, browser.authorize(party), ZIMIN, new_phone())
            case = by_browser(world, browser, party, ZIMIN, new_phone())
            later(timedelta(days=2, hours=2))
            with world.writes():
                assert recoveries.sweep(clock.now()) == 1
                assert recoveries.cancel(case.id, recoveries.SUPPORT)
            later(timedelta(days=181))
            with world.writes():
                assert recoveries.sweep(clock.now()) == 1
