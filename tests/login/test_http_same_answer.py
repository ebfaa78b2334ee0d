"""Nothing before the code tells whether a number is known: the same answers, and the same work for them. Case 70, goal G-7."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from idp import clock
from idp.cli.demo_story import Story
from idp.directory import accounts, invitations, roles, users
from tests.login.http_lab import guess_wrong, known, post, statements
from tests.login.lab import ANNA, at_code, where
from tests.world import Browser, Party, World, answer_of

UNKNOWN, BLOCKED, INVITED, ELSEWHERE, TWICE = "+79015553501", "+79025553501", "+79035553501", "+79005553502", "+79045553501"
NUMBERS = (UNKNOWN, ANNA, BLOCKED, INVITED, ELSEWHERE, TWICE)
MADE_UP = re.compile(r"flw_\w+|req_\w+|nonce-[\w-]+|nonce=\"[^\"]+\"|value=\"[\w-]{43}\"|idp_login=[\w-]{43}|-35-0[12]<")

CACHED = re.compile("FROM clients|FROM client_secrets|PRAGMA")  # looked at now and then, whoever comes


@dataclass(frozen=True)
class Seen:
    """What an outsider sees of an answer, without what is random in each; and the work that was done for it."""

    status: int
    headers: list[tuple[str, str]]
    cookies: list[int]
    length: int
    body: str
    work: list[str]


@pytest.fixture
def prepared(world: World, party: Party, story: Story) -> Iterator[World]:
    """A blocked person, an invited one, one who is known in another browser, one whose number had wrong codes; all at one instant."""
    with world.writes():
        users.block(users.register(BLOCKED, "Blocked", "ru", "1").id, "fraud")
        owner = next(person for person in story.people if person.phone == ELSEWHERE)
        company = story.companies["romashka"]
        inviter = next(s for s in accounts.candidates(owner.user_id, {"employee"}) if s.company_id == company)
        invitations.create(company, roles.built_in("accountant"), inviter=inviter, phone=INVITED, name="Инна")
    known(world, party, ELSEWHERE, address="198.51.100.1")
    with clock.freeze(clock.now()):
        browser = world.browser(address="198.51.100.2")
        guess_wrong(world, browser, at_code(world, browser, party, TWICE), 2)
        world.deliver()
        yield world


def walk(world: World, party: Party, phone: str, n: int, **asked: str) -> list[Seen]:
    """Through the whole of a sign-in before its code is right, as somebody who was never here."""
    browser: Browser = world.browser(address=f"192.0.{n}.7")
    seen: list[Seen] = []

    def see(request: httpx2.Request) -> httpx2.Response:
        with statements(world) as ran:
            answer = browser.send(request)
        names = [(name, MADE_UP.sub("…", value)) for name, value in answer.headers.multi_items() if name != "x-request-id"]
        cookies = [len(line) for line in answer.headers.get_list("Set-Cookie")]
        body = MADE_UP.sub("…", answer.text).replace(phone, "PHONE")
        seen.append(Seen(answer.status_code, names, cookies, len(answer.content), body, [one for one in ran if not CACHED.search(one)]))
        return answer

    def follow(answer: httpx2.Response) -> httpx2.Response:
        while answer.status_code == 303:
            answer = see(browser.build_request("GET", answer.headers["Location"]))
        return answer

    page = follow(see(browser.build_request("GET", "/authorize", params=party.asks(**asked))))
    page = follow(see(browser.filled(page, phone=phone)))
    assert where(page) == "phone_code"
    see(browser.filled(page, channel="sms"))  # too early
    see(browser.filled(page, code="12345"))
    see(browser.filled(page, code="000000"))
    page = follow(see(browser.build_request("GET", str(page.url).replace("phone_code", "identify"))))
    follow(see(browser.filled(page, phone=phone)))  # the same number again
    follow(see(browser.build_request("GET", str(page.url).replace("identify", "register"))))
    return seen


@pytest.mark.parametrize("asked", [{}, {"prompt": "create"}, {"prompt": "login"}], ids=["plain", "create", "login"])
def test_every_answer(prepared: World, party: Party, asked: dict[str, str]) -> None:
    """Case 70: a number that is unknown, known, blocked, invited, known in another browser, guessed at: each answer is the same.

    Status, headers and their values, cookies and their lengths, the body and its length; and the SQL for it, statement by statement.
    """
    walks = {phone: walk(prepared, party, phone, n, **asked) for n, phone in enumerate(NUMBERS)}
    for phone in NUMBERS[1:]:
        for place, (one, other) in enumerate(zip(walks[UNKNOWN], walks[phone], strict=True)):
            assert one == other, (phone, place)
    assert all(len(prepared.inbox(phone)) == 1 for phone in (UNKNOWN, ANNA, BLOCKED, INVITED)), "each gets a code"


@pytest.mark.parametrize("asked", [{}, {"prompt": "create"}])
def test_a_hint(prepared: World, party: Party, asked: dict[str, str]) -> None:
    """Case 70: `login_hint` is a relying party's, or anybody's: what it fills in tells nothing either."""
    walks = {phone: walk(prepared, party, phone, n, login_hint=phone, **asked) for n, phone in enumerate(NUMBERS)}
    assert 'value="PHONE"' in "".join(seen.body for seen in walks[UNKNOWN])
    for phone in NUMBERS[1:]:
        assert walks[phone] == walks[UNKNOWN], phone


def test_a_hint_to_the_relying_party(prepared: World, party: Party) -> None:
    """Case 70: nor does `prompt=none` with a hint."""
    answers = [answer_of(prepared.browser().authorize(party, prompt="none", login_hint=phone)) for phone in NUMBERS]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["error"] == "login_required"


def test_the_last_refusals(prepared: World, party: Party) -> None:
    """Case 70: a number with no messages left, and one with no guesses left, say the same, known or not."""
    texts = set()
    for n, phone in enumerate((UNKNOWN, ANNA, BLOCKED)):
        for turn in range(10):
            browser = prepared.browser(address=f"198.{18 + n}.{turn}.7")
            page = browser.authorize(party)
            answer = browser.submit(page, phone=phone)
            if answer.status_code == 303:
                guess_wrong(prepared, browser, browser.onward(answer), 5)
        assert answer.status_code == 429
        texts.add((MADE_UP.sub("…", answer.text).replace(phone, "PHONE"), answer.headers["Retry-After"], answer.headers["Content-Length"]))
    assert len(texts) == 1


def test_after_the_code_it_is_said(prepared: World, party: Party) -> None:
    """`product.md` §2.4: whoever proved the number learns what it is: in, sign-up, or blocked."""
    ends = {}
    for n, phone in enumerate((UNKNOWN, ANNA, BLOCKED, INVITED)):
        browser = prepared.browser(address=f"198.19.{n}.7")
        page = at_code(prepared, browser, party, phone)
        answer = browser.onward(post(browser, page, code=prepared.code_for(phone)))
        ends[phone] = where(answer) if answer.status_code == 200 else answer.status_code
    assert ends == {UNKNOWN: "register", ANNA: 303, BLOCKED: 403, INVITED: "register"}
