"""Which pages may read our answers (the Fetch standard's CORS protocol, RFC 9700 §2.6). Case 127 of threats.md."""

from __future__ import annotations

import pytest

from tests.oidc.asking import phone
from tests.world import World

SPA = "https://app.example"
STRANGERS = [
    "https://evil.example",
    "null",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "http://app.example",
    "https://app.example:8443",
    "https://APP.example",
    "https://app.example/",
    "https://app.example@evil.example",
    "https://sub.app.example",
    "app.example",
    "*",
    "",
]


@pytest.fixture
def party(world: World):
    """A single-page app."""
    return world.party(kind="single_page", redirect_uris=[f"{SPA}/cb", "http://localhost:5173/cb"])


def allowed(answer) -> str | None:
    """The origin that may read it; never with credentials."""
    assert "Access-Control-Allow-Credentials" not in answer.headers
    return answer.headers.get("Access-Control-Allow-Origin")


def test_a_whole_sign_in_of_a_single_page_app(world: World, story, party) -> None:
    """claims.md: discovery, keys, tokens, refresh and claims can be read from the origin of a redirect address, with a preflight."""
    for origin, uri in ((SPA, f"{SPA}/cb"), ("http://localhost:5173", "http://localhost:5173/cb")):
        code = world.sign_in(world.browser(), party, phone(story, "zimin"), redirect_uri=uri).headers["Location"].partition("code=")[2]
        form = {"grant_type": "authorization_code", "code": code.partition("&")[0], "redirect_uri": uri, "code_verifier": party.verifier}
        tokens = world.token(party, headers={"Origin": origin}, **form)
        assert tokens.status_code == 200
        http = world.browser()
        answers = [
            tokens,
            world.token(party, headers={"Origin": origin}, grant_type="refresh_token", refresh_token=tokens.json()["refresh_token"]),
            world.token(party, headers={"Origin": origin}, grant_type="refresh_token", refresh_token="x"),
            http.get("/userinfo", headers={"Origin": origin, "Authorization": f"Bearer {tokens.json()['access_token']}"}),
            http.post("/userinfo", headers={"Origin": origin}, data={"access_token": tokens.json()["access_token"]}),
        ]
        for answer in answers:
            assert allowed(answer) == origin
            assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "path", ["/token", "/userinfo", "/revoke", "/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
)
def test_the_preflight(world: World, path: str) -> None:
    """Fetch: `authorization` is allowed, credentials are not; it opens nothing by itself."""
    asked = {"Origin": SPA, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    answer = world.browser().options(path, headers=asked)
    assert answer.status_code == 204
    assert allowed(answer) in {"*", SPA}
    assert {"authorization", "content-type"} <= {name.strip() for name in answer.headers["Access-Control-Allow-Headers"].lower().split(",")}
    assert {"GET", "POST"} <= {name.strip() for name in answer.headers["Access-Control-Allow-Methods"].split(",")}
    assert answer.content == b""
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("origin", STRANGERS)
def test_strangers(world: World, story, party, origin: str) -> None:
    """Case 127: no suffix, no `null`, no other scheme or port: the origin is one of the client's, byte by byte, or none is allowed."""
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    http = world.browser()
    for answer in (
        world.token(party, headers={"Origin": origin}, grant_type="refresh_token", refresh_token=tokens["refresh_token"]),
        http.get("/userinfo", headers={"Origin": origin, "Authorization": f"Bearer {tokens['access_token']}"}),
        world.token(party, headers={"Origin": origin}, grant_type="x"),
    ):
        assert allowed(answer) is None


def test_another_clients_origin(world: World, story, party) -> None:
    """Case 127: an app reads what its own client got."""
    other = world.party(kind="single_page", redirect_uris=["https://other.example/cb"])
    tokens = world.tokens(world.browser(), other, phone(story, "zimin"))
    answer = world.browser().get("/userinfo", headers={"Origin": SPA, "Authorization": f"Bearer {tokens['access_token']}"})
    assert allowed(answer) is None
    assert party


def test_a_client_with_a_secret_has_no_page(world: World, story) -> None:
    """A secret has no place in a browser: nothing is opened for its origin."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    origin = {"Origin": "https://rp.example"}
    assert allowed(world.token(party, headers=origin, grant_type="refresh_token", refresh_token=tokens["refresh_token"])) is None
    assert allowed(world.browser().get("/userinfo", headers=origin | {"Authorization": f"Bearer {tokens['access_token']}"})) is None


def test_never_where_people_are(world: World, story, party) -> None:
    """Case 127, RFC 9700 §2.6: no CORS at the authorization endpoint, on pages, at the end of a session."""
    browser = world.browser()
    world.sign_in(browser, party, phone(story, "zimin"))
    for origin in (SPA, "null", "https://evil.example"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answers = [browser.options(path, headers=asked) for path in ("/authorize", "/end_session", "/login/x", "/authorize/x/consent")]
        answers += [
            browser.get("/authorize", params=party.asks(**more), headers={"Origin": origin})
            for more in ({}, {"prompt": "none"}, {"prompt": "login"})
        ]
        answers += [browser.get("/end_session", headers={"Origin": origin}), browser.get("/dev/inbox.json", headers={"Origin": origin})]
        for answer in answers:
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
