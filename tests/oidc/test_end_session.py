"""Signing out at a relying party's wish (OpenID Connect RP-Initiated Logout 1.0). Cases 80, 84 and 86 of threats.md.

Official plan: oidcc-rp-initiated-logout; each of its modules is named where it is kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from idp import clock, keyring
from tests.oidc.asking import error_at, is_page_of_ours, phone, signed_in
from tests.world import SIGNED_OUT, Browser, Party, World, claims_of


class Here:
    """A person who is signed in at a client, and the ID token of it."""

    def __init__(self, world: World, story, key: str = "zimin", **registration: object) -> None:
        self.world, self.party, self.browser = world, world.party(**registration), world.browser()
        self.hint = world.tokens(self.browser, self.party, phone(story, key))["id_token"]

    def leaves(self, **params: str):
        """GET /end_session with these parameters."""
        return self.browser.get("/end_session", params=params)

    @property
    def is_in(self) -> bool:
        """Whether the person is still signed in."""
        return "code=" in self.browser.authorize(self.party, prompt="none").headers["Location"]


@pytest.fixture
def here(world: World, story) -> Here:
    """Somebody who is signed in."""
    return Here(world, story)


def test_rp_initiated_logout_discovery_endpoint_verification(world: World) -> None:
    """Conformance: oidcc-rp-initiated-logout-discovery-endpoint-verification."""
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert document["end_session_endpoint"] == f"{document['issuer']}/end_session"


def test_with_hint_address_and_state(here: Here) -> None:
    """§2, §3 (conformance: oidcc-rp-initiated-logout): to the registered address with `state` and nothing else; then signed out."""
    state = "s" * 128 + " &=+"
    answer = here.leaves(id_token_hint=here.hint, post_logout_redirect_uri=SIGNED_OUT, state=state)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(SIGNED_OUT + "?")
    assert parse_qsl(urlsplit(answer.headers["Location"]).query) == [("state", state)]
    assert answer.headers["Cache-Control"] == "no-store"
    assert error_at(here.browser.authorize(here.party, prompt="none"), here.party) == "login_required"


def test_without_state(here: Here) -> None:
    """§3: then without any (conformance: oidcc-rp-initiated-logout-no-state)."""
    answer = here.leaves(id_token_hint=here.hint, post_logout_redirect_uri=SIGNED_OUT)
    assert answer.headers["Location"] == SIGNED_OUT
    assert error_at(here.browser.authorize(here.party, prompt="none"), here.party) == "login_required"


def test_only_a_hint(here: Here) -> None:
    """§2: signed out at once, on a page of ours that names the apps which that ended.

    Conformance: oidcc-rp-initiated-logout-no-post-logout-redirect-uri.
    """
    answer = here.leaves(id_token_hint=here.hint)
    assert is_page_of_ours(answer, 200)
    assert "You are signed out" in answer.text
    assert "Test portal" in answer.text
    assert not here.is_in


def test_an_expired_hint(here: Here) -> None:
    """§2: the OP should accept one whose `exp` has passed; the session it is about is what counts."""
    with clock.freeze(clock.now()) as later:
        later(3600)
        answer = here.leaves(id_token_hint=here.hint, post_logout_redirect_uri=SIGNED_OUT)
        assert answer.headers["Location"] == SIGNED_OUT
        assert not here.is_in


def test_a_hint_of_a_key_that_has_rotated(here: Here) -> None:
    """§2: after a rotation old sign-ins can still sign out."""
    with here.world.writes():
        keyring.rotate(at_once=True)
    assert here.leaves(id_token_hint=here.hint, post_logout_redirect_uri=SIGNED_OUT).headers["Location"] == SIGNED_OUT


def test_without_a_hint_somebody_is_asked(here: Here) -> None:
    """Case 84 (`<img src=…/end_session>`): nobody is signed out by a request alone; a button of ours does it.

    Conformance: oidcc-rp-initiated-logout-no-params, -only-state, -no-id-token-hint: no redirect, our page.
    """
    for params in ({}, {"post_logout_redirect_uri": SIGNED_OUT}, {"client_id": here.party.client.id}, {"state": "x"}, {"logout_hint": "x"}):
        page = here.leaves(**params)
        assert is_page_of_ours(page, 200)
        assert "/end_session/confirm" in page.text
    assert here.is_in
    page = here.leaves(client_id=here.party.client.id, post_logout_redirect_uri=SIGNED_OUT, state="x y")
    assert "Test portal" in page.text
    answer = here.browser.press(page, "/end_session/confirm")
    assert answer.headers["Location"] == SIGNED_OUT + "?state=x+y"
    assert not here.is_in


def test_an_address_without_client_or_hint(here: Here) -> None:
    """Case 84: then nobody can tell whose it is: confirmed or not, the person stays with us."""
    page = here.leaves(post_logout_redirect_uri=SIGNED_OUT, state="x")
    answer = here.browser.press(page, "/end_session/confirm")
    assert is_page_of_ours(answer, 200)
    assert not here.is_in


NOT_REGISTERED = [
    SIGNED_OUT + "/",
    SIGNED_OUT + "?x=1",
    SIGNED_OUT + "#x",
    SIGNED_OUT + ".evil.example",
    SIGNED_OUT[:-1],
    SIGNED_OUT.upper(),
    SIGNED_OUT.replace("https", "http"),
    "https://rp.example",
    "https://rp.example/",
    "https://rp.example/callback",
    "https://rp.example@evil.example/signed-out",
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "signed-out",
    "\u0440p",
]


def test_addresses_that_are_not_registered(world: World, here: Here) -> None:
    """Case 84: byte by byte; nobody is sent there, signed in or not, and our page names no such link."""
    for uri in NOT_REGISTERED:
        page = here.leaves(client_id=here.party.client.id, post_logout_redirect_uri=uri)
        stranger: Browser = world.browser()
        answer = stranger.get("/end_session", params={"client_id": here.party.client.id, "post_logout_redirect_uri": uri})
        for shown in (page, answer):
            assert is_page_of_ours(shown, 200)
            assert f'href="{uri}' not in shown.text
    assert here.is_in


@pytest.mark.parametrize("uri", NOT_REGISTERED[::5])
def test_nor_with_a_good_hint(here: Here, uri: str) -> None:
    """Case 84: the person is signed out, and stays with us.

    Conformance: oidcc-rp-initiated-logout-bad-post-logout-redirect-uri, -query-added-to-post-logout-redirect-uri.
    """
    answer = here.leaves(id_token_hint=here.hint, post_logout_redirect_uri=uri, state="x")
    assert is_page_of_ours(answer, 200)
    assert f'href="{uri}' not in answer.text
    assert not here.is_in


def test_another_persons_hint(world: World, story) -> None:
    """Case 84: a hint that is not of who is here is no reason to sign them out; they are asked."""
    here, other = Here(world, story), Here(world, story, "zimina")
    page = here.leaves(id_token_hint=other.hint, post_logout_redirect_uri=SIGNED_OUT)
    assert is_page_of_ours(page, 200)
    assert "/end_session/confirm" in page.text
    assert here.is_in
    assert other.is_in


def test_another_clients_hint(world: World, story) -> None:
    """Case 84, §2: the hint's client and `client_id` have to be the same; an address is of the client that is named."""
    here = Here(world, story)
    other = world.party(post_logout_redirect_uris=["https://other.example/bye"])
    page = here.leaves(id_token_hint=here.hint, client_id=other.client.id, post_logout_redirect_uri=SIGNED_OUT)
    assert "/end_session/confirm" in page.text
    assert is_page_of_ours(here.browser.press(page, "/end_session/confirm"), 200)
    again = Here(world, story)
    answer = again.leaves(id_token_hint=again.hint, post_logout_redirect_uri="https://other.example/bye")
    assert is_page_of_ours(answer, 200)


