"""Switching the company: silently by refresh, else by way of the browser (`claims.md`, "Switching the company")."""

import pytest

from tests.clients.lab import Browser, Lab


@pytest.fixture
def signed_in(browser: Browser, lab: Lab) -> Browser:
    browser.get("/sign-in")
    lab.asked.clear()
    lab.tokens_asked.clear()
    return browser


def test_the_switch_is_silent(signed_in: Browser, lab: Lab) -> None:
    page = signed_in.press("/company", company="cmp_smirnova")
    assert "Анна Смирнова, owner of ИП Смирнова А. В." in page.text
    assert not lab.asked  # the browser never left
    assert lab.tokens_asked[-1]["company"] == "cmp_smirnova"
    assert "owner of ИП" in signed_in.get("/").text


def test_the_switcher_shows_the_others_and_what_cannot_be_entered(signed_in: Browser) -> None:
    page = signed_in.get("/").text
    assert 'value="cmp_smirnova"' in page
    assert 'value="cmp_wind"' not in page
    assert "Suspended" in page


@pytest.mark.parametrize("error", ["interaction_required", "access_denied"])
def test_where_refresh_is_not_enough_the_browser_asks_without_a_page(signed_in: Browser, lab: Lab, error: str) -> None:
    lab.switch_error = error
    page = signed_in.press("/company", company="cmp_smirnova")
    assert "owner of ИП" in page.text
    assert [(asked["prompt"], asked["company"]) for asked in lab.asked] == [("none", "cmp_smirnova")]


def test_and_then_with_one(signed_in: Browser, lab: Lab) -> None:
    lab.switch_error = "interaction_required"
    lab.authorize_error = {"none": "interaction_required"}
    page = signed_in.press("/company", company="cmp_smirnova")
    assert "owner of ИП" in page.text
    assert [(asked.get("prompt"), asked["company"]) for asked in lab.asked] == [("none", "cmp_smirnova"), (None, "cmp_smirnova")]


def test_a_refusal_is_shown_and_the_old_company_stays(signed_in: Browser, lab: Lab) -> None:
    lab.switch_error = "access_denied"
    lab.authorize_error = {"none": "access_denied"}
    page = signed_in.press("/company", company="cmp_wind")
    assert page.status_code == 403
    assert "The lab says no." in page.text
    assert "Back to where you were" in page.text
    assert "accountant of ООО «Ромашка»" in signed_in.get("/").text


def test_a_provider_that_ignores_the_parameter_is_noticed(signed_in: Browser, lab: Lab) -> None:
    lab.lie_userinfo = {"company_id": "cmp_romashka"}
    signed_in.press("/company", company="cmp_smirnova")
    assert lab.asked[0]["prompt"] == "none"


def test_a_session_that_has_ended_says_so(signed_in: Browser, lab: Lab) -> None:
    lab.refresh_error = "invalid_grant"
    page = signed_in.press("/company", company="cmp_smirnova")
    assert page.status_code == 401


def test_another_site_cannot_switch(signed_in: Browser) -> None:
    """The form token is derived from the cookie; without it nothing happens."""
    assert signed_in.post("/company", data={"company": "cmp_smirnova"}).status_code == 403
    assert signed_in.post("/company", data={"company": "cmp_smirnova", "form_token": "ж"}).status_code == 403
    assert "accountant of ООО «Ромашка»" in signed_in.get("/").text


def test_two_switches_at_once_leave_one_whole_company(signed_in: Browser, lab: Lab) -> None:
    for company, role in (("cmp_smirnova", "owner"), ("cmp_romashka", "accountant"), ("cmp_smirnova", "owner")):
        assert f"{role} of" in signed_in.press("/company", company=company).text
    assert not lab.asked
