"""Relying parties end their sessions in frames of the signed-out page (OpenID Connect Front-Channel Logout 1.0). Case 84 of threats.md.

Official plan: oidcc-frontchannel-rp-initiated-logout. That the frames load stands in tests/journeys/test_sign_out.py.
"""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

from tests.oidc.asking import error_at, phone
from tests.world import ISSUER, SIGNED_OUT, Party, World, answer_of, claims_of

FRAME = re.compile(r'<iframe [^>]*src="([^"]+)"')
FRONT = "https://rp.example/front?keep=1"


def frames(text: str) -> list[str]:
    """The addresses of the frames of a page."""
    return [unescape(each) for each in FRAME.findall(text)]


def directive(policy: str, name: str) -> list[str] | None:
    """The sources of one directive of a content security policy."""
    found = [part.split() for part in policy.split("; ") if part.split()[0] == name]
    return found[0][1:] if found else None


def test_frontchannel_logout_discovery_endpoint_verification(world: World) -> None:
    """Conformance: oidcc-frontchannel-logout-discovery-endpoint-verification."""
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert document["frontchannel_logout_supported"] is True
    assert document["frontchannel_logout_session_supported"] is True
    assert document["end_session_endpoint"] == f"{ISSUER}/end_session"


def test_frontchannel_rp_initiated_logout(world: World, story) -> None:
    """Conformance: oidcc-frontchannel-rp-initiated-logout; §3: `iss` and `sid` behind the registered query, then back with `state`."""
    party, browser = world.party(frontchannel_logout_uri=FRONT, frontchannel_logout_session_required=True), world.browser()
    hint = world.tokens(browser, party, phone(story, "zimin"), scope="openid")["id_token"]
    page = browser.get("/end_session", params={"id_token_hint": hint, "post_logout_redirect_uri": SIGNED_OUT, "state": "a b&c"})
    assert page.status_code == 200
    [frame] = frames(page.text)
    assert frame.startswith(FRONT + "&")
    assert parse_qs(urlsplit(frame).query) == {"keep": ["1"], "iss": [ISSUER], "sid": [claims_of(hint)["sid"]]}
    back = SIGNED_OUT + "?state=a+b%26c"
    assert f'<meta http-equiv="refresh" content="4;url={back.replace("&", "&amp;")}">' in page.text
    assert f'href="{back}"' in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert any(cookie.startswith("idp_session=;") for cookie in page.headers.get_list("Set-Cookie"))
    assert error_at(browser.authorize(party, prompt="none"), party) == "login_required"


def test_exactly_these_origins_can_be_framed(world: World, story) -> None:
    """Case 84: one page of ours frames others, and nobody but those who asked for it; no other page frames anything."""
    others = [
        world.party(redirect_uris=[f"https://{host}/callback"], frontchannel_logout_uri=f"https://{host}/out")
        for host in ("one.example", "two.example:8443")
    ]
    silent, never = world.party(), world.party(frontchannel_logout_uri="https://rp.example/never")
    browser = world.browser()
    first: Party = others[0]
    hint = world.tokens(browser, first, phone(story, "zimin"))["id_token"]
    for each in (others[1], silent):
        world.redeem(each, answer_of(browser.authorize(each))["code"])
    answer_of(browser.authorize(never))  # the code is redeemed by nobody
    before = browser.go("/account/security")
    assert directive(before.headers["Content-Security-Policy"], "frame-src") is None
    page = browser.get("/end_session", params={"id_token_hint": hint})
    assert sorted(urlsplit(each).netloc for each in frames(page.text)) == ["one.example", "two.example:8443"]
    policy = page.headers["Content-Security-Policy"]
    assert sorted(directive(policy, "frame-src") or []) == ["https://one.example", "https://two.example:8443"]
    assert directive(policy, "frame-ancestors") == ["'none'"]
    assert directive(policy, "default-src") == ["'none'"]
    assert 'http-equiv="refresh"' not in page.text  # nowhere to go: it stays
    assert page.text.count('sandbox="allow-scripts allow-same-origin allow-forms"') == 2  # none of them leads the whole page away
    again = browser.get("/signed-out")
    assert frames(again.text) == []


def test_the_button_and_the_account_pages(world: World, story) -> None:
    """§3: every sign-out in this browser, also without a hint, also at the provider itself."""
    party = world.party(frontchannel_logout_uri=FRONT)
    browser = world.browser()
    world.tokens(browser, party, phone(story, "zimin"))
    page = browser.get("/end_session", params={"client_id": party.client.id, "post_logout_redirect_uri": SIGNED_OUT, "state": "x"})
    assert frames(page.text) == []
    page = browser.press(page, "/end_session/confirm")
    assert len(frames(page.text)) == 1
    assert f'href="{SIGNED_OUT}?state=x"' in page.text
    world.tokens(browser := world.browser(), party, phone(story, "zimin"))
    page = browser.press(browser.go("/account/security"), "/account/sign_out")
    assert len(frames(page.text)) == 1
    assert 'http-equiv="refresh"' not in page.text
    world.tokens(browser := world.browser(), party, phone(story, "zimin"))
    page = browser.submit(browser.go("/account/security"), where="here_too")
    assert len(frames(page.text)) == 1
    assert error_at(browser.authorize(party, prompt="none"), party) == "login_required"


def test_pairwise(world: World, story) -> None:
    """OpenID Connect Core §8.1: `sid` as this client knows it."""
    party, browser = world.party(frontchannel_logout_uri=FRONT, subject_type="pairwise"), world.browser()
    hint = world.tokens(browser, party, phone(story, "zimin"), scope="openid")["id_token"]
    [frame] = frames(browser.get("/end_session", params={"id_token_hint": hint}).text)
    assert parse_qs(urlsplit(frame).query)["sid"] == [claims_of(hint)["sid"]]


def test_the_page_says_what_ended(world: World, story) -> None:
    """By name, and which of them does not hear of it."""
    heard, deaf = world.party(name="Hears", frontchannel_logout_uri=FRONT), world.party(name="Does not")
    browser = world.browser()
    hint = world.tokens(browser, heard, phone(story, "zimin"))["id_token"]
    world.redeem(deaf, answer_of(browser.authorize(deaf))["code"])
    text = browser.get("/end_session", params={"id_token_hint": hint}).text
    assert re.search(r"Hears</span>", text)
    assert re.search(r"Does not<small>", text)
