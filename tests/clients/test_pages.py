"""Every page of every portal: valid HTML, strict headers, no script, nothing from elsewhere, in three languages."""

import re
from collections.abc import Iterator

import html5lib
import httpx2
import pytest

from clients.seller.sections import SECTIONS
from tests.clients.lab import EVERYTHING, Browser, Lab

LANGUAGES = ("ru", "en", "zh")


def sound(page: httpx2.Response) -> None:
    """What holds for every page."""
    html5lib.HTMLParser(strict=True).parse(page.text)
    assert "<script" not in page.text
    assert " style=" not in page.text
    assert not re.search(r'(?:src|srcset)="', page.text)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "base-uri 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    title = re.search(r"<title>(.*?)</title>", page.text)
    assert title
    assert len(re.findall(r"<h1", page.text)) == 1


@pytest.fixture(params=LANGUAGES)
def reader(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Browser]:
    browser.headers["Accept-Language"] = request.param
    return browser


def test_before_sign_in(reader: Browser) -> None:
    for path in ("/", "/signed-out", "/nothing", "/callback", "/callback?state=x&code=y"):
        sound(reader.get(path))


def test_signed_in_with_everything(reader: Browser, lab: Lab) -> None:
    lab.roles["cmp_romashka"] = (["owner"], EVERYTHING)
    titles = set()
    for path in ("/sign-in", *SECTIONS):
        page = reader.get(path)
        assert page.status_code == 200
        sound(page)
        titles.add(page.text.partition("<title>")[2].partition("</title>")[0])
    assert len(titles) == len(SECTIONS) + 1


def test_signed_in_with_little(reader: Browser, lab: Lab) -> None:
    sound(reader.get("/sign-in"))
    sound(reader.get("/orders"))
    lab.default_company = ""
    sound(reader.get("/sign-in"))
    lab.roles["cmp_romashka"] = ([], [])
    lab.default_company = "cmp_romashka"
    sound(reader.get("/sign-in"))


def test_when_something_is_wrong(reader: Browser, lab: Lab) -> None:
    lab.authorize_error = {"": "access_denied"}
    sound(reader.get("/sign-in"))
    lab.authorize_error = {"": "server_error"}
    sound(reader.get("/sign-in"))
    lab.authorize_error = {}
    reader.get("/sign-in")
    sound(reader.post("/company"))
    lab.lie_userinfo = {"sub": "x"}
    sound(reader.get("/"))
    lab.lie_userinfo = {}
    lab.access, lab.refresh_error = {}, "invalid_grant"
    sound(reader.get("/"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_staff_and_partner(staff: str, partner: str, language: str) -> None:
    for base in (staff, partner):
        with Browser(base, language) as browser:
            sound(browser.get("/"))
            sound(browser.get("/sign-in"))
            sound(browser.press("/sign-out"))


def test_forms_may_lead_to_the_provider_only(browser: Browser, lab: Lab) -> None:
    """Browsers hold a form's redirects against form-action: sign-out and switching end at the provider."""
    policy = browser.get("/").headers["content-security-policy"]
    assert f"form-action 'self' {lab.issuer};" in policy


def test_the_look_and_its_fonts_are_served_here(browser: Browser) -> None:
    for name in ("look.css", "mark.svg", "golos-text-cyrillic.woff2", "golos-text-latin.woff2"):
        answer = browser.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.content
        assert "max-age" in answer.headers["cache-control"]


def test_loopback_by_another_name_is_sent_to_the_right_one(browser: Browser, seller: str) -> None:
    answer = browser.get(seller.replace("localhost", "127.0.0.1") + "/sign-in?company=c", follow_redirects=False)
    assert answer.headers["location"] == f"{seller}/sign-in?company=c"
