"""The second step: as which account, for which company? Asked only when the scope has `account` or `company`.

The choice is, in this order: `company=` or `account=`; the account in `id_token_hint`; the one this session last chose for this client; the
only candidate; else the chooser. A company that was named is taken or refused; nobody is ever signed in to another one instead. Whoever
signed in with an account's password has chosen that account. Its company may then want more of this browser.
"""

from __future__ import annotations

from idp.delegation import account_choices, scopes
from idp.directory import accounts
from idp.directory.accounts import Standing
from idp.errors import OAuthRefusal
from idp.login import policy
from idp.oidc.steps import sign_in
from idp.oidc.steps.journey import Journey, Open
from idp.web.http import Answer, see_other

WHY_NOT = {
    "blocked": "This person's access to the company is blocked.",
    "blocked_until": "This person's access to the company is blocked for a time.",
    "company_suspended": "The company is suspended.",
}


def check(journey: Journey) -> Open | None:
    """Settle the account of this journey, silently where that is possible."""
    asked = journey.asked
    if not scopes.asks_for_account(asked.needed):
        return None
    person = journey.person()
    there = accounts.candidates(person.user_id, journey.client.account_types)
    if asked.company_id or asked.account_id:
        journey.standing = _named(journey, there)
        return _strictly(journey)
    if not any(standing.may_enter for standing in there):
        return Open("access_denied", "This person has no account that may enter here.", _go)
    chosen = _chosen(journey, there)
    if chosen is None:
        return Open("account_selection_required", "The person has to choose an account.", _go)
    journey.standing = chosen
    return _strictly(journey)


def _strictly(journey: Journey) -> Open | None:
    """What the company of the chosen account wants of a browser in which nobody has given a password yet."""
    chosen = journey.standing
    if chosen is None or chosen.new_browser != policy.CODE_AND_PASSWORD:
        return None
    return sign_in.further(journey, chosen.account_id)


def _named(journey: Journey, there: list[Standing]) -> Standing:
    """The account that the request names; raises OAuthRefusal `access_denied` with the reason, before anything is shown."""
    asked = journey.asked
    if asked.account_id:
        named = [s for s in there if s.account_id == asked.account_id and asked.company_id in {None, s.company_id}]
    else:
        named = account_choices.of_company(there, asked.company_id, journey.client.account_types)
    if not named:
        raise OAuthRefusal(
            "access_denied", "This person is not a member of that company." if asked.company_id else "That is not this person's account."
        )
    for standing in named:
        if standing.may_enter:
            return standing
    raise OAuthRefusal("access_denied", WHY_NOT.get(str(named[0].reason), "This person may not enter that account now."))


def _chosen(journey: Journey, there: list[Standing]) -> Standing | None:
    parked = journey.decided_here()
    enterable = {standing.account_id: standing for standing in there if standing.may_enter}
    if parked is not None and parked.account_id in enterable:
        return enterable[parked.account_id]
    if "select_account" in journey.asked.prompts:
        return None
    if journey.asked.hint_account_id in enterable:
        return enterable[journey.asked.hint_account_id]
    person = journey.person()
    if person.account_id in enterable and journey.asked.asked_at is not None and person.auth_time >= journey.asked.asked_at:
        return enterable[person.account_id]
    last = account_choices.of_session(journey.person().id, journey.client.id)
    if last in enterable:
        return enterable[last]
    return there[0] if len(there) == 1 else None


def _go(journey: Journey) -> Answer:
    if journey.parked is None:
        raise RuntimeError("a page needs a parked request")
    return see_other(f"/authorize/{journey.parked.id}/account")
