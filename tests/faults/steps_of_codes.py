"""What may die in the middle, once more: the further ways of a code, and looking for help on the way."""

from __future__ import annotations

from urllib.parse import parse_qsl

from idp import clock
from idp.clock import freeze
from tests.faults.crash import Step
from tests.faults.steps import COUNTED, KNOWN, KNOWN_MAIL, Act, _at_code, _at_question, _sending, _wrong
from tests.world import World


def by_another_channel(world: World) -> Act:
    """It is asked for once more, and then spoken by a call."""
    browser, _, page = _at_code(world, KNOWN)
    with freeze(clock.now()) as shift:
        shift(31)
        page = browser.onward(browser.submit(browser.get(page.url), channel="sms"))
        shift(61)
        return _delayed(_sending(browser.filled(browser.get(page.url), channel="voice")), 92)


def entered_too_late(world: World) -> Act:
    """Its time has just run out: another code goes out."""
    browser, _, page = _at_code(world, KNOWN)
    return _delayed(_sending(browser.filled(page, code=world.code_for(KNOWN))), 301)


def leave_for_help(world: World) -> Act:
    """What was typed is kept, in the place of what was kept before."""
    browser, _, page = _at_code(world, KNOWN)
    request = browser.filled(page, code="48 29")
    address = str(page.url).replace("phone_code", "help?about=code&from=phone_code")
    typed = dict(parse_qsl(request.read().decode(), keep_blank_values=True))
    browser.post(address, data=typed | {"code": "4"})
    return _sending(browser.build_request("POST", address, data=typed))


def wrong_code_by_email(world: World) -> Act:
    """A guess at the other proof: counted for the number and for that proof."""
    browser, page = _at_question(world)
    page = browser.onward(browser.submit(page, answer="email"))
    return _sending(browser.filled(page, code=_wrong(world.code_for(KNOWN_MAIL))))


def _delayed(act: Act, seconds: float) -> Act:
    def later(other: World) -> str:
        with freeze(clock.now()) as shift:
            shift(seconds)
            return act(other)

    return later


STEPS_OF_CODES = (
    Step("by another channel", by_another_channel),
    Step("entered too late", entered_too_late),
    Step("leave for help", leave_for_help),
    Step("wrong code by e-mail", wrong_code_by_email, uneven=COUNTED | {"events": {"details"}}),
)
