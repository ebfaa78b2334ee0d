"""A person at a browser: sees what the pages say in their language, presses buttons, reads codes in the demo's inbox.

Whatever the browser has to complain about (a violated policy, a script's error) and every request to a stranger is kept, and fails the test
at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from clients import texts
from idp import languages
from tests.journeys.stage import Stage

Look = Callable[[str], None]  # what whoever walks past every page does at each of them, by its name
PATIENCE = 30_000  # milliseconds until something must be seen: a busy machine is slow, not broken
LOCALES = {"ru": "ru-RU", "en": "en-GB", "zh": "zh-CN"}
ROMASHKA, SMIRNOVA, VETER = "ООО «Ромашка»", "ИП Смирнова А. В.", "ООО «Северный ветер»"
MESSAGES = ".messages > li"  # in the inbox, the newest first
CODES, LINKS = f"{MESSAGES}:has(b.big)", f"{MESSAGES}:has(a.link)"
# What Chromium writes for every answer of 400 and above; which status a page has is the test's to say.
STATUS = "Failed to load resource: the server responded with a status of"
TELL_VIOLATIONS = """document.addEventListener("securitypolicyviolation",
    (event) => console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} on ${event.documentURI}`));"""


class Visitor:
    """One browser context with one tab, and a second one for the inbox."""

    def __init__(self, context: BrowserContext, stage: Stage, language: str) -> None:
        self.context, self.stage, self.language = context, stage, language
        self.welcome = set(stage.origins)
        self.said: list[str] = []
        self.strangers: list[str] = []
        self.pages_seen: list[str] = []
        context.set_default_timeout(PATIENCE)
        context.add_init_script(TELL_VIOLATIONS)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        context.on("request", self._watch)
        self.page: Page = context.new_page()
        self.page.on("response", lambda response: self._note(response.request, response.status))
        self._inbox: Page | None = None

    # ---- what the pages say ----

    def idp(self, text: str, **params: object) -> str:
        """A text of the provider in this person's language."""
        return languages.gettext(self.language, text, **params)

    def portal(self, text: str, **params: object) -> str:
        """A text of the portals."""
        return texts.translate(self.language, text, **params)

    def name_of(self, portal: str) -> str:
        """What a portal is called on the provider's pages."""
        return self.portal({"seller": "Seller portal", "staff": "Staff portal"}[portal]) if portal != "partner" else "Полка"

    # ---- doing ----

    def button(self, name: str) -> Locator:
        """The button with this text on it."""
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        """The link with this text."""
        return self.page.get_by_role("link", name=name, exact=True)

    def open(self, portal: str, path: str = "/") -> Page:
        """A page of a portal."""
        self.page.goto(self.stage.portals[portal] + path)
        return self.page

    def own(self, name: str) -> None:
        """A page of their own at the provider."""
        self.page.goto(f"{self.stage.provider}/account/{name}")

    def press(self, text: str, then: str) -> None:
        """The provider's button with this text; `then` is on the page that follows."""
        self.button(self.idp(text)).click()
        expect(self.page.locator(then).first).to_be_visible()

    def begin(self, portal: str) -> Page:
        """Press `Sign in` on the portal's first page."""
        self.open(portal)
        self.pages_seen.clear()
        self.link(self.portal("Sign in")).click()
        return self.page

    def ask_for_code(self, phone: str, typed: str = "") -> str:
        """Fill in the number, press the button, and look the code up in the inbox."""
        known = self.codes(phone)
        self.page.locator("#phone").fill(typed or phone)
        self.button(self.idp("Get a code")).click()
        expect(self.page.locator("#code")).to_be_visible()
        return self.new_code(phone, known)

    def sign_in(self, portal: str, phone: str, company: str | None = None) -> Page:
        """From the portal's first page to where the person wants to be, by number and code."""
        self.begin(portal)
        self.enter(self.ask_for_code(phone))
        if company:
            self.choose(company)
        self.arrived(portal)
        return self.page

    def enter(self, code: str) -> None:
        """Type the code and press the button."""
        self.type(code)
        self.button(self.idp("Sign in")).click()

    def type(self, code: str) -> None:
        """Type the code, digit by digit: what is filled in at once is sent by the page itself."""
        self.page.locator("#code").fill("")
        self.page.locator("#code").press_sequentially(code)

    def choose_person_if_asked(self, name: str) -> None:
        """Press a name where `Who is signing in?` is asked."""
        expect(self.page.locator(".rows").first).to_be_visible()
        if self.page.locator("form[action$='/people']").count():
            self.page.locator("button.row", has_text=name).click()

    def choose(self, words: str) -> None:
        """Press the account that is called so."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(self.idp("Where do you want to go?"))
        self.page.locator("button.row", has_text=words).click()

    def sign_out(self) -> None:
        """Press `Sign out` in a portal, to its last page."""
        self.button(self.portal("Sign out")).click()
        expect(self.page.get_by_role("heading", level=1)).to_have_text(self.portal("Signed out"))

    def arrived(self, portal: str) -> None:
        """The person is signed in at a portal: its page has their name in the menu."""
        expect(self.page.locator(".menu .who")).to_have_count(1)
        assert self.page.url == self.stage.portals[portal] + "/"

    def messages(self, to: str, which: str = MESSAGES) -> int:
        """How many messages to a number or an address the inbox shows."""
        known = self._read_inbox(to).locator(which).count()
        self.page.bring_to_front()  # a tab that nobody looks at is slow
        return known

    def codes(self, to: str) -> int:
        """How many of them have a code in them."""
        return self.messages(to, CODES)

    def new_code(self, to: str, known: int = 0) -> str:
        """The code that is not among the `known` ones yet."""
        code = self.wait_for_message(to, known, CODES).locator(CODES).first.locator("b.big").inner_text()
        self.page.bring_to_front()
        return code

    def new_link(self, to: str) -> str:
        """The link of the newest message that has one, once there is one."""
        link = self.wait_for_message(to, 0, LINKS).locator(LINKS).first.locator("a.link").get_attribute("href")
        self.page.bring_to_front()
        return link or ""

    def wait_for_message(self, to: str, known: int, which: str = MESSAGES) -> Page:
        """Reload the inbox until it has more than the `known` messages: the worker delivers them, not the page."""
        for _ in range(200):
            inbox = self._read_inbox(to)
            if inbox.locator(which).count() > known:
                return inbox
            inbox.wait_for_timeout(50)
        raise AssertionError(f"no message for {to} came:\n{self.stage.said()}")

    def cookies(self, origin: str | None = None) -> dict[str, Any]:
        """The cookies that this browser would send to `origin`, by name."""
        return {each["name"]: each for each in self.context.cookies([origin or self.stage.provider])}

    # ---- being sure ----

    @property
    def heading(self) -> Locator:
        """What the page wants."""
        return self.page.get_by_role("heading", level=1)

    def saw_nothing_of_the_provider(self) -> bool:
        """Whether only redirects of the provider went by since `begin`."""
        return not [address for address in self.pages_seen if address.startswith(self.stage.provider)]

    def finish(self) -> None:
        """Close, and fail if the browser complained, or spoke to anybody who is not here."""
        self.context.close()
        assert self.said == []
        assert self.strangers == []

    def _read_inbox(self, phone: str) -> Page:
        if self._inbox is None:
            self._inbox = self.context.new_page()
        self._inbox.goto(f"{self.stage.provider}/dev/inbox?to={phone.replace('+', '%2B')}")
        return self._inbox

    def _hear(self, message: ConsoleMessage) -> None:
        if not message.text.startswith(STATUS):
            self.said.append(f"{message.type}: {message.text}")

    def _watch(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and f"{parts.scheme}://{parts.netloc}" not in self.welcome:
            self.strangers.append(request.url)

    def _note(self, request: Request, status: int) -> None:
        if request.is_navigation_request() and not 300 <= status < 400:
            self.pages_seen.append(request.url)


class Visitors:
    """The people of one test; they all leave at its end."""

    def __init__(self, browser: Browser, stage: Stage) -> None:
        self.browser, self.stage = browser, stage
        self.here: list[Visitor] = []

    def come(self, language: str = "ru", **options: Any) -> Visitor:
        """Somebody at a browser of their own; `options` are the context's."""
        given: dict[str, Any] = {"locale": LOCALES[language], "ignore_https_errors": True, "timezone_id": "Asia/Vladivostok"}
        visitor = Visitor(self.browser.new_context(**given | options), self.stage, language)
        self.here.append(visitor)
        return visitor

    @classmethod
    @contextmanager
    def of(cls, browser: Browser, stage: Stage) -> Iterator[Self]:
        """For the length of the block."""
        visitors = cls(browser, stage)
        try:
            yield visitors
        except BaseException:
            for visitor in visitors.here:
                visitor.context.close()
            raise
        for visitor in visitors.here:
            visitor.finish()
