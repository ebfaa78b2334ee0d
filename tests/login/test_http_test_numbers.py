"""Test numbers: a fixed code, nothing sent, every use written down. `product.md` §2.8."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from idp import outbox
from idp.directory import users
from tests.conftest import Told
from tests.login.http_lab import claims, guess_wrong, judged, post, prove, provider, right_code, text_of
from tests.login.lab import ANNA, at_code, where
from tests.world import Browser, Party, World, answer_of, new_phone

LISTED, ABROAD, CODE = "+79005550000", "+15005550006", "424242"
NUMBERS: dict[str, object] = {"test_numbers": {LISTED: CODE, ABROAD: "131313"}}


@pytest.fixture
def listed(told: Told) -> Iterator[World]:
    """A provider with two test numbers."""
    with provider(told, login=NUMBERS) as world:
        yield world


@pytest.fixture
def production(told: Told) -> Iterator[World]:
    """The same in production (on loopback, where it may be reached by http)."""
    with provider(told, login=NUMBERS, server={"environment": "production"}) as world:
        yield world


def enter(world: World, browser: Browser, party: Party, phone: str, code: str) -> str:
    """Sign in, or up, with this code; the `sub`."""
    page = at_code(world, browser, party, phone)
    page = browser.onward(browser.submit(page, code=code))
    if where(page) == "register":
        page = browser.onward(post(browser, page, name="Проверка Магазина", terms="1"))
    return str(claims(world, party, page)["sub"])


@pytest.mark.parametrize(("phone", "code"), [(LISTED, CODE), (ABROAD, "131313")])
def test_the_fixed_code(listed: World, phone: str, code: str) -> None:
    """It signs up and in; no message is put out, also for a number of a country that is not served; each use is an event."""
    party = listed.party()
    sub = enter(listed, listed.browser(), party, phone, code)
    assert enter(listed, listed.browser(), party, phone, code) == sub
    assert listed.waiting() == 0
    assert listed.inbox() == []
    assert [event.details["test"] for event in listed.events("code.sent")] == [True, True]
    used = listed.events("code.test_number_used")
    assert [(event.personal or {})["phone"] for event in used] == [phone, phone]
    with listed.reads():
        assert users.get(sub).is_test, "whoever signs up by it is marked"


def test_it_is_guessed_at_like_any_other(listed: World) -> None:
    """Five tries a code, ten an hour: a fixed code can be guessed more easily, not more often."""
    party = listed.party()
    for n in range(3):
        browser = listed.browser(address=f"198.51.{n}.7")
        page = browser.onward(browser.submit(browser.authorize(party), phone=LISTED))
        if where(page) == "phone_code":
            assert [answer.status_code for answer in (browser.submit(page, code="000000") for _ in range(5))] == [422] * 5
            assert browser.submit(page, code=CODE).status_code == 422
    assert judged(listed) == 10
    assert where(page) == "identify"


def test_it_is_one_numbers_code(listed: World) -> None:
    """The fixed code of a listed number opens no other number, nor does one listed number's open the other."""
    party = listed.party()
    for phone in (ANNA, new_phone(1), ABROAD):
        browser = listed.browser()
        page = at_code(listed, browser, party, phone)
        if phone == ABROAD or right_code(listed, page) != CODE:
            assert browser.submit(page, code=CODE).status_code == 422


def test_sending_it_again(listed: World) -> None:
    """The page is the same as for any number, its button too; nothing goes out, and no limit of messages is used up."""
    party = listed.party()
    for n in range(25):
        page = at_code(listed, listed.browser(), party, LISTED)
        assert where(page) == "phone_code", n
    assert "Sent to +7" in text_of(page)
    assert listed.inbox() == []


def test_only_when_listed(world: World, party: Party) -> None:
    """Off unless listed: without the setting the number gets a code like any other, and the fixed one is wrong."""
    browser = world.browser()
    page = at_code(world, browser, party, LISTED)
    if right_code(world, page) != CODE:
        assert browser.submit(page, code=CODE).status_code == 422
    assert len(world.inbox(LISTED)) == 1
    assert not world.events("code.test_number_used")


def test_in_production(production: World) -> None:
    """In production a listed number is one only for a person who is marked `test`: for anybody else a real code goes out."""
    party = production.party()
    browser = production.browser()
    page = at_code(production, browser, party, LISTED)
    if right_code(production, page) != CODE:
        assert browser.submit(page, code=CODE).status_code == 422
    assert production.waiting() == 1
    sub = claims(
        production,
        party,
        browser.onward(post(browser, browser.onward(browser.submit(page, code=right_code(production, page))), name="Ева", terms="1")),
    )["sub"]
    with production.reads():
        assert not users.get(sub).is_test
    assert guess_wrong(production, browser, at_code(production, production.browser(), party, LISTED), 0) == []
    assert production.waiting() == 2


def test_marked_in_production(production: World) -> None:
    """And for a marked one the fixed code holds there too, with its event and without a message."""
    with production.writes():
        users.register(LISTED, "Проверка Магазина", "ru", "1", is_test=True)
    party, browser = production.party(), production.browser()
    page = at_code(production, browser, party, LISTED)
    assert "code" in answer_of(browser.onward(browser.submit(page, code=CODE)))
    assert production.waiting() == 0
    assert len(production.events("code.test_number_used")) == 1


def test_marked_but_not_listed(production: World) -> None:
    """A person marked `test` whose number is not listed gets real codes: the mark alone opens nothing."""
    phone = new_phone(2)
    with production.writes():
        users.register(phone, "Проверка", "ru", "1", is_test=True)
    at_code(production, production.browser(), production.party(), phone)
    assert production.waiting() == 1
    with production.reads():
        assert outbox.is_due()


def test_no_notice_to_it(listed: World) -> None:
    """Nor is anything else sent to a test number."""
    party, browser = listed.party(), listed.browser()
    enter(listed, browser, party, LISTED, CODE)
    prove_elsewhere = listed.browser(address="198.51.100.9")
    prove(listed, prove_elsewhere, party, ANNA)
    assert {message["to"] for message in listed.inbox()} == {ANNA}
