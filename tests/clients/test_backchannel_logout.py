"""A portal is told by the provider's server that somebody has signed out (OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8). Case 52."""

import base64
import hashlib
import hmac
import json
import sqlite3
import time
from pathlib import Path

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from clients.store import SCHEMA, Store
from tests.clients.lab import Browser, Lab


def tell(portal: str, token: str | None, **more: str) -> httpx2.Response:
    """POST it, as the provider's server does: without cookies."""
    return httpx2.post(f"{portal}/backchannel-logout", data=({"logout_token": token} if token is not None else {}) | more)


def is_in(browser: Browser) -> bool:
    """Whether the person sees their pages."""
    return "Анна" in browser.get("/").text


@pytest.fixture
def anna(browser: Browser) -> Browser:
    """Somebody who is signed in."""
    browser.get("/sign-in")
    assert is_in(browser)
    return browser


def test_the_session_is_over_at_once(anna: Browser, lab: Lab, seller: str) -> None:
    """§2.7: although the provider would still answer; the next click says so once, and the one after that begins anew."""
    answer = tell(seller, lab.logout_token())
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    asked = lab.userinfo_asked
    page = anna.get("/")
    assert page.status_code == 401
    assert "You have been signed out" in page.text
    assert lab.userinfo_asked == asked
    assert anna.get("/").status_code == 200
    anna.get("/sign-in")
    assert is_in(anna)


def test_by_person(anna: Browser, lab: Lab, seller: str) -> None:
    """§2.4: without `sid` all sessions of the person end."""
    with Browser(seller) as other:
        lab.sid = "ses_other"
        other.get("/sign-in")
        assert tell(seller, lab.logout_token(sid=None)).status_code == 200
        assert not is_in(anna)
        assert not is_in(other)


def test_by_session(anna: Browser, lab: Lab, seller: str) -> None:
    """§2.4: with `sid` that one, and no other of the same person."""
    with Browser(seller) as other:
        lab.sid = "ses_other"
        other.get("/sign-in")
        assert tell(seller, lab.logout_token(sub=None)).status_code == 200
        assert is_in(anna)
        assert not is_in(other)


def test_nobody_is_meant(anna: Browser, lab: Lab, seller: str) -> None:
    """§2.8: who is not here is signed out already; that is no error. Another person's `sid` ends nothing."""
    for changes in ({"sid": "ses_unknown"}, {"sub": "usr_other"}, {"sid": None, "sub": "usr_other"}):
        assert tell(seller, lab.logout_token(**changes)).status_code == 200
    assert is_in(anna)


def test_signing_in_again_from_the_page(anna: Browser, lab: Lab, seller: str) -> None:
    """Who presses `Sign in` before they saw that they are out is simply signed in."""
    tell(seller, lab.logout_token())
    lab.sid = "ses_next"
    anna.get("/sign-in")
    assert is_in(anna)


WRONG: dict[str, dict[str, object]] = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "other"},
    "no audience": {"aud": None},
    "an audience that begins so": {"aud": "portal2"},
    "a nonce": {"nonce": "x"},
    "an empty nonce": {"nonce": ""},
    "no events": {"events": None},
    "events as a list": {"events": ["http://schemas.openid.net/event/backchannel-logout"]},
    "another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "an event that is no object": {"events": {"http://schemas.openid.net/event/backchannel-logout": True}},
    "neither person nor session": {"sub": None, "sid": None},
    "person and session as numbers": {"sub": 1, "sid": 2},
    "no jti": {"jti": None},
    "no iat": {"iat": None},
    "no exp": {"exp": None},
    "true as a time": {"iat": True},
    "long ago": {"iat": int(time.time()) - 3600},
    "from the future": {"iat": int(time.time()) + 600, "exp": int(time.time()) + 900},
    "expired": {"exp": int(time.time()) - 120},
}


