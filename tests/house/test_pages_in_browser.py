"""The pages as a browser shows them: nothing for axe to find, no sideways scroll at 320 px, no request that the policy stops, and a script
that only helps. WCAG 2.2 AA, WebOTP (https://wicg.github.io/web-otp/), `pages.md` §2.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from markupsafe import Markup
from playwright.sync_api import Browser, Page, expect

from idp.languages import LANGUAGES
from idp.web.headers import policy
from tests.axe import violations
from tests.house.samples import SAMPLES, rendered
from tests.machine import count

STATIC = Path(__file__).parents[2] / "idp" / "web" / "static"
LONG = "Научно-производственное-объединение-Северсталькомплект"

pytestmark = pytest.mark.browser

# The tour (`journeys/test_every_page`) looks at each page every day, as it comes; these are their rarer states, some of them every day.
SOME, HALF = list(SAMPLES)[:: count(4, 1)], list(SAMPLES)[:: count(2, 1)]


class Handler(SimpleHTTPRequestHandler):
    """`/<page>/<language>` is a sample under the real policy, `/static/` our files; a form that was sent is kept in `posted`."""

    change: Callable[[Any], Any] = staticmethod(lambda context: context)
    mark = "1-waiting"  # what the page's script is told
    posted: list[str] = []  # noqa: RUF012 - one server, one list

    def do_GET(self) -> None:
        """A page or a file."""
        parts = urlsplit(self.path).path.strip("/").split("/")
        if parts[-1] == "state":
            self._answer("application/json", json.dumps({"mark": Handler.mark}).encode())
            return
        if parts[0] not in SAMPLES or "." in parts[-1]:  # the page of the archive has its stylesheet beside it
            super().do_GET()
            return
        body = rendered(parts[0], parts[1], Handler.change).encode()
        self._answer("text/html; charset=utf-8", body, works=parts[0].startswith("proof_of_work"))

    def _answer(self, kind: str, body: bytes, *, works: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", policy("n0nce", parked=False, works=works))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """A form."""
        Handler.posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    def translate_path(self, path: str) -> str:
        """Only what is in `static/`."""
        return str(STATIC / Path(urlsplit(path).path).name)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a server with the samples."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(STATIC)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    """A tab that fails the test if the browser had anything to complain about."""
    Handler.posted.clear()
    context = chromium.new_context(viewport={"width": 360, "height": 740}, timezone_id="Asia/Vladivostok")
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.route("**/form-post.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))  # it would leave at once
    yield page
    context.close()
    assert not said


@pytest.mark.parametrize("page", SOME)
def test_accessible_in_light_and_dark(tab: Page, site: str, page: str) -> None:
    """axe finds nothing, help opened, in any language; contrast is looked at in both schemes (in the light, every day, by the tour)."""
    found = []
    for lang, scheme in (("zh", "dark"), ("ru", "light"))[: count(1, 2)]:
        tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        tab.goto(f"{site}/{page}/{lang}")
        tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found += [f"{lang} {scheme} {each}" for each in violations(tab)]
    assert not found, "\n".join(found)


LONG_ONES = {"name", "title", "client_name", "person_name", "message", "to", "text"}


@pytest.mark.parametrize("page", HALF)
def test_narrow(tab: Page, site: str, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sideways scroll at 320 px (WCAG 1.4.10), and none from a name that is one long word; a pressable thing is 24 px high (2.5.8)."""
    tab.set_viewport_size({"width": 320, "height": 640})

    def long(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: LONG if key in LONG_ONES and not isinstance(item, Markup) else long(item)  # markup: our own word, the name of a file
                for key, item in value.items()
            }
        return [long(item) for item in value] if isinstance(value, list) else value

    for lang, change in [("ru", long), *((lang, lambda context: context) for lang in LANGUAGES[-count(1, 3) :])]:
        monkeypatch.setattr(Handler, "change", staticmethod(change))
        tab.goto(f"{site}/{page}/{lang}")
        tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert tab.evaluate("document.documentElement.scrollWidth") == 320, lang
        pressed = "[...document.querySelectorAll('button, summary, .row, .foot a')]"
        low = f"{pressed}.map(each => each.getBoundingClientRect()).filter(box => box.width && box.height < 24).length"
        assert tab.evaluate(low) == 0


def test_a_pasted_code_sends_itself_and_a_typed_one_waits(tab: Page, site: str) -> None:
    """Autofill and paste go on by themselves, once; typing never does."""
    tab.goto(f"{site}/phone_code/ru")
    tab.locator("#code").press_sequentially("482913")
    tab.wait_for_timeout(200)
    assert Handler.posted == []
    tab.locator("#code").fill("")
    tab.locator("#code").fill("48291")  # too short: waits
    tab.locator("#code").fill("")
    with tab.expect_request(lambda request: request.method == "POST"):
        tab.locator("#code").fill("482 913")
    tab.get_by_role("button", name="Войти", exact=True).click()
    tab.wait_for_timeout(200)
    assert Handler.posted == ["csrf_token=token&code=482+913&remember=1&passkey="]


