"""What only a browser shows: a form that is posted to another site, with scripts and without, and a popup that keeps its opener.

OAuth 2.0 Form Post Response Mode; Core §3.1.2.1 (`display=popup`). The provider is at localhost, the relying parties at 127.0.0.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import machine
from tests.oidc import over_tls
from tests.oidc.asking import person, phone
from tests.oidc.test_single_page_app import Site
from tests.world import Party, World

pytestmark = pytest.mark.browser


class Receiver(BaseHTTPRequestHandler):
    """The relying party's callback; what came stands in `came`."""

    came: list[tuple[str, str, str]] = []  # noqa: RUF012 - one server, one list

    def do_GET(self) -> None:
        """Nothing may come this way but the icon."""
        self._answer("")

    def do_POST(self) -> None:
        """The answer."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(body)

    def _answer(self, body: str) -> None:
        if self.path != "/favicon.ico":
            Receiver.came.append((f"{self.command} {self.path}", self.headers.get("Content-Type", ""), body))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>arrived</h1>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def there(chromium: Browser, told) -> Iterator[World]:
    """The provider on http://localhost."""
    with over_tls.served(told, None) as world, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.world.ISSUER", world.settings.server.issuer)
        yield world


@pytest.fixture(scope="module")
def party(there: World) -> Iterator[Party]:
    """A relying party on another site, that asks for consent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield there.party(name="Other site", redirect_uris=[f"http://127.0.0.1:{server.server_port}/callback"])
    server.shutdown()
    thread.join(10)
    server.server_close()


def sign_in(page: Page, world: World, number: str, *, scripts: bool = True) -> None:
    """By a code, which a script sends as soon as it is filled in."""
    page.locator("input[name=phone]").fill(number)
    page.locator("main form button").first.click()
    page.locator("input[name=code]").wait_for()
    page.locator("input[name=code]").fill(world.code_for(number))
    if not scripts:
        page.locator("main form button").first.click()


@pytest.mark.parametrize("scripts", [True, False])
def test_the_form_is_posted(there: World, party: Party, chromium: Browser, story, scripts: bool) -> None:
    """At once with scripts, by its button without; a POST of the registered type, nothing in the address, no violation of our policy."""
    Receiver.came.clear()
    context = chromium.new_context(locale="en-US", java_script_enabled=scripts)
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    ask = f"{there.settings.server.issuer}/authorize?" + urlencode(party.asks(response_mode="form_post", state="s'\"<&я"))
    page.goto(ask)
    sign_in(page, there, phone(story, "zimin" if scripts else "zimina"), scripts=scripts)
    if not scripts:
        page.get_by_role("button", name="Continue").click()
    expect(page.locator("h1")).to_have_text("arrived")
    page.goto(ask)  # signed in: no page of ours in between
    if not scripts:
        page.get_by_role("button", name="Continue").click()
    expect(page.locator("h1")).to_have_text("arrived")
    context.close()
    assert said == []
    assert [(where, kind) for where, kind, _ in Receiver.came] == [("POST /callback", "application/x-www-form-urlencoded")] * 2
    for _, _, body in Receiver.came:
        answer = dict(parse_qsl(body))
        assert answer["state"] == "s'\"<&я"
        assert answer["iss"] == there.settings.server.issuer
        assert there.redeem(party, answer["code"]).status_code == 200


@pytest.mark.node
def test_a_popup(there: World, chromium: Browser, story) -> None:
    """npm's oidc-client-ts, `signinPopup` as it comes: the window with our pages still has its opener when it has gone back to the app."""
    if reason := machine.relying_parties():
        pytest.skip(reason)
    site = Site()
    try:
        registered = there.party(kind="single_page", redirect_uris=[f"{site.origin}/callback"], name="Cart")
        site.settings = {
            "authority": there.settings.server.issuer,
            "client_id": registered.client.id,
            "redirect_uri": f"{site.origin}/callback",
            "scope": "openid profile",
        }
        context = chromium.new_context(locale="en-US")
        page = context.new_page()
        page.goto(site.origin)
        with page.expect_popup() as opened:
            page.evaluate("window.done = users.signinPopup().then((u) => u.profile.sub, (error) => String(error)); 0")
        opened.value.locator("input[name=phone]").wait_for()
        assert opened.value.evaluate("window.opener !== null"), "our page cut it off"
        sign_in(opened.value, there, phone(story, "anna"))
        assert page.evaluate("window.done") == person(story, "anna").user_id
        context.close()
    finally:
        site.close()
