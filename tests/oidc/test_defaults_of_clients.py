"""What holds for requests that do not say: `default_max_age`, `require_auth_time`, `default_acr_values`; and where their pages stand.

OpenID Connect Dynamic Client Registration §2, Core §3.1.2.1 (`display`). Case 10 of threats.md.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock
from idp.errors import BadInput
from tests.oidc.asking import back_at, error_at, signed_in
from tests.world import CALLBACK, World, answer_of, claims_of

OPENER = "Cross-Origin-Opener-Policy"


def test_default_max_age(world: World, story) -> None:
    """Case 10: an older proof is asked anew as if `max_age` had been sent; what is sent is stronger, also when it is longer."""
    party = world.party(default_max_age=60, require_auth_time=True)
    browser = signed_in(world, story, "zimin", party)
    assert "auth_time" in claims_of(world.redeem(party, answer_of(browser.authorize(party))["code"]).json()["id_token"])
    with clock.freeze(clock.now() + timedelta(seconds=90)):
        assert error_at(browser.authorize(party, prompt="none"), party) == "login_required"
        assert back_at(browser.authorize(party, prompt="none", max_age="600"), CALLBACK)["code"]
    none_at_all = world.party(default_max_age=0)
    assert error_at(browser.authorize(none_at_all, prompt="none"), none_at_all) == "login_required"


def test_default_acr_values(world: World, story) -> None:
    """A remembered browser is not enough for a client that wants a code each time; it can ask for less."""
    party = world.party(default_acr_values=["urn:idp:acr:code"])
    browser = signed_in(world, story, "zimin", party)
    with clock.freeze(clock.now() + timedelta(days=2)):
        page = browser.authorize(world.party())
        device = page.text.partition('name="person" value="')[2].partition('"')[0]
        browser.onward(browser.submit(page, person=device))
        assert error_at(browser.authorize(party, prompt="none"), party) == "login_required"
        assert back_at(browser.authorize(party, prompt="none", acr_values="urn:idp:acr:remembered"), CALLBACK)["code"]


@pytest.mark.parametrize(
    "wrong", [{"default_max_age": -1}, {"default_max_age": True}, {"require_auth_time": "yes"}, {"default_acr_values": ["a b"]}]
)
def test_nonsense(world: World, wrong: dict[str, object]) -> None:
    """It is refused where it is registered."""
    with pytest.raises(BadInput):
        world.party(**wrong)


def test_a_popup_keeps_its_opener(world: World, story) -> None:
    """oidcc-display-popup, oidcc-display-page: pages in a window that the app opened are not cut off from it; all others are.

    Any value but `unsafe-none` would sever the two for good, and the app would never hear how the sign-in ended.
    """
    party, browser = world.party(first_party=False), world.browser()
    number = next(p.phone for p in story.people if p.key == "zimin")
    page = browser.authorize(party, display="popup")
    assert page.headers[OPENER] == "unsafe-none"
    page = browser.onward(browser.submit(page, phone=number))
    assert page.headers[OPENER] == "unsafe-none"
    page = browser.onward(browser.submit(page, code=world.code_for(number)))
    assert page.headers[OPENER] == "unsafe-none"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert browser.authorize(party, display="popup", response_mode="form_post", prompt="none").headers[OPENER] == "unsafe-none"
    for display in ("page", "touch", "wap", None):
        assert browser.authorize(party, display=display).headers[OPENER] == "same-origin", display
    assert browser.go("/account/security").headers[OPENER] == "same-origin"
