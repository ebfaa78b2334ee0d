"""`/authorize` (OpenID Connect Core §3.1.2, RFC 6749 §4.1.1): begin, park when a page must be shown, resume, issue the code."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from idp import crypto, events
from idp.db.session import session
from idp.delegation import account_choices, clients, codes, document_clients, dynamic_clients, requests, response_types, scopes
from idp.delegation.clients import Client
from idp.directory import accounts
from idp.errors import Gone, OAuthRefusal
from idp.oidc import arrivals, authorization_request, authorization_response, front_channel, guard, request_object
from idp.oidc.grant_types.answer import Granted
from idp.oidc.response_modes import device
from idp.oidc.steps import sign_in
from idp.oidc.steps.journey import Journey
from idp.oidc.steps.order import next_step
from idp.web.http import Answer, Request, see_other
from idp.web.language import KEPT as LANGUAGE_KEPT
from idp.web.pages import language_of

ONLY_CODE = (response_types.CODE,)
LONGEST_ADDRESS = 16384


def begin(request: Request) -> Answer:
    """A new request. Refused on a page of ours until client and address are known; from then on by a redirect with `error` and `iss`."""
    if request.is_post:
        return _as_get(request)
    try:
        sent = guard.one_of_each(request.query)
    except OAuthRefusal as refusal:
        return _refused_early(request, refusal)
    if sent.get("client_id", "").startswith("https://"):
        _look_up(sent["client_id"], request)
    refused: request_object.Refused | None = None
    is_object = "request" in sent or "request_uri" in sent
    if is_object:
        try:
            sent = request_object.opened(sent)
        except request_object.Refused as refusal:
            sent, refused = refusal.sent, refusal
    request.ui_locales = tuple(sent.get("ui_locales", "").split()[:10])
    request.popup = sent.get("display") == "popup"
    client = _client(sent, refused)
    try:
        if refused is not None:
            raise refused
        if client.require_signed_request_object and not is_object:
            raise OAuthRefusal("invalid_request", "This client sends its requests signed, as request objects (request, request_uri).")
        asked = authorization_request.read(client, sent)
        return _advance(Journey(request, client, asked))
    except OAuthRefusal as refusal:
        return authorization_response.refuse(sent, refusal)


def _client(sent: dict[str, str], refused: request_object.Refused | None) -> Client:
    """Who asks, and may be answered; raises WrongClient, which says rather why a request object was refused than that it is missing."""
    try:
        return authorization_request.require_client(sent)
    except authorization_request.WrongClient as wrong:
        if refused is not None:
            wrong.error, wrong.description = refused.error, refused.description
        raise


def _look_up(address: str, request: Request) -> None:
    """A client that is known by what it says of itself at its address; raises WrongClient."""
    try:
        document_clients.look_up(address, network=request.network)
    except OAuthRefusal as refusal:
        raise authorization_request.WrongClient("invalid_client", refusal.description) from refusal


def _as_get(request: Request) -> Answer:
    """A POST from a relying party's site comes without our Lax cookies; the same request as GET has them."""
    if request.environ.get("QUERY_STRING"):
        raise authorization_request.WrongClient("invalid_request", "Send the parameters of a POST in its body only.")
    # Written anew: the body may hold a line end, which is no parameter's business and would be a header's (CWE-113).
    address = f"/authorize?{urlencode(request.form.pairs)}"
    if len(address) > LONGEST_ADDRESS:
        raise authorization_request.WrongClient("invalid_request", "The request is too long.")
    guard.one_of_each(request.form)
    return see_other(address)


def _refused_early(request: Request, refusal: OAuthRefusal) -> Answer:
    """A request that the guard refused goes back only if client and address were each named once, and belong together.

    Of what says how it goes back, too, only what stands once is believed.
    """
    found = {name: request.query.all(name) for name in ("client_id", "redirect_uri", "state", "response_mode", "response_type")}
    once = {name: values[0] for name, values in found.items() if len(values) == 1 and values[0]}
    client = clients.find(once.get("client_id", ""))
    if client is not None and "redirect_uri" in once and client.may_return_to(once["redirect_uri"]):
        return authorization_response.refuse(once, refusal)
    raise authorization_request.WrongClient(refusal.error, refusal.description)


def resume(request: Request, request_id: str) -> Answer:
    """The person comes back from a page; the desk is asked anew."""
    return go_on(find(request, request_id))


def go_on(journey: Journey) -> Answer:
    """The next step of a journey; a refusal goes back to the relying party and ends it."""
    try:
        return _advance(journey)
    except OAuthRefusal as refusal:
        if journey.asked.device is not None:  # it only hears no; the person reads why
            refuse(journey, refusal.error, refusal.description)
            raise
        return refuse(journey, refusal.error, refusal.description)


