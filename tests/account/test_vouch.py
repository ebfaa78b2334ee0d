"""Two administrators vouch for a colleague who has lost their phone: `product.md` §6.3; threats: cases 70, 88, 97 and 118."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import sqlalchemy as sa

from idp import clock
from idp.credentials import recoveries, vouches
from idp.db.session import session as database
from idp.directory import employees, roles
from idp.directory.tables import Account, Employee, User
from idp.errors import Refusal
from tests.account.lab import ANNA, entered, prove
from tests.login.http_lab import known
from tests.login.recovering import WAIT, at_ways, begun_three_times, case_of, choose, look_what_is_due, person, step
from tests.world import Browser, World, new_phone

ORLOV, BELOVA, GAREEV, LAPTEV = "+79005553502", "+79005553503", "+79005553504", "+79005553508"


def asked(world: World, who: str = GAREEV) -> tuple[httpx2.Response, str]:
    """The page of somebody whom two are to vouch for, and the code on it."""
    browser = world.browser()
    page = choose(browser, at_ways(world, browser, world.party(), who, new_phone()), "vouched")
    assert step(page) == "state"
    code = re.search(r"\b[0-9a-z]{4}-[0-9a-z]{4}\b", page.text)
    assert code is not None
    return page, code[0]


def at_person(world: World, code: str, phone: str) -> tuple[Browser, httpx2.Response]:
    """An administrator who was read the code, on the page that says who it is."""
    browser, page = entered(world, "/account/vouch", phone=phone)
    page = browser.onward(browser.submit(page, code=code))
    return browser, page


def vouch(world: World, code: str, phone: str) -> httpx2.Response:
    """All of it."""
    browser, page = at_person(world, code, phone)
    assert page.status_code == 200, page.text
    return browser.submit(page, answer="vouch")


def id_of(world: World, phone: str) -> str:
    """Whose the number is."""
    with world.reads():
        return str(database.scalar(sa.select(User.id).where(User.phone == phone)))


def employee_of(world: World, phone: str) -> str:
    """Their job."""
    with world.reads():
        return str(
            database.scalar(sa.select(Employee.id).join(Account, Account.id == Employee.account_id).where(Account.user_id == id_of_(phone)))
        )


def id_of_(phone: str) -> str:
    """As `id_of`, in a unit that runs."""
    return str(database.scalar(sa.select(User.id).where(User.phone == phone)))


def test_two_of_one_company(world: World) -> None:
    """The owner counts; the code is typed as it is heard; after the second one the waiting time runs, and at its end the number changes."""
    with clock.freeze(clock.now()) as later:
        page, code = asked(world)
        case = case_of(world, page)
        browser, shown = at_person(world, f" {code.replace('-', ' ').upper().replace('0', 'O')} ", ORLOV)
        assert "Тимур Гареев" in shown.text
        assert "Ромашка" in shown.text
        done = browser.submit(shown, answer="vouch")
        assert "One more administrator" in done.text
        assert world.events(recoveries.BEGUN) == []
        assert "The waiting time has begun" in vouch(world, code, BELOVA).text
        world.deliver()
        events = world.events(vouches.EVENT)
        assert {event.actor_id for event in events} == {id_of(world, ORLOV), id_of(world, BELOVA)}
        assert {event.user_id for event in events} == {case.user_id}
        assert any("72" in message["text"] for message in world.inbox(GAREEV) if not message["code"])
        later(WAIT)
        look_what_is_due(world)
        assert person(world, case.user_id or "").phone == case.phone


def test_who_may_not(world: World) -> None:
    """Case 118: nobody twice, nobody for themselves, no administrator of another company, no colleague without the role: the same words as
    for a code that nobody was read.
    """
    _, code = asked(world)
    _, own = asked(world, ORLOV)
    _, nobodys = asked(world, new_phone())
    assert "One more administrator" in vouch(world, code, ORLOV).text
    again = vouch(world, code, ORLOV)
    assert again.status_code == 409
    assert "already" in again.text
    seen = []
    theirs = ((LAPTEV, code), (GAREEV, code), (ANNA, code), (ORLOV, own), (BELOVA, nobodys))
    for phone, typed in (*theirs, (BELOVA, "aaaa-aaaa"), (BELOVA, "")):
        browser, page = entered(world, "/account/vouch", phone=phone)
        answer = browser.submit(page, code=typed)
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text
        seen.append(re.search(r'id="code-error">.*?</p>', answer.text, re.DOTALL))
    assert len({found and found[0] for found in seen}) == 1
    assert world.events(recoveries.BEGUN) == []


def test_a_word_takes_a_fresh_proof(world: World) -> None:
    """ASVS 7.5.1: whoever found a signed-in browser vouches for nobody; and a ticket is its owner's."""
    with clock.freeze(clock.now()) as later:
        _, code = asked(world)
        browser, page = at_person(world, code, ORLOV)
        ticket = str(page.url)
        later(301)
        answer = browser.submit(page, answer="vouch")
        assert answer.status_code == 303
        assert "/login/flw_" in answer.headers["Location"]
        assert world.events(vouches.EVENT) == []
        page = prove(world, browser, browser.onward(answer), ORLOV)
        assert str(page.url) == ticket
        assert browser.submit(page, answer="vouch").status_code == 200
        stranger, _ = entered(world, phone=BELOVA)
        assert stranger.get(ticket).status_code == 410


