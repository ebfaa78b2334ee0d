"""The further proof, where something changes while it is under way, and where a known browser's word has grown too old to spare it.

`product.md` §6.4, case 58 (what is judged stands in the server's rows, as they are now), case 73.
"""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from idp.directory import users
from idp.login.tables import Session
from tests.conftest import Told
from tests.login.http_lab import base_of, claims, cookies_set, drop_cookies, people_on, provider
from tests.login.lab import ANNA, at_code, how_many, where
from tests.login.test_http_recycled import MAIL, SILENCE, ZIMIN, at_question, begin_anew, by_email, id_of
from tests.world import Party, World, answer_of


def test_another_address_meanwhile(world: World, party: Party) -> None:
    """The address of the ID is another one since the code went out: whoever reads the former one has proved nothing any more."""
    with clock.freeze(clock.now()) as later:
        later(SILENCE)
        browser = world.browser()
        page = browser.onward(browser.submit(at_question(world, browser, party, ZIMIN), answer="email"))
        code = world.code_for(MAIL)
        later(10)
        with world.writes():
            users.confirm_email(id_of(world, ZIMIN), "new@post.example")
        answer = browser.submit(page, code=code)
        assert "idp_session" not in cookies_set(answer)
        page = browser.onward(answer)
        assert where(page) == "further_proof"
        assert how_many(world, Session) == 0
        assert "code" in answer_of(by_email(world, browser, page, "new@post.example"))


def test_the_number_moved_meanwhile(world: World, party: Party) -> None:
    """In another browser the number has begun a fresh ID: the former one is not asked about here any more, and its e-mail opens nothing."""
    with clock.freeze(clock.now()) as later:
        later(SILENCE)
        one, other = world.browser(), world.browser(address="198.51.100.7")
        question = at_question(world, one, party, ZIMIN)
        later(60)
        page = one.onward(one.submit(question, answer="email"))
        code = world.code_for(MAIL)
        later(60)
        fresh = claims(world, party, other.onward(begin_anew(other, at_question(world, other, party, ZIMIN))))["sub"]
        sessions = how_many(world, Session)
        for answer in (
            one.submit(page, code=code),
            one.submit(question, answer="anew"),
            one.submit(question, answer="email"),
            one.get(f"{base_of(page)}/further_proof"),
        ):
            assert answer.status_code == 410
            assert not cookies_set(answer)
        assert how_many(world, Session) == sessions
        assert id_of(world, ZIMIN) == fresh


def test_a_browser_whose_word_is_too_old(told: Told) -> None:
    """Case 73: a browser vouches for an administrator for a week; after that a code alone is not enough there either."""
    with provider(told, login={"administrators_second_proof": True}) as world, clock.freeze(clock.now()) as later:
        party, browser, mail = world.party(), world.browser(), "anna@post.example"
        page = at_code(world, browser, party, ANNA)
        page = browser.onward(browser.submit(page, code=world.code_for(ANNA), remember="1"))
        answer_of(by_email(world, browser, page, mail))
        for waited, due in ((timedelta(days=6), ""), (timedelta(days=8), "further_proof")):
            later(waited)
            drop_cookies(browser, "idp_session")
            page = browser.authorize(party, prompt="login")
            page = browser.onward(browser.submit(page, person=next(iter(people_on(page).values()))))
            answer = browser.onward(browser.submit(page, code=world.code_for(ANNA), remember="1"))
            assert (where(answer) if answer.status_code == 200 else "") == due
        assert world.events("login.further_proof_due")[-1].details["trust"] == "new"
