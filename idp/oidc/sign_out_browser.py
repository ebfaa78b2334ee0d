"""One browser of a person is signed out: its sessions end, it is remembered no more, and what apps were given in it dies with it."""

from __future__ import annotations

from collections.abc import Mapping

from idp import events
from idp.credentials import trusted_device
from idp.delegation import tokens
from idp.login import session

EVENT = "browser.signed_out"
REASON = "browser_signed_out"


def sign_out_browser(
    user_id: str, *, browser_id: str | None = None, session_id: str | None = None, personal: Mapping[str, str] | None = None
) -> bool:
    """Sign the person out of a known browser, or of the one that holds this session; answers whether there was anything to end.

    Neither names anybody else's: each stands in a WHERE beside the person. What apps were given in the ended sessions ends too, that with
    `offline_access` as well: whoever signs a lost phone out means all of it.
    NOTE: it asks for no fresh proof (ASVS 5.0 §7.5.2 would): the code for one might go to the very phone that was lost, and whoever sits at
    a stolen session gains nothing by ending the others.
    """
    found = session.with_id(session_id, user_id) if session_id else None
    browser_id = browser_id or (found.browser_id if found else None)
    if browser_id is None:
        gone, ended = None, [found.id] if found is not None and session.end(found.id, REASON) else []
    else:
        gone = trusted_device.forget(browser_id, user_id=user_id, reason=REASON)
        lived = session.end_of_browser(browser_id, REASON, user_id=user_id)
        ended = session.ended_for(browser_id, user_id, REASON) if lived else []
    if not ended and gone is None:
        return False
    for each in ended:
        tokens.revoke_of_session(each, reason=REASON)
    events.record(EVENT, user_id=user_id, details={"browser": browser_id, "sessions": ended}, personal=personal)
    return True
