"""A code that has to be earned, in a real browser: it works by itself under the strict policy, and the sign-in goes on. Cases 66, 70."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import Told
from tests.faults.served import Served, served
from tests.messages.pumping import mobiles
from tests.world import Party

pytestmark = pytest.mark.browser
NUMBERS = mobiles()
SLOW = 60_000  # milliseconds: a busy machine is slow, not broken


@pytest.fixture(scope="module")
def provider(chromium: Browser, told: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Every code has to be earned, by as much work as the settings come with."""
    with served(told, tmp_path_factory.mktemp("served"), workers=1, spend={"work_from_network": 1, "work": 1500}) as running:
        party = running.party()
        first = running.browser()
        first.submit(first.authorize(party), phone=next(NUMBERS))
        yield running


@pytest.fixture(scope="module")
def party(provider: Served) -> Party:
    """A relying party."""
    return provider.party()


def ask(page: Page, provider: Served, party: Party, language: str = "en") -> str:
    """Type a number and ask for a code; answers the number."""
    phone = next(NUMBERS)
    page.goto(f"{provider.issuer}/authorize?{urlencode(party.asks(ui_locales=language))}")
    page.locator("input[name=phone]").fill(phone)
    page.locator("button.primary").click()
    return phone


def test_it_works_by_itself(chromium: Browser, provider: Served, party: Party) -> None:
    """Nobody presses anything: the page appears, the workers find the number, the code page follows; nobody else is asked anything."""
    context = chromium.new_context(viewport={"width": 360, "height": 740}, color_scheme="dark")
    said, hosts = list[str](), set[str]()
    try:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        with page.expect_response(lambda answer: answer.url.endswith("/proof_of_work") and answer.request.method == "POST") as sent:
            phone = ask(page, provider, party)
        expect(page.locator("input[name=code]")).to_be_visible(timeout=SLOW)
        assert sent.value.status == 303
        assert provider.code_for(phone)
        assert hosts == {urlsplit(provider.issuer).netloc}
        assert said == []
    finally:
        context.close()


@pytest.mark.parametrize("language", ["ru", "zh"])
def test_it_fits(chromium: Browser, provider: Served, party: Party, language: str) -> None:
    """At 320 pixels nothing runs out to the side; while it works the page says so, and the way without scripts is not shown."""
    context = chromium.new_context(viewport={"width": 320, "height": 640})
    try:
        page = context.new_page()
        page.route("**/proof-of-work-worker.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))  # never finds it
        ask(page, provider, party, language)
        expect(page.locator("[data-status]")).not_to_be_empty()
        expect(page.locator("[data-plain]")).to_be_hidden()
        page.locator("button.primary").click()  # while it works a press does nothing
        expect(page.locator("[data-status]")).not_to_be_empty()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.locator("html").get_attribute("lang") == language
    finally:
        context.close()


def test_workers_that_do_not_run(chromium: Browser, provider: Served, party: Party) -> None:
    """Where workers cannot run the page shows the way without scripts, and the button takes it."""
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.route("**/proof-of-work-worker.js*", lambda route: route.abort())
        ask(page, provider, party)
        expect(page.locator("[data-plain]")).to_be_visible()
        assert "One can go out now" in page.locator("[data-plain]").inner_text()
    finally:
        context.close()


def test_without_scripts(chromium: Browser, provider: Served, party: Party) -> None:
    """One for this network in ten minutes: the first gets the code at once, the second reads when the next one may."""
    context = chromium.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        phone = ask(page, provider, party)
        assert "One can go out now" in page.locator("main").inner_text()
        page.locator("button.primary").click()
        expect(page.locator("input[name=code]")).to_be_visible()
        assert provider.code_for(phone)
        ask(page, provider, party)
        assert "The next one can go out at" in page.locator("main").inner_text()
        page.locator("button.primary").click()
        assert "Try again after" in page.locator(".error").inner_text()
    finally:
        context.close()
