"""Signing in with a passkey: as the whole of a sign-in, as a further proof; and what is refused (threats H, 99-105; case 70, goal G-7)."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Thread
from typing import Any

import httpx2
import pytest
import webauthn

from idp import clock
from idp.credentials import passkey, passkey_response
from idp.directory import users
from idp.login.tables import Session
from tests.authenticator import BE, BOUND, BS, UP, Authenticator
from tests.login.http_lab import base_of, claims, cookies_set, drop_cookies, flow_of, statements, text_of, token_of
from tests.login.lab import ANNA, at_code, how_many, where
from tests.login.test_http_recycled import SILENCE, ZIMIN, at_question, begin_anew, id_of
from tests.world import ISSUER, Browser, Party, World, answer_of

ORLOV, EVA = "+79005553502", "+79015550001"
LEVEL = "urn:idp:acr:phishing_resistant"


def asked(browser: Browser, page: httpx2.Response, step: str = "passkey") -> dict[str, Any]:
    """What the page's script asks for."""
    answer = browser.post(f"{base_of(page)}/{step}/options", data={"csrf_token": token_of(page)})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    given: dict[str, Any] = answer.json()
    return given


def offered(world: World, browser: Browser, party: Party, phone: str, **asked_for: str) -> httpx2.Response:
    """Sign in by number and code in a browser that can make passkeys; the page after it."""
    page = at_code(world, browser, party, phone, **asked_for)
    return browser.onward(browser.submit(page, code=world.code_for(phone), passkey="1"))


def has_passkey(world: World, party: Party, phone: str = ANNA, **made: Any) -> Authenticator:
    """A passkey of this person, added by the offer after a sign-in."""
    device, browser = Authenticator(**made), world.browser()
    page = offered(world, browser, party, phone)
    assert where(page) == "passkey_offer", page.url
    answer_of(browser.onward(browser.submit(page, credential=device.create(asked(browser, page, "passkey_offer")))))
    return device


def press(browser: Browser, page: httpx2.Response, device: Authenticator, **lies: Any) -> httpx2.Response:
    """The button and the finger: sends the form; does not follow the answer."""
    return browser.submit(page, credential=device.get(asked(browser, page), **lies))


def test_a_passkey_alone_is_a_whole_sign_in(world: World, party: Party) -> None:
    """No number, no code: the strongest level there is, and what it was (RFC 8176). Nobody is sent anything."""
    synced, bound = has_passkey(world, party), has_passkey(world, party, ORLOV, flags=BOUND, counter=1)
    sent = len(world.inbox())
    for device, kind in ((synced, "swk"), (bound, "hwk")):
        browser = world.browser(address="192.0.2.77")
        page = browser.authorize(party, acr_values=LEVEL)
        assert where(page) == "identify"
        assert 'autocomplete="tel webauthn"' in page.text
        told = claims(world, party, browser.onward(press(browser, page, device)))
        assert told["acr"] == LEVEL
        assert told["amr"] == [kind, "user", "mfa"]
        assert abs(told["auth_time"] - clock.now().timestamp()) < 60
    assert [event.details["proof"] for event in world.events("login.succeeded")][-2:] == ["passkey", "passkey"]
    assert len(world.inbox()) - sent == 2, "but for the word about a new browser"


def test_the_tick_and_the_next_time(world: World, party: Party) -> None:
    """The browser is remembered as after a code; the next time a press is enough, and a fresh proof is asked for as ever."""
    device, browser = has_passkey(world, party), world.browser()
    with clock.freeze(clock.now()) as later:
        answer_of(browser.onward(press(browser, browser.authorize(party), device)))
        later(60)
        page = browser.authorize(party, prompt="login")
        page = browser.get(f"{base_of(page)}/identify")
        told = claims(world, party, browser.onward(press(browser, page, device)))
        assert told["auth_time"] == int(clock.now().timestamp())
        drop_cookies(browser, "idp_session")
        later(timedelta(days=3).total_seconds())
        assert where(browser.authorize(party)) == "people"


