"""Two people in one browser: taking one off the list is nothing to the other. Cases 75 and 76 of threats.md."""

from __future__ import annotations

import re

import sqlalchemy as sa

from idp.credentials import trusted_device
from idp.credentials.tables import Device
from idp.db.session import session
from idp.login.tables import Session
from tests.oidc.asking import phone, rows
from tests.security.meanwhile import between_statements, meanwhile
from tests.world import World, answer_of


@between_statements
def test_forgotten_in_two_tabs_at_once(world: World, story) -> None:
    """Another tab takes the same person off between our look and our UPDATE: the other person's session lives on."""
    party, browser = world.party(), world.browser()
    answer_of(world.sign_in(browser, party, phone(story, "zimin")))
    page = browser.authorize(party, prompt="login")
    found = re.search(r'href="(/login/[^"]+)/people\?removing=1"', page.text)
    assert found is not None
    page = browser.onward(browser.submit(browser.go(f"{found[1]}/identify"), phone=phone(story, "anna")))
    answer_of(browser.onward(browser.submit(page, code=world.code_for(phone(story, "anna")))))
    flow = browser.authorize(party, prompt="select_account")
    there = browser.get(str(flow.url) + "?removing=1")
    with world.reads():
        zimin = session.scalars(sa.select(Device).order_by(Device.trusted_at)).first()
    assert zimin is not None

    def forget() -> None:
        trusted_device.forget(zimin.browser_id, device_id=zimin.id)

    with meanwhile(world, "UPDATE devices", forget) as interrupted:
        browser.submit(there, person=zimin.id)
    assert interrupted
    live = [row.user_id for row in rows(world, Session) if row.ended_at is None]
    assert len(live) == 1
    assert live != [zimin.user_id]
