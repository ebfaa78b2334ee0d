"""What messages may cost: each budget and each rule, exactly, and what a person is told. Case 66, goal G-5, `product.md` §2.7."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import httpx2
import pytest

from idp import clock, events
from idp.cli import worker
from idp.config_spend import Spend, units, written
from idp.db.session import session
from idp.directory import users
from idp.messages import spend_ledger
from idp.messages.spend import day_of
from idp.messages.spend_rules import SHARDS
from idp.messages.tables import SpendCount
from tests.conftest import Told
from tests.login.http_lab import known, people_on, text_of
from tests.login.lab import ANNA, where
from tests.login.rungs import says
from tests.messages.far_end import FarEnd
from tests.messages.pumping import ask, challenge_of, counted, ledger, mobiles, solve, spending, told_of
from tests.messages.test_gateways import a_webhook
from tests.world import Browser, World, answer_of

DAY = 86400
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SAYS = "Sign in another way, try again later, or write to support."


def says_failed(world: World, browser: Browser, page: httpx2.Response) -> httpx2.Response:
    """The page of the code, once the gateway has said that the message does not arrive."""
    says(world, page, "failed")
    return browser.get(str(page.url))


class TestBudgets:
    """Money of a day."""

    @pytest.mark.parametrize(
        ("budget", "others"),
        [
            ("day_budget", ()),
            ("country_budget", ("KZ",)),
            ("prefix_budget", ("KZ",)),
            ("network_budget", ("198.51.100.7",)),
        ],
    )
    def test_each(self, told: Told, budget: str, others: tuple[str, ...]) -> None:
        """Three messages' worth, and the fourth is not sent; who draws on another budget still gets a code; tomorrow everybody does."""
        scarce = {budget: "30", "known_browsers": 0, "without_scripts": 0}
        with spending(told, login={"countries": ["RU", "KZ"]}, **scarce) as world, clock.freeze(NOON) as later:
            party, numbers = world.party(), mobiles()
            for phone in islice(numbers, 3):
                assert where(ask(world, party, phone)) == "phone_code"
            refused = ask(world, party, next(numbers))
            assert refused.status_code == 429
            assert SAYS in text_of(refused)
            assert "budget" not in refused.text
            assert int(refused.headers["Retry-After"]) == DAY // 2 + 1
            assert counted(world)[:2] == (units("30"), 3)
            assert len(ledger(world)) == 3
            for other in others:
                page = ask(world, party, next(mobiles("KZ")) if other == "KZ" else next(numbers), other if "." in other else "203.0.113.7")
                assert where(page) == "phone_code"
            later(DAY // 2)
            assert where(ask(world, party, next(numbers))) == "phone_code"

    def test_prices(self, told: Told) -> None:
        """The longest prefix counts; the money is exact to the ten-thousandth, and the budget is never passed by a part of a message."""
        prices = {"sms": {"*": "10", "+7": "0.0001", "+791": "3.3333"}}
        day = {"day_budget": "10", "known_browsers": 0, "without_scripts": 0}
        with spending(told, prices=prices, login={"countries": ["RU", "KZ"]}, **day) as world:
            party, numbers = world.party(), mobiles()
            assert next(mobiles()).startswith("+791")
            for phone in islice(numbers, 3):
                ask(world, party, phone)
            assert counted(world) == (99999, 3, 0)
            assert ask(world, party, next(numbers)).status_code == 429
            assert where(ask(world, party, next(mobiles("KZ")))) == "phone_code"  # a ten-thousandth is what was left
            assert ask(world, party, next(mobiles("KZ"))).status_code == 429
            assert counted(world)[0] == units("10")

    def test_a_large_one(self, told: Told) -> None:
        """One that is spread over rows, so that sign-ins do not wait for one another, ends where it says as well."""
        day = {"day_budget": "16000", "known_browsers": 0, "without_scripts": 0}
        with spending(told, **day) as world:
            with world.writes():
                for shard in range(SHARDS):
                    values = {"day": day_of(clock.now()), "kind": "day", "subject": "", "shard": shard, "messages": 99, "verified": 0}
                    session.add(SpendCount(**values, cost=units("2000") - units("10") * (shard % 2), most=units("2000")))
            party, numbers = world.party(), mobiles()
            pages = [ask(world, party, phone) for phone in islice(numbers, SHARDS // 2 + 1)]
            assert [where(page) for page in pages] == ["phone_code"] * (SHARDS // 2) + ["identify"]
            assert counted(world)[0] == units("16000")

    def test_the_known_browser(self, told: Told) -> None:
        """Cases 66, 67: strangers spend what is theirs; in a browser that knows them people still get codes, all out of one budget."""
        with spending(told, day_budget="100", known_browsers=50, without_scripts=0) as world:
            party, numbers = world.party(), mobiles()
            browser = known(world, party, ANNA, address="198.51.100.7")
            answers = [ask(world, party, phone).status_code for phone in islice(numbers, 8)]
            assert answers == [200] * 4 + [429] * 4
            for _ in range(3):
                page = browser.authorize(party, prompt="login")
                assert where(browser.onward(browser.submit(page, person=next(iter(people_on(page).values()))))) == "phone_code"
            assert counted(world)[:2] == (units("80"), 8)
            assert [entry.reserve for entry in ledger(world)] == [""] * 5 + ["known"] * 3

    def test_what_remains(self, told: Told) -> None:
        """The money is gone: no second text, but an e-mail costs none, goes out, opens the ID, and counts in no budget."""
        with spending(told, day_budget="10", known_browsers=0, without_scripts=0) as world, clock.freeze(NOON) as later:
            party, browser = world.party(), world.browser()
            page = ask(world, party, ANNA, browser=browser)
            later(30)
            assert browser.submit(page, channel="sms").status_code == 429
            page = browser.onward(browser.submit(says_failed(world, browser, page), channel="email"))
            assert (counted(world), [entry.cost for entry in ledger(world)]) == ((units("10"), 1, 0), [units("10"), 0])
            assert browser.submit(page, code=world.code_for("anna@post.example")).status_code == 303
            assert counted(world) == (units("10"), 1, 1)

    def test_what_was_typed_stays(self, told: Told) -> None:
        """Whoever is refused reads why beside the field, and finds the number as they typed it."""
        with spending(told, day_budget="0") as world:
            typed = "8 (912) 345-67-89"
            page = ask(world, world.party(), typed)
            assert page.status_code == 429
            assert f'value="{typed}"' in page.text
            assert world.events("code.sent") == []


class TestTelling:
    """Alarms, and the mode that only records."""

    def test_alarms(self, told: Told) -> None:
        """At half and at four fifths of the day's and of the country's budget, and when it is spent: an event each, once a day."""
        scarce = {"day_budget": "100", "country_budget": "60", "known_browsers": 0, "without_scripts": 0}
        with spending(told, login={"countries": ["RU", "KZ"]}, **scarce) as world, clock.freeze(NOON) as later:
            party, russian, kazakh = world.party(), mobiles(), mobiles("KZ")
            for _ in range(9):
                ask(world, party, next(russian))
            for _ in range(7):
                ask(world, party, next(kazakh))
            alarms = [("country", "RU", "50"), ("day", "", "50"), ("country", "RU", "80"), ("day", "", "80"), ("country", "KZ", "50")]
            assert sorted(told_of(world, "spend.alarm")) == sorted(alarms)
            assert sorted(told_of(world, "spend.exhausted")) == [("country", "RU", "country_budget"), ("day", "", "day_budget")]
            later(DAY)
            for _ in range(3):
                ask(world, party, next(russian))
            assert told_of(world, "spend.alarm")[5:] == [("country", "RU", "50")]

    def test_record_only(self, told: Told) -> None:
        """Every rule speaks, in events, and nobody is refused or has to work; money and codes are counted as ever."""
        scarce = {"day_budget": "40", "known_browsers": 0, "without_scripts": 0, "unverified_floor": 3, "work_from_prefix": 2}
        with spending(told, mode="record", **scarce) as world:
            party = world.party()
            pages = [ask(world, party, phone) for phone in islice(mobiles(), 7)]
            assert [where(page) for page in pages] == ["phone_code"] * 7
            assert counted(world)[:2] == (units("70"), 7)
            assert told_of(world, "spend.exhausted") == [("day", "", "day_budget")]
            assert ("country", "RU", "country_closed") in told_of(world, "spend.work_asked")
            assert ("prefix", next(mobiles())[:8], "adjacent_numbers") in told_of(world, "spend.work_asked")
            assert {event.details["mode"] for event in world.events("spend.exhausted")} == {"record"}


class TestUnverified:
    """A country in which nobody enters the codes."""

    def test_closed(self, told: Told) -> None:
        """Four codes that nobody enters, and the country is closed, also to those who would work; another one is not."""
        with spending(told, unverified_floor=4, work_from_unverified=100, login={"countries": ["RU", "KZ"]}) as world:
            party, numbers = world.party(), mobiles("KZ")
            assert [ask(world, party, phone).status_code for phone in islice(numbers, 6)] == [200] * 4 + [429] * 2
            assert where(ask(world, party, next(mobiles()))) == "phone_code"
            assert told_of(world, "spend.exhausted") == [("country", "KZ", "country_closed")]

    def test_home_is_not_closed(self, told: Told) -> None:
        """Whoever asks for a few codes and enters none does not lock everybody out: they work four times as long, once each, and get in;
        without scripts there is the slow way; only money refuses.
        """
        with spending(told, unverified_floor=4, work_from_unverified=100, day_budget="100", without_scripts=10, known_browsers=0) as world:
            party, numbers = world.party(), mobiles()
            for phone in islice(numbers, 4):
                assert where(ask(world, party, phone)) == "phone_code"
            browser = world.browser(address="198.51.100.7")
            page = ask(world, party, phone := next(numbers), browser=browser)
            assert where(page) == "proof_of_work"
            assert "few seconds, and goes on" in page.text
            page = browser.onward(browser.submit(page, altcha=solve(page)))
            assert where(browser.onward(browser.submit(page, code=world.code_for(phone)))) == "register"
            assert told_of(world, "spend.work_asked") == [("country", "RU", "country_closed")]
            other = world.browser(address="198.51.200.7")
            assert where(other.onward(other.submit(ask(world, party, next(numbers), browser=other)))) == "phone_code"
            for _ in range(3):
                page = ask(world, party, next(numbers), browser=browser)
                page = browser.onward(browser.submit(page, altcha=solve(page)))
                assert where(page) == "phone_code"
            assert ask(world, party, next(numbers), browser=world.browser()).status_code == 429

    def test_usual_work_is_not_enough(self, told: Told) -> None:
        """What was done for the usual challenge does not count once the country takes more: the browser goes on with the longer one."""
        with spending(told, unverified_floor=4, work_from_unverified=75) as world:
            party, numbers = world.party(), mobiles()
            for phone in islice(numbers, 3):
                ask(world, party, phone)
            first, second = world.browser(), world.browser(address="198.51.100.7")
            one, other = ask(world, party, next(numbers), browser=first), ask(world, party, next(numbers), browser=second)
            assert challenge_of(one)["parameters"]["data"]["is"] == "usual"
            assert where(second.onward(second.submit(other, altcha=solve(other)))) == "phone_code"
            page = first.onward(first.submit(one, altcha=solve(one)))
            assert where(page) == "proof_of_work"
            assert challenge_of(page)["parameters"]["data"]["is"] == "hard"
            assert first.submit(page, altcha=solve(one)).status_code == 422
            assert where(first.onward(first.submit(page, altcha=solve(page)))) == "phone_code"

    def test_a_country_with_usual_traffic_is_not_closed(self, told: Told) -> None:
        """One of the settings, in which people entered codes of late, is as good as home."""
        with spending(told, unverified_floor=1, work_from_unverified=100, login={"countries": ["RU", "KZ"]}) as world, clock.freeze(NOON):
            with world.writes():
                values = {"kind": "country", "subject": "KZ", "shard": 0, "cost": 0, "messages": 9, "verified": 9, "most": 0}
                session.add(SpendCount(day=day_of(NOON - timedelta(days=1)), **values))
            pages = [where(ask(world, world.party(), phone)) for phone in islice(mobiles("KZ"), 2)]
            assert pages == ["phone_code", "proof_of_work"]

    def test_people_keep_it_open(self, told: Told) -> None:
        """As long as people enter their codes, no number of them closes it."""
        with spending(told, unverified_floor=2, work_from_unverified=100) as world:
            party = world.party()
            for n, phone in enumerate(islice(mobiles(), 8)):
                browser = world.browser(address=f"198.51.{n}.7")
                page = ask(world, party, phone, browser=browser)
                assert where(page) == "phone_code"
                assert where(browser.onward(browser.submit(page, code=world.code_for(phone)))) == "register"
            assert counted(world, "country", "RU")[1:] == (8, 8)

    def test_what_is_usual(self, told: Told) -> None:
        """Where people entered seventy codes in the last seven days, ten a day, half of ten more may go out that nobody enters."""
        with spending(told, unverified_floor=2, work_from_unverified=100) as world, clock.freeze(NOON):
            with world.writes():
                for ago, verified in ((1, 30), (7, 40), (8, 5000)):
                    values = {"kind": "country", "subject": "RU", "shard": 0, "cost": 0, "messages": verified, "most": 0}
                    session.add(SpendCount(day=day_of(NOON - timedelta(days=ago)), verified=verified, **values))
            party = world.party()
            pages = [where(ask(world, party, phone)) for phone in islice(mobiles(), 7)]
            assert pages == ["phone_code"] * 5 + ["proof_of_work"] * 2


class TestTheLedger:
    """What became of each message, and of its money."""

    @pytest.fixture
    def world(self, told: Told, far_end: FarEnd):
        """A provider whose messages go to the far end, under a name that makes texts long."""
        url = told.copy()
        gateways = {"channel": "gateways", "sms": ["main"], "gateways": {"main": a_webhook(far_end)}}
        made = World(told.settings(url, messages=gateways, brand={"names": {"ru": "Большой базар Нижнего Новгорода"}}))
        yield made
        made.close()
        told.drop(url)
        told.settings(told.url)

    def test_sent_and_entered(self, world: World, far_end: FarEnd) -> None:
        """A text of two parts costs twice its price, once the gateway took it; then somebody enters the code."""
        party, browser, phone = world.party(), world.browser(), next(mobiles())
        browser.cookies.set("idp_language", "ru")
        page = ask(world, party, phone, browser=browser)
        [entry] = ledger(world)
        assert (entry.country, entry.prefix, entry.channel, entry.cost, entry.sent_at) == ("RU", phone[:8], "sms", units("10"), None)
        world.deliver()
        text = far_end.asked[-1].json["message"]["text"]
        assert len(text) > 70
        [entry] = ledger(world)
        assert (entry.gateway, entry.parts, entry.cost) == ("main", 2, units("20"))
        assert entry.sent_at is not None
        assert counted(world) == (units("20"), 1, 0)
        browser.onward(browser.submit(page, code=text[:6]))
        assert counted(world) == counted(world, "country", "RU") == (units("20"), 1, 1)
        assert ledger(world)[0].verified_at is not None

    @pytest.mark.parametrize(("answer", "cost"), [(500, "0"), ("close", "10")])
    def test_not_sent(self, world: World, far_end: FarEnd, answer: int | str, cost: str) -> None:
        """What no gateway took is paid back once it is too late for it; where nobody knows whether it took it, the money stays spent."""
        far_end.otherwise = lambda: answer
        with clock.freeze(clock.now()) as later:
            ask(world, world.party(), next(mobiles()))
            worker.drain(world.app)
            with world.writes():
                assert spend_ledger.settle(clock.now()) == 0
            later(1000)
            with world.writes():
                spend_ledger.settle(clock.now())
            with world.writes():
                spend_ledger.settle(clock.now())
        assert counted(world)[0] == units(cost)
        assert (ledger(world)[0].returned_at is None) == (cost == "10")

    def test_each_doubtful_try_is_paid(self, world: World, far_end: FarEnd) -> None:
        """A gateway that does not answer may ask for its money each time: so do two tries that broke off, and the third, that was taken."""
        far_end.answers.extend(["close", "close"])
        with clock.freeze(clock.now()) as later:
            ask(world, world.party(), next(mobiles()))
            for tries in (1, 2, 3):
                worker.drain(world.app)
                assert (len(far_end.asked), counted(world)) == (tries, (units("10") * tries, 1, 0))
                later(60)
        assert [(entry.cost, entry.parts, entry.is_doubtful) for entry in ledger(world)] == [(units("30"), 1, True)]

    def test_notices_have_their_own(self, world: World, far_end: FarEnd) -> None:
        """A notice's parts are paid from the budget of the notices, and come back when nobody took it; not before it is too late for it."""
        far_end.otherwise = lambda: 500
        with clock.freeze(clock.now()) as later:
            with world.writes():
                user = users.register(ANNA, "Анна", "ru", "1") if users.find_by_phone(ANNA) is None else users.find_by_phone(ANNA)
                assert user is not None
                events.record("browser.stolen", user_id=user.id)
            worker.drain(world.app)
            [entry] = ledger(world)
            assert entry.parts > 1
            assert counted(world, "notices")[:2] == (entry.cost, 1) == (units("10") * entry.parts, 1)
            later(3600)
            with world.writes():
                assert spend_ledger.settle(clock.now()) == 0
            later(DAY)
            with world.writes():
                spend_ledger.settle(clock.now())
        assert counted(world, "notices") == counted(world) == (0, 0, 0)

    def test_notices(self, world: World) -> None:
        """What nobody asked leave for stands in the ledger with its price, and takes no money from the codes."""
        party = world.party()
        known(world, party, ANNA)
        known(world, party, ANNA, user_agent="Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0")
        world.deliver()
        entries = ledger(world)
        assert sorted(entry.purpose for entry in entries) == ["notice", "sign_in", "sign_in"]
        codes = sum(entry.cost for entry in entries if entry.purpose != "notice")
        assert counted(world)[0] == codes


def test_delivered(told: Told) -> None:
    """A desk's inbox has it at once; the row says when."""
    with spending(told) as world:
        ask(world, world.party(), next(mobiles()))
        world.deliver()
        [entry] = ledger(world)
        assert entry.gateway == "inbox"
        assert entry.delivered_at is not None


def test_a_sign_in_sends_no_more_than_it_pays(told: Told) -> None:
    """Sent again is paid again; all messages of a code that was entered count as entered."""
    with spending(told) as world, clock.freeze(clock.now()) as later:
        party, browser = world.party(), world.browser()
        page = ask(world, party, ANNA, browser=browser)
        later(31)
        page = browser.onward(browser.submit(page, channel="sms"))
        assert counted(world)[:2] == (units("20"), 2)
        assert "code" in answer_of(browser.onward(browser.submit(page, code=world.code_for(ANNA))))
        assert counted(world) == (units("20"), 2, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"day_budget": 20.5},
        {"day_budget": "20,5"},
        {"day_budget": "0.00001"},
        {"day_budget": "-1"},
        {"day_budget": True},
        {"prices": {"sms": {"7": "1"}}},
        {"prices": {"telegram": {"*": "1"}}},
        {"country_budgets": {"ru": "1"}},
        {"known_browsers": 60, "without_scripts": 50},
        {"number_kinds": ["premium"]},
        {"alarms": [0]},
    ],
)
def test_settings_that_are_refused(wrong: dict[str, object]) -> None:
    """Money is text, exact to the ten-thousandth; a float, a word that means nothing and a number that earns somebody money are refused."""
    with pytest.raises(ValueError, match="validation error"):
        Spend(**wrong)  # type: ignore[arg-type] # pydantic reads them


def test_money_is_exact() -> None:
    """What is written is what is counted."""
    assert [units(each) for each in ("0.1", "0.2", "0.3", "1000000000.0001", "7")] == [1000, 2000, 3000, 10_000_000_000_001, 70_000]
    assert [written(each) for each in (0, 1, 1000, 3333, 70_000, 10_000_000_000_001)] == [
        *("0.00", "0.0001", "0.10", "0.3333", "7.00", "1000000000.0001")
    ]
