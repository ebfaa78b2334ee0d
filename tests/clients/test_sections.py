"""The seller portal opens a section to those whose permissions open it, by menu and by address alike (`product.md` §10)."""

import pytest

from clients.seller.sections import SECTIONS
from tests.clients.lab import EVERYTHING, Browser, Lab

MANAGER = [
    name for name in EVERYTHING if name.partition(":")[0] in {"orders", "products", "prices", "photos", "stock", "logistics", "customers"}
]
ROLES = {
    "administrator": (EVERYTHING, set(SECTIONS)),
    "manager": (MANAGER, {"orders", "products", "stock", "logistics"}),
    "content_manager": (["products:read", "products:write", "prices:write", "photos:write"], {"products"}),
    "accountant": (["documents:read", "finance:read"], {"finance"}),
    "warehouse_operator": (["shipping:read", "shipping:write", "returns:read", "returns:write", "labels:print"], {"logistics"}),
    "nobody": ([], set()),
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_sections_and_no_other(browser: Browser, lab: Lab, role: str) -> None:
    permissions, opened = ROLES[role]
    lab.roles["cmp_romashka"] = ([role], permissions)
    first = browser.get("/sign-in").text
    for key in SECTIONS:
        page = browser.get(f"/{key}")
        assert (page.status_code == 200) == (key in opened), key
        assert (f'href="/{key}"' in first) == (key in opened), key
        if key not in opened:
            assert page.status_code == 403
            assert "<table" not in page.text


def test_a_shut_section_says_why_and_what_to_do(browser: Browser) -> None:
    browser.get("/sign-in")
    page = browser.get("/orders").text
    assert "In ООО «Ромашка» you are signed in as: Accountant." in page
    assert "ask an administrator" in page
    assert "orders:read | customers:read" in page


def test_a_part_of_a_section_needs_its_own_permission(browser: Browser, lab: Lab) -> None:
    lab.roles["cmp_romashka"] = (["accountant"], ["documents:read"])
    browser.get("/sign-in")
    page = browser.get("/finance").text
    assert 'id="documents"' in page
    assert 'id="settlements"' not in page
    lab.roles["cmp_romashka"] = (["warehouse_operator"], ["shipping:read"])
    page = browser.get("/logistics").text
    assert 'id="shipping"' in page
    assert 'id="routes"' not in page


def test_without_a_write_permission_it_is_view_only(browser: Browser, lab: Lab) -> None:
    browser.get("/sign-in")
    assert "view only" in browser.get("/finance").text
    lab.roles["cmp_romashka"] = (["owner"], EVERYTHING)
    assert "view only" not in browser.get("/finance").text


def test_the_rows_say_that_they_are_invented(browser: Browser) -> None:
    browser.get("/sign-in")
    assert "these rows are invented" in browser.get("/finance").text


def test_a_permission_that_is_no_list_is_none(browser: Browser, lab: Lab) -> None:
    """`orders:read` as one long string, or a claim left out, opens nothing."""
    browser.get("/sign-in")
    lab.lie_userinfo = {"permissions": "orders:read products:read"}
    assert browser.get("/orders").status_code == 403
    lab.lie_userinfo = {"permissions": None, "roles": None}
    assert browser.get("/finance").status_code == 403


def test_a_role_of_the_companys_own_is_shown_as_it_is_named(browser: Browser, lab: Lab) -> None:
    lab.roles["cmp_romashka"] = (["Приёмщик"], ["returns:read"])
    assert "Анна Смирнова, Приёмщик of" in browser.get("/sign-in").text


def test_somebody_without_a_company_is_told_so(browser: Browser, lab: Lab) -> None:
    lab.default_company = ""
    page = browser.get("/sign-in").text
    assert "No company" in page
    assert "select_account" in page
    assert "No company" in browser.get("/orders").text
