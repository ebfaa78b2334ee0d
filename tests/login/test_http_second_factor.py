"""An authenticator app is a second factor: in a browser that does not know the person a code to the number alone does not open the ID.

`product.md` §5.1, §6.2, §6.4; `claims.md` "How strong, how fresh"; cases 53, 54, 58, 60, 92 and 106.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import pytest

from idp import clock
from idp.credentials import recovery_codes, totp
from idp.directory import users
from idp.login.tables import Session
from tests.account.lab import entered
from tests.account.test_authenticator import secret_on
from tests.credentials.factors import code_of, make_codes, set_up, wrong_code
from tests.login.http_lab import base_of, claims, cookies_set, known, people_on, post, press, right_code
from tests.login.lab import ANNA, at_code, how_many, where, words
from tests.login.password_lab import MAIL, NEW, again, at_password, enter, give
from tests.world import Browser, Party, World, answer_of

MFA, CODE = "urn:idp:acr:mfa", "urn:idp:acr:code"


@pytest.fixture
def anna(world: World) -> str:
    """Her ID."""
    with world.reads():
        user = users.find_by_phone(ANNA)
    assert user is not None
    return user.id


def at_factor(world: World, browser: Browser, party: Party, **asked: str) -> httpx2.Response:
    """A new browser, where the number was proved: one more proof is due."""
    page = at_code(world, browser, party, ANNA, **asked)
    page = browser.onward(browser.submit(page, code=right_code(world, page)))
    assert where(page) == "further_proof", page.url
    return page


def test_code_and_app(world: World, party: Party, anna: str) -> None:
    """Both together sign in as `mfa`; the code of the step is used up with it. Who set up nothing is asked for nothing."""
    browser = world.browser()
    assert claims(world, party, world.sign_in(browser, party, ANNA))["acr"] == CODE
    text = set_up(world, anna).text
    browser = world.browser(address="198.51.100.7")
    page = at_factor(world, browser, party)
    assert "Code of the authenticator app" in words(page)
    assert "Recovery code" not in words(page)  # she has none
    page = browser.get(f"{base_of(page)}/totp")
    for typed, why in (("12a", "made of digits"), ("1234567", "too many"), (wrong_code(text), "This code is wrong")):
        refused = browser.submit(page, code=typed)
        assert (refused.status_code, cookies_set(refused)) == (422, {})
        assert why in words(refused)
        assert 'aria-invalid="true"' in refused.text
    assert "4 tries left" in words(refused)
    code = code_of(text)
    given = claims(world, party, browser.onward(browser.submit(page, code=code)))
    assert (given["acr"], given["amr"]) == (MFA, ["sms", "otp"])
    [due] = world.events("login.further_proof_due")
    assert "second_factor" in due.details["rules"]
    other = world.browser(address="192.0.2.7")
    page = other.get(f"{base_of(at_factor(world, other, party))}/totp")
    refused = other.submit(page, code=code)
    assert refused.status_code == 422
    assert "This code was used already" in words(refused)
    assert how_many(world, Session) == 2


def test_password_and_app(world: World, party: Party, anna: str) -> None:
    """No message has to go out at all: `mfa`. And a password that was replaced because it was forgotten opens no more than the former one:
    the app is asked for as before (case 92, ASVS 5.0 §6.4.3).
    """
    give(world, anna)
    text = set_up(world, anna).text
    browser = world.browser()
    page = enter(browser, party)
    assert where(page) == "further_proof"
    page = browser.get(f"{base_of(page)}/totp")
    given = claims(world, party, browser.onward(browser.submit(page, code=code_of(text))))
    assert (given["acr"], given["amr"]) == (MFA, ["pwd", "otp"])
    assert not any(message["code"] for message in world.inbox(ANNA))
    other = world.browser(address="198.51.100.7")
    page = other.get(f"{base_of(at_password(other, party))}/reset")
    page = other.onward(other.submit(page, login=MAIL))
    page = other.onward(other.submit(page, code=world.code_for(MAIL)))
    with clock.freeze(clock.now() + timedelta(seconds=60)):
        page = again(other, page, NEW)
        assert where(page) == "password"
        page = other.onward(other.submit(page, login=MAIL, password=NEW))
        assert where(page) == "further_proof"
        assert "Recovery code" not in words(page)
        page = other.get(f"{base_of(page)}/totp")
        assert claims(world, party, other.onward(other.submit(page, code=code_of(text))))["acr"] == MFA


def test_a_known_browser_is_not_asked(world: World, party: Party, anna: str) -> None:
    """It vouches as before; where the app wants `mfa`, only the app's code is asked for, and the session rises (RFC 9470)."""
    browser = known(world, party, ANNA)
    text = set_up(world, anna).text
    page = browser.authorize(party)
    answer = press(browser, page, next(iter(people_on(page))))
    assert claims(world, party, answer)["acr"] == "urn:idp:acr:remembered"
    step_up = browser.authorize(party, acr_values=MFA)
    while where(step_up) != "further_proof":  # a known browser's word is no proof: the number first
        step_up = (
            press(browser, step_up, next(iter(people_on(step_up))))
            if where(step_up) == "people"
            else browser.onward(browser.submit(step_up, code=right_code(world, step_up)))
        )
    page = browser.get(f"{base_of(step_up)}/totp")
    given = claims(world, party, browser.onward(browser.submit(page, code=code_of(text))))
    assert (given["acr"], given["amr"]) == (MFA, ["sms", "otp"])
    # A session that holds a fresh code lacks the app's code alone.
    fresh = world.browser(address="192.0.2.9")
    page = at_factor(world, fresh, party)
    page = fresh.get(f"{base_of(page)}/totp")
    with clock.freeze(clock.now() + timedelta(seconds=40)):
        assert claims(world, party, fresh.onward(fresh.submit(page, code=code_of(text))))["acr"] == MFA
        assert "code" in answer_of(fresh.authorize(party, acr_values=MFA, prompt="none"))


