"""The staff portal and the partner's app: what is theirs alone."""

from tests.clients.lab import EVERYTHING, Browser, Lab


def test_the_staff_portal_signs_in_the_person_alone(staff: str, lab: Lab) -> None:
    with Browser(staff) as browser:
        page = browser.get("/sign-in").text
    assert lab.asked[0]["scope"] == "openid profile companies"
    assert "company" not in lab.asked[0]
    assert "Анна Смирнова" in page
    assert "not for a company" in page


def test_it_lists_the_companies_with_a_way_into_each_open_one(staff: str) -> None:
    with Browser(staff) as browser:
        page = browser.get("/sign-in").text
    assert 'href="http://localhost:8001/sign-in?company=cmp_romashka"' in page
    assert "Accountant" in page
    assert "Suspended" in page
    assert "company=cmp_wind" not in page


def test_a_blocked_access_is_shown_and_shut(staff: str, lab: Lab) -> None:
    entry = {"id": "cmp_x", "name": "ООО «Лютик»", "inn": "7707083893", "status": "active", "roles": []}
    lab.lie_userinfo = {"companies": [entry]}
    with Browser(staff) as browser:
        page = browser.get("/sign-in").text
    assert "Your access is blocked" in page
    assert "company=cmp_x" not in page


def test_the_profile_is_written_for_the_reader(staff: str, lab: Lab) -> None:
    lab.lie_userinfo = {"birthdate": "1991-04-12", "locale": "ru-RU", "nickname": "Аня"}
    with Browser(staff, "ru") as browser:
        page = browser.get("/sign-in").text.replace("\u202f", " ")
    assert "12 апреля 1991 г." in page
    assert "русский" in page
    assert "Аня" in page


def test_it_carries_an_invitation_through_sign_in(staff: str, lab: Lab) -> None:
    with Browser(staff) as browser:
        browser.get("/sign-in", params={"invitation": "inv_123"})
    assert lab.asked[0]["invitation"] == "inv_123"


def test_somebody_without_companies_learns_how_to_get_one(staff: str, lab: Lab) -> None:
    lab.lie_userinfo = {"companies": []}
    with Browser(staff) as browser:
        assert "No company yet" in browser.get("/sign-in").text


def test_the_partners_app_says_who_signed_in_and_for_which_company(partner: str, lab: Lab) -> None:
    lab.roles["cmp_romashka"] = (["administrator"], EVERYTHING)
    with Browser(partner) as browser:
        page = browser.get("/sign-in").text
    assert lab.asked[0]["scope"] == "openid profile account company"
    assert "Working for ООО «Ромашка»" in page
    assert "Анна Смирнова" in page


def test_portals_on_one_host_keep_their_cookies_apart(seller: str, staff: str, partner: str) -> None:
    """Ports of one host share a cookie jar; the names differ, so signing in at one does not sign out of another."""
    with Browser(seller) as browser:
        for base in (seller, staff, partner):
            browser.get(f"{base}/sign-in")
        for base in (seller, staff, partner):
            assert "Анна Смирнова" in browser.get(f"{base}/").text
        assert {cookie.name for cookie in browser.cookies.jar} == {"seller_session", "staff_session", "partner_session"}
