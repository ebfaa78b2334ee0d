"""What real client libraries do, with no special setting (claims.md, "What a client must send")."""

from __future__ import annotations

import base64
import html
import re

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6749.parameters import parse_authorization_code_response

from tests.oidc.asking import back_at, error_at, phone, signed_in
from tests.world import CALLBACK, World, answer_of, claims_of


def test_the_minimal_request_of_an_old_library(world: World, story) -> None:
    """No state, no PKCE, only a nonce; Basic, and `client_id` once more in the body."""
    party = world.party()
    answer = answer_of(
        world.sign_in(world.browser(), party, phone(story, "zimin"), state=None, code_challenge=None, code_challenge_method=None)
    )
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": CALLBACK,
        "client_id": party.client.id,
        "scope": "openid",
    }
    assert world.token(party, **form).status_code == 200


def test_express_openid_connect_and_next_auth(world: World, story) -> None:
    """They put `response_mode=query`, `audience`, `screen_hint` and the like into the request, and a `data` or `state` into the token's."""
    party = world.party()
    browser = world.browser()
    more = {
        "response_mode": "query",
        "audience": "https://api.example",
        "screen_hint": "signup",
        "_": "1",
        "auth0Client": "e30=",
        "ext-x": "y",
    }
    answer = answer_of(world.sign_in(browser, party, phone(story, "zimin"), **more))
    tokens = world.redeem(party, answer["code"], state=answer["state"], data="x", session_state="y")
    assert tokens.status_code == 200


def test_the_scope_is_as_it_was_asked(world: World, story) -> None:
    """oauthlib compares word for word: where all was granted, the answer's `scope` is in the order asked."""
    party = world.party()
    for scope in ("profile openid email", "email openid", "openid address phone email profile"):
        tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope=scope)
        assert tokens["scope"] == scope
        assert world.refresh(party, tokens["refresh_token"]).json()["scope"] == scope


def test_a_refresh_that_repeats_the_scope(world: World, story) -> None:
    """msal and oauthlib send the scope of the authorization request again, words that we never knew included."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid profile api://x/.default")
    answer = world.refresh(
        party, tokens["refresh_token"], scope="openid profile api://x/.default", redirect_uri=CALLBACK, code="", state="x"
    )
    assert answer.json()["scope"] == "openid profile"


def test_expires_in_and_token_type(world: World, story) -> None:
    """`expires_in` is a number and always there; `token_type` is `Bearer`, spelled so."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    for body in (tokens, world.refresh(party, tokens["refresh_token"]).json()):
        assert type(body["expires_in"]) is int
        assert body["token_type"] == "Bearer"


def test_a_header_in_lower_case(world: World, story) -> None:
    """axios-made: `authorization: bearer …`, `content-type` with a charset."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    assert world.browser().get("/userinfo", headers={"authorization": f"bearer {tokens['access_token']}"}).status_code == 200
    credentials = base64.b64encode(f"{party.client.id}:{party.secret}".encode()).decode()
    headers = {"authorization": f"basic {credentials}", "content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
    body = f"grant_type=refresh_token&refresh_token={tokens['refresh_token']}"
    assert world.browser().post("/token", content=body, headers=headers).status_code == 200


def test_a_single_page_app_checks_silently(world: World, story) -> None:
    """oidc-client-ts: `prompt=none` always answers by a redirect, whatever is missing; never by a page in its frame."""
    party = world.party(kind="single_page", redirect_uris=["https://app.example/silent"], first_party=False)
    browsers = (world.browser(), signed_in(world, story, "anna"))
    for browser in browsers:
        for more in (
            {},
            {"scope": "openid company"},
            {"max_age": "0"},
            {"acr_values": "urn:idp:acr:mfa"},
            {"login_hint": "x"},
            {"response_mode": "fragment"},
        ):
            error_at(browser.authorize(party, prompt="none", **more), party, mode=more.get("response_mode", "query"))


def test_a_public_client_refreshes_with_its_id_only(world: World, story) -> None:
    """AppAuth: no secret, no Authorization header."""
    party = world.party(kind="native", redirect_uris=["com.example.app:/cb"])
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid offline_access")
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": party.client.id}
    assert world.browser().post("/token", data=form).status_code == 200


def test_loopback_for_a_web_client_on_a_desk(world: World, story) -> None:
    """http redirect addresses on loopback are allowed for web clients outside production."""
    uri = "http://localhost:3000/api/auth/callback/idp"
    party = world.party(redirect_uris=[uri])
    assert back_at(world.sign_in(world.browser(), party, phone(story, "zimin")), uri)["code"]


def test_a_callback_with_a_query(world: World, story) -> None:
    """WordPress and Joomla: the redirect address has a query of its own."""
    uri = "https://blog.example/wp-admin/admin-ajax.php?action=openid-connect-authorize"
    party = world.party(redirect_uris=[uri])
    answer = back_at(world.sign_in(world.browser(), party, phone(story, "zimin")), uri)
    assert answer["action"] == "openid-connect-authorize"
    assert world.redeem(party, answer["code"]).status_code == 200


def test_the_email_is_in_userinfo(world: World, story) -> None:
    """Grafana, GitLab: whoever asked for `email` reads it there, whenever it exists."""
    tokens = world.tokens(world.browser(), world.party(), phone(story, "zimin"), scope="openid email")
    userinfo = world.userinfo(tokens["access_token"]).json()
    assert userinfo["email"] == "zimin@post.example"
    assert userinfo["sub"] == claims_of(tokens["id_token"])["sub"]


def test_two_clients_one_person(world: World, story) -> None:
    """The same `sub` everywhere: at every client, in every token, after every way to sign in."""
    subjects = set()
    for registration in ({}, {"kind": "single_page"}, {"id_token_signed_response_alg": "ES256"}):
        party = world.party(**registration)
        tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
        refreshed = world.refresh(party, tokens["refresh_token"]).json()
        for body in (tokens, refreshed):
            subjects |= {claims_of(body["id_token"])["sub"], claims_of(body["access_token"])["sub"]}
            subjects.add(world.userinfo(body["access_token"]).json()["sub"])
    assert len(subjects) == 1


def test_authlib_as_a_relying_party(world: World, story) -> None:
    """Authlib's OAuth2Session makes the address of the request and reads the answer's; both as they are."""
    party = world.party()
    library = OAuth2Session(party.client.id, party.secret, scope="openid profile", redirect_uri=CALLBACK, code_challenge_method="S256")
    address, state = library.create_authorization_url("http://localhost:8000/authorize", code_verifier=party.verifier, nonce="n")
    browser = world.browser()
    page = browser.go(address)
    page = browser.onward(browser.submit(page, phone=phone(story, "zimin")))
    back = browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimin")))).headers["Location"]
    answer = parse_authorization_code_response(back, state)
    assert world.redeem(party, answer["code"]).status_code == 200


def test_the_pages_work_without_a_script(world: World, story) -> None:
    """Every step is a form: what a browser without scripts, or a test, sends is all that is needed."""
    party = world.party(first_party=False)
    browser = world.browser()
    page = world.sign_in(browser, party, phone(story, "anna"), scope="openid company", account="Ромашка")
    forms = re.findall(r"<form[^>]*>", page.text)
    assert forms
    assert all('method="post"' in html.unescape(form) or 'method="get"' in form for form in forms)
    assert back_at(browser.onward(browser.submit(page, answer="allow")), CALLBACK)["code"]
