"""What a person sees who connects a device (RFC 8628 §3.3, §5; RFC 10027): the code to compare, where the device asked from, the warnings.

Nothing is confirmed by following a link, guessing is bounded, and every way out tells the device no. Cases 6, 7 and 8 of threats.md.
"""

from __future__ import annotations

import re

import pytest

from idp import clock, limits
from idp.cli.demo_story import Story
from idp.clock import freeze
from idp.delegation import clients, device_authorizations
from idp.delegation.tables import Consent, DeviceAuthorization, ParkedRequest
from idp.errors import BadInput
from tests.oidc.asking import person, phone, rows, signed_in, token_error
from tests.oidc.devices import begins, begun, polls, television, types
from tests.world import World, claims_of

WRONG = "BCDF-GHJK"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"


def test_a_link_only_fills_the_field_in(world: World) -> None:
    """§3.3.1, §5.4: the code of the address stands in the field; nothing was looked up, kept or counted."""
    codes = begun(world, television(world))
    browser = world.browser()
    page = browser.get(codes["verification_uri_complete"])
    assert f'name="user_code" type="text" value="{codes["user_code"]}"' in page.text
    assert rows(world, ParkedRequest) == []
    assert rows(world, limits.Limit) == []
    for odd in ("", "?user_code=", "?user_code=<b>", "?user_code=ABCDEFGH", "?user_code=" + "B" * 5000):
        shown = browser.get("/device" + odd)
        assert shown.status_code == 200
        assert 'name="user_code" type="text"' in shown.text
        assert "<b>&" not in shown.text
        assert "value=" not in shown.text.partition('name="user_code"')[2].partition(">")[0]


@pytest.mark.parametrize(
    "typed", ["bcdf-ghjk", "BCDFGHJK", " bcdf ghjk ", "b-c-d-f-g-h-j-k", "BCDF\u2013GHJK", "\u0412\u0421DFG\u041dJ\u041a"]
)
def test_however_it_is_typed(typed: str) -> None:
    """§6.1: letter case, spaces and hyphens do not matter; letters of a Russian keyboard that look the same are taken as meant."""
    assert device_authorizations.read_user_code(typed) == "BCDFGHJK"


@pytest.mark.parametrize("typed", ["", "BCDF", "BCDFGHJKL", "ABCDEFGH", "12345678", "BCDFGHJ\u00c9", "B" * 9000])
def test_what_cannot_be_a_code(typed: str) -> None:
    """Said at once, and no guess."""
    with pytest.raises(BadInput):
        device_authorizations.read_user_code(typed)


def test_what_the_page_says(world: World, story: Story) -> None:
    """RFC 10027 §6.1: who asks, the code to compare, when and from where, and what to do if somebody sent it; also of a client of ours."""
    party = television(world, first_party=True, name="Kitchen TV")
    codes = begins(world, party, user_agent=FIREFOX).json()
    page = types(signed_in(world, story), codes["user_code"])
    assert page.url.path.endswith("/consent")
    text = re.sub(r"<[^>]+>|\s+", " ", page.text)
    for said in (
        "Kitchen TV",
        codes["user_code"],
        "Firefox, Linux",
        "198.51.100.0/24",
        "refuse: they would get into your ID",
        "another network",
    ):
        assert said in text, said
    assert page.text.index('value="allow"') < page.text.index('value="deny"')
    near = begins(world, party, at="203.0.113.200").json()
    assert "in the same network" in types(signed_in(world, story), near["user_code"]).text


def test_it_always_asks(world: World, story: Story) -> None:
    """Also of a first party, and where all of it was allowed before: whoever typed the code may have got it from a stranger."""
    for first_party in (True, False):
        party, browser = television(world, first_party=first_party), signed_in(world, story)
        for _ in range(2):
            page = types(browser, begun(world, party)["user_code"])
            assert page.url.path.endswith("/consent")
            browser.allow(page)
    assert len(rows(world, Consent)) == 2


def test_signing_in_on_the_way(world: World, story: Story) -> None:
    """Nobody is here: the same pages as everywhere, then the question."""
    party, browser = television(world), world.browser()
    codes = begun(world, party)
    page = types(browser, codes["user_code"])
    page = browser.onward(browser.submit(page, phone=phone(story, "zimin")))
    page = browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimin"))))
    assert codes["user_code"] in page.text
    assert browser.allow(page).url.path == "/device/allowed"
    assert claims_of(polls(world, party, codes["device_code"]).json()["id_token"])["sub"] == person(story, "zimin").user_id


def test_refusing(world: World, story: Story) -> None:
    """`access_denied` for the device, an event for the person, a page without a form for both."""
    party, browser = television(world), signed_in(world, story)
    codes = begun(world, party)
    done = browser.onward(browser.submit(types(browser, codes["user_code"]), answer="deny"))
    assert done.url.path == "/device/refused"
    assert "<form" not in done.text.partition("<main>")[2].partition("</main>")[0]
    assert token_error(polls(world, party, codes["device_code"])) == "access_denied"
    (event,) = world.events(device_authorizations.DENIED_EVENT)
    assert (event.user_id, event.client_id, event.outcome) == (person(story, "zimin").user_id, party.client.id, "refused")
    assert types(browser, codes["user_code"]).status_code == 422


