"""The ladder in tests: settings with these rungs, what a gateway says of a sending, and the values that were sent."""

from __future__ import annotations

from typing import Any

import httpx2
import sqlalchemy as sa

from idp import clock
from idp.credentials import one_time_code
from idp.credentials.tables import PhoneCode, PhoneCodeSending
from idp.db.columns import table
from idp.db.session import session
from idp.messages.tables import Receipt
from tests.login.http_lab import flow_of
from tests.world import Browser, World

ALL = ("flash_call", "sms", "voice", "email")


def climbing(*channels: str) -> dict[str, Any]:
    """The change of settings by which every number has these channels, in this order."""
    return {"messages": {"ladder": {"default": list(channels)}}}


def says(world: World, page: httpx2.Response, state: str, reason: str | None = None) -> None:
    """The gateway says this of the newest sending of the sign-in behind `page`; it has been handed over before."""
    world.deliver()
    receipts, settled = table(Receipt), clock.now() if state in {"failed", "delivered"} else None
    with world.writes():
        newest = sa.select(table(PhoneCodeSending).c.message_id).where(table(PhoneCodeSending).c.code_id == code_id(page))
        message_id = session.scalars(newest.order_by(table(PhoneCodeSending).c.place.desc())).first()
        session.execute(sa.update(receipts).where(receipts.c.id == message_id).values(state=state, reason=reason, settled_at=settled))


def code_id(page: httpx2.Response) -> str:
    """The newest transaction of the sign-in behind a page; in a unit of work."""
    found = sa.select(PhoneCode.id).where(PhoneCode.flow_id == flow_of(page)).order_by(PhoneCode.created_at.desc())
    return session.scalars(found).first() or ""


def values(world: World, page: httpx2.Response) -> tuple[str, str]:
    """What text, spoken call and e-mail say; and what the number of a flash call ends in."""
    with world.reads():
        known_as = code_id(page)
    return one_time_code.derive_code(known_as), one_time_code.derive_code(known_as, "flash_call")


def ask(browser: Browser, page: httpx2.Response, channel: str) -> httpx2.Response:
    """Press the button of this channel on the page as it is now; the page after it. KeyError: there is no such button."""
    page = browser.get(str(page.url).partition("?")[0])
    if channel not in offered(page):
        raise KeyError(channel)
    return browser.onward(browser.submit(page, channel=channel))


def offered(page: httpx2.Response) -> list[str]:
    """The channels whose buttons stand on a page, in their order."""
    return [part.partition('"')[0] for part in page.text.split('name="channel" value="')[1:]]
