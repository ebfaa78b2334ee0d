"""Providers with ways of their own: plain OAuth 2, what VK ID and WeChat ask for, and keys by which we say who we are.

`product.md` §7; RFC 6749 §4.1, RFC 7523 §3; threats: case 107.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from joserfc import jws

from idp.config_providers import Provider
from tests.login.hostile import KEYS, Upstream, sent_to
from tests.login.http_lab import text_of
from tests.login.lab import id_token, where
from tests.login.social_lab import by_phone, changed_settings, come_back, linked, other, upstream
from tests.world import Party, World, claims_of, new_phone

__all__ = ["changed_settings", "other", "upstream"]


def test_plain_oauth(world: World, party: Party, upstream: Upstream) -> None:
    """RFC 6749: who it is says the provider's own address, at the path that is configured; a number is a text, anything else is nobody."""
    for wrong in (None, "", True, 1.5, [7], {"a": 1}, "x" * 256, "a\x00b"):
        upstream.userinfo = {"user": {"id": wrong, "first": "Vera"}, "sub": "vera-1", "id": 7}
        assert "did not work" in text_of(come_back(world.browser(), party, upstream, "forum")), wrong
    upstream.userinfo = {"user": {"id": 7, "first": "Vera", "last": "\u202e<Forum>"}}
    browser = world.browser()
    page = by_phone(world, browser, come_back(browser, party, upstream, "forum"), new_phone())
    assert 'value="Vera Forum"' in page.text
    page = browser.onward(browser.submit(page, name="Vera", terms="1"))
    claims = id_token(world, party, browser.onward(browser.submit(page, answer="link")))
    assert linked(world, str(claims["sub"])) == [(f"{upstream.issuer}/forum", "7")]
    path, _, headers = upstream.seen[-1]
    assert (path, headers["Authorization"]) == ("/userinfo", "Bearer upstream-access")
    # The same subject of another issuer is somebody else.
    upstream.subject = "7"
    assert where(come_back(world.browser(), party, upstream)) == "identify"


@pytest.mark.parametrize("kind", ["EC", "RSA", "none"])
def test_what_we_prove_by_a_key(world: World, party: Party, upstream: Upstream, tmp_path: Path, kind: str) -> None:
    """RFC 7523 §3: signed by the key of the configuration, for this issuer only. Apple's secret: in the name of our team. A file that holds
    no key is a sentence on the page, and a word for who runs this.
    """
    pem = KEYS["RS256" if kind == "RSA" else "ES256"].as_pem(private=True) if kind != "none" else b"nothing"
    (tmp_path / "key").write_bytes(pem)
    for auth, member, by, audience in (
        ("private_key_jwt", "client_assertion", "us", upstream.issuer),
        ("apple", "client_secret", "TEAM", "https://appleid.apple.com"),
    ):
        given = upstream.settings(client_auth=auth, client_secret="", private_key=tmp_path / "key", key_id="ours", team_id="TEAM")
        world.settings.providers["up"] = Provider(**given)
        upstream.seen.clear()
        page = come_back(world.browser(), party, upstream)
        if kind == "none":
            assert ("did not work" in text_of(page), world.events("social.failed")[-1].details["reason"]) == (True, "private_key")
            continue
        assert "linked to this account" in text_of(page)
        form = next(form for path, form, _ in upstream.seen if path == "/token")
        claims = claims_of(form[member])
        assert (claims["iss"], claims["sub"], claims["aud"], claims["exp"] - claims["iat"]) == (by, "us", audience, 300)
        jws.deserialize_compact(form[member], KEYS["RS256" if kind == "RSA" else "ES256"], algorithms=["RS256", "ES256"])


def test_a_provider_with_ways_of_its_own(world: World, party: Party, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the presets of VK ID and WeChat need: a parameter of the callback at the token endpoint, other names, the code in a query, a
    fragment behind the address; the access token posted, or in the query with what came beside it.
    """
    here = upstream.issuer
    ways = {
        "vk": ({"carried": ["device_id", "state"], "client_auth": "none", "userinfo_token": "form"}, "user.user_id"),
        "wechat": (
            {
                **{"token_request": "query", "fragment": "wechat_redirect", "client_auth": "post", "pkce": False},
                **{"client_id_name": "appid", "client_secret_name": "secret", "userinfo_token": "query", "userinfo_carried": ["openid"]},
            },
            "unionid",
        ),
    }
    for name, (more, subject) in ways.items():
        forum = Provider(
            **{"kind": "oauth2", "title": "Forum", "issuer": f"{here}/{name}", "client_id": "us", "client_secret": "s", "scopes": ["me"]},
            **{"authorization_endpoint": f"{here}/authorize", "token_endpoint": f"{here}/token", "userinfo_endpoint": f"{here}/userinfo"},
            **{"subject": subject, **more},
        )
        monkeypatch.setitem(world.settings.providers, "forum", forum)
        upstream.seen.clear()
        upstream.token, upstream.userinfo = {"openid": "o-1"}, {"user": {"user_id": 7}, "unionid": "u-1"}
        browser = world.browser()
        sent = sent_to(browser, browser.authorize(party), "forum")
        assert sent.headers["Location"].endswith("#wechat_redirect") == (name == "wechat")
        page = browser.go(upstream.agree(sent, device_id="d-1"))
        assert "linked to this account at Forum" in text_of(page), text_of(page)
        (_, redeemed, _), (_, asked, headers) = upstream.seen
        assert "Authorization" not in headers
        if name == "vk":
            assert (redeemed["device_id"], redeemed["client_id"], "client_secret" in redeemed) == ("d-1", "us", False)
            assert (asked["client_id"], asked["access_token"]) == ("us", "upstream-access")
        else:
            assert (redeemed["appid"], redeemed["secret"], "code_verifier" in redeemed) == ("us", "s", False)
            assert asked == {"openid": "o-1", "access_token": "upstream-access"}
