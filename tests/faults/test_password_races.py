"""Passwords, many at once, against four worker processes: R3 (guesses), case 90 (one reset), cases 54 and 128 (one session; a flood)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
import sqlalchemy as sa

from idp.credentials import password, password_hashing
from idp.db.session import session
from idp.directory import users
from idp.directory.tables import User
from idp.events import Event
from idp.login.tables import Session
from tests.account.test_email import asked
from tests.conftest import Told
from tests.faults.race import at_once, statuses
from tests.faults.served import Served, Visitor, served
from tests.login.http_lab import base_of
from tests.login.password_lab import NEW, SECRET, give
from tests.login.test_http_password_reset import ask, prove
from tests.machine import count
from tests.world import Party, new_phone

RUNS = count(2, 50)
SOON = count(4, 1) / 2  # seconds; every day other tests share the machine


@pytest.fixture(scope="module")
def provider(told_on_both: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Everybody comes from one loopback address: its share is another file's promise."""
    login = {"network_wrong_passwords_per_hour": 10**6, "network_messages_per_hour": 10**6}
    with served(told_on_both, tmp_path_factory.mktemp("served"), login=login) as running:
        yield running


@pytest.fixture(scope="module")
def party(provider: Served) -> Party:
    """A relying party with a secret."""
    return provider.party()


def somebody(provider: Served) -> tuple[str, str]:
    """A person with an address and a password: their ID, and the address."""
    phone = new_phone()
    mail = f"p{phone[1:]}@post.example"
    with password_hashing.place():
        digest = password_hashing.make(SECRET)
    with provider.writes():
        user_id = users.register(phone, "Ева Ким", "en", "1").id
        users.confirm_email(user_id, mail)
        password.keep(user_id, digest, user_id=user_id, reason="set")
    return user_id, mail


def page_of(provider: Served, party: Party) -> tuple[Visitor, httpx2.Response]:
    """A browser at the page of the password."""
    browser = provider.browser()
    return browser, browser.get(f"{base_of(browser.authorize(party))}/password")


def how_many(provider: Served, name: str, user_id: str) -> int:
    """Events of one person."""
    with provider.reads():
        return int(session.scalar(sa.select(sa.func.count()).select_from(Event).where(Event.name == name, Event.user_id == user_id)) or 0)


def test_five_of_forty_guesses_are_judged(provider: Served, party: Party) -> None:
    """R3: whatever arrives in one instant, five are looked at; then the right one wins nothing either, until the pause is over."""
    for _ in range(RUNS):
        user_id, mail = somebody(provider)
        browser, page = page_of(provider, party)
        for _ in range(3):  # a full line sends some away uncounted: they come again
            answers = at_once([browser.filled(page, login=mail, password=f"not it {n}") for n in range(40)])
            assert set(statuses(answers)) <= {422, 429}
            assert all(answer.header("Retry-After") for answer in answers if answer.status == 429)
        assert how_many(provider, "password.wrong", user_id) == 5
        assert {answer.status for answer in at_once([browser.filled(page, login=mail, password=SECRET)] * 3)} == {429}


def test_one_session_of_many_right_ones(provider: Served, party: Party) -> None:
    """Case 54: the same right password many times at once in one sign-in gives one session."""
    for _ in range(RUNS):
        user_id, mail = somebody(provider)
        browser, page = page_of(provider, party)
        answers = at_once([browser.filled(page, login=mail, password=SECRET)] * 8)
        assert set(statuses(answers)) <= {303, 429}
        with provider.reads():
            assert session.scalar(sa.select(sa.func.count()).select_from(Session).where(Session.user_id == user_id)) == 1


def test_one_reset_of_many(provider: Served, party: Party) -> None:
    """Case 90: the last page of a forgotten password, sent many times at once with different passwords: one is set, once."""
    for _ in range(RUNS):
        user_id, mail = somebody(provider)
        browser, page = page_of(provider, party)
        page = browser.onward(browser.submit(browser.get(f"{base_of(page)}/reset"), login=mail))
        page = browser.onward(browser.submit(page, code=provider.code_for(mail)))
        wanted = [f"{n} boats on a quiet lake" for n in range(6)]
        answers = at_once([browser.filled(page, password=text, password_again=text) for text in wanted])
        assert set(statuses(answers)) <= {303, 422, 429}
        assert how_many(provider, "password.reset", user_id) == 1
        with provider.reads():
            ((_, digest),) = password.digests_of(user_id)
        with password_hashing.place():
            assert sum(password_hashing.is_right(digest, text) for text in wanted) == 1


