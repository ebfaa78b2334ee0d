"""A code that has to be earned: the work counts once, in time, for its own sign-in, and nothing that was typed is lost. Case 66."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from idp import clock
from idp.config_spend import units
from tests.conftest import Told
from tests.login.http_lab import known, people_on, text_of
from tests.login.lab import ANNA, where
from tests.messages.pumping import ask, challenge_of, counted, ledger, mobiles, solve, spending, told_of
from tests.world import Browser, World, answer_of

HERE, THERE = "203.0.113.7", "198.51.100.7"


@pytest.fixture
def pumped(told: Told) -> Iterator[World]:
    """A provider that finds every second message suspicious."""
    with spending(told, work_from_network=1, work_from_prefix=1, without_scripts=5, day_budget="1000") as world:
        ask(world, world.party(), next(mobiles()))
        yield world


def at_work(world: World, phone: str = ANNA, *, browser: Browser | None = None, address: str = HERE) -> tuple[Browser, httpx2.Response]:
    """The page that asks for work, in a browser."""
    browser = browser or world.browser(address=address)
    page = ask(world, world.party(), phone, browser=browser)
    assert where(page) == "proof_of_work"
    return browser, page


def test_it_counts_and_leads_on(pumped: World) -> None:
    """Solved, the code goes out to the number that was typed, and the sign-in goes on as ever; the code is entered, and they are in."""
    browser, page = at_work(pumped)
    assert len(pumped.events("code.sent")) == 1
    assert "+7 ••• •••-35-01" in text_of(page)
    page = browser.onward(browser.submit(page, altcha=solve(page)))
    assert where(page) == "phone_code"
    assert "code" in answer_of(browser.onward(browser.submit(page, code=pumped.code_for(ANNA))))


def test_nobody_else_has_to(pumped: World) -> None:
    """In another network, to a number that is no neighbour, nobody is asked for anything."""
    assert where(ask(pumped, pumped.party(), ANNA, THERE)) == "phone_code"


def test_the_rules_have_names(pumped: World) -> None:
    """The first that speaks is told in an event, once a day; what is asked for costs nothing before the work is done."""
    for _ in range(3):
        at_work(pumped)
    at_work(pumped, next(mobiles()), address=THERE)
    assert [(budget, rule) for budget, _, rule in told_of(pumped, "spend.work_asked")] == [
        ("network", "network_rate"),
        ("prefix", "adjacent_numbers"),
    ]
    assert counted(pumped)[:2] == (units("10"), 1)


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        ("unverified_share", {"unverified_floor": 4, "work_from_unverified": 50}),
        ("adjacent_numbers", {"work_from_prefix": 2}),
        ("network_rate", {"work_from_network": 2}),
        ("country_budget_low", {"country_budget": "40", "work_from_budget": 50}),
        ("day_budget_low", {"day_budget": "40", "known_browsers": 0, "without_scripts": 0, "work_from_budget": 50}),
    ],
)
def test_each_rule(told: Told, rule: str, settings: dict[str, object]) -> None:
    """The third message has to be earned, by this rule; earned, it goes out."""
    with spending(told, **settings) as world:
        party, numbers = world.party(), mobiles()
        assert [where(ask(world, party, next(numbers))) for _ in range(2)] == ["phone_code"] * 2
        browser, page = at_work(world, next(numbers))
        assert [told[2] for told in told_of(world, "spend.work_asked")] == [rule]
        assert where(browser.onward(browser.submit(page, altcha=solve(page)))) == "phone_code"


def test_the_known_browser_does_not_work(told: Told) -> None:
    """Case 67: where the browser knows the person, a code goes out as ever."""
    with spending(told, work_from_network=1, work_from_prefix=1) as world:
        party = world.party()
        browser = known(world, party, ANNA)
        for phone, _ in zip(mobiles(), range(2), strict=False):
            ask(world, party, phone)
        page = browser.authorize(party, prompt="login")
        assert where(browser.onward(browser.submit(page, person=next(iter(people_on(page).values()))))) == "phone_code"


def test_sending_again(told: Told) -> None:
    """What is asked for by `Send a new text message` is earned in the same way, and is the same code."""
    with spending(told, work_from_network=1) as world, clock.freeze(clock.now()) as later:
        browser = world.browser()
        page = ask(world, world.party(), ANNA, browser=browser)
        code = world.code_for(ANNA)
        later(31)
        page = browser.onward(browser.submit(page, channel="sms"))
        assert where(page) == "proof_of_work"
        page = browser.onward(browser.submit(page, altcha=solve(page)))
        assert where(page) == "phone_code"
        assert [message["code"] for message in world.inbox(ANNA)] == [code, code]


class TestWhatDoesNotCount:
    """Each leads back to the page with a new task; nothing is sent, and the number is still there."""

    def refused(self, world: World, browser: Browser, page: httpx2.Response, solution: str) -> httpx2.Response:
        """Show it, and be refused."""
        sent = len(world.events("code.sent"))
        answer = browser.submit(page, altcha=solution)
        assert answer.status_code == 422
        assert "That did not count" in text_of(answer)
        assert "data-refused" in answer.text
        assert "+7 ••• •••-35-01" in text_of(answer)
        assert len(world.events("code.sent")) == sent
        return answer

    def test_twice(self, pumped: World) -> None:
        """Replayed in the same sign-in, for another code."""
        browser, page = at_work(pumped)
        solution = solve(page)
        at_code = browser.onward(browser.submit(page, altcha=solution))
        again = browser.onward(browser.submit(browser.get(str(page.url).replace("proof_of_work", "identify")), phone=next(mobiles())))
        assert where(again) == "proof_of_work"
        answer = browser.submit(again, altcha=solution)
        assert answer.status_code == 422
        assert where(at_code) == "phone_code"
        assert len(pumped.events("code.sent")) == 2

    def test_another_sign_in(self, pumped: World) -> None:
        """Done for one sign-in, shown in another, of the same browser or of another one; where it was done it still counts."""
        browser, page = at_work(pumped)
        solution = solve(page)
        for other in (at_work(pumped, browser=browser), at_work(pumped)):
            self.refused(pumped, *other, solution)
        assert where(browser.onward(browser.submit(page, altcha=solution))) == "phone_code"

    def test_too_late(self, pumped: World) -> None:
        """After ten minutes, by our clock."""
        with clock.freeze(clock.now()) as later:
            browser, page = at_work(pumped)
            solution = solve(page)
            later(601)
            answer = self.refused(pumped, browser, page, solution)
            assert where(browser.onward(browser.submit(answer, altcha=solve(answer)))) == "phone_code"

    @pytest.mark.parametrize(
        "change",
        [
            {"parameters": {"cost": 1}},
            {"parameters": {"keyPrefix": "00"}},
            {"parameters": {"keyPrefix": ""}},
            {"parameters": {"expiresAt": 4102444800}},
            {"parameters": {"data": {"flow": "flw_00000000000000000000000000"}}},
            {"parameters": {"data": None}},
            {"parameters": {"data": ["flow"]}},
            {"parameters": {"nonce": "00" * 16}},
            {"parameters": {"nonce": None}},
            {"parameters": {"keySignature": None}},
            {"signature": "0" * 64},
            {"signature": ""},
            {"signature": None},
        ],
    )
    def test_forged(self, pumped: World, change: dict[str, Any]) -> None:
        """A task that we did not set: easier, longer, somebody else's, unsigned."""
        browser, page = at_work(pumped)
        shown = json.loads(base64.b64decode(solve(page)))
        changed = dict(change)
        shown["challenge"]["parameters"] |= changed.pop("parameters", {})
        shown["challenge"] |= changed
        self.refused(pumped, browser, page, base64.b64encode(json.dumps(shown).encode()).decode())

    @pytest.mark.parametrize(
        "solution",
        [{"counter": 3, "derivedKey": "00" * 32}, {"counter": -1, "derivedKey": ""}, {"counter": "x", "derivedKey": None}, {}, [], None],
    )
    def test_not_solved(self, pumped: World, solution: Any) -> None:
        """A true task, and no solution to it."""
        browser, page = at_work(pumped)
        shown = {"challenge": challenge_of(page), "solution": solution}
        self.refused(pumped, browser, page, base64.b64encode(json.dumps(shown).encode()).decode())

    @pytest.mark.parametrize("text", ["x", "e30=", "bnVsbA==", "W10=", "W1tbW1tb", "я", "A" * 5000, base64.b64encode(b"[" * 3000).decode()])
    def test_no_solution_at_all(self, pumped: World, text: str) -> None:
        """Anything may be sent; never an error of ours."""
        self.refused(pumped, *at_work(pumped), text)


