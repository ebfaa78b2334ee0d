"""The code of a sign-in may go by e-mail as well; whoever reads that has not shown that the number is theirs. Case 58, `product.md` §6.4.

So it opens an ID that nothing more is asked of, and never one whose number is doubted, nor makes an ID with somebody's number.
"""

from __future__ import annotations

import pytest

from idp import clock
from idp.directory import numbers, users
from idp.login.tables import Session
from tests.conftest import Told
from tests.login.http_lab import ORLOV, base_of, cookies_set, known, post, provider, right_code, text_of
from tests.login.http_lab import claims as told_of
from tests.login.lab import at_code, how_many, where
from tests.login.test_http_recycled import MAIL, SILENCE, ZIMIN, at_question, id_of, person
from tests.world import Party, World, new_phone


@pytest.mark.parametrize("rule", ["silent_number", "administrator_second_proof"])
def test_the_number_first(told: Told, rule: str) -> None:
    """Where more than the number is asked, the number has to be among it: no session, no question, no fresh ID, no doubt; and the
    sign-in goes on by a text message alone.
    """
    silent = rule == "silent_number"
    with provider(told, login={"administrators_second_proof": not silent}) as world, clock.freeze(clock.now()) as later:
        party, phone = world.party(), ZIMIN if silent else "+79005553501"
        mail, user_id = MAIL if silent else "anna@post.example", id_of(world, phone)
        later(SILENCE if silent else 60)
        browser = world.browser()
        page = at_code(world, browser, party, phone)
        later(30)
        page = browser.onward(browser.submit(browser.get(str(page.url)), channel="sms"))
        later(60)
        page = browser.onward(browser.submit(browser.get(str(page.url)), channel="email"))
        refused = browser.submit(page, code=world.code_for(mail), remember="1")
        assert refused.status_code == 403
        assert "A code by e-mail alone does not open this ID" in text_of(refused)
        assert f"{base_of(page)}/help?about=number" in refused.text
        assert not cookies_set(refused)
        assert world.events("login.refused")[-1].details["reason"] == "number_first"
        for step in ("further_proof", "email_code", "register", "phone_code"):
            there = browser.onward(post(browser, page, step, answer="anew", name="Чужой", terms="1", code="000000"))
            assert where(there) == "identify"
        assert (how_many(world, Session), person(world, user_id).phone, person(world, user_id).phone_doubted_at) == (0, phone, None)
        assert not world.events("login.further_proof_due")
        later(60)
        page = browser.onward(browser.submit(browser.get(f"{base_of(page)}/identify"), phone=phone))
        page = browser.onward(browser.submit(page, code=world.code_for(phone)))
        assert where(page) == "further_proof"
        assert world.events("login.further_proof_due")[-1].details["rules"] == ["nobody_known", rule]


def test_the_number_is_somebody_elses_by_now(world: World, party: Party) -> None:
    """The ID gave its number up while the code was under way: read from the e-mail, it makes nobody an ID with that number."""
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        page = at_code(world, browser, party, ZIMIN)
        for channel, pause in (("sms", 30), ("email", 60)):
            later(pause)
            page = browser.onward(browser.submit(browser.get(str(page.url)), channel=channel))
        code, user_id = world.code_for(MAIL), id_of(world, ZIMIN)
        with world.writes():
            assert numbers.doubt(user_id, ZIMIN)
            assert numbers.give_up(user_id, ZIMIN)
        assert browser.submit(page, code=code).status_code == 422
        assert where(browser.onward(post(browser, page, "register", name="Чужой", terms="1"))) == "phone_code"
        with world.reads():
            assert users.find_by_phone(ZIMIN) is None


def test_another_number_and_back(world: World, party: Party) -> None:
    """Case 58: the code of the e-mail proves no number; whoever changes the number and changes it back gets a text message again."""
    with clock.freeze(clock.now()) as later:
        later(SILENCE)
        browser = world.browser()
        page = at_question(world, browser, party, ZIMIN)
        later(1)
        page = browser.onward(browser.submit(page, answer="email"))
        by_mail = world.code_for(MAIL)
        for phone in (new_phone(77), ZIMIN):
            later(1)
            page = browser.onward(browser.submit(browser.get(f"{base_of(page)}/identify"), phone=phone))
        assert where(page) == "phone_code"
        assert "the text message" in text_of(page)
        assert [event.details["purpose"] for event in world.events("code.sent")] == ["sign_in", "further_proof", "sign_in", "sign_in"]
        to_phone = world.code_for(ZIMIN)
        if by_mail != to_phone:
            assert browser.submit(page, code=by_mail).status_code == 422
        assert where(browser.onward(browser.submit(page, code=to_phone))) == "further_proof"
        assert how_many(world, Session) == 0


def test_a_known_browser_and_the_mail(world: World, party: Party) -> None:
    """A number that changed hands: the owner comes in by the e-mail, in the browser that knows them. Nobody showed the phone, so the doubt
    stays, and its new holder does not come in by a text message; a text message to the known browser ends it.
    """
    with clock.freeze(clock.now()) as later:
        user_id, phone = id_of(world, ORLOV), ORLOV
        with world.writes():
            users.confirm_email(user_id, "orlov@post.example")
        mine = known(world, party, phone)
        with world.writes():
            assert numbers.doubt(user_id, phone)
        later(3600)
        page = mine.authorize(party, prompt="login")
        page = mine.onward(mine.submit(mine.get(f"{base_of(page)}/identify"), phone=phone))
        for channel, pause in (("sms", 30), ("email", 60)):
            later(pause)
            page = mine.onward(mine.submit(mine.get(str(page.url)), channel=channel))
        entered = told_of(world, party, mine.onward(mine.submit(page, code=world.code_for("orlov@post.example"))))
        assert (entered["sub"], entered["amr"]) == (user_id, ["otp"])
        assert person(world, user_id).phone_doubted_at is not None
        assert not world.events("user.phone_believed")
        later(3600)
        at_question(world, world.browser(address="198.51.100.9"), party, phone)
        later(3600)
        page = mine.authorize(party, prompt="login")
        page = mine.onward(mine.submit(mine.get(f"{base_of(page)}/identify"), phone=phone))
        assert told_of(world, party, mine.onward(mine.submit(page, code=right_code(world, page))))["amr"] == ["sms"]
        assert person(world, user_id).phone_doubted_at is None