@pytest.mark.parametrize("what", WRONG)
def test_claims_that_are_wrong(anna: Browser, lab: Lab, seller: str, what: str) -> None:
    """§2.6: each is refused, and nobody is signed out. Case 52: nonce, audience, issuer, events."""
    answer = tell(seller, lab.logout_token(**WRONG[what]))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert is_in(anna)


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", "secevent+jwt", "LOGOUT+JWT"])
def test_types_that_are_wrong(anna: Browser, lab: Lab, seller: str, typ: str | None) -> None:
    """§2.4, case 34: what is signed by the provider for something else is no logout token."""
    assert tell(seller, lab.logout_token(typ=typ)).status_code == 400
    assert is_in(anna)


def _segment(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_signatures_that_are_wrong(anna: Browser, lab: Lab, seller: str) -> None:
    """§2.6, case 33: unsigned, by a stranger, by a secret that is our public key, cut short, no token at all."""
    good = lab.logout_token()
    claims = json.loads(base64.urlsafe_b64decode(good.split(".")[1] + "=="))
    message = f"{_segment({'alg': 'HS256', 'typ': 'logout+jwt', 'kid': 'lab'})}.{_segment(claims)}"
    mac = hmac.new(lab.key.as_pem(private=False), message.encode(), hashlib.sha256).digest()
    forged = [
        f"{_segment({'alg': 'none', 'typ': 'logout+jwt'})}.{_segment(claims)}.",
        lab.logout_token(key=RSAKey.generate_key(2048)),
        f"{message}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}",
        good[:-4],
        good.rpartition(".")[0] + ".",
        "x",
        "a.b.c",
        "",
        None,
        "\u0440",
    ]
    for token in forged:
        assert tell(seller, token).status_code == 400, token
    assert is_in(anna)


def test_a_replay(anna: Browser, lab: Lab, seller: str) -> None:
    """§2.6: the same `jti` once; who signs in again is not signed out by an old token."""
    token = lab.logout_token()
    assert tell(seller, token).status_code == 200
    anna.get("/sign-in")
    assert tell(seller, token).status_code == 400
    assert is_in(anna)


def test_keys_that_have_rotated(anna: Browser, lab: Lab, seller: str) -> None:
    """A key that the portal has not seen is looked for, once a minute: strangers cannot make it ask again and again."""
    lab.key = RSAKey.generate_key(2048, {"kid": "next", "use": "sig"})
    asked = lab.jwks_asked
    header = {"alg": "RS256", "kid": "next", "typ": "logout+jwt"}
    claims = json.loads(base64.urlsafe_b64decode(lab.logout_token().split(".")[1] + "=="))
    assert tell(seller, jwt.encode(header, claims, lab.key)).status_code == 200
    assert not is_in(anna)
    for number in range(5):
        unknown = jwt.encode({**header, "kid": f"k{number}"}, claims, lab.key)
        assert tell(seller, unknown).status_code == 400
    assert lab.jwks_asked == asked + 1


def test_a_refresh_under_way_does_not_bring_it_back(tmp_path: Path) -> None:
    """What ended while tokens were being refreshed stays ended."""
    store = Store(tmp_path / "store.sqlite3")
    secret, visit = store.sign_in(store.begin()[1], {"sub": "usr_anna", "sid": "ses_1", "access_token": "a"})
    assert store.end(sub="usr_anna", sid="ses_1") == 1
    assert not store.replace(visit.digest, {"sub": "usr_anna", "sid": "ses_1", "access_token": "b"})
    found = store.find(secret)
    assert found is not None
    assert (found.tokens, found.ended) == (None, True)
    assert store.end(sub="usr_anna", sid="ses_1") == 0
    assert store.end(sub=None, sid=None) == 0


def test_a_file_of_before(tmp_path: Path) -> None:
    """A store that an earlier version wrote goes on: its sessions are as they were."""
    path = tmp_path / "store.sqlite3"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE sessions (digest TEXT PRIMARY KEY, sealed BLOB, expires_at INTEGER NOT NULL)")
        db.execute("INSERT INTO sessions VALUES ('x', NULL, ?)", (int(time.time()) + 60,))
    store = Store(path)
    assert store.get("x") is not None
    assert not store.get("x").ended  # type: ignore[union-attr]
    assert "ended" in SCHEMA
