"""Browsers and sessions: seen as one list, signed out one by one or everywhere (`product.md` §3.5, §12; ASVS 5.0 §7.5.2; cases 76, 77)."""

from __future__ import annotations

from datetime import timedelta

import httpx2

from idp import clock
from idp.db.session import session as database
from idp.login.tables import Session
from tests.account.lab import ANNA, entered, prove
from tests.login.http_lab import copy_cookies
from tests.world import Browser, Party, World, answer_of

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Mobile/15E148 Safari/604.1"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
ZIMIN = "+79005553510"
OFFLINE = "openid offline_access"


def tokens(world: World, browser: Browser, party: Party) -> dict[str, str]:
    """What the app gets for who is signed in here."""
    answer = answer_of(browser.authorize(party, scope=OFFLINE))
    return world.redeem(party, answer["code"]).json()


def are_dead(world: World, party: Party, given: dict[str, str]) -> bool:
    """Userinfo, introspection and refreshing say no (house rule 7)."""
    seen = world.userinfo(given["access_token"]).status_code, world.introspect(party, given["access_token"]).json()["active"]
    return (*seen, world.refresh(party, given["refresh_token"]).status_code) == (401, False, 400)


def is_out(browser: Browser) -> bool:
    """Whether nobody is signed in or remembered here."""
    page = browser.go("/account/profile")
    return "/login/" in page.url.path and 'name="person"' not in page.text


def rows(page: httpx2.Response) -> list[str]:
    """The rows of the section."""
    return page.text.partition('id="browsers"')[2].partition('class="notice"')[0].split("<li>")[1:]


def test_one_is_signed_out(world: World) -> None:
    """One list of what is signed in and what is only remembered. The one that is pressed is out with the next request, and so are the
    tokens of apps there, those for the person's absence too; the others go on. A stranger's browser cannot be named.
    """
    party = world.party()
    phone, _ = entered(world, browser=world.browser(user_agent=IPHONE, address="198.51.100.8"))
    lost = tokens(world, phone, party)
    with clock.freeze(clock.now() + timedelta(minutes=2)):
        here, page = entered(world, "/account/security")
        kept = tokens(world, here, party)
        stranger, _ = entered(world, phone=ZIMIN, browser=world.browser(user_agent=FIREFOX))
        mine, other = rows(here.go("/account/security"))
        assert "this browser" in mine
        assert 'name="browser"' not in mine
        assert ("iOS" in other, "198.51.100.8" in other, "remembered until" in other) == (True, True, True)
        with world.reads():
            theirs = database.query(Session.id).order_by(Session.created_at.desc()).limit(1).scalar()
        here.post("/account/browsers/sign_out", data={"browser": str(theirs), "csrf_token": page.text.split('csrf_token" value="')[1][:43]})
        assert stranger.go("/account/profile").url.path == "/account/profile"
        assert here.press(here.go("/account/security"), "/browsers/sign_out").status_code == 303
        assert is_out(phone)
        assert are_dead(world, party, lost)
        world.deliver()
        assert world.userinfo(kept["access_token"]).status_code == 200
        assert here.go("/account/browsers").url.path == "/account/security"
        assert len(rows(here.go("/account/security"))) == 1
    [event] = world.events("browser.signed_out")
    assert event.personal["signed_out"].endswith("iOS")


def test_everywhere_but_here(world: World) -> None:
    """Cases 76, 77: all else is out at once, and so are copies of this browser's own cookies, in the very same second and browser; no theft
    is reported for it. Here the person stays, with the proof they gave; what apps get from now on survives the worker.
    """
    party = world.party()
    elsewhere, _ = entered(world, browser=world.browser(user_agent=FIREFOX))
    with clock.freeze(clock.now() + timedelta(seconds=5)) as later:
        here, page = entered(world, "/account/security")
        before = [tokens(world, elsewhere, party), tokens(world, here, party)]
        waiting = answer_of(here.authorize(party, scope=OFFLINE))["code"]
        thief = world.browser()
        copy_cookies(here, thief)
        answer = here.submit(page, where="elsewhere")
        assert here.onward(answer).status_code == 200
        assert all(is_out(browser) for browser in (elsewhere, thief))
        assert all(are_dead(world, party, each) for each in before)
        assert world.redeem(party, waiting).status_code == 400
        after = tokens(world, here, party)
        later(1)
        world.deliver()
        assert world.userinfo(after["access_token"]).status_code == 200
        assert answer_of(here.authorize(party, prompt="none", max_age="60"))["code"]
    assert not world.events("browser.stolen")
    assert any("in all other browsers" in message["text"] or "других браузерах" in message["text"] for message in world.inbox(ANNA))


def test_whoever_shares_the_browser_is_still_known(world: World) -> None:
    """Another person who trusts this browser keeps their place in it; with the session alone the person here would be out as well."""
    here, _ = entered(world, phone=ZIMIN)
    assert prove(world, here, here.authorize(world.party(), prompt="select_account"), ANNA).status_code == 303
    here.submit(here.go("/account/security"), where="elsewhere")
    people = here.authorize(world.party(), prompt="select_account").text
    assert people.count('name="person"') == 2
    here.cookies.delete("idp_session")
    assert here.go("/account/profile").text.count('name="person"') == 2


def test_here_as_well(world: World) -> None:
    """Nothing is left, here neither; a way of signing out that stands on no button is refused."""
    here, page = entered(world, "/account/security")
    assert here.submit(page, where="elsewhere").status_code == 303
    page = here.go("/account/security")
    assert here.send(here.filled(page, where="nowhere")).status_code == 400
    assert "You are signed out" in here.onward(here.submit(page, where="here_too")).text
    assert is_out(here)