def test_an_address_and_a_reset_at_once(provider: Served, party: Party) -> None:
    """Cases 90 and 97: the address is confirmed in the instant in which the former one sets the password anew: one of them happens, and
    the other one says clearly that it did not.
    """
    for n in range(RUNS):
        phone, mail = new_phone(), f"was{n}{new_phone()[1:]}@post.example"
        wanted = f"new{mail}"
        with provider.writes():
            user_id = users.register(phone, "Ева Ким", "en", "1").id
            users.confirm_email(user_id, mail)
        changer, page = asked(provider, wanted, phone=phone)
        give(provider, user_id)
        forgetful = provider.browser()
        last = prove(provider, forgetful, ask(forgetful, party, mail), mail)
        change = changer.filled(page, code=provider.code_for(wanted))
        changed, reset = at_once([change, forgetful.filled(last, password=NEW, password_again=NEW)])
        with provider.reads():
            user, ((_, digest),) = users.get(user_id), password.digests_of(user_id)
        with password_hashing.place():
            is_new = password_hashing.is_right(digest, NEW)
            assert is_new or password_hashing.is_right(digest, SECRET)
        if user.email == wanted:
            assert (is_new, changed.header("Location")) == (False, "/account/security?done=email")
            there = reset.header("Location")  # where it had looked at the former address before it was changed
            said = forgetful.go(there).text if reset.status == 303 else reset.body.decode()
            assert "There is no password to set anew" in said.replace("\N{NO-BREAK SPACE}", " ")
        else:
            assert (is_new, user.email, changed.status, reset.status) == (True, mail, 303, 303)
            assert "The new password is set" in forgetful.go(reset.header("Location")).text.replace("\N{NO-BREAK SPACE}", " ")
            assert "/login/" in changer.go(changed.header("Location")).url.path, "the session that asked for the address is over"
        assert how_many(provider, "password.reset", user_id) == int(is_new)


def test_one_address_for_two(provider: Served) -> None:
    """Case 98: two IDs confirm one address in one instant: exactly one has it, and the other one is told that it is another ID's."""
    for n in range(RUNS):
        wanted = f"both{n}{new_phone()[1:]}@post.example"
        sent: list[httpx2.Request] = []
        for _ in range(2):
            phone = new_phone()
            with provider.writes():
                users.register(phone, "Ева Ким", "en", "1")
            browser, page = asked(provider, wanted, phone=phone)
            sent.append(browser.filled(page, code=provider.code_for(wanted)))
        answers = at_once(sent)
        assert statuses(answers) == {303: 1, 409: 1}
        refused = next(answer for answer in answers if answer.status == 409)
        assert 'aria-invalid="true"' in refused.body.decode()
        with provider.reads():
            has_it = sa.select(sa.func.count()).select_from(User).where(User.email_canonical == wanted, User.email_verified_at.is_not(None))
            assert session.scalar(has_it) == 1


def test_a_flood(provider: Served, party: Party) -> None:
    """Case 128, R19: a hundred passwords at once; keys and discovery answer meanwhile, 99 of 100 within half a second."""
    user_id, mail = somebody(provider)
    browser, page = page_of(provider, party)
    took: list[float] = []
    over = threading.Event()

    def look() -> None:
        with httpx2.Client(base_url=str(page.url.copy_with(path="/", query=None))) as client:
            while not over.is_set():
                for address in ("/jwks", "/.well-known/openid-configuration"):
                    began = time.perf_counter()
                    assert client.get(address).status_code == 200
                    took.append(time.perf_counter() - began)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(2):
            answers = at_once([browser.filled(page, login=f"{n}{mail}", password="not it at all") for n in range(100)])
            assert set(statuses(answers)) <= {422, 429}
            assert all(answer.header("Retry-After") for answer in answers if answer.status == 429)
    finally:
        over.set()
        looking.join()
    assert len(took) >= 20
    assert sorted(took)[int(len(took) * 0.99)] <= SOON, sorted(took)[-5:]
    assert browser.submit(page, login=mail, password=SECRET).status_code == 303
    assert user_id
