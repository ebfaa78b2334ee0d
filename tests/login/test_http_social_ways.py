"""Providers with ways of their own: plain OAuth 2, what VK ID and WeChat ask for, and keys by which we say who we are.

`product.md` §7; RFC 6749 §4.1, RFC 7523 §3; threats: case 107.
"""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc import jws

from idp.config_providers import PRESETS, Provider
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


WHO = {
    "vk": {"user": {"user_id": 7, "first_name": "Vera", "last_name": "Preset"}},
    "yandex": {"id": "7", "real_name": "Vera Preset"},
    "mailru": {"id": "7", "name": "Vera Preset"},
    "github": {"id": 7, "login": "vera", "name": "Vera Preset"},
    "wechat": {"openid": "o-1", "unionid": "7", "nickname": "Vera Preset"},
}
BASIC = "Basic " + base64.b64encode(b"us:shared").decode()
TO, REDEEMED = ("response_type", "state", "redirect_uri"), ("grant_type", "code", "redirect_uri")
CHALLENGE = ("code_challenge", "code_challenge_method")
# What each is asked, as its own documentation has it: the names beside the usual ones where people are sent, and the scope; the names where
# the code is redeemed, and our Basic; and how it is asked who came: path, names, header.
TOLD: dict[str, tuple[tuple[str, ...], str, tuple[str, ...], str, tuple[str, tuple[str, ...], str]]] = {
    "google": (("client_id", "nonce", *CHALLENGE), "openid profile", ("code_verifier",), BASIC, ("", (), "")),
    "apple": (("client_id", "nonce"), "openid", ("client_id", "client_secret"), "", ("", (), "")),
    "telegram": (("client_id", "nonce", *CHALLENGE), "openid profile", ("code_verifier",), BASIC, ("", (), "")),
    "vk": (
        *(("client_id", *CHALLENGE), "vkid.personal_info", ("client_id", "code_verifier", "device_id", "state"), ""),
        ("/oauth2/user_info", ("access_token", "client_id"), ""),
    ),
    "yandex": (("client_id", *CHALLENGE), "login:info", ("code_verifier",), BASIC, ("/info", ("format",), "OAuth upstream-access")),
    "mailru": (
        *(("client_id", *CHALLENGE), "userinfo", ("client_id", "client_secret", "code_verifier"), ""),
        ("/userinfo", ("access_token",), ""),
    ),
    "github": (("client_id", *CHALLENGE), "", ("client_id", "client_secret", "code_verifier"), "", ("/user", (), "Bearer upstream-access")),
    "wechat": (("appid",), "snsapi_login", ("appid", "secret"), "", ("/sns/userinfo", ("access_token", "openid"), "")),
}
VALUES = {
    **{"client_id": "us", "appid": "us", "client_secret": "shared", "secret": "shared", "grant_type": "authorization_code"},
    **{"device_id": "d-1", "openid": "o-1", "access_token": "upstream-access", "format": "json"},
}
AT = {
    "vk": ("https://id.vk.com/authorize", "https://id.vk.com/oauth2/auth", "https://id.vk.com/oauth2/user_info"),
    "yandex": ("https://oauth.yandex.ru/authorize", "https://oauth.yandex.ru/token", "https://login.yandex.ru/info?format=json"),
    "mailru": ("https://oauth.mail.ru/login", "https://oauth.mail.ru/token", "https://oauth.mail.ru/userinfo"),
    "github": (
        *("https://github.com/login/oauth/authorize", "https://github.com/login/oauth/access_token"),
        "https://api.github.com/user",
    ),
    "wechat": (
        *("https://open.weixin.qq.com/connect/qrconnect", "https://api.weixin.qq.com/sns/oauth2/access_token"),
        "https://api.weixin.qq.com/sns/userinfo",
    ),
    "google": ("https://accounts.google.com", "", ""),
    "apple": ("https://appleid.apple.com", "", ""),
    "telegram": ("https://oauth.telegram.org", "", ""),
}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset(world: World, party: Party, upstream: Upstream, tmp_path: Path, name: str) -> None:
    """`{"preset": …}` as people write it, on its way there, to its tokens and to who came: only its addresses are moved to the test's."""
    (tmp_path / "key").write_bytes(KEYS["ES256"].as_pem(private=True))
    by_key = {"private_key": tmp_path / "key", "key_id": "ours", "team_id": "TEAM"} if name == "apple" else {"client_secret": "shared"}
    written = Provider(preset=name, client_id="us", **({} if name == "vk" else by_key))
    ends = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    plain = written.kind == "oauth2"
    assert (tuple(getattr(written, end) for end in ends) if plain else (written.issuer, "", "")) == AT[name]
    moved = {end: _moved(getattr(written, end), upstream.issuer) for end in ends} if plain else {"issuer": upstream.issuer}
    world.settings.providers[name] = written.model_copy(update=moved)
    upstream.token_paths = {urlsplit(str(moved.get("token_endpoint", "/token"))).path}
    upstream.token, upstream.userinfo = {"openid": "o-1"}, WHO.get(name, {})
    upstream.claims = {"sub": "7", "name": "Vera Preset"}
    more, scope, redeemed_with, basic, (path, who, header) = TOLD[name]

    browser = world.browser()
    sent = sent_to(browser, browser.authorize(party), name)
    address = urlsplit(sent.headers["Location"])
    asked = dict(parse_qsl(address.query))
    assert set(asked) == {*TO, *more, *(["scope"] if scope else [])}
    assert (asked.get("scope", ""), asked.get("client_id", asked.get("appid"))) == (scope, "us")
    assert address.fragment == ("wechat_redirect" if name == "wechat" else "")
    upstream.seen.clear()
    page = by_phone(world, browser, browser.go(upstream.agree(sent, device_id="d-1")), new_phone())
    assert 'value="Vera Preset"' in page.text
    page = browser.onward(browser.submit(page, name="Vera", terms="1"))
    claims = id_token(world, party, browser.onward(browser.submit(page, answer="link")))
    assert linked(world, str(claims["sub"])) == [(written.issuer if plain else upstream.issuer, "7")]
    _, form, headers = next(each for each in upstream.seen if each[0] in upstream.token_paths)
    assert (set(form), headers.get("Authorization", "")) == ({*REDEEMED, *redeemed_with}, basic)
    if path:
        at, shown, headers = upstream.seen[-1]
        assert (at, set(shown), headers.get("Authorization", "")) == (path, set(who), header)
        form |= shown
    assert {word: text for word, text in form.items() if word in VALUES and VALUES[word] != text and name != "apple"} == {}


def _moved(address: str, there: str) -> str:
    """The same path and query at another host."""
    parts = urlsplit(address)
    return f"{there}{parts.path}" + (f"?{parts.query}" if parts.query else "")
