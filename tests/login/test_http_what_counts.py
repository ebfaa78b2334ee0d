"""What was proved in a sign-in counts while it stands: a session that has ended, a password that was replaced, or a proof of last week are
nothing to add another one to (RFC 9470; threats: cases 10, 76, 78, 90, 92).
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock
from idp.credentials import password
from idp.login.tables import Session
from idp.oidc.sign_out_everywhere import sign_out_everywhere
from tests.credentials.factors import code_of, set_up
from tests.login.http_lab import base_of, claims, cookies_set, drop_cookies
from tests.login.lab import ANNA, how_many, where
from tests.login.password_lab import MAIL, NEW, SECRET, at_password, enter, give, id_of
from tests.login.test_http_recycled import ZIMIN
from tests.world import Browser, Party, World, answer_of

MFA = "urn:idp:acr:mfa"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def anna(world: World) -> str:
    """Her ID, with a password and an authenticator app."""
    user_id = id_of(world)
    give(world, user_id)
    return user_id


def signed_in(world: World, party: Party, phone: str = ANNA) -> Browser:
    """A browser with a session that was begun by the number, and that knows nobody."""
    browser = world.browser()
    world.sign_in(browser, party, phone)
    drop_cookies(browser, "idp_browser")
    return browser


def test_one_proof_more_in_a_session(world: World, party: Party, anna: str) -> None:
    """RFC 9470: what the session lacks is asked for, and nothing else; the moment of the first proof stays its `auth_time`."""
    with clock.freeze(clock.now()) as later:
        browser = signed_in(world, party)
        at = int(clock.now().timestamp())
        later(10 * MINUTE)
        page = browser.authorize(party, acr_values=MFA)
        assert where(page) == "further_proof"
        page = browser.get(f"{base_of(page)}/password")
        given = claims(world, party, browser.onward(browser.submit(page, password=SECRET)))
        assert (given["acr"], given["amr"], given["auth_time"]) == (MFA, ["sms", "pwd"], at)


def test_a_session_that_has_ended(world: World, party: Party, anna: str) -> None:
    """Case 76: the owner signs out everywhere while somebody stands before the second proof in her session: it signs nobody in."""
    with clock.freeze(clock.now()) as later:
        browser = signed_in(world, party)
        text = set_up(world, anna).text
        page = browser.authorize(party, acr_values=MFA)
        assert where(page) == "further_proof"
        page = browser.get(f"{base_of(page)}/totp")
        later(MINUTE)
        with world.writes():
            sign_out_everywhere(anna)
        sessions = how_many(world, Session)
        answer = browser.submit(page, code=code_of(text))
        assert "idp_session" not in cookies_set(answer)
        assert where(browser.onward(answer)) == "identify"
        assert how_many(world, Session) == sessions


def test_another_password_meanwhile(world: World, party: Party, anna: str) -> None:
    """Case 90: the former password was right, and is replaced before the app's code comes: together they open nothing."""
    text = set_up(world, anna).text
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        page = enter(browser, party)
        page = browser.get(f"{base_of(page)}/totp")
        later(MINUTE)
        give(world, anna, NEW)
        answer = browser.submit(page, code=code_of(text))
        assert "idp_session" not in cookies_set(answer)
        assert where(browser.onward(answer)) == "identify"


def test_fresh_and_strong(world: World, party: Party) -> None:
    """Case 10: one fresh proof beside a session of this morning is not a fresh sign-in of two proofs."""
    give(world, id_of(world, ZIMIN))
    with clock.freeze(clock.now()) as later:
        browser = signed_in(world, party, ZIMIN)
        later(timedelta(hours=10))
        page = browser.authorize(party, acr_values=MFA, max_age="300")
        assert where(page) == "people", "not the further proof alone"
        at = int(clock.now().timestamp())
        page = browser.get(f"{base_of(page)}/password")
        page = browser.onward(browser.submit(page, login=ZIMIN, password=SECRET))
        assert where(page) == "further_proof"
        page = browser.onward(browser.submit(page, answer="phone"))
        given = claims(world, party, browser.onward(browser.submit(page, code=world.code_for(ZIMIN))))
        assert (given["acr"], given["auth_time"]) == (MFA, at)


def test_what_a_remembered_browser_once_saw(world: World, party: Party, anna: str) -> None:
    """Case 78: a pressed name and a password are one proof, however often the password is given."""
    browser = world.browser()
    world.sign_in(browser, party, ANNA)
    drop_cookies(browser, "idp_session")
    with clock.freeze(clock.now() + timedelta(days=20)):
        page = at_password(browser, party)
        given = claims(world, party, browser.onward(browser.submit(page, login=MAIL, password=SECRET)))
        assert (given["acr"], given["amr"]) == ("urn:idp:acr:code", ["pwd"])
        page = browser.authorize(party, acr_values=MFA)
        page = browser.onward(browser.submit(page, answer="phone"))
        assert claims(world, party, browser.onward(browser.submit(page, code=world.code_for(ANNA))))["acr"] == MFA


def test_a_password_set_by_the_number(world: World, party: Party, anna: str) -> None:
    """Case 73: it is worth the number, in a session that was begun by it too; after three days it is a password like any other."""
    with clock.freeze(clock.now()) as later:
        browser = signed_in(world, party)
        with world.writes():
            digest = next(iter(password.digests_of(anna, None)))[1]
            password.keep(anna, str(digest), user_id=anna, reason="reset", by_phone=True)
        later(MINUTE)
        drop_cookies(browser, "idp_session")
        world.sign_in(browser, party, ANNA)
        assert "code" in answer_of(browser.authorize(party, acr_values=MFA)), "there is nothing else that she could prove"
        later(password.DOUBTED)
        browser = signed_in(world, party)
        assert where(browser.authorize(party, acr_values=MFA)) == "further_proof"