class TestWithoutScripts:
    """One message for a network in ten minutes, from a small budget of its own."""

    def test_one_in_ten_minutes(self, pumped: World) -> None:
        """The button sends at once; the next one reads when, is refused until then, and then it works."""
        with clock.freeze(clock.now()) as later:
            browser, page = at_work(pumped)
            assert "One can go out now" in text_of(page)
            assert where(browser.onward(browser.submit(page, altcha=""))) == "phone_code"
            other, page = at_work(pumped)
            assert "The next one can go out at" in text_of(page)
            refused = other.submit(page, altcha="")
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) == 600
            assert "Try again after" in text_of(refused)
            later(601)
            assert where(other.onward(other.submit(page, altcha=""))) == "phone_code"
        assert [entry.reserve for entry in ledger(pumped)] == ["", "plain", "plain"]

    def test_a_budget_of_its_own(self, pumped: World) -> None:
        """Five per cent of the day's: five messages, from wherever they come; who works still gets a code."""
        sent = []
        for n in range(7):
            pumped_browser, page = at_work(pumped, next(mobiles()), address=f"198.51.{n}.7")
            sent.append(pumped_browser.submit(page, altcha="").status_code)
        assert sent == [303] * 5 + [429] * 2
        assert counted(pumped, "plain")[:2] == (units("50"), 5)
        browser, page = at_work(pumped)
        assert where(browser.onward(browser.submit(page, altcha=solve(page)))) == "phone_code"


