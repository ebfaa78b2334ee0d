"""Support takes off what a person set up beside their number, for somebody who has lost it: the number alone opens the ID again.

Who calls has made sure that it is them, and says why. Everything that was signed in ends: whoever set a factor up to keep the owner out is
out as well. The person is told by the event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from idp import events
from idp.credentials import factor_limits, passkey, recovery_codes, totp, trusted_device
from idp.directory import numbers, users
from idp.oidc.sign_out_everywhere import SignedOut, sign_out_everywhere

REASON = "factors_reset"
EVENT = "user.factors_reset"


class Factor(NamedTuple):
    """What can be taken off: what it is called, whether the person has it, and how it goes (answers whether there was any)."""

    name: str
    is_there: Callable[[str], bool]
    remove: Callable[..., bool]


FACTORS = (
    Factor("passkeys", passkey.has_any, passkey.remove_all),
    Factor("authenticator app", totp.is_set_up, totp.remove),
    Factor("recovery codes", recovery_codes.are_left, recovery_codes.remove),
)
COUNTED = (totp.NAME, recovery_codes.NAME)


def factors_of(user_id: str) -> list[str]:
    """What the person has."""
    return [factor.name for factor in FACTORS if factor.is_there(user_id)]


def forget_wrong_codes(user_id: str) -> bool:
    """The codes of the app and the recovery codes are taken again, whatever was entered before; answers whether anything was counted."""
    browsers = [each.device_id for each in trusted_device.of_person(user_id)]
    return sum(factor_limits.forget(name, user_id, browsers) for name in COUNTED) > 0


def reset_factors(user_id: str, reason: str, *, actor_id: str | None = None) -> tuple[list[str], SignedOut | None]:
    """Take off every further factor; answers which there were, and what ended. Raises NotFound.

    Wrong codes that were counted are forgotten. Where there was nothing to take off, nothing ends and there is no event.
    """
    user = users.get(user_id, alone=True)
    forgotten = forget_wrong_codes(user_id)
    removed = [factor.name for factor in FACTORS if factor.remove(user_id, actor_id=actor_id)]
    if not removed and not forgotten:
        return [], None
    if user.phone_doubted_at is not None and user.phone:
        numbers.believe(user.id, user.phone)  # they tried, and had nothing else to show
    ended = sign_out_everywhere(user_id, actor_id=actor_id, reason=REASON)
    events.record(EVENT, user_id=user_id, actor_id=actor_id, details={"reason": reason, "factors": removed})
    return removed, ended
