"""Signing out: here first, then at the provider (OpenID Connect RP-Initiated Logout 1.0 §2)."""

import pytest
from joserfc import jwt

from tests.clients.lab import Browser, Lab


@pytest.fixture
def signed_in(browser: Browser, lab: Lab) -> Browser:
    browser.get("/sign-in")
    lab.asked.clear()
    return browser


def test_the_provider_is_told_who_leaves_and_where_to_come_back(signed_in: Browser, lab: Lab, seller: str) -> None:
    page = signed_in.press("/sign-out")
    asked = lab.asked[0]
    assert asked["client_id"] == "portal"
    assert asked["post_logout_redirect_uri"] == f"{seller}/signed-out"
    assert asked["ui_locales"] == "en"
    assert len(asked["state"]) >= 16
    assert jwt.decode(asked["id_token_hint"], lab.key).claims["sub"] == "usr_anna"
    assert page.url.path == "/signed-out"
    assert "signed out here and at the sign-in service" in page.text


def test_the_old_cookie_is_dead(signed_in: Browser) -> None:
    secret = signed_in.secret() or ""
    assert "Анна" in signed_in.holding(secret)
    signed_in.press("/sign-out")
    assert "Анна" not in signed_in.holding(secret)
    assert signed_in.secret() is None


def test_another_site_cannot_sign_a_person_out(signed_in: Browser) -> None:
    assert signed_in.post("/sign-out").status_code == 403
    assert signed_in.get("/sign-out").status_code == 405
    assert "Анна" in signed_in.get("/").text


def test_the_page_claims_nothing_it_does_not_know(browser: Browser) -> None:
    page = browser.get("/signed-out", params={"state": "made-up"}).text
    assert "sign-in service" not in page
    assert "Nobody is signed in here" in page


def test_a_strangers_link_to_the_page_signs_nobody_out(signed_in: Browser) -> None:
    signed_in.get("/signed-out", params={"state": "made-up"})
    assert "Анна" in signed_in.get("/").text


def test_it_works_here_even_when_the_provider_is_away(signed_in: Browser, lab: Lab) -> None:
    secret = signed_in.secret() or ""
    form = signed_in.get("/").text.partition('name="form_token" value="')[2].partition('"')[0]
    answer = signed_in.post("/sign-out", data={"form_token": form}, follow_redirects=False)
    assert answer.status_code == 303  # to a provider that may never answer
    assert "Анна" not in signed_in.holding(secret)