@pytest.mark.parametrize("phone", [ANNA, EVA], ids=["strange", "step-up"])
def test_a_passkey_as_the_further_proof(world: World, party: Party, phone: str) -> None:
    """A code is not enough, in a strange place or for the app: her passkey is asked for, by its name, and no other's will do."""
    with world.writes():
        users.register(EVA, "Ева Ким", "ru", "1")
    hers, his = has_passkey(world, party, phone), has_passkey(world, party, ORLOV)
    browser = world.browser(address="203.0.113.8" if phone == EVA else "198.51.100.9")
    if phone == EVA:
        answer_of(world.sign_in(browser, party, EVA))
        page = browser.authorize(party, acr_values=LEVEL)
    else:
        page = at_code(world, browser, party, phone)
        page = browser.onward(browser.submit(page, code=world.code_for(phone), passkey="1"))
    assert where(page) == "further_proof", page.url
    assert "Sign in with a passkey" in text_of(page)
    page = browser.get(f"{base_of(page)}/passkey")
    options = asked(browser, page)
    assert [each["id"] for each in options["allowCredentials"]] == [hers.credential_id]
    refused = press(browser, page, his)
    assert refused.status_code == 422
    assert "belongs to another ID" in text_of(refused)
    assert "data-signal" not in refused.text, "his passkey is as good as before"
    told = claims(world, party, browser.onward(press(browser, refused, hers, handle=None)))
    assert told["acr"] == LEVEL
    assert {"sms", "swk", "user", "mfa"} <= set(told["amr"])


def test_a_question_is_good_for_one_answer(world: World, party: Party) -> None:
    """Case 99: used, too old, of another sign-in, browser, ceremony: no session; and of many answers at the same moment one is taken."""
    device, browser, other = has_passkey(world, party), world.browser(), world.browser(address="198.51.100.3")
    sessions = how_many(world, Session)
    with clock.freeze(clock.now()) as later:
        page, elsewhere = browser.authorize(party), other.authorize(party)
        options = asked(browser, page)
        late = device.get(options)
        later(300)
        again = browser.submit(page, credential=late)
        assert again.status_code == 422
        assert "took too long" in text_of(again)
        assert other.submit(elsewhere, credential=device.get(asked(browser, page))).status_code == 422
        theirs = {"csrf_token": token_of(page), "credential": device.get(asked(browser, page))}
        assert other.post(f"{base_of(page)}/passkey", data=theirs).status_code == 410
        signed_in = world.browser(address="198.51.100.4")
        offer = offered(world, signed_in, party, ORLOV)
        of_new_key = asked(signed_in, offer, "passkey_offer")
        assert browser.submit(page, credential=device.get(of_new_key | {"rpId": "localhost"})).status_code == 422
        sessions = how_many(world, Session)
        sent = browser.filled(page, credential=device.get(asked(browser, page)))
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: world.browser().send(_copy(sent)), range(4)))
        assert sorted("idp_session" in cookies_set(answer) for answer in answers) == [False, False, False, True]
    assert how_many(world, Session) == sessions + 1
    assert world.events(passkey.REFUSED) == [], "what answers no question of ours fills no log"


def _copy(request: httpx2.Request) -> httpx2.Request:
    return httpx2.Request(request.method, request.url, headers=request.headers, content=request.content)


@pytest.mark.parametrize(
    "lies",
    [
        {"flags": UP | BE | BS},  # case 100: nobody was verified
        {"origin": "https://localhost.evil"},  # case 103
        {"origin": "http://localhost"},
        {"domain": "id.localhost"},
        {"client": {"crossOrigin": True, "topOrigin": "https://evil.example"}},
        {"type": "webauthn.create"},
        {"flags": 0x15},  # case 105: backed up, and may not be
    ],
)
def test_refused_before_the_key_is_looked_at(world: World, party: Party, lies: dict[str, Any]) -> None:
    """Cases 100, 103, 105: the same for a passkey that is known and one that is not; it stays good, its keeper hears nothing."""
    device, browser = has_passkey(world, party), world.browser()
    page = browser.authorize(party)
    pages = [press(browser, page, each, **lies) for each in (device, Authenticator(handle=device.handle))]
    for answer in pages:
        assert answer.status_code == 422
        assert "could not be checked" in text_of(answer)
        assert "data-signal" not in answer.text
        assert "idp_session" not in cookies_set(answer)
    assert "code" in answer_of(browser.onward(press(browser, page, device)))


def test_a_copied_or_changed_passkey(world: World, party: Party) -> None:
    """Case 105: refused with an alarm, the owner is told, and no 500; who has not the key raises none."""
    device, browser = has_passkey(world, party, counter=5), world.browser()
    page = browser.authorize(party)
    assert press(browser, page, device, counter=1, signature=bytes(64)).status_code == 404
    assert world.events(passkey.DOUBTED) == []
    answer_of(browser.onward(press(browser, page, device)))
    other = world.browser(address="198.51.100.5")
    page = other.authorize(party)
    for lie in ({"counter": 2}, {"counter": 0}, {"flags": BOUND}):
        answer = press(other, page, device, **lie)
        assert answer.status_code == 422
        assert "may have been copied" in text_of(answer)
        assert "idp_session" not in cookies_set(answer)
    assert [event.details["reason"] for event in world.events(passkey.DOUBTED)] == ["counter", "counter", "eligible"]


