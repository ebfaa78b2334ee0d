"""A lost phone, proved by an e-mail code and a recovery code: `product.md` §6.3; threats G 97, cases 60, 98 and 128; ASVS 5.0 §6.4.3."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from idp import clock
from idp.credentials import password_hashing, recoveries
from idp.directory import users
from tests.login.http_lab import (
    copy_cookies,
    known,
)
from tests.login.recovering import (
    at_ways,
    begun_three_times,
    case_of,
    choose,
    named,
    step,
    with_recovery_codes,
)
from tests.login.test_http_recover import id_of, id_of_
from tests.world import Party, World, new_phone

ZIMIN, MAIL = "+79005553510", "zimin@post.example"


class TestByEmail:
    """An e-mail code and a recovery code."""

    def test_both(self, world: World, party: Party) -> None:
        """First the mail, then a recovery code that is used up; ASVS 6.4.3: one of them alone begins nothing."""
        user_id = id_of(world, ZIMIN)
        codes = with_recovery_codes(world, user_id)
        browser = world.browser()
        page = choose(browser, at_ways(world, browser, party, "  ZIMIN@post.example ", new_phone()), "email")
        assert step(page) == "email"
        assert browser.submit(page, code="000000").status_code in {422}
        page = browser.onward(browser.submit(page, code=world.code_for(MAIL)))
        assert "recovery code" in page.text
        assert world.events(recoveries.BEGUN) == []
        assert browser.submit(page, code="aaaa-bbbb-cccc").status_code == 422
        assert browser.submit(page, code="123456").status_code == 422
        page = browser.onward(browser.submit(page, code=codes[3].upper()))
        assert step(page) == "state"
        assert case_of(world, page).way == recoveries.EMAIL
        assert "idp_session" not in {each.name for each in browser.cookies.jar}
        with world.writes():
            assert recoveries.cancel(case_of(world, page).id, recoveries.SUPPORT)
        page = choose(browser, at_ways(world, browser, party, ZIMIN, new_phone()), "email")
        page = browser.onward(browser.submit(page, code=world.code_for(MAIL)))
        assert browser.submit(page, code=codes[3]).status_code == 422  # each works once

    def test_a_refusal_uses_no_code_up(self, world: World, party: Party) -> None:
        """Case 97: three a day have begun, and the fourth is refused before its code is used up: tomorrow it begins with the same one."""
        with clock.freeze(clock.now()) as later:
            user_id = id_of(world, ZIMIN)
            codes, known_here, browser = with_recovery_codes(world, user_id), known(world, party, ZIMIN), world.browser()
            begun_three_times(world, known_here, party, ZIMIN)
            page = choose(browser, at_ways(world, browser, party, ZIMIN, new_phone()), "email")
            page = browser.onward(browser.submit(page, code=world.code_for(MAIL)))
            refused = browser.submit(page, code=codes[0])
            assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
            assert world.events("recovery_code.used") == []
            later(86401)
            page = choose(browser, at_ways(world, browser, party, ZIMIN, new_phone()), "email")
            page = browser.onward(browser.submit(page, code=world.code_for(MAIL)))
            assert step(browser.onward(browser.submit(page, code=codes[0]))) == "state"

    def test_where_very_many_hash(self, world: World, party: Party) -> None:
        """Case 128: a recovery code is as slow as a password, so it waits in the same line; when that is full nothing is counted."""
        codes, browser = with_recovery_codes(world, id_of(world, ZIMIN)), world.browser()
        page = choose(browser, at_ways(world, browser, party, ZIMIN, new_phone()), "email")
        page = browser.onward(browser.submit(page, code=world.code_for(MAIL)))
        with ExitStack() as line:
            for _ in range(max(password_hashing.at_once(), world.settings.server.threads)):
                line.enter_context(password_hashing.place())
            for _ in range(12):  # more than there are guesses
                refused = browser.submit(page, code=codes[0])
                assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
                assert codes[0] in refused.text
        assert step(browser.onward(browser.submit(page, code=codes[0]))) == "state"

    def test_one_id_is_not_proved_by_the_codes_of_another(self, world: World, party: Party) -> None:
        """Cases 60 and 97: while the own recovery code is hashed, another tab of the same sign-in names somebody else's ID."""
        codes, browser, new = with_recovery_codes(world, id_of(world, ZIMIN)), world.browser(), new_phone()
        page = choose(browser, at_ways(world, browser, party, ZIMIN, new), "email")
        page = browser.onward(browser.submit(page, code=world.code_for(MAIL)))
        tab, hashing = world.browser(), password_hashing._hashing()
        copy_cookies(browser, tab)
        with ThreadPoolExecutor(1) as pool:
            with ExitStack() as line:
                for _ in range(password_hashing.at_once()):
                    line.enter_context(hashing)
                answer = pool.submit(browser.submit, page, code=codes[0])
                while not password_hashing._pool.inside:
                    time.sleep(0.01)
                time.sleep(0.3)  # the guess is counted meanwhile
                assert step(named(tab, page, "+79005553507", new)) == "ways"
            assert step(browser.onward(answer.result())) == "ways"
        assert case_of(world, page).user_id == id_of(world, "+79005553507")
        assert world.events(recoveries.BEGUN) == []
        assert world.events("recovery_code.used") == []

    def test_without_recovery_codes(self, world: World, party: Party) -> None:
        """Told to who reads the e-mail, and to nobody else."""
        browser = world.browser()
        page = choose(browser, at_ways(world, browser, party, ZIMIN, new_phone()), "email")
        assert "recovery codes" not in page.text
        page = browser.onward(browser.submit(page, code=world.code_for(MAIL)))
        assert "has no recovery codes" in browser.submit(page, code="aaaa-bbbb-cccc").text

    def test_an_address_that_was_given_up_meanwhile(self, world: World, party: Party) -> None:
        """Case 98: the mail went to the stored address; once that is another one, its code proves nothing."""
        browser = world.browser()
        page = choose(browser, at_ways(world, browser, party, ZIMIN, new_phone()), "email")
        code = world.code_for(MAIL)
        with world.writes():
            users.confirm_email(id_of_(ZIMIN), "other@post.example")
        page = browser.onward(browser.submit(page, code=code))
        assert case_of(world, page).email_proved_at is None
