"""Sign out of this browser, from the menu. The browser stays known, and other browsers stay signed in."""

from __future__ import annotations

from idp.login import browser
from idp.oidc.logout import browser_session
from idp.web.http import Answer, Request
from idp.web.pages import language_of


def answer(request: Request) -> Answer:
    """`POST /account/sign_out`: the session of this browser ends; the page says which apps went with it."""
    here, language = browser.signed_in(request), language_of(request)
    if here is not None:
        return browser_session.end(here, language=language)
    page = browser_session.after()
    page.delete_cookie("session")
    return page
