"""A person's number is another one from now on: whatever was signed in under the former one ends (case 76, NIST SP 800-63B-4 §3.1.3).

Who calls has made sure that the new number is the person's. They are told where the former number and the mail go, by the event.
"""

from __future__ import annotations

from idp.credentials import trusted_device
from idp.directory import numbers, users
from idp.login import session
from idp.oidc.sign_out_everywhere import SignedOut, sign_out_everywhere

REASON = "phone_changed"


def change_phone(user_id: str, phone: str, *, actor_id: str | None = None) -> SignedOut | None:
    """Make `phone` (E.164) the person's number; answers what ended. None: it was theirs already, and is believed to be from now on.

    Raises BadInput, Conflict when it is another ID's, NotFound.
    """
    users.get(user_id, alone=True)
    trusted_device.hold_all(user_id)
    session.hold_all(user_id)
    if not numbers.change(user_id, phone, actor_id=actor_id):
        return None
    return sign_out_everywhere(user_id, actor_id=actor_id, reason=REASON)
