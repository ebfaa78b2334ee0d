"""Consent: asked of other people's apps, remembered per account, asked again for more, never given by anybody else.

OpenID Connect Core §3.1.2.4, RFC 6749 §10.2; case 6 of threats.md.
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from idp.delegation.tables import Code, Consent
from idp.web.csrf import FIELD
from tests.oidc.asking import back_at, error_at, phone, rows, signed_in
from tests.world import CALLBACK, Browser, Party, World, answer_of


@pytest.fixture
def party(world: World) -> Party:
    """An app that is not the marketplace's own."""
    return world.party(first_party=False, name="Their app")


def at_consent(world: World, story, party: Party, **changes: str | None) -> tuple[Browser, object]:
    """A browser of a person with one account, before the page that asks."""
    browser = signed_in(world, story, "zimin")
    page = browser.authorize(party, **changes)
    assert 'value="allow"' in page.text
    return browser, page


def test_allowed_once_and_remembered(world: World, story, party: Party) -> None:
    """Core §3.1.2.4: after `Allow` the app gets its code; the next time, and silently, nobody is asked."""
    browser, page = at_consent(world, story, party)
    assert back_at(browser.onward(browser.submit(page, answer="allow")), CALLBACK)["code"]
    assert back_at(browser.authorize(party), CALLBACK)["code"]
    assert back_at(browser.authorize(party, prompt="none"), CALLBACK)["code"]
    assert [row.scopes for row in rows(world, Consent)] == [["openid", "profile"]]
    assert [event.name for event in world.events("consent.granted")] == ["consent.granted"]


def test_remembered_in_every_browser(world: World, story, party: Party) -> None:
    """It is the person who allowed it, not a browser."""
    browser, page = at_consent(world, story, party)
    browser.onward(browser.submit(page, answer="allow"))
    assert back_at(world.sign_in(world.browser(), party, phone(story, "zimin")), CALLBACK)["code"]


def test_refused(world: World, story, party: Party) -> None:
    """RFC 6749 §4.1.2.1: `access_denied` with state and iss; nothing is remembered, no code is made."""
    browser, page = at_consent(world, story, party)
    before = len(rows(world, Code))
    assert error_at(browser.submit(page, answer="deny"), party) == "access_denied"
    assert rows(world, Consent) == []
    assert len(rows(world, Code)) == before
    assert error_at(browser.authorize(party, prompt="none"), party) == "consent_required"


def test_a_wider_scope_asks_again(world: World, story, party: Party) -> None:
    """Case 6: what was allowed before covers that and less, and no more."""
    browser, page = at_consent(world, story, party, scope="openid profile email")
    browser.onward(browser.submit(page, answer="allow"))
    for less in ("openid", "openid email", "email profile openid"):
        assert back_at(browser.authorize(party, scope=less, prompt="none"), CALLBACK)["code"], less
    for more in ("openid phone", "openid profile email offline_access", "openid profile address"):
        assert error_at(browser.authorize(party, scope=more, prompt="none"), party) == "consent_required", more
    page = browser.authorize(party, scope="openid phone")
    browser.onward(browser.submit(page, answer="allow"))
    assert back_at(browser.authorize(party, scope="openid profile email phone", prompt="none"), CALLBACK)["code"]


def test_prompt_consent_always_asks(world: World, story, party: Party) -> None:
    """Core §3.1.2.1: also what is remembered, and also for our own apps."""
    browser, page = at_consent(world, story, party)
    browser.onward(browser.submit(page, answer="allow"))
    for asked in (party, world.party()):
        page = browser.authorize(asked, prompt="consent")
        assert 'value="allow"' in page.text
        assert back_at(browser.onward(browser.submit(page, answer="allow")), CALLBACK)["code"]


def test_our_own_apps_do_not_ask(world: World, story) -> None:
    """claims.md: a first party is an operator's decision."""
    browser = signed_in(world, story, "zimin")
    assert back_at(browser.authorize(world.party(), scope="openid profile email phone address offline_access"), CALLBACK)["code"]


def test_the_page_says_what_is_given(world: World, story, party: Party) -> None:
    """product.md §2.6: who asks, as whom, what it will see and do, and where the person goes; nothing that was not asked for."""
    _, page = at_consent(world, story, party, scope="openid phone offline_access")
    for words in ("Their app", "Your phone number", "Work while you are not there", "rp.example", "Павел Зимин"):
        assert words in page.text.replace("\u00a0", " "), words
    for words in ("e-mail address", "postal address", "All companies", "Your name and profile"):
        assert words not in page.text.replace("\u00a0", " "), words


def test_allowed_for_one_company_only(world: World, story, party: Party) -> None:
    """Case 6: consent is given as one account. In another company the app asks again."""
    browser = world.browser()
    page = world.sign_in(browser, party, phone(story, "anna"), scope="openid company", account="Ромашка")
    browser.onward(browser.submit(page, answer="allow"))
    romashka, smirnova = story.companies["romashka"], story.companies["smirnova"]
    assert back_at(browser.authorize(party, scope="openid company", prompt="none", company=romashka), CALLBACK)["code"]
    assert error_at(browser.authorize(party, scope="openid company", prompt="none", company=smirnova), party) == "consent_required"
    assert error_at(browser.authorize(party, scope="openid", prompt="none"), party) == "consent_required"