def _unsigned(hint: str) -> str:
    """The same claims under `alg` none."""
    return f"eyJhbGciOiJub25lIn0.{hint.split('.')[1]}."


def _strangers(hint: str) -> str:
    """The same claims, signed by somebody else under our key's name."""
    segment = hint.split(".", maxsplit=1)[0]
    header = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return jwt.encode({"alg": "RS256", "kid": header["kid"], "typ": "JWT"}, claims_of(hint), RSAKey.generate_key(2048))


@pytest.mark.parametrize("made", [_unsigned, _strangers, lambda _: "x", lambda _: "a.b.c", lambda _: ""])
def test_hints_that_are_none(here: Here, made: Callable[[str], str]) -> None:
    """Case 84 (conformance: oidcc-rp-initiated-logout-modified-id-token-hint, -bad-id-token-hint): asked, never sent anywhere."""
    hint = made(here.hint)
    page = here.leaves(id_token_hint=hint, post_logout_redirect_uri=SIGNED_OUT)
    assert is_page_of_ours(page, 200)
    assert "/end_session/confirm" in page.text
    assert here.is_in


def test_a_forged_confirmation(here: Here) -> None:
    """Case 84: the button's form carries a token of this browser."""
    for data in ({}, {"csrf_token": "x"}, {"client_id": here.party.client.id, "post_logout_redirect_uri": SIGNED_OUT}):
        assert here.browser.post("/end_session/confirm", data=data).status_code == 410
        assert here.world.browser().post("/end_session/confirm", data=data).status_code == 410
    assert here.browser.get("/end_session/confirm").status_code == 405
    assert here.is_in


def test_post(here: Here) -> None:
    """§2: GET and POST; a POST from another site comes without Lax cookies and goes on as a GET, by 303."""
    sent = here.browser.post("/end_session", data={"id_token_hint": here.hint, "post_logout_redirect_uri": SIGNED_OUT, "state": "x"})
    assert sent.status_code == 303
    assert here.browser.onward(sent).headers["Location"] == SIGNED_OUT + "?state=x"
    assert not here.is_in


