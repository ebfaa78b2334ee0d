"""The passkeys on a person's own pages: listed, added, named, removed; after a fresh proof, by their owner only, and everybody is told.

`product.md` §6.1, cases 101, 102, 106; ASVS 5.0 §7.4.3, §7.5.1.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock
from idp.credentials import passkey
from idp.db.session import session as database
from idp.directory import users
from idp.directory.tables import User
from tests.account.lab import ANNA, doubted, entered, prove
from tests.authenticator import BOUND, Authenticator
from tests.conftest import Told
from tests.credentials.factors import make_codes
from tests.login import password_lab
from tests.login.http_lab import base_of, known, provider, text_of, token_of
from tests.login.lab import where
from tests.login.password_lab import SECRET, give
from tests.world import ISSUER, Browser, World, answer_of

ADD, ORLOV, ZIMIN = "/account/passkeys/add", "+79005553502", "+79005553510"


def asked(browser: Browser, page: httpx2.Response) -> dict[str, Any]:
    """What the page's script asks for."""
    answer = browser.post(f"{ADD}/options", data={"csrf_token": token_of(page)})
    assert answer.status_code == 200, answer.text
    given: dict[str, Any] = answer.json()
    return given


def add(browser: Browser, page: httpx2.Response, device: Authenticator) -> httpx2.Response:
    """Press the button and touch the device; follows the answer."""
    return browser.onward(browser.submit(page, credential=device.create(asked(browser, page))))


def touched(browser: Browser, page: httpx2.Response, device: Authenticator) -> httpx2.Response:
    """One more proof is due: this passkey is it; what comes of it."""
    assert where(page) == "further_proof", page.url
    page = browser.get(f"{base_of(page)}/passkey")
    question = browser.post(f"{page.url.path}/options", data={"csrf_token": token_of(page)}).json()
    return browser.onward(browser.submit(page, credential=device.get(question)))


def id_of(page: httpx2.Response) -> str:
    """Of the passkey whose page it is."""
    return str(page.url.path).rpartition("/")[2]


def signal_on(page: httpx2.Response) -> dict[str, Any]:
    """What the page tells the password manager."""
    found = re.search(r'data-signal="([^"]+)"', page.text)
    assert found is not None, page.text
    told: dict[str, Any] = json.loads(found[1].replace("&#34;", '"'))
    return told


def test_added_named_and_removed(world: World) -> None:
    """The whole life of one: named by its model, told of on every channel, others can be signed out, renamed, removed, told of again."""
    elsewhere = known(world, world.party(), ANNA, address="198.51.100.9")
    browser, page = entered(world, ADD)
    device, second = Authenticator(), Authenticator(flags=BOUND)
    options = asked(browser, page)
    assert options["user"]["name"] == "+7 ••• •••-35-01"
    added = add(browser, page, device)
    assert "The passkey is ready" in text_of(added)
    assert 'value="Chromium Browser"' in added.text
    assert where(browser.onward(browser.press(added, "/sign_out_everywhere"))) == "security"
    assert where(elsewhere.go("/account/profile")) == "identify", "nobody is known there any more"
    kept = id_of(added)
    refused = browser.submit(added, name=" \u200e ")
    assert refused.status_code == 422
    assert "Fill in this field" in text_of(refused)
    listed = browser.onward(browser.submit(added, name="Мой <b>телефон</b>"))
    assert where(listed) == "security"
    assert "Мой &lt;b&gt;телефон&lt;/b&gt;" in listed.text
    assert "on all your devices" in text_of(listed)
    assert "not used yet" in text_of(listed)
    told = signal_on(listed)
    assert told["allAcceptedCredentialIDs"] == [device.credential_id]
    assert told["userID"] == device.handle
    page = touched(browser, browser.go(ADD), device)
    assert [each["id"] for each in asked(browser, page)["excludeCredentials"]] == [device.credential_id]
    assert "on one device only" in text_of(browser.get("/account/security")) or add(browser, page, second)
    removing = browser.get(f"/account/passkeys/{kept}/remove")
    gone = browser.onward(browser.press(removing, "/remove"))
    assert where(gone) == "removed"
    assert "Remove it on the device too" in text_of(gone)
    assert signal_on(gone)["allAcceptedCredentialIDs"] == [second.credential_id]
    assert [event.details["passkey"] for event in world.events(passkey.REMOVED)] == [kept]
    said = [message["text"] for message in world.inbox(ANNA) if not message["code"]]
    assert sum("добавлен ключ доступа" in text for text in said) == 2
    assert sum("удалён ключ доступа" in text for text in said) == 1
    activity = text_of(browser.get("/account/activity"))
    assert "A passkey was added" in activity
    assert "A passkey was removed" in activity


