"""The provider in threads of this process, so that a test can move its clock under a real browser; and a relying party of one page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from playwright.sync_api import Browser, BrowserContext, Page, expect

from idp import languages
from tests import machine
from tests.conftest import Told
from tests.world import Party, World

PATIENCE = 30_000
# Everybody here comes from one loopback address; the limits are other files' promises.
LIMITS = ("network_messages_per_hour", "number_messages_per_day")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Nobody reads it."""


class Site:
    """Where the provider is, and the relying party: `party` is registered at `<origin>/party`."""

    def __init__(self, world: World, origin: str) -> None:
        self.world, self.origin = world, origin
        self.party: Party = world.party(name="Shop", redirect_uris=[f"{origin}/party"])

    def serve(self, environ: dict[str, Any], start_response: Any) -> Any:
        """The one page of the relying party, or the provider."""
        if environ["PATH_INFO"] != "/party":
            return self.world.wsgi(environ, start_response)
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<!doctype html><title>Shop</title><h1>" + (b"in" if "code=" in environ["QUERY_STRING"] else b"not in") + b"</h1>"]

    def address(self, **asked: str) -> str:
        """Where the relying party sends people."""
        return f"{self.origin}/authorize?{urlencode(self.party.asks(**asked))}"


class Guest:
    """Somebody at a browser of their own."""

    def __init__(self, browser: Browser, site: Site, language: str) -> None:
        self.site, self.language = site, language
        self.context: BrowserContext = browser.new_context(locale={"ru": "ru-RU", "en": "en-GB", "zh": "zh-CN"}[language])
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()

    def say(self, text: str, **params: object) -> str:
        """A text of the provider in their language."""
        return languages.gettext(self.language, text, **params)

    def come(self, page: Page | None = None, **asked: str) -> Page:
        """Press `Sign in` at the relying party."""
        page = page or self.page
        page.goto(self.site.address(**asked))
        return page

    def press(self, text: str, page: Page | None = None, **params: object) -> None:
        """The button or link with this text."""
        name = self.say(text, **params)
        (page or self.page).locator("main").get_by_role("button", name=name, exact=True).or_(
            (page or self.page).locator("main").get_by_role("link", name=name, exact=True)
        ).click()

    def prove(self, phone: str, *, remember: bool | None = None) -> None:
        """Give the number and the code; `remember`: set the tick so."""
        self.page.locator("#phone").fill(phone)
        self.press("Get a code")
        self.enter(phone, remember=remember)

    def enter(self, to: str, *, remember: bool | None = None) -> None:
        """Type the newest code that went to `to`."""
        field = self.page.locator("#code")
        expect(field).to_be_visible()
        if remember is not None:
            self.page.locator("#remember").set_checked(remember)
        field.press_sequentially(self.site.world.code_for(to))  # what is filled in at once is sent by the page itself
        self.press("Sign in")

    def choose(self, name: str, page: Page | None = None) -> None:
        """Press a name."""
        (page or self.page).locator("button.row", has_text=name).click()

    def is_in(self, page: Page | None = None) -> None:
        """Back at the relying party, with a code."""
        expect((page or self.page).get_by_role("heading", level=1)).to_have_text("in")

    def headed(self, text: str) -> None:
        """The page wants this."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(self.say(text))


@contextmanager
def opened(told: Told, *, port: int = 0, **changes: dict[str, object]) -> Iterator[Site]:
    """A site for the length of the block, on `port` or any other."""
    port, database = port or machine.free_port(), told.copy()
    origin = f"http://localhost:{port}"
    settings: dict[str, dict[str, object]] = {"server": {"issuer": origin, "port": port}, "login": dict.fromkeys(LIMITS, 10**6)}
    for section, given in changes.items():
        settings[section] = settings.get(section, {}) | given
    world = World(told.settings(database, **settings))
    site = Site(world, origin)
    server = make_server("127.0.0.1", port, site.serve, server_class=_Server, handler_class=_Quiet)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        world.close()
        told.drop(database)
        told.settings(told.url)
