"""A single-page app in a real browser: npm's oidc-client-ts, all defaults, on another origin than the provider (claims.md, goal G-16).

Sign in, userinfo, a refresh, a silent renewal by `prompt=none` in a frame, sign out. Case 127 of threats.md on the way: the answers can be
read by the app's own origin, and by no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests import machine
from tests.oidc import over_tls
from tests.oidc.asking import person, phone
from tests.world import World

pytestmark = [pytest.mark.browser, pytest.mark.node]

HERE = Path(__file__).parent
LIBRARY = HERE.parent / "node_modules" / "oidc-client-ts" / "dist" / "browser" / "oidc-client-ts.min.js"


class Site:
    """The app's own server: one page at every path, and the library."""

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                library = self.path == "/oidc-client-ts.js"
                page = (HERE / "single_page.html").read_text().replace("SETTINGS", json.dumps(site.settings))
                body = LIBRARY.read_bytes() if library else page.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if library else "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://localhost:{self.server.server_address[1]}"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()


@pytest.fixture(scope="module")
def there(chromium: Browser, told) -> Iterator[World]:
    """The provider on http://localhost."""
    if reason := machine.relying_parties():
        pytest.skip(reason)
    with over_tls.served(told, None) as world, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.world.ISSUER", world.settings.server.issuer)
        yield world


@pytest.fixture
def site(there: World) -> Iterator[Site]:
    """The app, registered."""
    made = Site()
    registered = there.party(
        kind="single_page", redirect_uris=[f"{made.origin}/callback"], post_logout_redirect_uris=[f"{made.origin}/"], name="Cart"
    )
    made.settings = {
        "authority": there.settings.server.issuer,
        "client_id": registered.client.id,
        "redirect_uri": f"{made.origin}/callback",
        "post_logout_redirect_uri": f"{made.origin}/",
        "scope": "openid profile email",
    }
    yield made
    made.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Somebody's browser; a script that fails, fails the test."""
    context = chromium.new_context(locale="en-US")
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    yield opened
    context.close()
    assert wrong == []


def user(page: Page) -> dict[str, Any]:
    """What the library keeps."""
    kept: dict[str, Any] = page.evaluate(
        "users.getUser().then((u) => u && ({ profile: u.profile, access: u.access_token, refresh: u.refresh_token || null }))"
    )
    return kept


def test_the_whole_of_it(there: World, site: Site, page: Page, story) -> None:
    """Sign in, refresh, renew silently without a refresh token, sign out; then a silent renewal is refused."""
    number, zimin = phone(story, "zimin"), person(story, "zimin")
    page.goto(site.origin)
    page.locator("#in").click()
    page.locator("input[name=phone]").fill(number)
    page.locator("main form button").first.click()
    page.locator("input[name=code]").wait_for()
    code = there.code_for(number)
    page.locator("input[name=code]").evaluate("(field, code) => { field.value = code; field.form.requestSubmit(); }", code)
    page.wait_for_url(f"{site.origin}/callback**")
    page.locator("#who", has_text=zimin.name.split(maxsplit=1)[0]).wait_for()
    first = user(page)
    assert first["profile"]["sub"] == zimin.user_id
    assert first["profile"]["email"] == "zimin@post.example"  # of userinfo: it is not in the ID token

    page.evaluate("users.signinSilent()")
    refreshed = user(page)
    assert refreshed["profile"]["sub"] == zimin.user_id
    assert refreshed["access"] != first["access"]
    assert refreshed["refresh"] != first["refresh"]

    page.evaluate("users.getUser().then((u) => { delete u.refresh_token; return users.storeUser(u); })")
    frames: list[str] = []
    page.on("framenavigated", lambda frame: frames.append(frame.url) if frame.parent_frame else None)
    page.evaluate("users.signinSilent()")
    assert any(url.startswith(f"{site.origin}/callback?code=") for url in frames), frames
    renewed = user(page)
    assert renewed["profile"]["sub"] == zimin.user_id
    assert renewed["access"] not in {first["access"], refreshed["access"]}

    page.locator("#out").click()
    page.wait_for_url(f"{site.origin}/**")
    page.locator("#who", has_text="nobody").wait_for()
    refused = page.evaluate("users.signinSilent().then(() => null, (error) => error.error)")
    assert refused == "login_required"


def test_another_origin_reads_nothing(there: World, site: Site, page: Page) -> None:
    """Case 127: the same script, served from elsewhere, gets no answer of /token and /userinfo, and never with credentials."""
    stranger = Site()
    stranger.settings = site.settings
    try:
        page.goto(stranger.origin)
        issuer = there.settings.server.issuer
        ask = (
            "([address, client, credentials]) => fetch(address, {method: 'POST', credentials, body: new URLSearchParams({client_id: client,"
            " grant_type: 'refresh_token', refresh_token: 'x'})}).then((answer) => answer.status, (error) => 'unreadable')"
        )
        given = [f"{issuer}/token", site.settings["client_id"]]
        assert page.evaluate(ask, [*given, "omit"]) == "unreadable"
        page.goto(site.origin)
        assert page.evaluate(ask, [*given, "omit"]) == 400
        assert page.evaluate(ask, [*given, "include"]) == "unreadable"
        assert page.evaluate("(address) => fetch(address).then((a) => a.status, () => 'unreadable')", f"{issuer}/authorize") == "unreadable"
    finally:
        stranger.close()
