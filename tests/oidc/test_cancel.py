"""Every page of a sign-in has the way back to the app, which hears `access_denied` (OpenID Connect Core §3.1.2.6, RFC 6749 §4.1.2.1).

`user-rejects-authentication` of the official plans.
"""

from __future__ import annotations

import pytest

from tests.oidc.answers import MODES, came_back
from tests.oidc.asking import phone, signed_in
from tests.world import CALLBACK, World, new_phone


@pytest.mark.parametrize("mode", MODES)
def test_from_each_page(world: World, story, mode: str) -> None:
    """Before and after the code, with a password, at the names, the form of a new ID, the help, the chooser, the consent."""
    party, asked = world.party(first_party=False), {"response_mode": mode, "scope": "openid company"}

    def cancelled(browser, page) -> None:
        answer = came_back(browser.press(page, "/cancel"), CALLBACK, mode)
        assert (answer["error"], answer["state"]) == ("access_denied", "state-1"), page.url

    browser = world.browser()
    cancelled(browser, browser.authorize(party, **asked))
    for page in ("password", "reset", "recover", "help?about=code&from=identify"):
        identify = browser.authorize(party, **asked)
        cancelled(browser, browser.get(str(identify.url).replace("identify", page)))
    identify = browser.authorize(party, **asked)
    cancelled(browser, browser.onward(browser.submit(identify, phone=phone(story, "anna"))))
    number = new_phone()
    page = browser.onward(browser.submit(browser.authorize(party, **asked), phone=number))
    cancelled(browser, browser.onward(browser.submit(page, code=world.code_for(number))))
    browser = signed_in(world, story, "anna")
    cancelled(browser, browser.authorize(party, prompt="login", **asked))
    cancelled(browser, browser.authorize(party, **asked))
    consent = world.choose(browser, browser.authorize(party, **asked), "Ромашка")
    assert came_back(browser.submit(consent, answer="deny"), CALLBACK, mode)["error"] == "access_denied"
