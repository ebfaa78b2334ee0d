"""`prompt` and `max_age`: what is silent, what is asked anew (OpenID Connect Core §3.1.2.1, §3.1.2.3; Initiating User Registration §4).

Cases 9 and 10 of threats.md.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock
from idp.delegation.tables import Code, ParkedRequest
from idp.login.tables import LoginFlow, Session
from tests.oidc.asking import back_at, error_at, person, phone, rows, signed_in
from tests.world import CALLBACK, Browser, Party, World, answer_of, claims_of, new_phone


def id_token(world: World, party: Party, answer) -> dict:
    """The claims of the ID token that a redirect's code gives."""
    return claims_of(world.redeem(party, answer_of(answer)["code"]).json()["id_token"])


def with_code(world: World, browser: Browser, page, number: str):
    """From the page that shows who is known here, by a code, to the relying party."""
    if 'name="person"' in page.text:
        page = browser.onward(browser.submit(page, person=page.text.partition('name="person" value="')[2].partition('"')[0]))
    else:
        page = browser.onward(browser.submit(page, phone=number))
    assert 'name="code"' in page.text
    return browser.onward(browser.submit(page, code=world.code_for(number)))


@pytest.mark.parametrize(
    ("key", "changes", "error"),
    [
        (None, {}, "login_required"),
        (None, {"max_age": "0"}, "login_required"),
        (None, {"scope": "openid company"}, "login_required"),
        ("zimin", {"max_age": "0"}, "login_required"),
        ("anna", {"scope": "openid company"}, "account_selection_required"),
        ("zimin", {"third_party": "1"}, "consent_required"),
        ("karimov", {"scope": "openid company", "accounts": "employee"}, "access_denied"),
    ],
)
def test_none_shows_nothing(world: World, story, key: str | None, changes: dict[str, str], error: str) -> None:
    """Case 9: `prompt=none` is answered by a redirect with the one error; no page, no cookie, no row, no message."""
    changes = dict(changes)
    party = world.party(
        first_party="third_party" not in changes, account_types=[changes.pop("accounts", "employee")] if key == "karimov" else None
    )
    changes.pop("third_party", None)
    browser = signed_in(world, story, key) if key else world.browser()
    before = [len(rows(world, table)) for table in (ParkedRequest, LoginFlow, Code, Session)], len(world.inbox())
    answer = browser.get("/authorize", params=party.asks(prompt="none", **changes))
    assert error_at(answer, party) == error
    assert "Set-Cookie" not in answer.headers
    assert answer.text == ""
    assert ([len(rows(world, table)) for table in (ParkedRequest, LoginFlow, Code, Session)], len(world.inbox())) == before


def test_none_when_all_is_well(world: World, story) -> None:
    """Core §3.1.2.1: a silent success with the same person and the same `auth_time`; still no cookie."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        first = id_token(world, party, world.sign_in(browser, party, phone(story, "zimin")))
        later(timedelta(hours=3))
        answer = browser.authorize(party, prompt="none")
        assert "Set-Cookie" not in answer.headers
        second = id_token(world, party, answer)
    assert {name: second[name] for name in ("sub", "auth_time", "sid", "acr", "amr")} == {
        name: first[name] for name in ("sub", "auth_time", "sid", "acr", "amr")
    }
    assert second["iat"] == first["iat"] + 3 * 3600


def test_none_stands_alone(world: World, story) -> None:
    """Core §3.1.2.1: with another value it is an error; a word that we do not know beside it as well."""
    party = world.party()
    for prompt in ("none login", "login none", "none consent", "none nonsense", "none none"):
        assert error_at(world.browser().authorize(party, prompt=prompt), party) == "invalid_request", prompt


def test_login_asks_for_a_proof(world: World, story) -> None:
    """Case 10: neither the session nor the remembered browser satisfies `prompt=login`; a new code does, and `auth_time` moves."""
    party, number = world.party(), phone(story, "zimin")
    browser = world.browser()
    first = id_token(world, party, world.sign_in(browser, party, number))
    with clock.freeze(clock.now() + timedelta(minutes=5)) as later:
        page = browser.authorize(party, prompt="login")
        assert page.status_code == 200
        later(2)
        second = id_token(world, party, with_code(world, browser, page, number))
    assert second["auth_time"] > first["auth_time"]
    assert second["acr"] == "urn:idp:acr:code"
    assert second["sub"] == first["sub"]
    assert second["sid"] == first["sid"]


def test_login_cannot_be_walked_around(world: World, story) -> None:
    """Case 10: going back to the request, or opening it twice, does not take the old session for the proof."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    page = browser.authorize(party, prompt="login")
    flow = str(page.url).rpartition("/login/")[2].partition("/")[0]
    request_id = rows(world, ParkedRequest)[-1].id
    for path in (f"/authorize/{request_id}", f"/authorize/{request_id}/account", f"/authorize/{request_id}/consent", f"/login/{flow}"):
        there = browser.go(path)
        assert there.status_code == 200, path
        assert "/login/" in str(there.url), path


@pytest.mark.parametrize("max_age", ["0", "1", "60"])
def test_max_age_asks_when_it_is_over(world: World, story, max_age: str) -> None:
    """Case 10, Core §3.1.2.1: a proof older than `max_age` is asked anew; `0` is always older."""
    party, number = world.party(), phone(story, "zimin")
    browser = world.browser()
    first = id_token(world, party, world.sign_in(browser, party, number, max_age="10000"))
    with clock.freeze(clock.now() + timedelta(seconds=int(max_age) + 2)) as later:
        assert error_at(browser.authorize(party, prompt="none", max_age=max_age), party) == "login_required"
        page = browser.authorize(party, max_age=max_age)
        later(1)
        second = id_token(world, party, with_code(world, browser, page, number))
    assert second["auth_time"] > first["auth_time"]