def test_nothing_is_skipped(world: World, party: Party, anna: str) -> None:
    """Case 60: before the number is proved, and for whoever has no factor, its pages lead back; another browser has no such sign-in."""
    browser, other = world.browser(), world.browser(address="198.51.100.7")
    text = set_up(world, anna).text
    page = at_code(world, browser, party, ANNA)
    for step in ("totp", "recovery_code", "recovery_code/left"):
        assert browser.get(f"{base_of(page)}/{step}").headers["Location"].endswith("/phone_code")
    answer = post(browser, page, "totp", code=code_of(text))
    assert (answer.status_code, cookies_set(answer)) == (303, {})
    page = browser.onward(browser.submit(page, code=right_code(world, page)))
    assert other.get(f"{base_of(page)}/totp").status_code == 410
    answer = post(browser, page, "recovery_code", code="0000-0000-0000")  # she has none: it is no way
    assert (answer.status_code, cookies_set(answer)) == (303, {})
    assert how_many(world, Session) == 0
    assert not world.events(totp.WRONG)


def test_five_guesses_however_many_at_once(world: World, party: Party, anna: str) -> None:
    """Case 53: at the sixth the page says so with 429, and offers the other ways; the right code wins nothing then."""
    text = set_up(world, anna).text
    make_codes(world, anna)
    browser = world.browser()
    page = browser.get(f"{base_of(at_factor(world, browser, party))}/totp")
    request = [browser.filled(page, code=wrong_code(text, nth + 1)) for nth in range(12)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(browser.send, request))
    assert sorted(answer.status_code for answer in answers) == [422] * 5 + [429] * 7
    assert len(world.events(totp.WRONG)) == 5
    refused = browser.submit(page, code=code_of(text))
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "Prove it another way" in words(refused)
    assert "/further_proof" in refused.text
    assert how_many(world, Session) == 0


