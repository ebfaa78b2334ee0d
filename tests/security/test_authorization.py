"""A parked request: where its answer may still go, and how much of it is kept. Cases 4, 26 and 128 of threats.md."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from idp.db.columns import table
from idp.db.session import session
from idp.delegation import clients
from idp.delegation.tables import ClientRow, Code, ParkedRequest
from idp.login.tables import LoginFlow
from idp.oidc import arrivals
from tests.oidc.asking import phone, rows
from tests.world import World, answer_of


def test_an_address_that_is_taken_off_the_list_meanwhile(world: World, story) -> None:
    """Case 4: looked at again when the code is issued. A person may be on a page for an hour."""
    party = world.party()
    browser = world.browser()
    page = browser.authorize(party)
    page = browser.onward(browser.submit(page, phone=phone(story, "zimin")))
    with world.writes():
        row = table(ClientRow)
        session.execute(sa.update(row).where(row.c.id == party.client.id).values(redirect_uris=["https://rp.example/other"]))
    clients.forget_cached()
    refused = browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimin"))))
    assert refused.status_code == 400
    assert "Location" not in refused.headers
    assert "redirect_uri is no longer registered" in refused.text
    assert rows(world, Code) == []


def test_wishes_are_kept_in_moderation(world: World) -> None:
    """Case 128: anybody can have a request parked; lists of languages and levels are no place to store a book in."""
    party = world.party()
    wordy = {"ui_locales": f"{'ru-' + 'x' * 8000} en", "acr_values": "y" * 8000}
    page = world.browser().authorize(party, **wordy)
    assert page.status_code == 200
    assert [row.ui_locales for row in rows(world, LoginFlow)] == [["en"]]
    assert [len(row.sealed) < 1500 for row in rows(world, ParkedRequest)] == [True]


def test_ids_that_are_none(world: World, story) -> None:
    """Case 26: NUL in an address is nobody's sign-in (410), on PostgreSQL too, and no outage of the database (503)."""
    browser = world.browser()
    answer_of(world.sign_in(browser, world.party(), phone(story, "zimin")))
    for path in (
        "/login/%00",
        "/login/flw_%00/identify",
        "/login/%00/people",
        "/authorize/%00",
        "/authorize/%00/consent",
    ):
        assert browser.get(path).status_code == 410, path


def test_a_network_begins_so_many_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 128: rows cost their sender nothing. A flood from one network is sent away, everybody else's requests go on."""
    monkeypatch.setattr(arrivals, "CROWD", 20)
    party = world.party()
    before = len(rows(world, ParkedRequest))
    answers = [world.browser(address=f"203.0.113.{n}").get("/authorize", params=party.asks()) for n in range(30)]
    assert [answer.status_code for answer in answers].count(303) in range(20, 25)
    refused = answers[-1]
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert "your network" in refused.text
    assert len(rows(world, ParkedRequest)) - before in range(20, 25)
    assert world.browser(address="198.51.100.3").get("/authorize", params=party.asks()).status_code == 303
    assert world.browser(address="203.0.113.9").get("/authorize", params=party.asks(prompt="none")).status_code == 303  # no row, no count
