"""The first step: is somebody here, strongly and freshly enough? (OpenID Connect Core §3.1.2.3, RFC 9470)"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from idp import clock
from idp.config import settings
from idp.delegation import claims_parameter
from idp.delegation.requests import Asked
from idp.errors import OAuthRefusal
from idp.login import flow, policy, session, situation
from idp.login.session import SignedIn
from idp.oidc.steps.journey import Journey, Open
from idp.web.http import Answer
from idp.web.pages import language_of


def check(journey: Journey) -> Open | None:
    """Take the session of this browser if it is what was asked for."""
    if journey.asked.claims is not None and _essential(journey.asked) == []:
        raise OAuthRefusal("unmet_authentication_requirements", "None of the acr values that are essential can be reached here.")
    signed_in = session.find(journey.request.cookie("session"))
    if signed_in is not None and situation.is_met(_demand(journey), signed_in):
        if journey.asked.claims is not None and told_acr(journey.asked, signed_in) is None:
            raise OAuthRefusal("unmet_authentication_requirements", "The person cannot prove as much as the essential acr asks for.")
        session.touch(signed_in)
        journey.signed_in = signed_in
        return None
    return Open("login_required", "The person has to sign in.", _go)


def told_acr(asked: Asked, signed_in: SignedIn) -> str | None:
    """The level that the answer names: what was reached, or the best of those that are essential (Core §5.5.1.1: it must be one of them);
    None when all of these are out of this person's reach.
    """
    wanted = _essential(asked) if asked.claims is not None else None
    if wanted is None:
        return signed_in.acr
    reached = [level for level in policy.LEVELS[: policy.LEVELS.index(signed_in.acr) + 1] if level in wanted]
    return reached[-1] if reached else None


def _essential(asked: Asked) -> list[str] | None:
    """The levels of which one has to be reached, as far as we know them; None: none is essential."""
    values, essential = claims_parameter.levels(asked.claims)
    return _known(values) if essential else None


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
        popup=asked.popup,
        password_of=policy.OWN_PASSWORD if journey.client.new_browser == policy.CODE_AND_PASSWORD else "",
    )


def _acr(wanted: tuple[str, ...]) -> str | None:
    """The first of the levels asked for that we know; others cannot be met and do not count (acr_values is a wish, Core §5.5.1.1)."""
    known = _known(wanted)
    return known[0] if known else None


def _known(wanted: tuple[str, ...]) -> list[str]:
    prefix = settings().login.acr_prefix
    return [value.removeprefix(prefix) for value in wanted if value.startswith(prefix) and value.removeprefix(prefix) in policy.LEVELS]


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
