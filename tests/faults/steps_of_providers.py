"""What may die in the middle, once more: linking another provider, coming back from it, unlinking."""

from __future__ import annotations

from idp.credentials import social
from idp.credentials.social import Claimed
from idp.directory import users
from tests.faults.crash import Step
from tests.faults.steps import KNOWN, Act, _doing
from tests.world import World

THEIRS = Claimed("https://accounts.google.com", "108", "Anna S.")


def _whose(world: World) -> str:
    with world.reads():
        user = users.find_by_phone(KNOWN)
        assert user is not None
        return user.id


def come_back(world: World) -> Act:
    """A state is spent, and who came is kept."""
    with world.writes():
        asked = social.begin("google", "browser", flow_id="flw_1")

    def spend() -> None:
        if social.redeem(asked.state, "google", "browser") is not None:
            social.keep_found(asked.id, THEIRS)

    return _doing(spend)


def link(world: World) -> Act:
    """Somebody says yes."""
    user_id = _whose(world)
    with world.writes():
        asked = social.begin("google", "browser", flow_id="flw_1")
        social.keep_found(asked.id, THEIRS)

    def say_yes() -> None:
        if social.settle(asked.id):
            users.get(user_id, alone=True)
            social.link(user_id, "google", THEIRS)

    return _doing(say_yes)


def unlink(world: World) -> Act:
    """It is taken off."""
    user_id = _whose(world)
    with world.writes():
        social.link(user_id, "google", THEIRS)
        identity = social.of_person(user_id)[0].id
    return _doing(lambda: social.unlink(user_id, identity))


STEPS_OF_PROVIDERS = (
    Step("come back from a provider", come_back, uneven={"social_requests": {"found"}}),
    Step("link a provider", link),
    Step("unlink a provider", unlink),
)