def test_a_word_is_worth_what_its_giver_is(world: World) -> None:
    """Case 88: the role was lost before the second word, or before the end: their word counts no more."""
    with clock.freeze(clock.now()) as later:
        page, code = asked(world)
        job = employee_of(world, BELOVA)
        vouch(world, code, BELOVA)
        with world.writes():
            employees.change_roles(job, [roles.built_in("manager")])
        assert "One more administrator" in vouch(world, code, ORLOV).text
        with world.writes():
            employees.change_roles(job, [roles.built_in("administrator")])
            case = recoveries.find(case_of_(page))
            assert case is not None
            assert vouches.are_enough(case)
            recoveries.begin(case, recoveries.VOUCHED)
            employees.remove(job)
        later(WAIT)
        look_what_is_due(world)
        ended = case_of(world, page)
        assert (ended.state, ended.ended_reason) == (recoveries.CANCELLED, recoveries.LOST_VOUCH)
        assert person(world, ended.user_id or "").phone == GAREEV


def case_of_(page: httpx2.Response) -> str:
    """The id of the case of a page, in a unit that runs."""
    found = recoveries.of_flow(str(page.url).partition("/login/")[2].partition("/")[0])
    assert found is not None
    return found.id


def test_a_code_has_its_day(world: World) -> None:
    """After a day nobody can vouch any more, and the page says so."""
    with clock.freeze(clock.now()) as later:
        page, code = asked(world)
        vouch(world, code, ORLOV)
        later(timedelta(days=1))
        browser, _ = entered(world, "/account/vouch", phone=BELOVA)
        assert browser.submit(browser.get("/account/vouch"), code=code).status_code == 422
        assert not case_of(world, page).is_open


def test_two_words_that_came_too_soon(world: World) -> None:
    """Cases 97 and 118: the second word is given when three have begun that day already. It stays, and begins the next day."""
    with clock.freeze(clock.now()) as later:
        party = world.party()
        begun_three_times(world, known(world, party, GAREEV), party, GAREEV)
        later(7200)
        page, code = asked(world)
        assert "One more administrator" in vouch(world, code, ORLOV).text
        refused = vouch(world, code, BELOVA)
        assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
        later(60)
        assert vouch(world, code, ORLOV).status_code == 429
        assert not case_of(world, page).is_waiting
        later(86400 - 7259)
        assert "The waiting time has begun" in vouch(world, code, ORLOV).text
        assert case_of(world, page).is_waiting
        assert len(world.events(vouches.EVENT)) == 2


def test_guessing_codes(world: World) -> None:
    """Ten tries an hour, of one person."""
    browser, page = entered(world, "/account/vouch", phone=ORLOV)
    answers = [browser.submit(page, code=f"aaaa-{number:04}").status_code for number in range(11)]
    assert answers == [422] * 10 + [429]


def test_two_words_at_once(world: World) -> None:
    """R5: both count, it begins once; the same one twice at once counts once."""
    page, _ = asked(world)
    case = case_of(world, page)

    def say(phone: str) -> bool:
        try:
            with world.writes():
                return vouches.vouch(case, id_of_(phone))
        except Refusal:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(say, [ORLOV, BELOVA, ORLOV, BELOVA])) == 1
    assert len(world.events(vouches.EVENT)) == 2
    assert len(world.events(recoveries.BEGUN)) == 1


def test_the_way_there_is_the_administrators(world: World) -> None:
    """Whoever administers nothing sees no section of it."""
    assert "/account/vouch" in entered(world, "/account/security", phone=ORLOV)[1].text
    assert "/account/vouch" not in entered(world, "/account/security", phone=GAREEV)[1].text
