"""A portal signs people in by the code flow: OpenID Connect Core 1.0 §3.1, with PKCE (RFC 7636) and the issuer check of RFC 9207."""

import sqlite3
from pathlib import Path

import pytest

from tests.clients.lab import Browser, Lab


def test_the_first_page_says_what_the_portal_is_and_sets_no_cookie(browser: Browser) -> None:
    page = browser.get("/")
    assert page.status_code == 200
    assert "Sign in" in page.text
    assert not page.cookies


def test_sign_in_shows_person_role_and_company(browser: Browser) -> None:
    page = browser.get("/sign-in")
    assert page.url.path == "/"
    assert "Анна Смирнова, accountant of ООО «Ромашка»" in page.text


def test_the_request_carries_state_nonce_pkce_and_language(browser: Browser, lab: Lab) -> None:
    browser.get("/sign-in", params={"company": "cmp_smirnova"})
    asked = lab.asked[0]
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 22
    assert len(asked["nonce"]) >= 20
    assert asked["scope"] == "openid profile account company companies"
    assert asked["company"] == "cmp_smirnova"
    assert asked["ui_locales"] == "en"
    assert asked["response_type"] == "code"


def test_the_cookie_holds_a_random_id_only_and_changes_at_sign_in(browser: Browser) -> None:
    answer = browser.get("/sign-in", follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("seller_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    before = browser.secret()
    browser.get(answer.headers["location"])
    after = browser.secret()
    assert after
    assert before != after


def test_a_session_id_known_before_sign_in_is_worth_nothing_after_it(browser: Browser) -> None:
    answer = browser.get("/sign-in", follow_redirects=False)
    known = browser.secret() or ""
    browser.get(answer.headers["location"])
    assert "Анна" in browser.holding(browser.secret() or "")
    assert "Анна" not in browser.holding(known)


def test_a_planted_session_id_is_not_taken(seller: str) -> None:
    with Browser(seller) as victim:
        answer = victim.get("/sign-in", headers={"Cookie": "seller_session=planted"}, follow_redirects=False)
        assert answer.cookies["seller_session"] != "planted"


def test_an_answer_that_another_browser_asked_for_is_refused(browser: Browser, seller: str, lab: Lab) -> None:
    with Browser(seller) as attacker:
        begun = attacker.get("/sign-in", follow_redirects=False).headers["location"]
        callback = attacker.get(begun, follow_redirects=False).headers["location"]
    page = browser.get(callback)
    assert page.status_code == 400
    assert "not known here" in page.text
    assert not lab.tokens_asked
    browser.get("/sign-in", follow_redirects=False)  # nor when this browser has a sign-in of its own open
    assert browser.get(callback).status_code == 400


@pytest.mark.parametrize("issuer", ["https://evil.example", None])
def test_an_answer_of_another_issuer_or_none_is_refused(browser: Browser, lab: Lab, issuer: str | None) -> None:
    """RFC 9207 §2.4, and case 12: a provider that announces `iss` and then leaves it out is not the one that was asked."""
    lab.lie_answer = {"iss": issuer}
    page = browser.get("/sign-in")
    assert page.status_code == 400
    assert "invalid_issuer" in page.text
    assert not lab.tokens_asked


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"aud": "somebody-else"},
        {"aud": "somebody-else", "azp": "portal"},  # Authlib by itself lets this one through
        {"aud": ["portal", "somebody-else"], "azp": "somebody-else"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
    ],
    ids=str,
)
def test_a_wrong_id_token_is_refused(browser: Browser, lab: Lab, lie: dict[str, object]) -> None:
    """OpenID Connect Core §3.1.3.7."""
    lab.lie_id_token = lie
    page = browser.get("/sign-in")
    assert page.status_code == 400
    assert "invalid_token" in page.text
    assert "Анна" not in browser.get("/").text


def test_userinfo_of_somebody_else_is_not_shown(browser: Browser, lab: Lab) -> None:
    """OpenID Connect Core §5.3.2: `sub` of userinfo and of the ID token must be the same."""
    lab.lie_userinfo = {"sub": "usr_mallory", "name": "Mallory"}
    page = browser.get("/sign-in")
    assert page.status_code == 503
    assert "Mallory" not in page.text


def test_another_company_than_asked_for_is_refused(browser: Browser, lab: Lab) -> None:
    lab.lie_id_token = {"company_id": "cmp_romashka"}
    page = browser.get("/sign-in", params={"company": "cmp_smirnova"})
    assert page.status_code == 403
    assert "Анна" not in browser.get("/").text


def test_a_refusal_says_what_to_do(browser: Browser, lab: Lab) -> None:
    lab.authorize_error = {"": "access_denied"}
    page = browser.get("/sign-in")
    assert page.status_code == 403
    assert "You were not let in" in page.text
    assert "access_denied" in page.text
    assert 'href="/sign-in"' in page.text
    assert "select_account" in page.text


def test_what_the_provider_says_is_text_not_markup(browser: Browser, lab: Lab) -> None:
    lab.authorize_error = {"": "access_denied"}
    lab.lie_answer = {"error_description": "<script>alert(1)</script>"}
    page = browser.get("/sign-in").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_name_with_markup_is_text(browser: Browser, lab: Lab) -> None:
    lab.name = '"><img src=x>'
    assert "<img" not in browser.get("/sign-in").text


def test_a_callback_pressed_twice_does_no_harm(browser: Browser) -> None:
    begun = browser.get("/sign-in", follow_redirects=False).headers["location"]
    callback = browser.get(begun, follow_redirects=False).headers["location"]
    assert "Анна" in browser.get(callback).text
    assert "Анна" in browser.get(callback).text


def test_two_tabs_can_begin_and_the_second_one_finishes(browser: Browser) -> None:
    first = browser.get("/sign-in", follow_redirects=False).headers["location"]
    second = browser.get("/sign-in", follow_redirects=False).headers["location"]
    assert "Анна" in browser.get(second).text
    assert "Анна" in browser.get(first).text


def test_a_deep_link_leads_through_sign_in_and_back(browser: Browser) -> None:
    assert browser.get("/finance").url.path == "/finance"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/%0d%0aX: 1", "\t//evil.example"]
)
def test_next_leads_nowhere_else(browser: Browser, seller: str, target: str) -> None:
    page = browser.get("/sign-in", params={"next": target})
    assert str(page.url).startswith(seller + "/")
    assert all("evil" not in answer.headers.get("location", "").partition("state=")[0] for answer in page.history[-1:])


def test_the_provider_may_begin_but_another_one_may_not(browser: Browser, lab: Lab) -> None:
    """OpenID Connect Core §4."""
    browser.get("/sign-in", params={"iss": "https://evil.example"})
    assert not lab.asked
    target = f"{browser.base_url}/finance"
    page = browser.get("/sign-in", params={"iss": lab.issuer, "login_hint": "+79990000001", "target_link_uri": target})
    assert str(page.url) == target
    assert lab.asked[0]["login_hint"] == "+79990000001"


def test_a_discovery_document_of_another_issuer_is_not_used(browser: Browser, lab: Lab) -> None:
    lab.issuer = lab.issuer.replace("localhost", "127.0.0.1")
    page = browser.get("/sign-in")
    assert page.status_code == 503
    assert not lab.asked


def test_tokens_are_not_in_the_store_in_clear(browser: Browser, lab: Lab, tmp_path: Path) -> None:
    browser.get("/sign-in")
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("seller.sqlite3*"))
    assert lab.access
    for secret in (*lab.access, *lab.refresh, browser.secret() or "?"):
        assert secret.encode() not in kept
    with sqlite3.connect(tmp_path / "seller.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
    db.close()
