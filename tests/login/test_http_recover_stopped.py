"""A lost phone that a thief began: whatever the owner does about the thief stops it too (cases 76, 77, 97, 111)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from idp import clock
from idp.credentials import passkey, recoveries
from idp.credentials.recoveries import Case
from tests.account.lab import entered
from tests.cli.terminal import idp
from tests.login.http_lab import copy_cookies, known, people_on, post
from tests.login.lab import OTHER, at_code
from tests.login.password_lab import NEW, again, give
from tests.login.recovering import WAIT, at_ways, by_browser, case_of, choose, look_what_is_due, person, step
from tests.login.test_http_passkey import has_passkey
from tests.login.test_http_passkey import press as show_passkey
from tests.login.test_http_password_reset import ask, prove
from tests.world import Browser, Party, World, new_phone

ZIMIN, MAIL = "+79005553510", "zimin@post.example"


def sign_out(where: str) -> Callable[[World, Party, Browser, Browser], None]:
    """The owner's button."""

    def press(world: World, party: Party, owner: Browser, thief: Browser) -> None:
        del world, party, thief
        assert owner.submit(owner.go("/account/security"), where=where).status_code == 303

    return press


def forget(world: World, party: Party, owner: Browser, thief: Browser) -> None:
    """The browser that vouched knows them no more; and then does again."""
    page = thief.authorize(party)
    [sent] = people_on(page).values()
    post(thief, page, "people/forget", person=sent)
    assert step(thief.authorize(party)) == "identify"
    page = at_code(world, thief, party, ZIMIN)
    assert step(thief.onward(thief.submit(page, code=world.code_for(ZIMIN)))) == "asked"
    del owner


def reset_password(world: World, party: Party, owner: Browser, thief: Browser) -> None:
    """A new password, by a code to the mailbox."""
    del owner, thief
    browser = world.browser(address="198.51.100.3")
    page = prove(world, browser, ask(browser, party, MAIL), MAIL)
    assert step(again(browser, page, NEW)) == "password"


REMEDIES = {
    "elsewhere": (sign_out("elsewhere"), "signed_out_everywhere"),
    "here_too": (sign_out("here_too"), "signed_out_everywhere"),
    "password": (reset_password, "password_reset"),
    "forgotten": (forget, recoveries.LOST_BROWSER),
}


@pytest.mark.parametrize("remedy", REMEDIES)
def test_a_stolen_cookie_gets_no_number(world: World, party: Party, remedy: str) -> None:
    """Cases 76 and 97: signed out everywhere or elsewhere, a new password, the browser forgotten (and trusted anew since): three days later
    the number is still the owner's.
    """
    act, reason = REMEDIES[remedy]
    with clock.freeze(clock.now()) as later:
        owner, _ = entered(world, phone=ZIMIN, browser=world.browser(user_agent=OTHER))
        later(1)
        thief = known(world, party, ZIMIN)
        case = by_browser(world, thief, party, ZIMIN, new_phone())
        if remedy == "password":
            give(world, case.user_id or "")
        later(5)
        act(world, party, owner, thief)
        world.deliver()
        assert ended(world, case, later) == (recoveries.CANCELLED, reason)
    assert person(world, case.user_id or "").phone == ZIMIN


def test_a_theft_that_is_noticed(world: World, party: Party) -> None:
    """Case 77: the copied cookie began it; when the browser is found out, it is over, and all are told so."""
    with clock.freeze(clock.now()) as later:
        thief, victim = known(world, party, ZIMIN), world.browser(address="192.0.2.66", user_agent=OTHER)
        copy_cookies(thief, victim, "idp_browser")
        case = by_browser(world, thief, party, ZIMIN, new_phone())
        later(61)
        page = thief.authorize(party)
        assert step(thief.onward(thief.submit(page, person=next(iter(people_on(page).values()))))) == "asked"
        later(61)
        assert step(victim.authorize(party)) == "identify"
        assert len(world.events("browser.stolen")) == 1
        world.deliver()
        assert ended(world, case, later) == (recoveries.CANCELLED, "browser_stolen")
        assert any("отменена" in mail["text"] for mail in world.inbox(MAIL))


@pytest.mark.parametrize("by", ["owner", "support"])
def test_a_passkey_that_is_taken_away(world: World, party: Party, by: str) -> None:
    """Cases 97, 102 and 111: the thief's passkey began it. With the passkey its word goes, also where the owner removed only that one."""
    with clock.freeze(clock.now()) as later:
        device, thief = has_passkey(world, party, ZIMIN), world.browser(address="192.0.2.66")
        later(5)
        owner, _ = entered(world, phone=ZIMIN, browser=world.browser(user_agent=OTHER))
        page = at_ways(world, thief, party, ZIMIN, new_phone())
        later(5)
        back = thief.onward(show_passkey(thief, thief.onward(thief.submit(page, answer="passkey")), device))
        page = choose(thief, back, "passkey")
        case = case_of(world, page)
        with world.reads():
            [key] = passkey.of_person(case.user_id or "")
        assert (case.is_waiting, case.passkey_id) == (True, key.id)
        if by == "owner":
            owner.press(owner.go(f"/account/passkeys/{key.id}/remove"), "/remove")
        else:
            assert idp("users", "reset-factors", ZIMIN, "--reason", "asked for").code == 0
        assert len(world.events(passkey.REMOVED)) == 1
        world.deliver()
        reason = recoveries.LOST_PASSKEY if by == "owner" else "factors_reset"
        assert ended(world, case, later) == (recoveries.CANCELLED, reason)
    assert person(world, case.user_id or "").phone == ZIMIN


def ended(world: World, case: Case, later: Callable[[float], object]) -> tuple[str, str | None]:
    """What has become of it once its time is over."""
    later(WAIT)
    look_what_is_due(world)
    with world.reads():
        found = recoveries.find(case.id)
    assert found is not None
    return found.state, found.ended_reason
