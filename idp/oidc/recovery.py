"""What a lost phone ends in: the number is another one, and all that was signed in under the former one ends (case 76).

It stands here because `change_phone` does. The schedule calls it once the waiting time is over; nobody is signed in by it (case 92).
"""

from __future__ import annotations

from idp.credentials import passkey, phone_limits, recoveries, trusted_device, vouches
from idp.credentials.recoveries import Case
from idp.directory import users
from idp.directory.tables import User
from idp.errors import Conflict
from idp.oidc.change_phone import change_phone


def complete_next() -> bool:
    """Complete the request whose waiting time has been over for longest, in the present transaction; answers whether there was one."""
    case_id = recoveries.next_due()
    if case_id is None:
        return False
    case = recoveries.get(case_id)
    user = users.get(case.user_id or "", alone=True)  # first the person, then what is theirs (`db/session`)
    case = recoveries.get(case_id)
    if not case.is_waiting:  # stopped, or completed by another worker, while we waited
        return True
    reason = _why_not(case, user)
    if reason is not None:
        recoveries.cancel(case.id, reason)
    elif recoveries.complete(case):
        try:
            change_phone(user.id, case.phone)
        except Conflict as e:  # somebody took the number in this very moment: nothing has happened, and the next look sees it
            raise RuntimeError(f"the number of {case.id} went to another ID") from e
    return True


def _why_not(case: Case, user: User) -> str | None:
    """What has become otherwise in the waiting time, so that nothing may follow; None: all is as it was."""
    if user.status != "active":
        return recoveries.BLOCKED
    if user.phone is not None and phone_limits.phone_digest(user.phone) != case.former_digest:
        return recoveries.CHANGED
    other = users.find_by_phone(case.phone)
    if other is not None and other.id != user.id:
        return recoveries.TAKEN
    if case.way == recoveries.VOUCHED and not vouches.are_enough(case):
        return recoveries.LOST_VOUCH
    if case.way == recoveries.BROWSER and not _is_trusted(case, user):
        return recoveries.LOST_BROWSER
    if case.way == recoveries.PASSKEY and all(key.id != case.passkey_id for key in passkey.of_person(user.id)):
        return recoveries.LOST_PASSKEY
    return None


def _is_trusted(case: Case, user: User) -> bool:
    """Whether the browser whose word it was knows the person now, and has done so since before that word (case 76)."""
    known = [each for each in trusted_device.of_person(user.id) if each.browser_id == case.browser_id]
    return case.begun_at is not None and any(each.trusted_at <= case.begun_at for each in known)
