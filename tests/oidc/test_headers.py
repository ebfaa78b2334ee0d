"""What stands in the headers: pages that cannot be framed, answers that no cache keeps, keys that every cache may (ASVS 5.0 §3.4, §14.3).

Cases 6 (frames) and 86 of threats.md, goal G-11.
"""

from __future__ import annotations

import re

import httpx2
import pytest

from tests.oidc.asking import phone, signed_in
from tests.world import Browser, World


def pages_of(world: World, story) -> list[httpx2.Response]:
    """Every kind of page that the protocol shows, refusals included."""
    party = world.party(first_party=False)
    browser = world.browser()
    number = phone(story, "anna")
    identify = browser.authorize(party, scope="openid company")
    code_page = browser.onward(browser.submit(identify, phone=number))
    wrong_code = browser.submit(code_page, code="000000" if world.code_for(number) != "000000" else "000001")
    chooser = browser.onward(browser.submit(code_page, code=world.code_for(number)))
    forged = browser.post(str(chooser.url), data={"account": "x"})
    nobodys = browser.submit(chooser, account="acc_nobody")
    consent = world.choose(browser, chooser, "Ромашка")
    neither = browser.submit(consent, answer="perhaps")
    done = str(consent.url)
    browser.onward(browser.submit(consent, answer="allow"))
    again = browser.get(done)
    return [
        identify,
        code_page,
        wrong_code,
        chooser,
        forged,
        nobodys,
        consent,
        neither,
        again,
        browser.authorize(party, prompt="select_account"),
        browser.authorize(party, redirect_uri="https://evil.example/"),
        browser.get("/authorize"),
        browser.get("/authorize/req_unknown"),
        browser.get("/nothing/here"),
        browser.post("/authorize/req_unknown/consent"),
        browser.get("/end_session"),
        world.browser().get("/end_session"),
        browser.get("/signed-out"),
        browser.put("/authorize"),
        browser.post("/authorize", content=b"x" * 70000),
    ]


def test_every_page(world: World, story) -> None:
    """Cases 6 and 86: no frame, a policy with a nonce of its own, no cache, no referrer, on every page and every status."""
    nonces = []
    pages = pages_of(world, story)
    assert {page.status_code for page in pages} >= {200, 400, 404, 405, 410, 413, 422}
    for page in pages:
        headers = page.headers
        assert headers["Content-Type"] == "text/html; charset=utf-8", page.url
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        nonces.append(re.search(r"script-src 'nonce-([^']{16,})'", policy)[1])
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert set(headers["Vary"].split(", ")) >= {"Cookie", "Accept-Language"}
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["X-Request-Id"]
        assert "Server" not in headers
        assert "Access-Control-Allow-Origin" not in headers
        for script in re.findall(r"<script[^>]*>", page.text):
            assert f'nonce="{nonces[-1]}"' in script
        assert not re.search(r"\son[a-z]+=|javascript:|<iframe|<base", page.text)
        assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page.text), "something of a third party"
    assert len(set(nonces)) == len(nonces)


def test_what_machines_get(world: World, story) -> None:
    """Case 86, RFC 6749 §5.1: tokens and claims, and the refusal of them, are kept nowhere; `Pragma` is for old proxies."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    http = world.browser()
    answers = [
        world.refresh(party, tokens["refresh_token"]),
        world.refresh(party, "x"),
        http.post("/token"),
        http.get("/token"),
        world.userinfo(tokens["access_token"]),
        world.userinfo("x"),
        http.get("/userinfo"),
        http.delete("/userinfo"),
    ]
    for answer in answers:
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Pragma"] == "no-cache"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"])
def test_what_everybody_may_keep(world: World, path: str) -> None:
    """Core §10.1.1: keys and discovery may be cached, for as long as a rotation allows; they set no cookie and vary by nothing."""
    answer = world.browser().get(path)
    caching = answer.headers["Cache-Control"].split(", ")
    assert "public" in caching
    age = int(next(part for part in caching if part.startswith("max-age=")).removeprefix("max-age="))
    assert 60 <= age <= world.settings.keys.published_before // 2
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_cookies(world: World, story) -> None:
    """ASVS 5.0 §3.3: HttpOnly, Lax, no Domain. On http://localhost they cannot be Secure; with https they are, and `__Host-`."""
    browser = signed_in(world, story)
    page: Browser = world.browser()
    party = world.party()
    sent = page.get("/authorize", params=party.asks()).headers.get_list("Set-Cookie")
    assert len(sent) == 1
    assert sent[0].startswith("idp_login=")
    assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= set(sent[0].split("; "))
    assert "Domain" not in sent[0]
    assert {cookie.name for cookie in browser.cookies.jar} <= {
        "idp_login",
        "idp_session",
        "idp_session_state",
        "idp_browser",
        "idp_language",
    }


def test_cookies_of_an_https_issuer(told) -> None:
    """ASVS 5.0 §3.3.1: `__Host-`, Secure, and HSTS on every answer, as soon as the configured issuer is https."""
    url = told.copy()
    world = World(told.settings(url, server={"issuer": "https://id.example"}))
    try:
        party = world.party()
        answer = world.browser().get("/authorize", params=party.asks())
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-idp_login=")
        assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= set(cookie.split("; "))
        for path in ("/jwks", "/userinfo", "/authorize", "/nothing"):
            hsts = world.browser().get(path).headers["Strict-Transport-Security"]
            assert int(re.search(r"max-age=([0-9]+)", hsts)[1]) >= 31536000
            assert "includeSubDomains" in hsts
    finally:
        world.close()
        told.drop(url)