def test_cancelling_before_signing_in(world: World) -> None:
    """The way out that stands on every page: the device hears no."""
    party, browser = television(world), world.browser()
    codes = begun(world, party)
    done = browser.onward(browser.press(types(browser, codes["user_code"]), "/cancel"))
    assert done.url.path == "/device/refused"
    assert token_error(polls(world, party, codes["device_code"])) == "access_denied"


def test_another_browser_cannot_go_on(world: World, story: Story) -> None:
    """Cases 7 and 8: what was parked in one browser is nothing in another one, whoever is signed in there."""
    codes = begun(world, television(world))
    page = types(signed_in(world, story), codes["user_code"])
    other = signed_in(world, story, "anna")
    for path in ("", "/consent"):
        assert other.get(str(page.url).removesuffix("/consent") + path).status_code == 410
    assert other.post(str(page.url), data={"answer": "allow"}).status_code == 410
    assert rows(world, DeviceAuthorization)[0].state == "waiting"


def test_two_people_type_one_code(world: World, story: Story) -> None:
    """Each code has one answer: who comes second is told so, and gives nothing away."""
    party = television(world)
    codes = begun(world, party)
    one, two = signed_in(world, story), signed_in(world, story, "anna")
    pages = [types(browser, codes["user_code"]) for browser in (one, two)]
    assert one.allow(pages[0]).url.path == "/device/allowed"
    late = two.onward(two.submit(pages[1], answer="allow"))
    assert late.status_code == 410
    assert claims_of(polls(world, party, codes["device_code"]).json()["id_token"])["sub"] == person(story, "zimin").user_id


def test_back_and_again(world: World, story: Story) -> None:
    """Case 15: the Back button and a second press after the end change nothing."""
    party, browser = television(world), signed_in(world, story)
    codes = begun(world, party)
    page = types(browser, codes["user_code"])
    again = browser.filled(page, answer="deny")
    browser.allow(page)
    assert browser.onward(browser.send(again)).status_code == 410
    assert browser.get(page.url).status_code == 410
    assert polls(world, party, codes["device_code"]).status_code == 200


def test_a_form_from_elsewhere(world: World, story: Story) -> None:
    """Case 6: without the token of our own page nothing is typed and nothing allowed."""
    codes, browser = begun(world, television(world)), signed_in(world, story)
    assert browser.post("/device", data={"user_code": codes["user_code"]}).status_code == 410
    page = types(browser, codes["user_code"])
    assert browser.post(str(page.url), data={"answer": "allow"}).status_code == 410
    assert rows(world, DeviceAuthorization)[0].state == "waiting"


def test_guessing_is_bounded(world: World) -> None:
    """§5.1: ten wrong ones an hour in one browser, also when a right one lies between them; then the right one does not help either."""
    party, browser = television(world), world.browser()
    mine, theirs = begun(world, party), begun(world, party)
    with freeze(clock.now()) as shift:

        def guess(code: str) -> int:
            return browser.submit(browser.get("/device"), user_code=code).status_code

        assert [guess(WRONG) for _ in range(9)] == [422] * 9
        assert guess(mine["user_code"]) == 303
        assert guess("nonsense") == 422  # cannot be one: no guess
        assert guess(WRONG) == 422
        assert [guess(WRONG), guess(theirs["user_code"])] == [429, 429]
        shift(3601)
        assert guess(WRONG) == 422


def test_guessing_from_one_network(world: World) -> None:
    """§5.1: whoever throws their cookies away is counted by network; others are not held up."""
    codes = begun(world, television(world))
    with freeze(clock.now()):
        answers = []
        for _ in range(102):
            browser = world.browser()
            answers.append(browser.submit(browser.get("/device"), user_code=WRONG).status_code)
        assert answers == [422] * 100 + [429] * 2
        elsewhere = world.browser(address="192.0.2.9")
        assert elsewhere.submit(elsewhere.get("/device"), user_code=codes["user_code"]).status_code == 303


def test_a_wrong_code_says_what_to_do(world: World) -> None:
    """The same words for a code that never was, one that has run out and one that was answered; what was typed stays in the field."""
    browser = world.browser()
    page = browser.submit(browser.get("/device"), user_code="bcdf ghjk")
    assert page.status_code == 422
    assert "No device is waiting with this code" in page.text
    assert 'value="bcdf ghjk"' in page.text
    assert 'aria-invalid="true"' in page.text


def test_a_client_that_is_gone(world: World, story: Story) -> None:
    """Deleted meanwhile: nobody is asked on its behalf."""
    party = television(world)
    codes = begun(world, party)
    with world.writes():
        clients.delete(party.client.id)
    assert types(signed_in(world, story), codes["user_code"]).status_code == 422
