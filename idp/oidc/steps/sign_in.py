"""The first step: is somebody here, strongly and freshly enough? (OpenID Connect Core §3.1.2.3, RFC 9470)"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from idp import clock
from idp.config import settings
from idp.login import flow, policy, session, situation
from idp.oidc.steps.journey import Journey, Open
from idp.web.http import Answer
from idp.web.pages import language_of


def check(journey: Journey) -> Open | None:
    """Take the session of this browser if it is what was asked for."""
    signed_in = session.find(journey.request.cookie("session"))
    if signed_in is not None and situation.is_met(_demand(journey), signed_in):
        session.touch(signed_in)
        journey.signed_in = signed_in
        return None
    return Open("login_required", "The person has to sign in.", _go)


def further(journey: Journey, account_id: str) -> Open | None:
    """Whether the account that was chosen wants more of this browser: its company's `code+password` (`product.md` §1). Only what is missing
    is asked for. Somebody who has neither a password nor a passkey is let in.
    """
    demand = replace(_demand(journey), password_of=account_id)
    if situation.is_met(demand, journey.person()):
        return None
    return Open("interaction_required", "The company wants a password in this browser.", lambda late: _begin(late, demand))


def again(journey: Journey) -> Answer:
    """The person wants to be somebody else: choose among the people known here, or type another number."""
    return _begin(journey, replace(_demand(journey), choose_person=True, asked_at=clock.now(), user_id=None))


def _demand(journey: Journey) -> policy.Demand:
    """What the request demands of a sign-in. `prompt=login` and `max_age` want a proof, not a remembered browser."""
    asked = journey.asked
    asked_at = asked.asked_at or clock.now()
    fresh_since = None
    if asked.max_age is not None:
        fresh_since = asked_at - timedelta(seconds=asked.max_age)
    if "login" in asked.prompts:
        fresh_since = asked_at
    return policy.Demand(
        asked_at=asked_at,
        fresh_since=fresh_since,
        acr=_acr(asked.acr_values),
        choose_person="select_account" in asked.prompts,
        create="create" in asked.prompts,
        user_id=asked.hint_user_id,
        login_hint=asked.login_hint,
        password_of=policy.OWN_PASSWORD if journey.client.new_browser == policy.CODE_AND_PASSWORD else "",
    )


def _acr(wanted: tuple[str, ...]) -> str | None:
    """The first of the levels asked for that we know; others cannot be met and do not count (acr_values is a wish, Core §5.5.1.1)."""
    prefix = settings().login.acr_prefix
    known = [value.removeprefix(prefix) for value in wanted if value.startswith(prefix) and value.removeprefix(prefix) in policy.LEVELS]
    return known[0] if known else None


def _go(journey: Journey) -> Answer:
    return _begin(journey, _demand(journey))


def _begin(journey: Journey, demand: policy.Demand) -> Answer:
    parked = journey.parked
    if parked is None:
        raise RuntimeError("a page needs a parked request")
    begun = flow.begin(
        return_to=f"/authorize/{parked.id}",
        demand=demand,
        login_secret=journey.login_secret or journey.request.cookie("login"),
        client_name=journey.client.title(language_of(journey.request, journey.asked.ui_locales)),
        cancel_to=f"/authorize/{parked.id}/cancel",
        ui_locales=journey.asked.ui_locales,
        providers=journey.client.providers,
    )
    return flow.enter(begun, journey.request)
