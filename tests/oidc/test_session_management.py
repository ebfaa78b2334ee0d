"""A relying party's page notices that somebody has signed out (OpenID Connect Session Management 1.0).

Official plan: oidcc-session-management-rp-initiated-logout. What the frame answers in a browser stands in tests/journeys/test_sign_out.py.
"""

from __future__ import annotations

import hashlib
import re

from idp import config
from idp.web.cookies import cookie_header
from tests.oidc.asking import back_at, error_at, phone, signed_in
from tests.world import CALLBACK, ISSUER, Browser, Party, World, answer_of


def state_of(browser: Browser) -> str:
    """The cookie that scripts can read; empty when there is none."""
    return next((cookie.value or "" for cookie in browser.cookies.jar if cookie.name == "idp_session_state"), "")


def fits(party: Party, session_state: str, browser_state: str, origin: str = "https://rp.example") -> bool:
    """What the frame finds: whether the hash is that of this state."""
    told, _, salt = session_state.partition(".")
    return told == hashlib.sha256(f"{party.client.id} {origin} {browser_state} {salt}".encode()).hexdigest()


def test_session_management_discovery_endpoint_verification(world: World) -> None:
    """Conformance: oidcc-session-management-discovery-endpoint-verification."""
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert document["check_session_iframe"] == f"{ISSUER}/check_session"
    assert document["end_session_endpoint"] == f"{ISSUER}/end_session"


def test_session_management_rp_initiated_logout(world: World, story) -> None:
    """Conformance: oidcc-session-management-rp-initiated-logout; §3, §4: unchanged until the sign-out, changed after it."""
    party, browser = world.party(), world.browser()
    answer = answer_of(world.sign_in(browser, party, phone(story, "zimin")))
    said = answer["session_state"]
    assert " " not in said
    assert re.fullmatch(r"[0-9a-f]{64}\.[A-Za-z0-9_-]{12}", said)
    assert fits(party, said, state_of(browser))
    assert not fits(party, said, "")
    again = back_at(browser.authorize(party, prompt="none"), CALLBACK)["session_state"]
    assert again != said  # salted anew
    assert fits(party, again, state_of(browser))
    hint = world.redeem(party, answer["code"]).json()["id_token"]
    browser.get("/end_session", params={"id_token_hint": hint})
    assert state_of(browser) == ""
    assert error_at(browser.authorize(party, prompt="none"), party) == "login_required"


def test_another_person(world: World, story) -> None:
    """§4: changed when somebody else has signed in."""
    party, browser = world.party(), world.browser()
    said = answer_of(world.sign_in(browser, party, phone(story, "zimin")))["session_state"]
    page = browser.authorize(party, prompt="login")
    page = browser.go(str(page.url).rpartition("/")[0] + "/identify")
    page = browser.onward(browser.submit(page, phone=phone(story, "zimina")))
    now = answer_of(browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimina")))))["session_state"]
    assert not fits(party, said, state_of(browser))
    assert fits(party, now, state_of(browser))


def test_for_one_client_and_one_origin(world: World, story) -> None:
    """§3: nobody can tell by it that two relying parties know the same browser."""
    party, other, browser = world.party(), world.party(), world.browser()
    said = answer_of(world.sign_in(browser, party, phone(story, "zimin")))["session_state"]
    told = back_at(browser.authorize(other), CALLBACK)["session_state"]
    assert fits(other, told, state_of(browser))
    assert not fits(party, told, state_of(browser))
    assert not fits(party, said, state_of(browser), "https://evil.example")


def test_nothing_for_apps_and_for_errors(world: World, story) -> None:
    """An app has no page that could ask; a refusal and an answer without `openid` say nothing of a session."""
    native = world.party(kind="native", redirect_uris=["com.example.app:/callback"])
    answer = world.sign_in(world.browser(), native, phone(story, "zimin"))
    assert "session_state" not in answer.headers["Location"]
    party = world.party()
    assert error_at(world.browser().authorize(party, prompt="none"), party) == "login_required"
    browser = signed_in(world, story, "zimin", party)
    assert "session_state" not in browser.authorize(party, scope="profile").headers["Location"]


def test_the_cookie(world: World, story, told) -> None:
    """For scripts in a frame on another site, so neither HttpOnly nor Lax where it is https; the session's own stays as it was."""
    party, browser = world.party(), world.browser()
    world.sign_in(browser, party, phone(story, "zimin"))
    session = next(cookie.value for cookie in browser.cookies.jar if cookie.name == "idp_session")
    assert session not in state_of(browser)
    assert len(state_of(browser)) == 64
    thief = world.browser()
    thief.headers["Cookie"] = f"idp_session={state_of(browser)}; idp_session_state={state_of(browser)}"
    assert error_at(thief.authorize(party, prompt="none"), party) == "login_required"
    assert cookie_header("session_state", "x", 60) == "idp_session_state=x; Path=/; SameSite=Lax; Max-Age=60"
    told.settings(str(world.settings.database.url), server={"issuer": "https://id.example"})
    assert cookie_header("session_state", "x", None) == "__Host-idp_session_state=x; Path=/; SameSite=None; Secure"
    assert "HttpOnly; SameSite=Lax; Secure" in cookie_header("session", "x", None)
    config.use(world.settings)


def test_a_browser_that_lost_it(world: World, story) -> None:
    """Its next answer brings it back: else the frame would say `changed` for ever."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    kept = state_of(browser)
    browser.cookies.delete("idp_session_state")
    answer = browser.authorize(party, prompt="none")
    assert state_of(browser) == kept
    assert fits(party, back_at(answer, CALLBACK)["session_state"], kept)
    assert not browser.authorize(party, prompt="none").headers.get_list("Set-Cookie")


def test_the_frame(world: World) -> None:
    """§3.2: a page that anybody may frame, the one exception among our pages: no ancestors named, no X-Frame-Options, nothing to press.

    It runs our one script and can do nothing else; no cookie is set by it, and nobody is asked who is here.
    """
    page = world.browser().get("/check_session")
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = page.headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'"
    assert "X-Frame-Options" not in page.headers
    assert page.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in page.headers
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert re.findall(r"<(?!/)(\w+)", page.text) == ["html", "head", "meta", "title", "script"]
    [script] = re.findall(r'src="([^"]+)"', page.text)
    assert world.browser().get(script).headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert 'data-cookie="idp_session_state"' in page.text