class TestThePage:
    """What stands on it, and who may see it."""

    def test_it_does_not_tell_who_is_known(self, pumped: World) -> None:
        """Case 70: for a number with an ID, a blocked one and nobody's the same status, headers and length, before and after the work."""
        seen = []
        for phone in (ANNA, "+79005553599", "+79019876543"):
            browser, page = at_work(pumped, phone)
            following = browser.submit(page, altcha=solve(page))
            seen.append((page.status_code, sorted(page.headers), len(page.content), following.status_code, sorted(following.headers)))
        assert seen[0] == seen[1] == seen[2]

    def test_its_policy(self, pumped: World) -> None:
        """A worker may run there, ours; nothing else is looser than elsewhere, and nothing of the number is in the clear."""
        _, page = at_work(pumped)
        policy = dict(part.partition(" ")[::2] for part in page.headers["Content-Security-Policy"].split("; "))
        assert policy["worker-src"] == "'self'"
        assert policy["default-src"] == "'none'"
        assert policy["connect-src"] == "'self'"
        assert page.headers["Cache-Control"] == "no-store"
        assert "worker-src" not in ask(pumped, pumped.party(), ANNA, THERE).headers["Content-Security-Policy"]
        assert ANNA not in page.text
        assert ANNA[2:] not in page.text

    def test_only_here(self, pumped: World) -> None:
        """Another browser sees nothing of it, and what it sends is not heard; nor is a post without our token."""
        browser, page = at_work(pumped)
        stranger = pumped.browser()
        assert stranger.get(str(page.url)).status_code == 410
        assert stranger.post(str(page.url), data={"altcha": solve(page)}).status_code in {400, 403, 410}
        assert browser.post(str(page.url), data={"altcha": solve(page)}).status_code in {403, 410}
        assert len(pumped.events("code.sent")) == 1

    def test_nothing_waits(self, pumped: World) -> None:
        """Opened when nothing waits it leads on: before, after, twice at once, when the sign-in is over."""
        browser = pumped.browser(address=THERE)
        page = browser.authorize(pumped.party())
        address = str(page.url).replace("identify", "proof_of_work")
        assert where(browser.go(address)) == "identify"
        browser, page = at_work(pumped)
        solution = solve(page)
        first, second = browser.submit(page, altcha=solution), browser.submit(page, altcha=solution)
        assert (first.status_code, second.status_code) == (303, 303)
        at_code = browser.onward(second)
        assert where(at_code) == "phone_code"
        assert len(pumped.events("code.sent")) == 2
        browser.onward(browser.submit(at_code, code=pumped.code_for(ANNA)))
        assert "This sign-in is done" in browser.go(str(page.url)).text

    def test_another_limit(self, told: Told) -> None:
        """Case 67: whoever works is held to the number's own limit as well: the page says so, and until when; nothing starts by itself."""
        with spending(told, work_from_network=1, login={"number_messages_per_day": 1}) as world:
            party = world.party()
            ask(world, party, ANNA, THERE)
            ask(world, party, next(mobiles()))
            browser, page = at_work(world)
            refused = browser.submit(page, altcha=solve(page))
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) > 86000
            assert "Too many codes were sent to this number" in text_of(refused)
            assert "data-refused" in refused.text
            assert len(world.events("code.sent")) == 2