def test_a_fresh_proof_first(world: World) -> None:
    """Case 102: with a session that was left open nobody adds or removes one, by page, question or form; nor from another site."""
    with clock.freeze(clock.now()) as later:
        browser, page = entered(world, ADD)
        device = Authenticator()
        kept = id_of(add(browser, page, device))
        page = touched(browser, browser.go(ADD), device)
        made = Authenticator().create(asked(browser, page))
        removing = browser.get(f"/account/passkeys/{kept}/remove")
        later(301)
        for answer in (
            browser.get(ADD),
            browser.submit(page, credential=made),
            browser.post(f"{ADD}/options", data={"csrf_token": token_of(page)}),
            browser.get(f"/account/passkeys/{kept}/remove"),
            browser.press(removing, "/remove"),
        ):
            assert answer.status_code == 303
            assert answer.headers["Location"].startswith("/login/")
        with world.reads():
            assert len(database.execute(sa.select(passkey._keys)).all()) == 1
        again = touched(browser, prove(world, browser, browser.go(ADD), ANNA), device)
        assert again.url.path == ADD, "and back to where the person was"
        assert browser.post(ADD, data={"credential": made}).status_code == 410
        assert browser.post(f"{ADD}/options").status_code == 410
        stale = browser.submit(again, credential=made)
        assert stale.status_code == 422
        assert "took too long" in text_of(stale)


def test_who_has_more_proves_it_first(world: World) -> None:
    """Case 102: whoever holds the number alone adds no passkey to an ID that has a password, or a passkey already; by page, question, form,
    or the offer of a sign-in. It would count as two proofs from then on, and open what only two open.
    """
    thief, page = entered(world, ADD, phone=ZIMIN)
    made = Authenticator().create(asked(thief, page))
    give(world, password_lab.id_of(world, ZIMIN))
    for answer in (thief.get(ADD), thief.post(f"{ADD}/options", data={"csrf_token": token_of(page)}), thief.submit(page, credential=made)):
        assert where(thief.onward(answer)) == "further_proof"
    asked_again = thief.authorize(world.party(), prompt="login")
    code = thief.onward(thief.submit(thief.get(f"{base_of(asked_again)}/identify"), phone=ZIMIN))
    answer_of(thief.onward(thief.submit(code, code=world.code_for(ZIMIN), passkey="1")))
    assert thief.get(f"{base_of(code)}/passkey_offer").headers["Location"].startswith("/authorize/")
    assert thief.post(f"{base_of(code)}/passkey_offer/options", data={"csrf_token": token_of(code)}).status_code == 410
    assert not world.events(passkey.ADDED)
    due = thief.go(ADD)
    proved = thief.onward(thief.submit(thief.get(f"{base_of(due)}/password"), password=SECRET))
    add(thief, proved, Authenticator())
    assert len(world.events(passkey.ADDED)) == 1, "who knows it too is no thief"


def test_another_ones(world: World) -> None:
    """Case 106: by its id nobody sees, renames or removes what is not theirs; a question of another session is no use."""
    mine, page = entered(world, ADD)
    device = Authenticator()
    kept = id_of(add(mine, page, device))
    other, theirs = entered(world, ADD, phone=ORLOV, browser=world.browser(address="198.51.100.7"))
    for answer in (
        other.get(f"/account/passkeys/{kept}"),
        other.get(f"/account/passkeys/{kept}/remove"),
        other.post(f"/account/passkeys/{kept}", data={"csrf_token": token_of(theirs), "name": "Mine"}),
        other.post(f"/account/passkeys/{kept}/remove", data={"csrf_token": token_of(theirs)}),
        other.get("/account/passkeys/psk_00000000000000000000000000"),
    ):
        assert answer.status_code == 404
    assert other.submit(theirs, credential=Authenticator().create(asked(mine, touched(mine, mine.go(ADD), device)))).status_code == 422
    assert other.submit(theirs, credential=Authenticator(credential=device.credential).create(asked(other, theirs))).status_code == 422
    assert "Chromium Browser" in text_of(mine.get("/account/security"))
    assert len(world.events(passkey.ADDED)) == 1