def test_removed_in_another_tab(world: World, party: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the answer, or in the very moment in which it is looked at: it opens nothing, and nobody hears of a copy."""
    browser = world.browser()
    page = browser.authorize(party)

    def remove() -> None:
        ids = [id_of(world, phone) for phone in (ANNA, ORLOV)]
        with world.writes():
            for each in ids:
                passkey.remove_all(each)

    def checked(**answer: Any) -> Any:
        tab = Thread(target=remove)
        tab.start()
        tab.join()
        return webauthn.verify_authentication_response(**answer)

    for phone, meanwhile in ((ANNA, False), (ORLOV, True)):
        device = has_passkey(world, party, phone)
        sent = browser.filled(page, credential=device.get(asked(browser, page)))
        if meanwhile:
            monkeypatch.setattr(passkey_response, "verify_authentication_response", checked)
        else:
            remove()
        answer = browser.send(sent)
        assert answer.status_code == 404
        assert "opens no ID here. Perhaps it was removed" in text_of(answer)
        assert "unknownCredential" in answer.text
    assert [event.details["reason"] for event in world.events(passkey.REFUSED)] == ["unknown", "unknown"]
    assert world.events(passkey.DOUBTED) == []


def test_a_blocked_person(world: World, party: Party) -> None:
    """A right passkey says who it is, and then that the ID is blocked; there is no session."""
    device, browser = has_passkey(world, party), world.browser()
    with world.writes():
        anna = users.find_by_phone(ANNA)
        assert anna is not None
        users.block(anna.id, "fraud")
    answer = press(browser, browser.authorize(party), device)
    assert answer.status_code == 403
    assert "idp_session" not in cookies_set(answer)


def test_known_and_unknown_passkeys(world: World, party: Party) -> None:
    """Case 70, goal G-7: a credential that is nobody's, one that is somebody's: the same status, headers, body, work, until it is proved.

    And the question is the same whatever number was typed, and says nothing of anybody.
    """
    device = has_passkey(world, party)
    world.deliver()
    seen = []
    made_up = re.compile(r"flw_\w+|req_\w+|nonce-[\w-]+|nonce=\"[^\"]+\"|value=\"[\w-]{43}\"|idp_login=[\w-]{43}")
    with clock.freeze(clock.now()):
        for n, (each, phone) in enumerate(
            [(device, ANNA), (Authenticator(), "+79015553511"), (Authenticator(handle=device.handle), ORLOV)]
        ):
            browser = world.browser(address=f"192.0.{n}.9")
            page = browser.authorize(party)
            browser.submit(page, phone=phone)
            options = asked(browser, page)
            sent = browser.filled(page, credential=each.get(options, signature=bytes(70)))
            with statements(world) as ran:
                answer = browser.send(sent)
            body = made_up.sub("…", answer.text).replace(each.credential_id, "ID")
            headers = [(name, made_up.sub("…", value)) for name, value in answer.headers.multi_items() if name != "x-request-id"]
            seen.append((answer.status_code, headers, body, len(answer.text), ran, {**options, "challenge": len(options["challenge"])}))
            signal = re.search(r'data-signal="([^"]+)"', answer.text)
            assert signal is not None
            assert json.loads(signal[1].replace("&#34;", '"'))["credentialID"] == each.credential_id
    assert seen[0][0] == 404
    assert seen[0][5]["allowCredentials"] == []
    assert seen[0] == seen[1] == seen[2]


def test_who_may_ask_and_answer(world: World, party: Party) -> None:
    """Only this browser's own pages: without the form's token there is neither a question nor an answer; nor in another's sign-in."""
    device, browser, other = has_passkey(world, party), world.browser(), world.browser(address="198.51.100.6")
    page, mine = browser.authorize(party), other.authorize(party)
    address = f"{base_of(page)}/passkey"
    assert browser.post(f"{address}/options").status_code == 410
    assert browser.post(f"{address}/options", data={"csrf_token": token_of(mine)}).status_code == 410
    assert other.post(f"{address}/options", data={"csrf_token": token_of(mine)}).status_code == 410
    sent = device.get(asked(browser, page))
    assert browser.post(address, data={"credential": sent}).status_code == 410
    assert other.post(address, data={"credential": sent, "csrf_token": token_of(mine)}).status_code == 410
    assert browser.get(f"{address}/options").status_code == 405
    assert browser.post(address, data={"credential": "x" * 9000, "csrf_token": token_of(page)}).status_code == 400
    for junk in ("", "{}", "[]", '{"id":"AA","rawId":"AA"}'):
        assert browser.post(address, data={"credential": junk, "csrf_token": token_of(page)}).status_code == 422
    for _ in range(passkey.OPEN_AT_ONCE - 1):
        asked(browser, page)
    too_many = browser.post(f"{address}/options", data={"csrf_token": token_of(page)})
    assert too_many.status_code == 429
    assert too_many.headers["Retry-After"] == "300"
    page = browser.onward(browser.submit(page, phone=ANNA))
    assert where(page) == "phone_code", "the number does it as ever"


def test_an_offer_after_the_code(world: World, party: Party) -> None:
    """To a browser that can, once a month; one press goes on; whoever took it is not asked again. Without a script nothing is different."""
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        answer_of(world.sign_in(browser, party, ANNA))  # no script
        later(60)
        for month in range(2):
            page = offered(world, world.browser(address=f"192.0.{month}.8"), party, ANNA)
            assert where(page) == "passkey_offer"
            later(60)
            answer_of(offered(world, world.browser(address=f"192.0.{month}.10"), party, ANNA))
            later(timedelta(days=30).total_seconds())
        browser = world.browser()
        page = offered(world, browser, party, ANNA)
        answer_of(browser.onward(browser.submit(page, answer="skip")))
        later(timedelta(days=31).total_seconds())
        has_passkey(world, party)
        later(timedelta(days=31).total_seconds())
        answer_of(offered(world, world.browser(), party, ANNA))
        assert len(world.events(passkey.ADDED)) == 1


def test_what_is_not_added_by_the_offer(world: World, party: Party) -> None:
    """Cases 101, 102: a stale session, another person's, a question of another session; a key that somebody else has already."""
    device = has_passkey(world, party, ORLOV)
    with clock.freeze(clock.now()) as later:
        browser = world.browser()
        page = offered(world, browser, party, ANNA)
        taken = browser.submit(page, credential=Authenticator(credential=device.credential).create(asked(browser, page, "passkey_offer")))
        assert taken.status_code == 422
        assert "already keeps a passkey" in text_of(taken)
        options = asked(browser, page, "passkey_offer")
        made = Authenticator().create(options)
        wrong = browser.submit(page, credential=Authenticator(flags=UP | BE | BS).create(asked(browser, page, "passkey_offer")))
        assert wrong.status_code == 422
        assert "could not be checked" in text_of(wrong)
        assert browser.post(f"{base_of(page)}/passkey_offer", data={"credential": made}).status_code == 410, "without the form's token"
        later(301)
        assert browser.post(f"{base_of(page)}/passkey_offer/options", data={"csrf_token": token_of(page)}).status_code == 410
        assert "code" in answer_of(browser.onward(browser.submit(page, credential=made))), "goes on, and keeps nothing"
        assert len(world.events(passkey.ADDED)) == 1
        unfinished = browser.authorize(party, prompt="login")
        assert browser.get(f"/login/{flow_of(unfinished)}/passkey_offer").status_code == 303
        drop_cookies(browser, "idp_session")
        assert browser.get(f"{base_of(page)}/passkey_offer").headers["Location"].startswith("/authorize/")


def test_a_number_that_changed_hands(world: World, party: Party) -> None:
    """Cases 102, 111, `product.md` §6.4: an ID that begins anew with the number has none of the former passkeys; the former ID keeps them,
    and its owner gets in by one press, without the number.
    """
    with clock.freeze(clock.now()) as later:
        device, former = has_passkey(world, party, ZIMIN), id_of(world, ZIMIN)
        later(SILENCE)
        browser = world.browser()
        page = at_question(world, browser, party, ZIMIN)
        assert "Sign in with a passkey" in text_of(page), "one way to show whose it is"
        fresh = claims(world, party, browser.onward(begin_anew(browser, page)))["sub"]
        assert fresh != former
        with world.reads():
            assert passkey.of_person(fresh) == []
        owner = world.browser(address="198.51.100.8")
        assert claims(world, party, owner.onward(press(owner, owner.authorize(party), device)))["sub"] == former


def test_an_address_is_no_domain(world: World) -> None:
    """On a bare address browsers make no passkeys, and none is offered."""
    del world
    assert passkey.is_possible()
    assert passkey.origin() == ISSUER
