"""What may die in the middle, once more: a lost phone, from the new number to the end of the waiting time."""

from __future__ import annotations

from datetime import timedelta

import httpx2

from idp import clock
from idp.clock import freeze
from idp.credentials import recoveries, vouches
from idp.oidc import recovery
from tests.faults.crash import Step
from tests.faults.steps import COUNTED, KNOWN, KNOWN_MAIL, Act, _doing, _id_of, _sending, _signed_in
from tests.login.recovering import WAIT, at_ways, by_browser, case_of, choose, long_known, named, new_code, with_recovery_codes
from tests.world import Browser, Party, World

NEW, ORLOV, BELOVA, GAREEV = "+79015550009", "+79005553502", "+79005553503", "+79005553504"


def _known(world: World) -> tuple[Browser, Party]:
    browser, party = _signed_in(world)
    browser.cookies.delete("idp_session")
    return browser, party


def name_the_id(world: World) -> Act:
    """Which ID, which number: a code goes out."""
    browser = world.browser()
    page = browser.authorize(world.party())
    page = browser.get(str(page.url).replace("identify", "recover"))
    return _sending(browser.filled(page, login=KNOWN_MAIL, phone=NEW))


def prove_the_new_number(world: World) -> Act:
    """Its code."""
    browser = world.browser()
    page = named(browser, browser.authorize(world.party()), KNOWN, NEW)
    return _sending(browser.filled(page, code=new_code(world, page)))


def by_this_browser(world: World) -> Act:
    """The waiting time begins."""
    browser, party = _known(world)
    long_known(world)
    return _sending(browser.filled(at_ways(world, browser, party, KNOWN, NEW), answer="browser"))


def by_a_recovery_code(world: World) -> Act:
    """The code is used up and the waiting time begins, in one instant."""
    with world.reads():
        user_id = _id_of(KNOWN)
    codes = with_recovery_codes(world, user_id)
    browser = world.browser()
    page = choose(browser, at_ways(world, browser, world.party(), KNOWN, NEW), "email")
    page = browser.onward(browser.submit(page, code=world.code_for(KNOWN_MAIL)))
    return _sending(browser.filled(page, code=codes[0]))


def second_vouch(world: World) -> Act:
    """The second administrator's word."""
    page = _asking(world)
    case = case_of(world, page)
    with world.writes():
        vouches.vouch(case, _id_of(ORLOV))
    return _doing(lambda: vouches.vouch(case, _id_of(BELOVA)))


def _asking(world: World) -> httpx2.Response:
    browser = world.browser()
    return choose(browser, at_ways(world, browser, world.party(), GAREEV, NEW), "vouched")


def stop(world: World) -> Act:
    """It was not me, from the link in the mail."""
    browser, party = _known(world)
    case = by_browser(world, browser, party, KNOWN, NEW)
    victim, address = world.browser(), f"/recovery/{recoveries.token(case.id)}"
    return _sending(victim.pressed(victim.go(address), "/recovery"))


def complete(world: World) -> Act:
    """The waiting time is over: the number, and all that ends with the former one."""
    browser, party = _known(world)
    by_browser(world, browser, party, KNOWN, NEW)

    def act(other: World) -> str:
        with freeze(clock.now()) as shift:
            shift(timedelta(seconds=WAIT))
            return _doing(recovery.complete_next)(other)

    return act


TRIED = COUNTED | {"limits": {"tries"}}
STEPS_OF_RECOVERY = (
    Step("name the lost ID", name_the_id, uneven=TRIED),
    Step("prove the new number", prove_the_new_number, uneven=TRIED),
    Step("recover by this browser", by_this_browser),
    Step("recover by a recovery code", by_a_recovery_code, uneven=TRIED | {"events": {"details"}}),
    Step("second vouch", second_vouch),
    Step("stop a recovery", stop),
    Step("complete a recovery", complete),
)