def test_the_last_way_in(world: World) -> None:
    """Case 106: without a number, the one passkey stays; with a second one it can go."""
    browser, page = entered(world, ADD)
    device = Authenticator()
    kept = id_of(add(browser, page, device))
    removing = browser.get(f"/account/passkeys/{kept}/remove")
    with world.writes():
        database.execute(sa.update(User).where(User.phone == ANNA).values(phone=None, email_verified_at=None))
    assert "last way into your ID" in text_of(browser.get(f"/account/passkeys/{kept}/remove"))
    answer = browser.press(removing, "/remove")
    assert answer.status_code == 403
    assert "another passkey first" in text_of(answer)
    other = id_of(add(browser, touched(browser, browser.go(ADD), device), Authenticator()))
    both = [browser.pressed(browser.get(f"/account/passkeys/{each}/remove"), "/remove") for each in (kept, other)]
    with ThreadPoolExecutor(2) as pool:
        sent = pool.map(lambda form: world.browser().send(form).status_code, both)
        assert sorted(sent) == [303, 403], "both at the same moment: one stays"
    assert browser.press(removing, "/remove").status_code in {403, 404}


def test_a_number_that_is_doubted_is_no_way_in(world: World) -> None:
    """Case 106: a code to it does not open the ID by itself any more. Alone beside it the passkey stays; what may stand in its place frees
    it: a verified address, or a recovery code.
    """
    browser, page = entered(world, ADD)
    kept = id_of(add(browser, page, Authenticator()))
    removing = browser.get(f"/account/passkeys/{kept}/remove")
    doubted(world, ANNA)
    assert "last way into your ID" in text_of(browser.get(f"/account/passkeys/{kept}/remove"))
    assert browser.press(removing, "/remove").status_code == 403
    make_codes(world, password_lab.id_of(world))
    assert "last way into your ID" not in text_of(browser.get(f"/account/passkeys/{kept}/remove"))
    assert browser.press(removing, "/remove").status_code == 303
    orlov, page = entered(world, ADD, phone=ORLOV, browser=world.browser(address="198.51.100.7"))
    removing = orlov.get(f"/account/passkeys/{id_of(add(orlov, page, Authenticator()))}/remove")
    doubted(world, ORLOV, email=True)
    assert orlov.press(removing, "/remove").status_code == 303


def test_support_takes_them_off(world: World) -> None:
    """Whoever set one up to keep the owner out is out: support's reset takes passkeys as well, and is told of once."""
    from idp.oidc.reset_factors import reset_factors

    browser, page = entered(world, ADD)
    add(browser, page, Authenticator())
    with world.writes():
        anna = users.find_by_phone(ANNA)
        assert anna is not None
        assert reset_factors(anna.id, "lost", actor_id="operator")[0] == ["passkeys"]
    assert where(browser.go("/account/security")) == "identify"
    said = [message["text"] for message in world.inbox(ANNA) if not message["code"]]
    assert not [text for text in said if "удалён ключ доступа" in text]


def test_addresses_that_password_managers_look_for(told: Told, world: World) -> None:
    """`/.well-known/passkey-endpoints` names pages that are there; `webauthn` is there only where several origins are configured;
    `change-password` leads to the page.
    """
    browser = world.browser()
    answer = browser.get("/.well-known/passkey-endpoints")
    assert answer.headers["Content-Type"] == "application/json"
    assert not answer.headers.get_list("Set-Cookie")
    assert answer.json() == {"enroll": f"{ISSUER}{ADD}", "manage": f"{ISSUER}/account/passkeys"}
    assert browser.get("/account/passkeys").status_code == 303
    changed = browser.get("/.well-known/change-password")
    assert (changed.status_code, changed.headers["Location"]) == (303, "/account/password")
    assert browser.get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200").status_code == 404
    assert browser.get("/.well-known/webauthn").status_code == 404
    origins = ["https://id.example.com", "https://id.example.org"]
    changes: dict[str, Any] = {"server": {"issuer": "https://id.example.org"}, "login": {"passkey_domain": "id.example.com"}}
    changes["login"]["passkey_origins"] = origins
    with provider(told, **changes) as moved:
        answer = moved.browser().get("/.well-known/webauthn")
        assert answer.status_code == 200
        assert answer.json() == {"origins": origins}
    with provider(told, server={"issuer": "http://127.0.0.1:8000"}) as bare:
        assert bare.browser().get("/.well-known/passkey-endpoints").status_code == 404
        assert "webauthn" not in bare.browser().authorize(bare.party()).text


@pytest.mark.parametrize("junk", ["", "{}", "[", '{"id":"AA","rawId":"AA","response":{"clientDataJSON":"e30"}}'])
def test_what_is_no_key(world: World, junk: str) -> None:
    """Anything may be sent: the page says that it could not be checked."""
    browser, page = entered(world, ADD)
    answer = browser.submit(page, credential=junk)
    assert answer.status_code == 422
    assert "could not be checked" in text_of(answer)