def find(request: Request, request_id: str) -> Journey:
    """The parked journey of this browser; raises Gone, with where to begin again as far as the client told us."""
    try:
        parked = requests.get(request_id, login_secret=request.cookie("login"))
    except Gone as gone:
        client = clients.find(gone.shown.get("client_id", ""))
        if client is not None:
            gone.shown |= {"client_name": client.title(language_of(request))} | (
                {"restart_url": client.restart_url} if client.restart_url else {}
            )
        raise
    request.ui_locales, request.popup = parked.asked.ui_locales, parked.asked.popup
    client = clients.get(parked.asked.client_id)
    if parked.asked.device is not None:
        device.require_waiting(parked.asked.device)
    elif not client.may_return_to(parked.asked.redirect_uri):  # taken off the list while the person was on a page: nothing goes there
        raise authorization_request.WrongClient("invalid_request", "redirect_uri is no longer registered for this client.")
    return Journey(request, client, parked.asked, parked)


def refuse(journey: Journey, error: str, description: str) -> Answer:
    """End the journey with an error for the relying party (OpenID Connect Core §3.1.2.6)."""
    if journey.parked is not None and not requests.finish(journey.parked):
        raise Gone(detail="finished meanwhile")
    asked = journey.asked
    if asked.device is not None:
        return device.refuse(asked.device, asked, user_id=journey.signed_in.user_id if journey.signed_in else None)
    return authorization_response.answer(asked.redirect_uri, asked.response_mode, asked.state, error=error, error_description=description)


def _advance(journey: Journey) -> Answer:
    step = next_step(journey)
    if step is None:
        return _issue(journey)
    if "none" in journey.asked.prompts:  # never a page, never a cookie, never a row
        raise OAuthRefusal(step.error, step.description)
    if journey.parked is not None:
        return step.go(journey)
    arrivals.admit(journey.request.network)
    made = "" if journey.request.cookie("login") else crypto.new_secret()
    journey.login_secret = made or journey.request.cookie("login")
    journey.parked = requests.park(journey.asked, login_secret=journey.login_secret)
    answer = step.go(journey)
    if made:
        answer.set_cookie("login", made)
    chosen, _, here = journey.request.cookie("language").partition(".")
    if here:  # pressed in an earlier sign-in: from here on what the relying party asks for counts again
        answer.set_cookie("language", chosen, LANGUAGE_KEPT)
    return answer


def _issue(journey: Journey) -> Answer:
    """Nothing is open: one code, or what else was asked for, once, for the person and the account of this moment."""
    person, standing, asked, parked = journey.person(), journey.standing, journey.asked, journey.parked
    if parked is not None and not requests.finish(parked):
        raise Gone(detail="the code was issued by a parallel request")
    journey.parked = None  # whatever is refused from here on goes back, and there is nothing left to be finished
    if journey.client.unused_until is not None:
        dynamic_clients.note_use(journey.client)
    if standing is not None:
        account_choices.remember(session_id=person.id, client_id=asked.client_id, user_id=person.user_id, account_id=standing.account_id)
        if parked is not None:
            accounts.note_use(standing.account_id)
    issued: dict[str, Any] = {
        "user_id": person.user_id,
        "session_id": person.id,
        "account_id": standing.account_id if standing else None,
        "company_id": standing.company_id if standing and scopes.COMPANY in asked.scopes else None,
        "auth_time": person.auth_time,
        "amr": person.amr,
        "acr": person.acr if asked.claims is None else sign_in.told_acr(asked, person),
    }
    answered: Answer | None = None
    granted: Granted | None = None
    given: dict[str, str] = {}
    if asked.device is not None:
        answered = device.allow(asked.device, asked, **issued)
    elif asked.response_types == ONLY_CODE:
        given["code"] = codes.issue(asked, **issued)
    else:
        granted = front_channel.begin(journey, issued)
        if response_types.CODE in asked.response_types:
            given["code"] = codes.issue(asked, **issued, family_id=granted.found.family.id)
    if parked is not None:
        events.record(
            "authorization.granted",
            user_id=person.user_id,
            client_id=asked.client_id,
            session_id=person.id,
            company_id=standing.company_id if standing else None,
            details={"scopes": list(asked.scopes), **({"device": True} if asked.device is not None else {})},
        )
    if granted is not None:  # nobody waits for the write lock while we sign
        session.commit()
        given |= front_channel.parameters(asked, granted, given.get("code"))
    return answered or authorization_response.grant(journey, **given)
