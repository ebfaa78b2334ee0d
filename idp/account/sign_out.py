"""Sign out of this browser, from the menu. The browser stays known, and other browsers stay signed in."""

from __future__ import annotations

from idp.delegation import clients, tokens
from idp.login import browser, session
from idp.web.http import Answer, Page, Request
from idp.web.pages import language_of


def answer(request: Request) -> Answer:
    """`POST /account/sign_out`: the session of this browser ends; the page says which apps went with it."""
    here, ended = browser.signed_in(request), []
    if here is not None:
        language = language_of(request)
        ended = [client.title(language) for each in tokens.clients_of_session(here.id) if (client := clients.find(each))]
        session.end(here.id, "signed_out")
    page = Page("oidc/signed_out.html", ended=ended, return_url=None, client_name=None)
    page.delete_cookie("session")
    return page