def test_max_age_that_is_met(world: World, story) -> None:
    """Conformance, max-age-10000: nothing is asked, and `auth_time` is the same."""
    party = world.party()
    browser = world.browser()
    first = id_token(world, party, world.sign_in(browser, party, phone(story, "zimin"), max_age="15000"))
    with clock.freeze(clock.now() + timedelta(seconds=9000)):
        second = id_token(world, party, browser.authorize(party, max_age="10000"))
    assert (second["auth_time"], second["sub"]) == (first["auth_time"], first["sub"])


def test_a_remembered_browser_is_no_proof(world: World, story) -> None:
    """Case 10, claims.md "How strong, how fresh": it keeps `auth_time` and gets a lower `acr`; more is asked where it is demanded."""
    party, number = world.party(), phone(story, "zimin")
    browser = world.browser()
    first = id_token(world, party, world.sign_in(browser, party, number))
    with clock.freeze(clock.now() + timedelta(days=2)) as later:
        page = browser.authorize(party)
        assert page.status_code == 200
        device = page.text.partition('name="person" value="')[2].partition('"')[0]
        second = id_token(world, party, browser.onward(browser.submit(page, person=device)))
        assert second["auth_time"] == first["auth_time"]
        assert second["amr"] == first["amr"]
        assert second["acr"] == "urn:idp:acr:remembered"
        assert second["sid"] != first["sid"]
        for changes in ({"max_age": "3600"}, {"prompt": "login"}, {"acr_values": "urn:idp:acr:code"}):
            assert browser.authorize(party, **changes).status_code == 200, changes
        assert error_at(browser.authorize(party, prompt="none", acr_values="urn:idp:acr:code"), party) == "login_required"
        page = browser.authorize(party, acr_values="urn:idp:acr:code")
        later(1)
        third = id_token(world, party, with_code(world, browser, page, number))
        assert third["acr"] == "urn:idp:acr:code"
        assert third["auth_time"] > first["auth_time"]


def test_select_account_shows_people_and_accounts(world: World, story) -> None:
    """claims.md: `prompt=select_account` shows the people known in this browser, then their accounts, although both are settled."""
    party = world.party()
    browser = signed_in(world, story, "anna", party, scope="openid company", account="Ромашка")
    page = browser.authorize(party, scope="openid company", prompt="select_account")
    assert 'name="person"' in page.text
    person_id = page.text.partition('name="person" value="')[2].partition('"')[0]
    page = browser.onward(browser.submit(page, person=person_id))
    assert 'name="account"' in page.text
    answer = world.choose(browser, page, "Смирнова")
    assert id_token(world, party, answer)["company_id"] == story.companies["smirnova"]


def test_create_begins_at_sign_up(world: World, story) -> None:
    """Initiating User Registration §4: `prompt=create` asks for a number although somebody is signed in; a new person comes back."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    page = browser.authorize(party, prompt="create")
    assert page.status_code == 200
    number = new_phone()
    page = browser.onward(browser.submit(page, phone=number))
    page = browser.onward(browser.submit(page, code=world.code_for(number)))
    answer = browser.onward(browser.submit(page, name="Новый Человек", terms="on"))
    assert id_token(world, party, answer)["sub"] not in {p.user_id for p in story.people}


def test_id_token_hint(world: World, story) -> None:
    """Core §3.1.2.1: with the hint of who is here it is silent, expired or not; with somebody else's it is `login_required`."""
    party = world.party()
    browser = world.browser()
    mine = world.tokens(browser, party, phone(story, "zimin"))["id_token"]
    other = world.tokens(world.browser(), party, phone(story, "zimina"))["id_token"]
    with clock.freeze(clock.now() + timedelta(hours=1)):
        answer = browser.authorize(party, prompt="none", id_token_hint=mine)
        assert id_token(world, party, answer)["sub"] == person(story, "zimin").user_id
        assert error_at(browser.authorize(party, prompt="none", id_token_hint=other), party) == "login_required"


def test_a_hint_lets_nobody_else_in(world: World, story) -> None:
    """Case 34: the hint says whom the app means. Somebody who proves another number is not signed in to it as that person."""
    party = world.party()
    hint = world.tokens(world.browser(), party, phone(story, "zimina"))["id_token"]
    browser = world.browser()
    page = browser.authorize(party, id_token_hint=hint)
    page = browser.onward(browser.submit(page, phone=phone(story, "zimin")))
    refused = browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimin"))))
    assert refused.status_code == 403
    assert "Location" not in refused.headers
    assert error_at(browser.authorize(party, prompt="none"), party) == "login_required"


def test_acr_values_are_a_wish(world: World, story) -> None:
    """Core §5.5.1.1: the level that can be reached is given and named; an unknown one is no error, and no promise."""
    party = world.party()
    browser = world.browser()
    answer = world.sign_in(browser, party, phone(story, "zimin"), acr_values="urn:idp:acr:phishing_resistant")
    assert id_token(world, party, answer)["acr"] == "urn:idp:acr:code"
    assert back_at(browser.authorize(party, acr_values="1 2", prompt="none"), CALLBACK)["code"]
