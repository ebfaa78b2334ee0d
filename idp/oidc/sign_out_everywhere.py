"""One person is signed out of everything: every session, every browser that knows them, all that apps were given in their name.

It stands above `login` and `delegation`, which do not know each other. What the person is told hangs off the event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from idp import events
from idp.credentials import recoveries, trusted_device
from idp.credentials.trusted_device import Recognition
from idp.delegation import tokens
from idp.directory import users
from idp.login import session
from idp.login.session import SignedIn

EVENT = "user.signed_out_everywhere"
REASON = "signed_out_everywhere"


class SignedOut(NamedTuple):
    """How many of each there were until now; `apps` are token families, those with `offline_access` too."""

    sessions: int
    browsers: int
    apps: int


class Stayed(NamedTuple):
    """What the browser that stays gets: the secret of its session and, where it is remembered, its cookie. No secret: it is out too."""

    ended: SignedOut
    secret: str | None
    cookie: str | None


def sign_out_everywhere(
    user_id: str, *, actor_id: str | None = None, reason: str = REASON, personal: Mapping[str, str] | None = None
) -> SignedOut:
    """End it all, in the present transaction, and a new number that waits (`recoveries`): what was proved for it may have been the thief's
    proof. `reason`: why, where it was not for its own sake. Raises NotFound.

    NOTE: whoever signs them in in this very moment holds the person: we wait for that, and then see its session; or it waits for us, and
    then sees that neither browser nor session vouch any more.
    """
    users.get(user_id, alone=True)
    users.void_proofs(user_id)
    recoveries.cancel_of_person(user_id, reason, actor_id=actor_id)
    browsers = trusted_device.forget_all(user_id, reason)
    sessions = session.end_all(user_id, reason, actor_id=actor_id)
    ended = SignedOut(sessions, browsers, tokens.revoke_of_user(user_id, reason=reason))
    details = ended._asdict() | ({} if reason == REASON else {"reason": reason})
    events.record(EVENT, user_id=user_id, actor_id=actor_id, details=details, personal=personal)
    return ended


def sign_out_elsewhere(
    live: SignedIn,
    here: Recognition,
    *,
    user_agent: str,
    ip: str,
    language: str = "",
    reason: str = REASON,
    personal: Mapping[str, str] | None = None,
) -> Stayed:
    """The same, but for the browser in which it is asked for: it goes on, with the proof that it holds, under a new session and cookie.

    All apps are signed out, those of this browser too. NOTE: the person's session of before ends as well, and the browser's former cookie:
    whoever holds a copy of either is out like everybody else (cases 76, 77), and so is what a code of that session would give.
    """
    user_id = live.user_id
    users.get(user_id, alone=True)
    users.void_proofs(user_id)
    recoveries.cancel_of_person(user_id, reason)
    browser = trusted_device.renew(here, user_id, user_agent=user_agent, ip=ip, language=language)
    browser_id, cookie = browser or (None, None)
    browsers = trusted_device.forget_all(user_id, reason, but_browser=browser_id)
    begun = session.renew(live, browser_id=browser_id)
    stays, secret = begun or (None, None)
    sessions = session.end_all(user_id, reason, except_id=stays.id if stays else None)
    ended = SignedOut(sessions, browsers, tokens.revoke_of_user(user_id, reason=reason))
    kept = stays.id if stays else None
    details = ended._asdict() | {"stays": kept} | ({} if reason == REASON else {"reason": reason})
    events.record(EVENT, user_id=user_id, session_id=kept, details=details, personal=personal)
    return Stayed(ended, secret, cookie)