def test_the_code_of_a_message_fills_itself_in(tab: Page, site: str) -> None:
    """WebOTP: the code goes in and the form is sent; the request is withdrawn when the person was faster."""
    tab.add_init_script(
        """window.OTPCredential = class {};
        navigator.credentials.get = (options) => {
            window.asked = options;
            return new Promise((resolve) => { window.arrive = resolve; });
        };"""
    )
    tab.goto(f"{site}/phone_code/en")
    assert tab.evaluate("asked.otp.transport[0]") == "sms"
    with tab.expect_request(lambda request: request.method == "POST"):
        tab.evaluate("arrive({code: '482913'})")
    assert tab.evaluate("asked.signal.aborted")
    tab.goto(f"{site}/phone_code-wrong/en")
    assert tab.evaluate("window.asked") is None, "no message is on its way when the code is spoken"


def test_counting_down(tab: Page, site: str) -> None:
    """The button can be focused all the while, says the hour to those who listen, and its end is announced once."""
    tab.clock.install()
    tab.goto(f"{site}/phone_code/ru")
    button = tab.locator("button[data-waiting]")
    assert button.get_attribute("aria-disabled") == "true"
    assert button.get_attribute("disabled") is None
    seen = button.locator("[aria-hidden]").inner_text().replace("\N{NO-BREAK SPACE}", " ")
    assert re.fullmatch("Новый код можно запросить через 0:4[0-2]", seen)
    button.click(force=True)
    assert Handler.posted == []
    status = tab.locator("[data-said]")
    tab.clock.run_for(39_000)
    assert re.search("0:0[1-3]", button.inner_text())
    assert status.text_content() == ""
    tab.clock.run_for(4_000)
    assert button.inner_text() == "Прислать СМС ещё раз"
    assert button.get_attribute("aria-disabled") is None
    assert status.text_content() == "Можно запросить новый код."
    with tab.expect_request(lambda request: request.method == "POST"):
        button.click()
    assert Handler.posted == ["csrf_token=token&channel=sms"]


@pytest.mark.parametrize("page", [name for name in SAMPLES if 'data-wait="' in rendered(name, "ru")])
def test_every_page_with_a_pause_counts_it_down(tab: Page, site: str, page: str) -> None:
    """Mail and text alike, in a sign-in and on a person's own pages."""
    tab.clock.install()
    tab.goto(f"{site}/{page}/ru")
    button = tab.locator("button[data-waiting]")
    assert re.search("0:4[0-2]", button.inner_text())
    tab.clock.run_for(43_000)
    assert button.get_attribute("aria-disabled") is None
    assert tab.locator("[data-said]").text_content() == "Можно запросить новый код."


def wait(tab: Page, seconds: int) -> None:
    """The page's clock goes on; what it asks for meanwhile is answered."""
    for _ in range(seconds):
        tab.clock.run_for(1000)
        tab.wait_for_timeout(10)


def test_what_became_of_the_code(tab: Page, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script asks in a word, ever more seldom; when the page would look otherwise it takes over what is below the form: the news is
    read aloud, what is being typed stays, and so does the focus."""
    asked: list[str] = []
    tab.clock.install()
    tab.on("request", lambda request: asked.append(urlsplit(request.url).path))
    tab.goto(f"{site}/phone_code/en")
    tab.locator("#code").press_sequentially("48")
    asked.clear()
    wait(tab, 60)
    assert set(asked) == {"/login/flw_1/phone_code/state"}
    assert 8 <= len(asked) <= 12
    assert tab.locator("#news").text_content() == ""

    monkeypatch.setattr(Handler, "mark", "2-failed")
    monkeypatch.setattr(Handler, "change", staticmethod(lambda _: SAMPLES["phone_code-failed"][1]()))
    wait(tab, 20)
    status = tab.locator("#news")
    expect(status).to_have_text("The call did not get through. The phone is off, busy or out of coverage. Get the code another way:")
    assert status.get_attribute("role") == "status"
    assert tab.locator("#ways button").first.inner_text() == "Call me and say the code"
    assert tab.locator("#ways [aria-disabled]").count() == 0
    assert tab.locator("#code").input_value() == "48"
    expect(tab.locator("#code")).to_be_focused()
    with tab.expect_request(lambda request: request.method == "POST"):
        tab.locator("#ways button").first.click()
    assert Handler.posted == ["csrf_token=token&channel=voice"]


def test_a_wrong_code_is_typed_over(tab: Page, site: str) -> None:
    """What was typed is still there, and chosen: the next digit replaces it."""
    tab.goto(f"{site}/phone_code-wrong/en")
    expect(tab.locator("#code")).to_be_focused()
    tab.keyboard.type("7")
    assert tab.locator("#code").input_value() == "7"


def test_times_are_the_readers(tab: Page, site: str) -> None:
    """With a script, a time of day is that of the reader's zone; without one, that of the settings."""
    tab.goto(f"{site}/phone_code/ru")
    assert tab.locator("time").first.inner_text() == "21:36"


def test_without_a_script(chromium: Browser, site: str) -> None:
    """The hour from which a new code may be asked for stands there, and the button works."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/phone_code/ru")
    assert "14:31:44" in page.locator("button[data-waiting]").inner_text()
    assert page.locator("button[data-waiting]").get_attribute("aria-disabled") is None
    assert page.locator("time").first.inner_text() == "14:36"
    Handler.posted.clear()
    page.locator("#code").fill("482913")
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    assert Handler.posted == ["csrf_token=token&code=482913&remember=1&passkey="]
    context.close()
