"""The answer to an authorization request, good or bad: which way it goes back, and what stands in every one.

response_mode   as asked (`query`, `fragment`, `form_post`), else the default of the response type; a refusal goes the way of the answer
iss             always (RFC 9207): a client with several providers sees whose answer it is
state           as it came
ALSO            what a finished sign-in adds for other specifications
"""

from __future__ import annotations

from collections.abc import Callable

from idp.config import settings
from idp.delegation import response_types
from idp.errors import OAuthRefusal
from idp.oidc.logout import session_state
from idp.oidc.response_modes import form_post, fragment, query
from idp.oidc.steps.journey import Journey
from idp.web.http import Answer

MODES: dict[str, Callable[[str, dict[str, str]], Answer]] = {
    "query": query.answer,
    "fragment": fragment.answer,
    "form_post": form_post.answer,
}


def require_mode(sent: dict[str, str], response_type: str) -> str:
    """The response mode of a request for `response_type`; raises OAuthRefusal `invalid_request` for one that may not be (case 5)."""
    mode = sent.get("response_mode") or response_types.default_mode(response_type)
    if mode not in MODES:
        raise OAuthRefusal("invalid_request", f"response_mode is one of: {', '.join(MODES)}.")
    if mode == "query" and response_type != response_types.CODE:
        raise OAuthRefusal("invalid_request", "Tokens never stand in a query. response_mode is one of: fragment, form_post.")
    if mode == "form_post" and not form_post.can_reach(sent["redirect_uri"]):
        raise OAuthRefusal("invalid_request", "response_mode=form_post needs a redirect_uri of http or https.")
    return mode


def mode_of_refusal(sent: dict[str, str]) -> str:
    """The way on which a refused request expects its answer, as far as it says one that may be."""
    response_type = response_types.named(sent.get("response_type", "")) or response_types.CODE
    try:
        return require_mode(sent, response_type)
    except OAuthRefusal:
        return response_types.default_mode(response_type)


def answer(redirect_uri: str, mode: str, state: str | None, **parameters: str) -> Answer:
    """Send the person back with `parameters`, `state` as it came, and who we are."""
    given = {**parameters, "iss": settings().server.issuer}
    if state is not None:
        given["state"] = state
    return MODES[mode](redirect_uri, given)


def refuse(sent: dict[str, str], refusal: OAuthRefusal) -> Answer:
    """Tell the relying party of a request that was refused, when its client and address are known to be right."""
    mode = mode_of_refusal(sent)
    return answer(sent["redirect_uri"], mode, sent.get("state"), error=refusal.error, error_description=refusal.description)


def grant(journey: Journey, **parameters: str) -> Answer:
    """Tell the relying party what its request was answered with. What other specifications add to that, they add here."""
    asked, said = journey.asked, session_state.parameters(journey)
    answered = answer(asked.redirect_uri, asked.response_mode, asked.state, **parameters, **said)
    session_state.settle(journey.request, answered, said)
    return answered
