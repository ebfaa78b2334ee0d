"""Signing in, many at once: guesses, first sign-ins, known browsers, consents, against four worker processes.

On SQLite and PostgreSQL; promises R3 and R5 of the threats, cases 53, 54, 71, 77 and 79.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials import one_time_code
from idp.credentials.tables import Browser, Device, PhoneCode
from idp.db.session import session
from idp.delegation.tables import Code, Consent
from idp.directory import users
from idp.directory.tables import Account, User
from idp.login.tables import Session
from tests.conftest import Told
from tests.faults.guessing import GUESSES, asked, code_of, five_are_judged, judged, wrong
from tests.faults.race import at_once, statuses
from tests.faults.served import Served, Visitor, served
from tests.machine import count
from tests.world import Party, answer_of, new_phone

RUNS = count(5, 50)


@pytest.fixture(scope="module")
def provider(told_on_both: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """As elsewhere, but a code may be sent again at once, and by every channel."""
    login = {"code_pauses": [0, 0, 0], "silent_after": 0}
    messages = {"ladder": {"default": ["sms", "flash_call", "voice", "email"]}}
    with served(told_on_both, tmp_path_factory.mktemp("served"), login=login, messages=messages) as running:
        yield running


@pytest.fixture(scope="module")
def party(provider: Served) -> Party:
    """A relying party with a secret."""
    return provider.party()


def test_five_of_a_hundred_guesses_are_judged(provider: Served, party: Party) -> None:
    """Case 53, R3: exactly five of a hundred guesses at once are looked at, the counter says five, and then the right code wins nothing."""
    for _ in range(count(5, 200)):
        five_are_judged(provider, provider.browser(), party)


def test_no_way_round_gives_a_guess(provider: Served, party: Party) -> None:
    """Case 53, R3: three guesses, then the number is changed and changed back, and the code is asked for by two channels in two tabs while
    many more guesses arrive: five are judged over all of it.
    """
    for _ in range(RUNS):
        browser, phone, other = provider.browser(), new_phone(), new_phone()
        page, flow, right = asked(provider, browser, party, phone)
        identify = str(page.url).replace("/phone_code", "/identify")
        (code_id,) = (row[0] for row in provider.rows(sa.select(PhoneCode.id).where(PhoneCode.flow_id == flow)))
        at_once([browser.filled(page, code=wrong(right)) for _ in range(3)])
        for number in (other, phone):
            page = browser.onward(browser.submit(browser.get(identify), phone=number))
        channels = [browser.filled(page, channel=channel) for channel in ("flash_call", "voice") * 2]
        # A number that is changed and restored now would find the code spent, and ask for a new one: that is a new sending, and counted.
        guesses = [browser.filled(page, code=wrong(right)) for _ in range(count(30, 100))]
        requests = [*channels, *guesses]
        random.shuffle(requests)
        answers = at_once(requests)
        assert set(statuses(answers)) <= {303, 422}
        found = provider.rows(sa.select(PhoneCode.tries, PhoneCode.used_at).where(PhoneCode.id == code_id))
        assert found == [(5, None)]
        assert judged(provider, code_id) == 5


def test_the_right_code_among_a_hundred_guesses(provider: Served, party: Party, story_phone: str) -> None:
    """Case 53: with the right code hidden among the guesses, it wins only when it is among the five that were judged, and wins once."""
    for _ in range(RUNS):
        browser = provider.browser()
        page, flow, right = asked(provider, browser, party, story_phone)
        guesses = [*[wrong(right) for _ in range(GUESSES - 10)], *[right] * 10]
        random.shuffle(guesses)
        answers = at_once([browser.filled(page, code=guess) for guess in guesses])
        won = [answer for answer in answers if answer.cookie("idp_session")]
        code = code_of(provider, flow)
        assert len(won) == (code.used_at is not None)
        assert code.tries <= 5
        assert judged(provider, code.id) + len(won) <= code.tries


@pytest.fixture(scope="module")
def story_phone() -> str:
    """Somebody who has an ID."""
    return "+79005553509"


def test_the_right_code_twice_gives_one_session(provider: Served, party: Party, story_phone: str) -> None:
    """Case 54: the same right code, sent several times in one instant, signs in once; case 79: and one browser is trusted."""
    for times in [2] * RUNS + [5]:
        browser = provider.browser()
        page, flow, right = asked(provider, browser, party, story_phone)
        before = provider.rows(sa.select(sa.func.count()).select_from(Session))
        answers = at_once([browser.filled(page, code=right, remember="on")] * times)
        assert statuses(answers) == {303: times}
        (won,) = (answer for answer in answers if answer.cookie("idp_session"))
        assert provider.rows(sa.select(sa.func.count()).select_from(Session)) == [(before[0][0] + 1,)]
        assert sum(event.details.get("flow") == flow for event in provider.events("login.succeeded")) == 1
        browser_id = won.cookie("idp_browser").partition(".")[0]
        assert provider.rows(sa.select(sa.func.count()).where(Device.browser_id == browser_id)) == [(1,)]


def test_two_first_sign_ins_of_one_number_make_one_person(provider: Served, party: Party) -> None:
    """Case 71, R5: a new number, proved in several browsers, registered in one instant: one user, one personal account, one event."""
    for _ in range(RUNS):
        phone = new_phone()
        requests = []
        for _ in range(4):
            browser = provider.browser()
            page, _, right = asked(provider, browser, party, phone)
            form = browser.onward(browser.submit(page, code=right))
            requests.append(browser.filled(form, name="Новый Человек", terms="on"))
        answers = at_once(requests)
        assert statuses(answers) == {303: 4}
        assert all(answer.cookie("idp_session") for answer in answers)
        ((user_id,),) = provider.rows(sa.select(User.id).where(User.phone == phone))
        assert provider.rows(sa.select(Account.kind).where(Account.user_id == user_id)) == [("personal",)]
        assert sum(event.user_id == user_id for event in provider.events("user.registered")) == 1
        assert provider.rows(sa.select(sa.func.count()).select_from(Session).where(Session.user_id == user_id)) == [(4,)]


def _silent(provider: Served) -> tuple[str, str]:
    """Number and id of somebody of whom nothing was heard for a year."""
    phone, ago = new_phone(), clock.now() - timedelta(days=365)
    with provider.writes():
        user_id = users.register(phone, "Ева Ким", "ru", "1").id
        session.execute(sa.update(User).where(User.id == user_id).values(created_at=ago, phone_verified_at=ago))
    return phone, user_id


def test_two_who_begin_anew_with_one_number_are_one_person(provider: Served, party: Party) -> None:
    """R5, case 71: a number that changed hands, a fresh ID begun in several tabs and browsers in one instant: one ID, one number moved."""
    for _ in range(RUNS):
        phone, former = _silent(provider)
        requests = []
        for _ in range(3):
            browser = provider.browser()
            page, _, right = asked(provider, browser, party, phone)
            form = browser.onward(browser.submit(browser.onward(browser.submit(page, code=right)), answer="anew"))
            requests += [browser.filled(form, name="Новый Человек", terms="on")] * 2
        answers = at_once(requests)
        assert statuses(answers) == {303: 6}
        ((user_id,),) = provider.rows(sa.select(User.id).where(User.phone == phone))
        assert user_id != former
        assert provider.rows(sa.select(User.phone).where(User.id == former)) == [(None,)]
        assert sum(event.user_id == former for event in provider.events("user.phone_given_up")) == 1
        assert sum(event.user_id == user_id for event in provider.events("user.registered")) == 1
        owners = {row[0] for row in provider.rows(sa.select(Session.user_id).where(Session.user_id.in_([former, user_id])))}
        assert owners == {user_id}, "nobody came in as the former one"


def test_many_right_codes_to_a_silent_number_open_nothing(provider: Served, party: Party) -> None:
    """Case 54: the same right code several times at once, in each of several browsers: each is asked for more, none has a session."""
    phone, former = _silent(provider)
    requests = []
    for _ in range(3):
        browser = provider.browser()
        page, _, right = asked(provider, browser, party, phone)
        requests += [browser.filled(page, code=right)] * 3
    answers = at_once(requests)
    assert statuses(answers) == {303: 9}
    assert not any(answer.cookie("idp_session") for answer in answers)
    assert provider.rows(sa.select(sa.func.count()).select_from(Session).where(Session.user_id == former)) == [(0,)]


def test_tabs_that_rotate_one_cookie_are_no_theft(provider: Served, party: Party, story_phone: str) -> None:
    """Case 77: tabs of one known browser press the name in one instant: all are in, with the same new cookie, and nobody is expelled."""
    browser = provider.browser()
    page, _, right = asked(provider, browser, party, story_phone)
    answer_of(browser.onward(browser.submit(page, code=right, remember="on")))
    browser_id = str(browser.cookies["idp_browser"]).partition(".")[0]
    for run in range(RUNS):
        if run % 2 == 0:  # else the session is there as well, and each tab gives it a new secret
            del browser.cookies["idp_session"]
        pages = [browser.authorize(party, prompt="select_account") for _ in range(6)]
        answers = at_once([browser.pressed(page, "/people") for page in pages])
        assert statuses(answers) == {303: 6}
        (cookie,) = {answer.cookie("idp_browser") for answer in answers}
        ((counter, ended),) = provider.rows(sa.select(Browser.counter, Browser.ended_at).where(Browser.id == browser_id))
        assert (cookie.split(".")[:2], ended) == ([browser_id, str(counter)], None)
        for answer in answers:  # whichever the browser kept at last
            visitor = provider.browser()
            visitor.cookies["idp_session"] = answer.cookie("idp_session")
            assert "code" in answer_of(visitor.authorize(party, prompt="none"))
        browser.cookies.set("idp_browser", cookie, domain="localhost.local")
        browser.cookies.set("idp_session", answers[-1].cookie("idp_session"), domain="localhost.local")
    assert not any(event.details.get("browser") == browser_id for event in provider.events("browser.stolen"))


def test_a_code_and_a_press_in_two_tabs(provider: Served, party: Party, story_phone: str) -> None:
    """Case 77: in one tab the name is pressed, in the other the code is entered and the browser trusted again, in one instant."""
    browser = provider.browser()
    page, _, right = asked(provider, browser, party, story_phone)
    answer_of(browser.onward(browser.submit(page, code=right, remember="on")))
    for _ in range(RUNS * 2):
        del browser.cookies["idp_session"]
        people = browser.authorize(party, prompt="select_account")
        page, _, right = _by_code(provider, browser, party, story_phone)
        answers = at_once([browser.pressed(people, "/people"), browser.filled(page, code=right, remember="on")])
        assert statuses(answers) == {303: 2}
        assert answers[0].cookie("idp_browser") == answers[1].cookie("idp_browser") != ""
        browser.cookies.set("idp_browser", answers[0].cookie("idp_browser"), domain="localhost.local")
        browser.cookies.set("idp_session", answers[0].cookie("idp_session"), domain="localhost.local")


def _by_code(provider: Served, browser: Visitor, party: Party, phone: str) -> tuple[httpx2.Response, str, str]:
    """As `_asked`, past the page of people."""
    people = browser.authorize(party, prompt="select_account")
    identify = browser.get(f"{str(people.url).removesuffix('/people')}/identify")
    page = browser.onward(browser.submit(identify, phone=phone))
    return page, str(page.url).split("/")[4], provider.code_for(phone)


def test_the_right_code_while_it_is_sent_again(provider: Served, party: Party, story_phone: str) -> None:
    """R3: the code is entered and its sending again is pressed in one instant: neither waits for the other until both are given up."""
    for _ in range(RUNS * 2):
        browser = provider.browser()
        page, _, _ = asked(provider, browser, party, story_phone)
        right = _newest(provider, page)  # the inbox may hear of the former one, sent again, after this one
        answers = at_once([browser.filled(page, code=right), browser.pressed(page, "/resend")])
        assert answers[0].cookie("idp_session")
        assert statuses(answers) == {303: 2}


def test_tabs_that_prove_anew_all_hold_a_session(provider: Served, party: Party, story_phone: str) -> None:
    """Case 54: a session is proved anew in three tabs of a browser that is not remembered, in one instant: whichever answer comes last, its
    cookie is good."""
    browser = provider.browser()
    page, _, right = asked(provider, browser, party, story_phone)
    answer_of(browser.onward(browser.send(_unticked(browser.filled(page, code=right)))))
    for _ in range(RUNS):
        tabs = []
        for _ in range(3):
            page = browser.authorize(party, prompt="login")
            if page.url.path.endswith("/people"):
                page = browser.onward(browser.send(browser.pressed(page, "/people")))
            tabs.append((page, _newest(provider, page)))
        answers = at_once([_unticked(browser.filled(page, code=code)) for page, code in tabs])
        assert statuses(answers) == {303: 3}
        for answer in answers:
            visitor = provider.browser()
            visitor.cookies["idp_session"] = answer.cookie("idp_session")
            assert "code" in answer_of(visitor.authorize(party, prompt="none"))
        browser.cookies.set("idp_session", answers[-1].cookie("idp_session"), domain="localhost.local")


def _newest(provider: Served, page: httpx2.Response) -> str:
    flow = str(page.url).split("/")[4]
    return one_time_code.derive_code(code_of(provider, flow).id)


def _unticked(request: httpx2.Request) -> httpx2.Request:
    """Without `remember`."""
    kept = [part for part in request.read().decode().split("&") if not part.startswith("remember=")]
    body = "&".join(kept).encode()
    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
    return httpx2.Request(request.method, request.url, headers=headers, content=body)


def test_a_consent_pressed_twice(provider: Served, party: Party, story_phone: str) -> None:
    """R5: Allow, pressed in two tabs that ask for different things, and twice in each: one grant that holds all, one code for each."""
    for _ in range(RUNS):
        stranger = provider.party(first_party=False, account_types=["personal"])
        browser = provider.browser()
        answer_of(provider.sign_in(browser, party, story_phone))
        pages = [browser.authorize(stranger, scope=scope) for scope in ("openid profile", "openid email phone")]
        assert [page.url.path.endswith("/consent") for page in pages] == [True, True]
        answers = at_once([browser.filled(page, answer="allow") for page in pages * 2])
        assert statuses(answers) == {303: 4}
        ((scopes,),) = provider.rows(sa.select(Consent.scopes).where(Consent.client_id == stranger.client.id))
        assert set(scopes) == {"openid", "profile", "email", "phone"}
        back = at_once([browser.build_request("GET", str(page.url).removesuffix("/consent")) for page in pages * 3])
        assert statuses(back) == {303: 2, 410: 4}
        assert provider.rows(sa.select(sa.func.count()).where(Code.client_id == stranger.client.id)) == [(2,)]
