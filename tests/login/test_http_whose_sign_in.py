"""A sign-in belongs to the browser that began it, and what a browser held before it says nothing after it: cases 7, 8 and 63."""

from __future__ import annotations

import re

import pytest

from idp.credentials.tables import Device
from idp.login.tables import Session
from tests.login.http_lab import ORLOV, base_of, claims, cookie, cookies_set, copy_cookies, dump, post, prove, right_code, signed_in
from tests.login.lab import ANNA, at_code, how_many, where
from tests.world import Browser, Party, World, answer_of, new_phone

STEPS = ("", "/people", "/identify", "/phone_code", "/register")
FORMS = ("/people", "/people/forget", "/identify", "/phone_code", "/phone_code/resend", "/register")


@pytest.mark.parametrize("is_fresh", [True, False], ids=["no cookies", "a sign-in of its own"])
def test_a_link_that_was_passed_on(world: World, party: Party, is_fresh: bool) -> None:
    """Cases 7, 8 and 63: in another browser each address of a sign-in is a dead end, and nothing of it moves."""
    owner, other = world.browser(), world.browser(address="198.51.100.9")
    page = at_code(world, owner, party, ANNA)
    fields = {"phone": ORLOV, "code": right_code(world, page), "name": "Eve", "terms": "1", "person": "dev_1", "channel": "sms"}
    if not is_fresh:
        fields["csrf_token"] = re.findall(r'name="csrf_token" value="([^"]+)"', other.authorize(party).text)[0]
    before = dump(world)
    for step in STEPS:
        refused = other.get(base_of(page) + step)
        assert refused.status_code == 410
        assert not cookies_set(refused)
        assert "35-01" not in refused.text
    for step in FORMS:
        refused = other.post(base_of(page) + step, data=fields)
        assert refused.status_code == 410
        assert not cookies_set(refused)
    assert dump(world) == before
    assert "code" in answer_of(owner.onward(owner.submit(page, code=fields["code"])))


def test_a_finished_link_signs_nobody_in(world: World, party: Party) -> None:
    """Case 7 (login CSRF, ASVS 7.6.2): the attacker finishes his own sign-in and has the victim open every address of it."""
    attacker, victim = world.browser(), world.browser(address="198.51.100.9")
    page = at_code(world, attacker, party, ORLOV)
    done = attacker.submit(page, code=right_code(world, page))
    resume = done.headers["Location"]
    assert resume.startswith("/authorize/")
    for address in (resume, *(base_of(page) + step for step in STEPS)):
        refused = victim.get(address)
        assert refused.status_code == 410
        assert "Location" not in refused.headers
        assert not cookies_set(refused)
    assert how_many(world, Session) == 1
    assert not signed_in(world, victim, party)
    assert "code" in answer_of(attacker.onward(done))


def test_waiting_for_the_victim(world: World, party: Party) -> None:
    """Case 8 (Keycloak CVE-2026-7507): an attacker who prepared the request gets nothing out of the victim's sign-in."""
    attacker, victim = world.browser(), world.browser(address="198.51.100.9")
    prepared = attacker.authorize(party)
    assert victim.get(base_of(prepared)).status_code == 410
    prove(world, victim, party, ANNA)
    assert where(attacker.go(base_of(prepared))) == "identify"
    assert not signed_in(world, attacker, party)


def test_planted_values(world: World, party: Party) -> None:
    """Case 8: what somebody planted in the session and browser cookies is replaced by the sign-in, and opens nothing afterwards."""
    attacker, victim = world.browser(), world.browser(address="198.51.100.9")
    hers = prove(world, attacker, party, ORLOV)
    copy_cookies(attacker, victim, "idp_session")
    mine = prove(world, victim, party, ANNA, prompt="login")
    assert mine["sub"] != hers["sub"]
    assert mine["sid"] != hers["sid"]
    assert cookie(victim, "idp_session") != cookie(attacker, "idp_session")
    assert not signed_in(world, attacker, party), "the planted session ended when somebody else signed in over it"
    assert world.events("session.ended")[-1].session_id == hers["sid"]
    for planted in ("A" * 43, "ses_1", "", "x" * 5000):
        fresh = world.browser(address="198.51.100.10")
        for name in ("idp_session", "idp_browser"):
            fresh.cookies.set(name, planted, domain="localhost.local")
        prove(world, fresh, party, ANNA)
        assert cookie(fresh, "idp_session") != planted


def test_every_proof_gives_new_values(world: World, party: Party) -> None:
    """Case 8, ASVS 7.2.4: each sign-in, by code or by a press, gives new secrets; those of before are dead, the session's id stays."""
    browser = world.browser()
    first = prove(world, browser, party, ANNA)
    former: list[Browser] = []
    for asked in ({"prompt": "login"}, {"prompt": "select_account"}):
        copied = world.browser()
        copy_cookies(browser, copied, "idp_session")
        former.append(copied)
        page = browser.authorize(party, **asked)
        person = re.findall(r'name="person" value="(dev_\w+)"', page.text)[0]
        page = browser.onward(browser.submit(page, person=person))
        again = claims(world, party, browser.onward(browser.submit(page, code=right_code(world, page))) if page.is_success else page)
        assert again["sid"] == first["sid"]
        assert cookie(browser, "idp_session") != cookie(copied, "idp_session")
    assert not any(signed_in(world, each, party) for each in former)
    assert signed_in(world, browser, party)


def test_two_sign_ins_in_one_browser(world: World, party: Party) -> None:
    """`product.md` §2.3: a code works only for the sign-in it was asked for, also when the other one is this browser's own."""
    browser, mine = world.browser(), new_phone(1)
    own = at_code(world, browser, party, mine)
    hers = at_code(world, browser, party, ANNA)
    if right_code(world, own) != right_code(world, hers):
        assert browser.submit(hers, code=right_code(world, own)).status_code == 422
        assert browser.submit(own, code=right_code(world, hers)).status_code == 422
    assert post(browser, hers, "register", name="Eve", terms="1").status_code == 303
    assert how_many(world, Session) == how_many(world, Device) == 0
