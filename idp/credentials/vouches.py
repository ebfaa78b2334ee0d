"""Two administrators of a person's company vouch for them: the way for whoever has lost everything else (`product.md` §6.3).

Each must be an administrator (or the owner) of a company in which the person works now, both of the same one; each says so once. It is
looked at again when the waiting time is over: who has lost the role meanwhile vouches for nobody.
"""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa

from idp import clock, events
from idp.credentials import recoveries
from idp.credentials.recoveries import Case
from idp.credentials.tables import RecoveryVouch
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import insert_or_ignore, session
from idp.directory import accounts, roles, users
from idp.directory.accounts import Standing
from idp.errors import N_, Conflict, Forbidden

EVENT = "recovery.vouched"
NEEDED = 2

TWICE = N_("You have vouched for this person already. Another administrator has to do it too.")
NOT_YOURS = N_("This person does not work in a company of which you are an administrator.")

_rows = table(RecoveryVouch)
_OF = Ready(sa.select(_rows.c.user_id).where(_rows.c.recovery_id == sa.bindparam("of")).order_by(_rows.c.vouched_at, _rows.c.user_id))


def companies_for(case: Case, voucher_id: str) -> list[Standing]:
    """Where the voucher is an administrator and the person works, both as they stand now; none for oneself."""
    if case.user_id is None or case.user_id == voucher_id or users.get(voucher_id).status != "active":
        return []
    works = {each.company_id for each in accounts.candidates(case.user_id, ["employee"]) if each.may_enter}
    return [each for each in accounts.candidates(voucher_id, ["employee"]) if _administers(each) and each.company_id in works]


def vouch(case: Case, voucher_id: str, *, session_id: str | None = None) -> bool:
    """The administrator says that it is them; answers whether that was enough, and the waiting time runs. The caller saw a fresh proof.

    Their word stays though nothing may begin now (too many today): either of the two can then say so once more, later.

    Raises Forbidden (no administrator of theirs), Conflict (said so already; another request waits), Gone (over), TooManyTries.
    """
    if case.user_id is not None:
        users.get(case.user_id, alone=True)  # two vouch at once: the second one sees the first
    case = recoveries.get(case.id, alone=True)
    where = companies_for(case, voucher_id)
    if not where or case.user_id is None:
        raise Forbidden(NOT_YOURS)
    is_new = insert_or_ignore(RecoveryVouch, recovery_id=case.id, user_id=voucher_id, vouched_at=clock.now())
    if is_new:
        details = {"recovery": case.id, "companies": sorted(str(each.company_id) for each in where)}
        events.record(EVENT, user_id=case.user_id, actor_id=voucher_id, session_id=session_id, details=details)
    is_enough = case.state == recoveries.ASKING and are_enough(case)
    if not is_new and not is_enough:
        raise Conflict(TWICE)
    if not is_enough:
        return False
    recoveries.begin(case, recoveries.VOUCHED, actor_id=voucher_id)
    return True


def are_enough(case: Case) -> bool:
    """Whether two who vouched are administrators of one company of the person, as all of them stand now."""
    of_company = Counter(standing.company_id for voucher_id in given(case) for standing in companies_for(case, voucher_id))
    return any(number >= NEEDED for number in of_company.values())


def given(case: Case) -> list[str]:
    """Who has vouched, the first one first."""
    return [row.user_id for row in session.execute(_OF, {"of": case.id})]


def _administers(standing: Standing) -> bool:
    return standing.may_enter and roles.ADMINISTRATOR in standing.roles
