"""One person is signed out of everything: every session, every browser that knows them, all that apps were given in their name.

It stands above `login` and `delegation`, which do not know each other. What the person is told hangs off the event.
"""

from __future__ import annotations

from typing import NamedTuple

from idp import events
from idp.credentials import trusted_device
from idp.delegation import tokens
from idp.directory import users
from idp.login import session

EVENT = "user.signed_out_everywhere"
REASON = "signed_out_everywhere"


class SignedOut(NamedTuple):
    """How many of each there were until now; `apps` are token families, those with `offline_access` too."""

    sessions: int
    browsers: int
    apps: int


def sign_out_everywhere(user_id: str, *, actor_id: str | None = None, reason: str = REASON) -> SignedOut:
    """End it all, in the present transaction. `reason`: why, where it was not for its own sake. Raises NotFound.

    NOTE: whoever signs them in in this very moment holds the person: we wait for that, and then see its session; or it waits for us, and
    then sees that neither browser nor session vouch any more.
    """
    users.get(user_id, alone=True)
    browsers = trusted_device.forget_all(user_id, reason)
    sessions = session.end_all(user_id, reason, actor_id=actor_id)
    ended = SignedOut(sessions, browsers, tokens.revoke_of_user(user_id, reason=reason))
    events.record(EVENT, user_id=user_id, actor_id=actor_id, details=ended._asdict() | ({} if reason == REASON else {"reason": reason}))
    return ended
