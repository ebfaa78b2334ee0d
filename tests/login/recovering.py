"""Short ways through the pages of a lost phone."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import httpx2
import sqlalchemy as sa

from idp import clock
from idp.credentials import one_time_code, recoveries, recovery_codes
from idp.credentials.recoveries import Case
from idp.credentials.tables import Device, PhoneCode
from idp.db.session import session as database
from idp.directory import users
from idp.directory.tables import User
from idp.schedule import SCHEDULE
from tests.login.http_lab import base_of, flow_of
from tests.world import Browser, Party, World, new_phone

WAIT = 3 * 86400


def named(browser: Browser, page: httpx2.Response, who: str, phone: str) -> httpx2.Response:
    """Say which ID and which new number, in the sign-in that `page` belongs to; follows the answer."""
    return browser.onward(browser.submit(browser.get(f"{base_of(page)}/recover"), login=who, phone=phone))


def at_ways(world: World, browser: Browser, party: Party, who: str, phone: str) -> httpx2.Response:
    """The page with the ways: the new number is proved."""
    page = named(browser, browser.authorize(party, prompt="login"), who, phone)
    page = browser.onward(browser.submit(page, code=new_code(world, page)))
    assert step(page) == "ways", page.text
    return page


def choose(browser: Browser, page: httpx2.Response, way: str) -> httpx2.Response:
    """Press one of the ways; follows the answer."""
    return browser.onward(browser.submit(page, answer=way))


def new_code(world: World, page: httpx2.Response) -> str:
    """The last code that went to the new number in this sign-in."""
    last = sa.select(PhoneCode.id).where(PhoneCode.flow_id == flow_of(page), PhoneCode.purpose == recoveries.NEW_PHONE)
    with world.reads():
        found = database.scalars(last.order_by(PhoneCode.created_at.desc())).first()
    assert found is not None
    return one_time_code.derive_code(found)


def case_of(world: World, page: httpx2.Response) -> Case:
    """What is recovered in the sign-in of a page."""
    with world.reads():
        case = recoveries.of_flow(flow_of(page))
    assert case is not None
    return case


def person(world: World, user_id: str) -> User:
    """As they are now."""
    with world.reads():
        return users.get(user_id)


def with_recovery_codes(world: World, user_id: str) -> tuple[str, ...]:
    """Ten codes for this person."""
    drawn = recovery_codes.draw(user_id)
    with world.writes():
        users.get(user_id, alone=True)
        assert recovery_codes.keep(user_id, drawn, instead_of="")
    return drawn.texts


def long_known(world: World) -> None:
    """Whoever trusts a browser now has done so for as long as a lost phone waits."""
    with world.writes():
        database.execute(sa.update(Device).values(trusted_at=clock.now() - timedelta(seconds=WAIT)))


def by_browser(world: World, browser: Browser, party: Party, who: str, phone: str) -> Case:
    """All of it, in a browser that knows the person, and has for long: it waits."""
    long_known(world)
    page = choose(browser, at_ways(world, browser, party, who, phone), "browser")
    assert step(page) == "state", page.text
    case = case_of(world, page)
    assert case.is_waiting
    return case


def begun_three_times(world: World, browser: Browser, party: Party, who: str) -> None:
    """As often as it may in a day, and stopped each time."""
    for _ in range(3):
        case = by_browser(world, browser, party, who, new_phone())
        with world.writes():
            assert recoveries.cancel(case.id, recoveries.WITHDRAWN)


def look_what_is_due(world: World) -> None:
    """The schedule's turn."""
    job = next(job for job in SCHEDULE if job.name == "recoveries_due")
    with world.writes():
        job.run()
    world.deliver()


def step(page: httpx2.Response) -> str:
    """The last word of a page's address."""
    return urlsplit(str(page.url)).path.rpartition("/")[2]
