"""Authenticator apps and recovery codes, many at once, against four worker processes: on SQLite and PostgreSQL.

Promises R3 and R5 of the threats, cases 53, 54 and 106: a step of the app and a recovery code are taken once, whatever arrives in the same
instant; what is removed while it is entered has one outcome.
"""

from __future__ import annotations

import httpx2
import pytest
import sqlalchemy as sa

from idp.credentials import totp
from idp.credentials.tables import RecoveryCode
from idp.directory import users
from idp.login.tables import Session
from tests.account.lab import entered
from tests.account.test_authenticator import SET_UP, secret_on
from tests.credentials.factors import code_of, make_codes, set_up, wrong_code
from tests.faults.race import at_once, statuses
from tests.faults.served import Served, Visitor
from tests.login.http_lab import base_of, flow_of
from tests.machine import count
from tests.world import Party, new_phone

RUNS = count(1, 50)


@pytest.fixture(scope="module")
def party(provider: Served) -> Party:
    """A relying party with a secret."""
    return provider.party()


def somebody(provider: Served) -> tuple[str, str]:
    """A new person: their number and ID."""
    phone = new_phone()
    with provider.writes():
        return phone, users.register(phone, "Ева Ким", "ru", "1").id


def at_factor(provider: Served, party: Party, phone: str, factor: str) -> tuple[Visitor, httpx2.Response]:
    """A new browser, where the number was proved and the page of the factor is open."""
    browser = provider.browser()
    page = browser.onward(browser.submit(browser.authorize(party), phone=phone))
    page = browser.onward(browser.submit(page, code=provider.code_for(phone)))
    return browser, browser.get(f"{base_of(page)}/{factor}")


def sessions(provider: Served, user_id: str) -> int:
    """How many are live."""
    mine = sa.select(sa.func.count()).where(Session.user_id == user_id, Session.ended_at.is_(None))
    return int(provider.rows(mine)[0][0])


def test_guesses_at_the_app(provider: Served, party: Party) -> None:
    """R3: of thirty guesses in one instant five are looked at."""
    for _ in range(RUNS):
        phone, user_id = somebody(provider)
        secret = set_up(provider, user_id).text
        browser, page = at_factor(provider, party, phone, "totp")
        answers = at_once([browser.filled(page, code=wrong_code(secret, 1 + nth % 5)) for nth in range(30)])
        assert statuses(answers) == {422: 5, 429: 25}
        assert sum(event.user_id == user_id for event in provider.events(totp.WRONG)) == 5
        assert sessions(provider, user_id) == 0


def test_one_code_in_two_browsers(provider: Served, party: Party) -> None:
    """Case 54: whoever read the code over a shoulder and is in the same second as its owner: one of them is in, in one tab."""
    for _ in range(RUNS):
        phone, user_id = somebody(provider)
        secret, codes = set_up(provider, user_id).text, make_codes(provider, user_id)
        for factor, code in (("totp", code_of(secret)), ("recovery_code", codes[0])):
            before, places = sessions(provider, user_id), [at_factor(provider, party, phone, factor) for _ in range(2)]
            answers = at_once([browser.filled(page, code=code) for browser, page in places for _ in range(2)])
            assert sum(bool(answer.cookie("idp_session")) for answer in answers) == 1
            assert set(statuses(answers)) <= {303, 422}
            assert sessions(provider, user_id) == before + 1
        used = sa.select(sa.func.count()).where(RecoveryCode.used_at.is_not(None))
        assert provider.rows(used)[0][0] >= 1


def test_removed_while_it_is_entered(provider: Served, party: Party) -> None:
    """Case 106: the app is gone afterwards, and the code was either taken before or not at all; nobody waits for the other in a circle."""
    for _ in range(RUNS):
        phone, user_id = somebody(provider)
        own, page = entered(provider, SET_UP, phone=phone, browser=provider.browser())
        secret = secret_on(page)
        assert own.submit(page, code=code_of(secret, steps=-1)).status_code == 303
        overview = own.get("/account/authenticator")
        browser, page = at_factor(provider, party, phone, "totp")
        requests = [own.pressed(overview, "/remove"), *[browser.filled(page, code=code_of(secret)) for _ in range(3)]]
        removed, *tried = at_once(requests)
        assert removed.status == 303
        assert {answer.status for answer in tried} <= {303, 410}
        won = sum(bool(answer.cookie("idp_session")) for answer in tried)
        assert won <= 1
        with provider.reads():
            assert not totp.is_set_up(user_id)
        of_flow = [event for event in provider.events("login.succeeded") if event.details.get("flow") == flow_of(page)]
        assert len(of_flow) == won


def test_codes_made_twice_in_one_instant(provider: Served) -> None:
    """The button pressed twice: one set is made and shown, and the other answer says so."""
    phone, _ = somebody(provider)
    browser, page = entered(provider, "/account/recovery_codes", phone=phone, browser=provider.browser())
    answers = at_once([browser.filled(page, instead_of="") for _ in range(3)])
    assert statuses(answers) == {200: 1, 409: 2}
