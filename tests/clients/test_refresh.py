"""Tokens are refreshed on the server, one at a time: RFC 6749 §6, with a provider that rotates refresh tokens."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.clients.lab import Browser, Lab
from tests.machine import AUTHORITIES


@pytest.fixture
def expired(browser: Browser, lab: Lab) -> Browser:
    """Signed in, with an access token that is about to end. The next ones last."""
    lab.lifetime = 1
    browser.get("/sign-in", follow_redirects=True)
    lab.lifetime = 300
    lab.tokens_asked.clear()
    return browser


def refreshes(lab: Lab) -> list[str]:
    return [asked["refresh_token"] for asked in lab.tokens_asked if asked["grant_type"] == "refresh_token"]


@pytest.fixture
def signed_in(browser: Browser, lab: Lab) -> Browser:
    browser.get("/sign-in")
    lab.tokens_asked.clear()
    return browser


def test_a_living_token_is_not_refreshed(signed_in: Browser, lab: Lab) -> None:
    assert signed_in.get("/finance").status_code == 200
    assert not refreshes(lab)


def test_twenty_requests_at_once_refresh_once(browser: Browser, lab: Lab) -> None:
    """A provider that rotates would take a second refresh with the same token for theft."""
    lab.lifetime = 1
    browser.get("/sign-in")
    lab.tokens_asked.clear()
    lab.lifetime, lab.refresh_delay = 300, 0.3
    cookie = f"seller_session={browser.secret()}"
    start = threading.Barrier(20)

    def ask(_: int) -> int:
        with httpx2.Client(timeout=20, verify=AUTHORITIES) as client:
            start.wait()
            return client.get(f"{browser.base_url}/finance", headers={"Cookie": cookie}).status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(20))) == {200}
    assert len(refreshes(lab)) == 1


def test_a_lost_answer_is_asked_for_again_with_the_same_token(expired: Browser, lab: Lab) -> None:
    lab.lifetime = 1
    expired.get("/")
    lab.tokens_asked.clear()
    lab.lifetime, lab.fail_answers = 300, 1
    assert expired.get("/finance").status_code == 200
    first, second = refreshes(lab)
    assert first == second
    assert expired.get("/finance").status_code == 200
    assert len(refreshes(lab)) == 2


def test_a_provider_that_stays_silent_shows_nothing_and_signs_nobody_out(signed_in: Browser, lab: Lab) -> None:
    lab.lie_userinfo = {"sub": "nonsense"}
    page = signed_in.get("/finance")
    assert page.status_code == 503
    assert "УПД" not in page.text
    lab.lie_userinfo = {}
    assert signed_in.get("/finance").status_code == 200


def test_a_refused_refresh_signs_out_here_and_says_so(expired: Browser, lab: Lab) -> None:
    lab.refresh_error, lab.access = "invalid_grant", {}
    secret = expired.secret() or ""
    page = expired.get("/finance")
    assert page.status_code == 401
    assert "You have been signed out" in page.text
    assert 'href="/sign-in?next=%2Ffinance"' in page.text
    assert expired.secret() is None
    assert "Анна" not in expired.holding(secret)


def test_a_session_ended_at_the_provider_ends_here_at_the_next_page(signed_in: Browser, lab: Lab) -> None:
    """The access token would still be good for minutes; nobody waits for that."""
    lab.alive, lab.refresh = False, {}
    assert signed_in.get("/finance").status_code == 401


def test_a_token_that_is_refused_early_is_replaced(signed_in: Browser, lab: Lab) -> None:
    lab.access.clear()
    assert signed_in.get("/finance").status_code == 200
    assert len(refreshes(lab)) == 1


def test_a_role_taken_away_counts_at_the_next_page(signed_in: Browser, lab: Lab) -> None:
    assert signed_in.get("/finance").status_code == 200
    lab.roles["cmp_romashka"] = (["content_manager"], ["products:read"])
    assert signed_in.get("/finance").status_code == 403
    assert signed_in.get("/products").status_code == 200


def test_where_the_provider_wants_the_person_the_browser_goes_there(expired: Browser, lab: Lab) -> None:
    lab.refresh_error = "interaction_required"
    lab.asked.clear()
    page = expired.get("/finance")
    assert page.url.path == "/finance"
    assert len(lab.asked) == 1


def test_an_id_token_for_another_person_in_a_refresh_is_refused(expired: Browser, lab: Lab) -> None:
    """OpenID Connect Core §12.2."""
    lab.lie_id_token = {"sub": "usr_mallory"}
    lab.lie_userinfo = {"sub": "usr_mallory", "name": "Mallory"}
    lab.lifetime = 1
    lab.access.clear()
    page = expired.get("/finance")
    assert page.status_code == 503
    assert "Mallory" not in page.text


def test_a_refresh_that_is_answered_after_sign_out_brings_nobody_back(browser: Browser, lab: Lab) -> None:
    lab.lifetime = 1
    browser.get("/sign-in")
    secret = browser.secret() or ""
    form = browser.get("/").text.partition('name="form_token" value="')[2].partition('"')[0]
    lab.refresh_delay = 0.6
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(browser.holding, secret)
        threading.Event().wait(0.2)
        browser.post("/sign-out", data={"form_token": form})
        assert "Анна" not in late.result()
    assert "Анна" not in browser.holding(secret)
