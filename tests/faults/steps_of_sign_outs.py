"""What may die in the middle of a sign-out that relying parties are told of: by their servers, in frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from idp.directory import users
from tests.faults.crash import Step
from tests.faults.steps import KNOWN, LEASED, Act, _sending, _working
from tests.oidc.receiver import Receiver, receiver
from tests.world import Browser, Party, World, answer_of

LISTENING: list[Receiver] = []


@contextmanager
def somebody_listens() -> Iterator[dict[str, dict[str, object]]]:
    """A relying party's server, for the length of a step."""
    with receiver() as at:
        LISTENING.append(at)
        try:
            yield {"outbound": {"allow_private_addresses": True}}
        finally:
            LISTENING.remove(at)


def _signed_in(world: World) -> tuple[Browser, Party, str]:
    """Somebody, at an app that is told both ways; the ID token."""
    party = world.party(backchannel_logout_uri=LISTENING[-1].address, frontchannel_logout_uri="https://rp.example/front")
    browser = world.browser()
    code = answer_of(world.sign_in(browser, party, KNOWN, scope="openid"))["code"]
    return browser, party, str(world.redeem(party, code).json()["id_token"])


def sign_out(world: World) -> Act:
    """With a hint: session, event, and the page with its frames."""
    browser, _, hint = _signed_in(world)
    world.deliver()
    return _sending(browser.build_request("GET", "/end_session", params={"id_token_hint": hint}))


def tell(world: World) -> Act:
    """From the event to the relying party's answer."""
    browser, _, hint = _signed_in(world)
    world.deliver()
    browser.get("/end_session", params={"id_token_hint": hint})
    return _working


def tell_of_blocked(world: World) -> Callable[[World], str]:
    """The same for somebody who was blocked."""
    _signed_in(world)
    world.deliver()
    with world.writes():
        known = users.find_by_phone(KNOWN)
        assert known is not None
        users.block(known.id, "fraud")
    return _working


STEPS_OF_SIGN_OUTS = (
    Step("sign out with a hint", sign_out, given=somebody_listens),
    Step("tell of an ended session", tell, later=16, uneven=LEASED, given=somebody_listens),
    Step("tell of a blocked person", tell_of_blocked, later=16, uneven=LEASED, given=somebody_listens),
)