def test_another_account_voids_what_was_pressed(world: World, story, party: Party) -> None:
    """Case 6: whoever allows it as one account and then goes back to the chooser is asked again for the other."""
    browser = world.browser()
    chooser = world.sign_in(browser, party, phone(story, "anna"), scope="openid company")
    consent = world.choose(browser, chooser, "Ромашка")
    pressed = browser.submit(consent, answer="allow")  # and the answer is not followed
    there = world.choose(browser, chooser, "Смирнова")
    assert there.status_code == 200
    assert 'value="allow"' in there.text
    assert "Смирнова" in there.text
    assert error_at(browser.submit(there, answer="deny"), party) == "access_denied"
    assert browser.get(pressed.headers["Location"]).status_code == 410


def test_a_forged_allow(world: World, story, party: Party) -> None:
    """Case 6: a form of another site carries no cookie of ours and not the page's token; with either missing nothing is allowed."""
    browser, page = at_consent(world, story, party)
    address = str(page.url)
    other, other_page = at_consent(world, story, party)
    token = other_page.text.partition(f'name="{FIELD}" value="')[2].partition('"')[0]
    tries = [
        world.browser().post(address, data={"answer": "allow"}),
        world.browser().post(address, data={"answer": "allow", FIELD: token}),
        browser.post(address, data={"answer": "allow"}),
        browser.post(address, data={"answer": "allow", FIELD: ""}),
        browser.post(address, data={"answer": "allow", FIELD: "x" * 43}),
        browser.post(address, data={"answer": "allow", FIELD: token}),
        browser.post(address, content=b'{"answer":"allow"}', headers={"Content-Type": "application/json"}),
        browser.post(address + "?answer=allow"),
        browser.get(address, params={"answer": "allow"}),
        other.submit(other_page, answer="perhaps"),
    ]
    assert [answer.status_code for answer in tries] == [410, 410, 410, 410, 410, 410, 400, 410, 200, 400]
    assert rows(world, Consent) == []
    assert error_at(browser.authorize(party, prompt="none"), party) == "consent_required"
    assert error_at(other.submit(other_page, answer="deny"), party) == "access_denied"


def test_an_answer_for_another_client(world: World, story, party: Party) -> None:
    """Case 6: what is allowed is what the request of this address asked for, whatever the form says."""
    harmless = world.party(first_party=False, name="Harmless", scopes=["openid"])
    browser = signed_in(world, story, "zimin")
    greedy = browser.authorize(party, scope="openid phone email")
    page = browser.authorize(harmless, scope="openid")
    fields = {"client_id": party.client.id, "scope": "openid phone email", "redirect_uri": "https://evil.example/"}
    pressed = browser.filled(page, answer="allow").content.decode()
    sent = f"{pressed}&{urlencode(fields)}".encode()
    done = browser.onward(browser.post(str(page.url), content=sent, headers={"Content-Type": "application/x-www-form-urlencoded"}))
    assert back_at(done, CALLBACK)["code"]
    assert [(row.client_id, row.scopes) for row in rows(world, Consent)] == [(harmless.client.id, ["openid"])]
    assert error_at(browser.authorize(party, prompt="none", scope="openid phone"), party) == "consent_required"
    assert error_at(browser.submit(greedy, answer="deny"), party) == "access_denied"


def test_an_answer_twice(world: World, story, party: Party) -> None:
    """Case 6: one use. A second press of the same page makes no second code."""
    browser, page = at_consent(world, story, party)
    assert answer_of(browser.onward(browser.submit(page, answer="allow")))["code"]
    codes = len(rows(world, Code))
    assert browser.submit(page, answer="allow").status_code == 410
    assert browser.submit(page, answer="deny").status_code == 410
    assert len(rows(world, Code)) == codes


def test_skipping_the_page(world: World, story, party: Party) -> None:
    """Case 60 at this step: the address of the request, opened again, leads to the page and past nothing."""
    browser, page = at_consent(world, story, party)
    resumed = browser.go(str(page.url).removesuffix("/consent"))
    assert str(resumed.url) == str(page.url)
    assert browser.go(str(page.url).replace("/consent", "/account")).status_code == 200
    assert error_at(browser.authorize(party, prompt="none"), party) == "consent_required"


def test_signed_out_meanwhile(world: World, story, party: Party) -> None:
    """Nothing is allowed on behalf of somebody who is not here any more."""
    browser, page = at_consent(world, story, party)
    browser.press(browser.get("/end_session"), "/end_session/confirm")
    there = browser.onward(browser.submit(page, answer="allow"))
    assert "/login/" in str(there.url)
    assert rows(world, Consent) == []
