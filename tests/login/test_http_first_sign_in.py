"""A number that nobody has: name, terms, and an ID. `product.md` §2.4, cases 71 and 74."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.db.session import session as database
from idp.directory import users
from idp.directory.tables import Account, User
from idp.login.tables import Session
from tests.conftest import Told
from tests.login.http_lab import base_of, claims, cookies_set, post, provider, right_code, text_of
from tests.login.lab import at_code, how_many, name_of, where
from tests.machine import count
from tests.world import Browser, Party, World, new_phone

PHONE = new_phone(1)


def at_sign_up(world: World, browser: Browser, party: Party, phone: str = PHONE, **asked: str) -> httpx2.Response:
    """The page for name and terms, of a number that was proved."""
    page = at_code(world, browser, party, phone, **asked)
    page = browser.onward(browser.submit(page, code=right_code(world, page)))
    assert where(page) == "register"
    return page


def kept(world: World, phone: str = PHONE) -> User | None:
    """Who has the number now."""
    with world.reads():
        return users.find_by_phone(phone)


class TestTheTerms:
    """Taken, with their version and the time, or nothing happens."""

    def test_required(self, world: World, party: Party) -> None:
        """Without the tick there is no ID, no session and no cookie; what was typed stays."""
        browser = world.browser()
        page = at_sign_up(world, browser, party)
        for fields in ({"name": "Ева Новая"}, {"name": "Ева Новая", "terms": ""}, {"name": "Ева Новая", "terms": "false"}):
            refused = post(browser, page, **fields)
            assert refused.status_code == 422
            assert "Accept the terms to go on." in text_of(refused)
            assert 'value="Ева Новая"' in refused.text
            assert not cookies_set(refused)
        assert kept(world) is None
        assert how_many(world, Session) == 0

    def test_kept(self, told: Told) -> None:
        """The version that was shown and the moment are in the row."""
        with provider(told, login={"terms_version": "2026-11"}) as world, clock.freeze(clock.now()):
            browser, party = world.browser(), world.party()
            page = at_sign_up(world, browser, party)
            browser.onward(post(browser, page, name="Ева", terms="1"))
            made = kept(world)
            assert made is not None
            assert (made.terms_version, made.terms_accepted_at, made.phone_verified_at) == ("2026-11", clock.now(), clock.now())

    def test_on_the_page(self, told: Told) -> None:
        """The terms and the privacy policy can be read before they are accepted, in a window of their own."""
        with provider(told, brand={"terms_url": "https://x.example/terms", "privacy_url": "https://x.example/privacy"}) as world:
            page = at_sign_up(world, world.browser(), world.party())
            for address in ("https://x.example/terms", "https://x.example/privacy"):
                assert f'<a href="{address}" target="_blank" rel="noopener">' in page.text


class TestTheName:
    """What a name may be, case 74."""

    @pytest.mark.parametrize(
        ("typed", "becomes"),
        [
            ("  Анна   Новая ", "Анна Новая"),
            ("Анна\u202eяавоН", "Анна яавоН"),
            ("\u2066Анна\u2069 Новая\u200f", "Анна Новая"),
            ("Анна\tНовая\r\nBcc: x@y.example", "Анна Новая Bcc: x@y.example"),
            ("Анна\u2028Новая", "Анна Новая"),
            ("Анна\u0085Новая", "Анна Новая"),
            ("И\u0306ван", "Йван"),
            ("<b>Анна</b> & \"'", "<b>Анна</b> & \"'"),
            ("王小明", "王小明"),
            ("Ян Ли 👩\u200d🔬", "Ян Ли 👩\u200d🔬"),
            ("x" * 100, "x" * 100),
            ("%(brand)s {0} {{7*7}}", "%(brand)s {0} {{7*7}}"),
        ],
    )
    def test_taken(self, world: World, party: Party, typed: str, becomes: str) -> None:
        """One line that reads as it is written: no controls, nothing that turns the line around, single spaces, NFC."""
        browser = world.browser()
        page = at_sign_up(world, browser, party)
        assert name_of(world, claims(world, party, browser.onward(post(browser, page, name=typed, terms="1")))) == becomes

    @pytest.mark.parametrize(
        "typed",
        [
            "",
            " ",
            "\u202e",
            "\t\r\n",
            "\u200b",
            "\u200d\u2060\u00ad",
            "\u3164",
            "\u2800",
            "\u0301",
            "\ufeff",
            "x" * 101,
            "\u202e" * 100 + " ",
        ],
    )
    def test_refused(self, world: World, party: Party, typed: str) -> None:
        """Nothing, nothing that can be seen, or too much: the field says so, and there is no ID."""
        browser = world.browser()
        page = at_sign_up(world, browser, party)
        refused = post(browser, page, name=typed, terms="1")
        assert refused.status_code == 422
        assert 'aria-invalid="true"' in refused.text
        assert kept(world) is None

    def test_what_cannot_be_typed(self, world: World, party: Party) -> None:
        """A control character, bytes that are no UTF-8: 400, and no ID."""
        browser = world.browser()
        page = at_sign_up(world, browser, party)
        assert post(browser, page, name="Анна\x00", terms="1").status_code == 400
        assert post(browser, page, name="Анна\x1b[31m", terms="1").status_code == 400
        body = b"csrf_token=" + page.text.partition('name="csrf_token" value="')[2].partition('"')[0].encode() + b"&name=%ff%fe&terms=1"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert browser.post(str(page.url), content=body, headers=form).status_code == 400
        assert kept(world) is None


class TestOnce:
    """Case 71: one number, one person."""

    def test_two_browsers_at_once(self, world: World, party: Party) -> None:
        """Four first sign-ins of one number in parallel: one ID with one personal account, everybody in, everybody as the same person."""
        for turn in range(count(2, 20)):
            phone, before = new_phone(10 + turn), how_many(world, User)
            browsers = [world.browser(address=f"198.51.{n}.7") for n in range(4)]
            pages = [at_sign_up(world, browser, party, phone) for browser in browsers]
            sent = [(b, b.filled(p, name=f"Имя {n}", terms="1")) for n, (b, p) in enumerate(zip(browsers, pages, strict=True))]
            with ThreadPoolExecutor(4) as pool:
                answers = list(pool.map(lambda each: each[0].onward(each[0].send(each[1])), sent))
            subs = {claims(world, party, answer)["sub"] for answer in answers}
            assert len(subs) == 1
            assert how_many(world, User) == before + 1
            with world.reads():
                mine = sa.select(sa.func.count()).select_from(Account).where(Account.user_id.in_(subs))
                assert database.scalar(mine) == 1
            assert len([event for event in world.events("user.registered") if event.user_id in subs]) == 1

    def test_registered_meanwhile(self, world: World, party: Party) -> None:
        """Who comes second is signed in as the ID that is there, and changes nothing about it."""
        first, second = world.browser(), world.browser(address="198.51.100.9")
        one, other = at_sign_up(world, first, party), at_sign_up(world, second, party)
        sub = claims(world, party, first.onward(post(first, one, name="Первая", terms="1")))["sub"]
        later = claims(world, party, second.onward(post(second, other, name="Вторая", terms="1")))
        assert later["sub"] == sub
        assert name_of(world, later) == "Первая"

    def test_blocked_meanwhile(self, world: World, party: Party) -> None:
        """The ID that was made a moment ago was blocked: nobody is signed in to it by an old sign-up page."""
        first, second = world.browser(), world.browser(address="198.51.100.9")
        one, other = at_sign_up(world, first, party), at_sign_up(world, second, party)
        sub = claims(world, party, first.onward(post(first, one, name="Первая", terms="1")))["sub"]
        with world.writes():
            users.block(sub, "fraud")
        refused = post(second, other, name="Вторая", terms="1")
        assert refused.status_code == 403
        assert not cookies_set(refused)


class TestTheRest:
    """What else a first sign-in is."""

    def test_remembered_as_ticked(self, world: World, party: Party) -> None:
        """The tick of the code page holds through the sign-up, both ways."""
        for n, fields in enumerate(({"remember": "1"}, {})):
            browser = world.browser(address=f"198.51.{n}.7")
            page = at_code(world, browser, party, new_phone(40 + n))
            page = browser.onward(post(browser, page, code=right_code(world, page), **fields))
            answer = post(browser, page, name="Ева", terms="1")
            assert set(cookies_set(answer)) == {"idp_session", "idp_session_state", "idp_browser" if fields else "idp_shared"}
            assert ("Max-Age" in cookies_set(answer)["idp_session"]) is bool(fields)

    def test_prompt_create_with_a_known_number(self, world: World, party: Party) -> None:
        """`prompt=create` by somebody who has an ID: signed in to it, no second one; and only after the code is that told."""
        browser, before = world.browser(), how_many(world, User)
        page = at_code(world, browser, party, "+79005553501", prompt="create")
        assert claims(world, party, browser.onward(browser.submit(page, code=right_code(world, page))))["acr"] == "urn:idp:acr:code"
        assert how_many(world, User) == before

    def test_reload(self, world: World, party: Party) -> None:
        """Reload and Back between code and name lose nothing and send nothing; the number cannot be proved by a stale page."""
        browser = world.browser()
        page = at_sign_up(world, browser, party)
        for step in ("", "/phone_code", "/register", "/people"):
            assert where(browser.go(base_of(page) + step)) == "register"
        assert len(world.events("code.sent")) == 1
        assert "+7 901 000-00-01" in text_of(page)

    def test_another_number_after_all(self, world: World, party: Party) -> None:
        """From the sign-up page back to another number: that one has to be proved, and the first one makes no ID."""
        browser = world.browser()
        page = at_sign_up(world, browser, party)
        again = browser.onward(browser.submit(browser.get(f"{base_of(page)}/identify"), phone=new_phone(2)))
        assert where(again) == "phone_code"
        assert where(browser.onward(post(browser, page, name="Ева", terms="1"))) == "phone_code"
        assert kept(world) is None
        assert kept(world, new_phone(2)) is None
        assert how_many(world, Session) == 0
