"""`iss` on every redirect to a relying party (RFC 9207), and 303 as the only redirect (RFC 9700 §4.12). Cases 12 and 14 of threats.md."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from tests.oidc.asking import back_at, phone, signed_in
from tests.world import CALLBACK, ISSUER, Browser, Party, World

Ending = Callable[[World, Browser, Party, str], httpx2.Response]


def _signed_in(world: World, browser: Browser, party: Party, number: str) -> httpx2.Response:
    return world.sign_in(browser, party, number)


def _silent(world: World, browser: Browser, party: Party, number: str) -> httpx2.Response:
    world.sign_in(browser, party, number)
    return browser.authorize(party, prompt="none")


def _login_required(world: World, browser: Browser, party: Party, number: str) -> httpx2.Response:
    return browser.authorize(party, prompt="none")


def _twice(world: World, browser: Browser, party: Party, number: str) -> httpx2.Response:
    return browser.get("/authorize?nonce=2", params=[*party.asks().items(), ("nonce", "2")])


def _cancelled(world: World, browser: Browser, party: Party, number: str) -> httpx2.Response:
    return browser.press(browser.authorize(party), "/cancel")


def _refused(world: World, browser: Browser, party: Party, number: str) -> httpx2.Response:
    return browser.submit(world.sign_in(browser, party, number, prompt="consent"), answer="deny")


def _not_a_member(world: World, browser: Browser, party: Party, number: str) -> httpx2.Response:
    return world.sign_in(browser, party, number, scope="openid company", company="cmp_" + "0" * 26)


def _unsupported(world: World, browser: Browser, party: Party, number: str) -> httpx2.Response:
    return browser.authorize(party, response_type="magic")


@pytest.mark.parametrize("ending", [_signed_in, _silent, _login_required, _twice, _cancelled, _refused, _not_a_member, _unsupported])
@pytest.mark.parametrize("uri", [CALLBACK, "https://rp.example/callback?tenant=7&x=%20"])
def test_iss_is_there(world: World, story, ending: Ending, uri: str) -> None:
    """Case 12: with a code and with every kind of error, equal to the issuer byte for byte, behind what the address had already."""
    party = world.party(redirect_uris=[uri])
    answer = back_at(ending(world, world.browser(), party, phone(story, "zimin")), uri)
    assert answer["iss"] == ISSUER
    assert answer["state"] == "state-1"


def test_the_same_issuer_everywhere(world: World, story) -> None:
    """RFC 9207 §2.4: what discovery calls the issuer is what comes back."""
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert document["issuer"] == ISSUER
    assert document["authorization_response_iss_parameter_supported"] is True


def test_only_303(world: World, story) -> None:
    """Case 14: each redirect of a whole sign-in, of a refusal and of a sign-out is a 303: a form is never sent on to the relying party."""
    seen: list[tuple[str, int]] = []

    def note(answer: httpx2.Response) -> None:
        seen.append((f"{answer.request.method} {answer.request.url.path}", answer.status_code))

    party = world.party(first_party=False)
    browser = world.browser()
    browser.event_hooks = {"response": [note]}
    page = browser.onward(browser.post("/authorize", data=party.asks(scope="openid company")))
    page = browser.onward(browser.submit(page, phone=phone(story, "anna")))
    page = browser.onward(browser.submit(page, code=world.code_for(phone(story, "anna"))))
    page = world.choose(browser, page, "Ромашка")
    browser.onward(browser.submit(page, answer="allow"))
    stranger = world.browser()
    stranger.event_hooks = {"response": [note]}
    stranger.press(stranger.authorize(party), "/cancel")
    browser.authorize(party, prompt="none", scope="openid company")
    browser.onward(browser.post("/end_session", data={"client_id": party.client.id}))
    page = browser.get("/end_session")
    browser.onward(browser.press(page, "/end_session/confirm"))
    redirects = {status for _, status in seen if 300 <= status < 400}
    assert redirects == {303}, seen
    assert {name for name, status in seen if status == 303} >= {"POST /authorize", "GET /authorize", "POST /end_session"}
    assert all(status in {200, 303} for _, status in seen), seen


def test_a_redirect_is_kept_by_no_cache(world: World, story) -> None:
    """RFC 6749 §4.1.2, case 86: a code in a Location header must not be read from a cache."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    for changes in ({}, {"prompt": "none"}, {"response_type": "token"}):
        answer = browser.authorize(party, **changes)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