def test_the_same_code_in_two_tabs(world: World, party: Party, anna: str) -> None:
    """Case 54: the right code twice at once gives one session, and the other tab arrives where that leads."""
    text = set_up(world, anna).text
    browser = world.browser()
    page = browser.get(f"{base_of(at_factor(world, browser, party))}/totp")
    requests = [browser.filled(page, code=code_of(text)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(browser.send, requests))
    assert sum("idp_session" in cookies_set(answer) for answer in answers) == 1
    assert {answer.headers.get("Location", "").partition("/req_")[0] for answer in answers} == {"/authorize"}
    assert how_many(world, Session) == 1


def test_a_recovery_code_instead(world: World, party: Party, anna: str) -> None:
    """However it is typed; it works once, the page says how many are left, the person is told, and then it goes on to the app."""
    set_up(world, anna)
    codes = make_codes(world, anna)
    browser = world.browser()
    page = browser.get(f"{base_of(at_factor(world, browser, party))}/recovery_code")
    refused = browser.submit(page, code="not a code")
    assert (refused.status_code, "not a code" in refused.text) == (422, True)
    refused = browser.submit(page, code="0000-0000-0000")
    assert "This is none of the codes" in words(refused)
    answer = browser.submit(page, code=codes[3].upper().replace("-", ""))
    assert "idp_session" in cookies_set(answer)
    told = browser.onward(answer)
    assert where(told) == "left"
    assert "Recovery codes left: 9 of 10" in words(told)
    onward = told.text.partition('<a class="button primary" href="')[2].partition('"')[0]
    given = claims(world, party, browser.go(onward))
    assert (given["acr"], given["amr"]) == (MFA, ["sms", "otp"])
    assert any("код" in message["text"] and "восстановления" in message["text"] for message in world.inbox(ANNA))
    other = world.browser(address="198.51.100.7")
    page = other.get(f"{base_of(at_factor(world, other, party))}/recovery_code")
    refused = other.submit(page, code=codes[3])
    assert (refused.status_code, cookies_set(refused)) == (422, {})
    assert [event.details["left"] for event in world.events(recovery_codes.USED)] == [9]


def test_removed_in_one_browser_while_it_is_entered_in_another(world: World, party: Party, anna: str) -> None:
    """One outcome, said clearly: the app is gone and not asked for any more, so the sign-in begins again, and the number opens the ID."""
    own, page = entered(world, "/account/authenticator/set_up")
    text = secret_on(page)
    assert own.submit(page, code=code_of(text, steps=-1)).status_code == 303
    browser = world.browser(address="198.51.100.7")
    page = browser.get(f"{base_of(at_factor(world, browser, party))}/totp")
    assert own.press(own.get("/account/authenticator"), "/remove").status_code == 303
    answer = browser.submit(page, code=code_of(text))
    assert (answer.status_code, cookies_set(answer)) == (410, {})
    assert "removed meanwhile" in words(answer)
    again = browser.onward(browser.get(base_of(page)))
    assert where(again) == "identify"
    page = browser.onward(browser.submit(again, phone=ANNA))
    assert "code" in answer_of(browser.onward(browser.submit(page, code=right_code(world, page))))


def test_own_pages_ask_for_the_app_before_it_changes(world: World, anna: str) -> None:
    """ASVS 5.0 §7.5.1, case 102: whoever has the session and the number cannot take the app off, put another in its place, or make
    recovery codes, until the app's own code was shown.
    """
    browser, _ = entered(world, "/account/security")
    text = set_up(world, anna).text
    with clock.freeze(clock.now() + timedelta(minutes=4)):
        assert browser.get("/account/authenticator/set_up").status_code == 200  # whoever has just set it up needs no code of it
    with clock.freeze(clock.now() + timedelta(minutes=6)):
        overview = browser.get("/account/authenticator")
        page = browser.onward(browser.press(overview, "/remove"))
        for _ in range(3):
            if where(page) == "people":
                page = press(browser, page, next(iter(people_on(page))))
            elif where(page) == "phone_code":
                page = browser.onward(browser.submit(page, code=right_code(world, page)))
        assert where(page) == "further_proof"
        with world.reads():
            assert totp.is_set_up(anna)
        page = browser.onward(browser.submit(browser.get(f"{base_of(page)}/totp"), code=code_of(text)))
        assert page.url.path == "/account/authenticator"
        assert browser.press(page, "/remove").headers["Location"] == "/account/authenticator"
        with world.reads():
            assert not totp.is_set_up(anna)
