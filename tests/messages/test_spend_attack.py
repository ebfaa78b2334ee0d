"""Goal G-5, case 66: messages are pumped from a thousand addresses to twenty countries. It costs no more than the budget, and meanwhile
fifty people who only want to sign in, in an allowed country, all get in.
"""

from __future__ import annotations

import random
from itertools import islice

import pytest

from idp import clock
from idp.config_spend import units
from idp.messages import spend_ledger, spend_replay
from idp.messages.spend import day_of
from tests.conftest import Told
from tests.login.http_lab import right_code
from tests.login.lab import where
from tests.machine import count
from tests.messages.pumping import ask, challenge_of, counted, ledger, mobiles, solve
from tests.world import Browser, Party, World

COUNTRIES = "RU KZ BY UZ AM GE AZ KG TJ MD CN TR AE IN ID VN TH PK BD NG".split()
PEOPLE = count(10, 50)
REQUESTS = count(150, 10_000)
BUDGET = count(600, 2000)  # sixty messages, and the two hundred of the settings
ADDRESSES = count(100, 1000)


def attacks(world: World, party: Party, robots: random.Random, numbers: dict[str, list[str]], *, clever: bool) -> str:
    """One request of the attack: an address, a country, a neighbour of the last number. `clever`: this robot works when it is asked to."""
    n = robots.randrange(ADDRESSES)
    browser = world.browser(address=f"198.{18 + n // 256 % 2}.{n % 256}.{1 + n // 512}")
    phone = numbers[robots.choice(COUNTRIES)].pop()
    page = ask(world, party, phone, browser=browser)
    if clever and where(page) == "proof_of_work":
        page = browser.onward(browser.submit(page, altcha=solve(page)))
    return where(page)


def signs_in(world: World, party: Party, browser: Browser, phone: str) -> bool:
    """A person who asks for a code, whose browser works when it is asked to, and who enters the code."""
    page = ask(world, party, phone, browser=browser)
    if where(page) == "proof_of_work":
        assert challenge_of(page)
        page = browser.onward(browser.submit(page, altcha=solve(page)))
    if where(page) != "phone_code":
        return False
    return where(browser.onward(browser.submit(page, code=right_code(world, page)))) == "register"


@pytest.fixture
def pumped(told: Told):
    """A provider for twenty countries that takes notice early."""
    url = told.copy()
    spend = {"day_budget": str(BUDGET), "work": 10, "country_budgets": {"RU": str(BUDGET * 3 // 4)}}
    spend |= {"work_from_network": 5, "work_from_prefix": 5, "unverified_floor": 20}
    made = World(told.settings(url, login={"countries": COUNTRIES}, spend=spend))
    yield made
    made.close()
    told.drop(url)
    told.settings(told.url)


def test_robots_and_people(pumped: World) -> None:
    """Ten thousand requests in random order, and the people between them: the money holds, the people are all in."""
    robots = random.Random(7)
    party, people = pumped.party(), list(islice(mobiles("RU", 500_000), 0, 37 * PEOPLE, 37))
    numbers = {country: list(islice(mobiles(country), 20 + REQUESTS // 10)) for country in COUNTRIES}
    turns = ["robot"] * REQUESTS + ["person"] * PEOPLE
    robots.shuffle(turns)
    got_in, pages = 0, dict[str, int]()
    for turn in turns:
        if turn == "robot":
            page = attacks(pumped, party, robots, numbers, clever=False)
            pages[page] = pages.get(page, 0) + 1
        else:
            n = len(people)
            got_in += signs_in(pumped, party, pumped.browser(address=f"203.0.{n}.7"), people.pop())
    assert got_in == PEOPLE
    cost, messages, verified = counted(pumped)
    assert cost <= units(str(BUDGET))
    assert verified == PEOPLE
    assert messages == len(ledger(pumped)) == len(pumped.events("code.sent"))
    assert pages["proof_of_work"] > REQUESTS // 3, pages
    # That day against a quarter of the budget: still enough for the people as long as robots do not work for their codes.
    with pumped.reads():
        spend = pumped.settings.spend.model_copy(update={"day_budget": str(BUDGET // 4)})
        entries = spend_ledger.of_day(day_of(clock.now()))
        lazy, clever = (spend_replay.replay(entries, spend, lambda _: 0, robots_work=works) for works in (False, True))
    assert lazy.cost == clever.cost == cost
    assert max(lazy.spent, clever.spent) <= units(str(BUDGET)) // 4
    assert lazy.hurt < clever.hurt
    assert lazy.spent < cost


def test_clever_robots(pumped: World) -> None:
    """Robots that work for every code get what the budget holds and not a kopeck more; who is known here still gets a code."""
    robots = random.Random(8)
    party = pumped.party()
    phone = next(mobiles("RU", 900_000))
    browser = pumped.browser(address="203.0.113.7")
    page = ask(pumped, party, phone, browser=browser)
    register = browser.onward(browser.submit(page, code=right_code(pumped, page)))
    browser.onward(browser.submit(register, name="Anna", terms="1"))
    browser.cookies.delete("idp_session")
    numbers = {country: list(islice(mobiles(country), 30 + REQUESTS // 50)) for country in COUNTRIES}
    pages = [attacks(pumped, party, robots, numbers, clever=True) for _ in range(max(REQUESTS // 10, BUDGET // 10 + 40))]
    cost, _, _ = counted(pumped)
    assert cost <= units(str(BUDGET))
    assert pages.count("identify") + pages.count("proof_of_work") >= 40
    page = browser.authorize(party, prompt="login")
    page = browser.get(str(page.url).replace("people", "identify"))
    assert where(browser.onward(browser.submit(page, phone=phone))) == "phone_code"
    assert counted(pumped)[0] <= units(str(BUDGET))