def test_nobody_is_here(world: World, story) -> None:
    """Signing out twice is no error: to the registered address of a named client, else to our page."""
    here = Here(world, story)
    stranger = world.browser()
    for params in ({"id_token_hint": here.hint}, {"client_id": here.party.client.id}):
        answer = stranger.get("/end_session", params=params | {"post_logout_redirect_uri": SIGNED_OUT, "state": "x"})
        assert answer.headers["Location"] == SIGNED_OUT + "?state=x"
    assert is_page_of_ours(stranger.get("/end_session"), 200)
    assert here.is_in


def test_parameters_twice(here: Here) -> None:
    """Case 3b: refused, and nobody is signed out."""
    for name in ("id_token_hint", "post_logout_redirect_uri", "state", "client_id"):
        pairs = [
            ("id_token_hint", here.hint),
            ("post_logout_redirect_uri", SIGNED_OUT),
            ("state", "x"),
            ("client_id", here.party.client.id),
        ]
        answer = here.browser.get("/end_session", params=[*pairs, (name, dict(pairs)[name])])
        assert is_page_of_ours(answer, 400), name
    assert here.is_in


def test_a_hint_of_a_session_elsewhere(world: World, story) -> None:
    """Case 84, §2: a `sid` that is not this session's is suspect; the same person is asked. One of before in this browser is recent."""
    here, elsewhere = Here(world, story), Here(world, story)
    page = here.leaves(id_token_hint=elsewhere.hint, post_logout_redirect_uri=SIGNED_OUT, state="x")
    assert is_page_of_ours(page, 200)
    assert "/end_session/confirm" in page.text
    assert here.is_in
    assert elsewhere.is_in
    assert here.browser.press(page, "/end_session/confirm").headers["Location"] == SIGNED_OUT + "?state=x"
    assert not here.is_in
    with clock.freeze(clock.now()) as later:
        later(600)
        page = here.browser.authorize(here.party)
        again = here.browser.onward(here.browser.press(page, "/people"))
        assert "code=" in again.headers["Location"]
    assert here.leaves(id_token_hint=here.hint, post_logout_redirect_uri=SIGNED_OUT).headers["Location"] == SIGNED_OUT
    assert not here.is_in


def test_ui_locales(here: Here) -> None:
    """§2: the page that asks, and the one after it, in the languages of the relying party, as far as we have them."""
    page = here.leaves(ui_locales="fr zh-CN ru", client_id=here.party.client.id)
    assert '<html lang="zh">' in page.text
    assert '<html lang="zh">' in here.browser.press(page, "/end_session/confirm").text


def test_logout_hint_decides_nothing(here: Here) -> None:
    """§2: it may name anybody, and proves nobody."""
    for hint in ("+79005553510", "zimin@post.example", "ses_0", ""):
        assert "/end_session/confirm" in here.leaves(logout_hint=hint, client_id=here.party.client.id).text
    assert here.is_in


def test_the_way_back_to_the_app(world: World, story) -> None:
    """Without an address to go to: the app's own page, where it is known who asks; never for who was only named in a link."""
    here = Here(world, story, client_uri="https://rp.example/", initiate_login_uri="https://rp.example/sign-in")
    assert 'href="https://rp.example/"' in here.leaves(id_token_hint=here.hint).text
    assert 'href="https://rp.example/"' not in world.browser().get("/end_session", params={"client_id": here.party.client.id}).text


def test_nothing_of_it_is_kept(here: Here) -> None:
    """Case 86: the Back button and shared caches show nobody what was there."""
    page = here.leaves(id_token_hint=here.hint)
    for shown in (page, here.browser.get("/signed-out"), here.browser.get("/end_session"), here.leaves(id_token_hint="x")):
        assert shown.headers["Cache-Control"] == "no-store"
        assert "Cookie" in shown.headers["Vary"]


def test_the_copied_cookie_is_dead(here: Here) -> None:
    """Case 80: the session ends at the server; a cookie kept elsewhere signs nobody in."""
    copied = next(cookie.value for cookie in here.browser.cookies.jar if cookie.name == "idp_session")
    here.leaves(id_token_hint=here.hint)
    thief = here.world.browser()
    thief.headers["Cookie"] = f"idp_session={copied}"
    assert error_at(thief.get("/authorize", params=here.party.asks(prompt="none")), here.party) == "login_required"


def test_other_sessions_live_on(world: World, story) -> None:
    """Only this browser's session ends."""
    here = Here(world, story)
    elsewhere = signed_in(world, story, "zimin", here.party)
    here.leaves(id_token_hint=here.hint)
    assert "code=" in elsewhere.authorize(here.party, prompt="none").headers["Location"]


def test_only_registered_addresses_count_for_a_native_app(world: World, story) -> None:
    """An own scheme works where it is registered; the port of a loopback address is not free here."""
    party: Party = world.party(
        kind="native",
        redirect_uris=["com.example.app:/cb"],
        post_logout_redirect_uris=["com.example.app:/bye", "http://127.0.0.1:5000/bye"],
    )
    for uri, sent in (("com.example.app:/bye", True), ("http://127.0.0.1:5000/bye", True), ("http://127.0.0.1:5001/bye", False)):
        answer = world.browser().get("/end_session", params={"client_id": party.client.id, "post_logout_redirect_uri": uri})
        assert answer.headers.get("Location") == (uri if sent else None)
