"""`/end_session` (OpenID Connect RP-Initiated Logout): at once with a hint that is this person's, else after a press of a button."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from idp import keyring
from idp.delegation import clients, tokens
from idp.delegation.clients import Client
from idp.delegation.subjects import user_of
from idp.errors import TooLarge
from idp.login import session
from idp.login.session import SignedIn
from idp.oidc import guard
from idp.oidc.endpoints.authorization import LONGEST_ADDRESS
from idp.oidc.response_modes.query import back
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of


@dataclass(frozen=True, slots=True)
class Asked:
    """What the relying party asked for, as far as it is true. `user_id`: whom its hint means, None without a good one."""

    client: Client | None
    user_id: str | None
    return_to: str | None
    fields: dict[str, str]


def end_session(request: Request) -> Answer:
    """Sign out, or ask first: an image on a stranger's page, or another person's hint, signs nobody out (case 84)."""
    if request.is_post:  # from the relying party's site, so without our Lax cookies
        guard.one_of_each(request.form)
        address = f"/end_session?{urlencode(request.form.pairs)}"  # written anew, as at /authorize
        if len(address) > LONGEST_ADDRESS:
            raise TooLarge
        return see_other(address)
    asked = _read(guard.one_of_each(request.query))
    signed_in = session.find(request.cookie("session"))
    if signed_in is None:
        return _done(asked, [])
    if asked.user_id == signed_in.user_id:
        return _end(request, asked, signed_in)
    return Page(
        "oidc/end_session.html",
        client_name=asked.client.title(language_of(request)) if asked.client else None,
        person_name=signed_in.name,
        action="/end_session/confirm",
        fields=asked.fields,
        parked=True,
    )


def confirm(request: Request) -> Answer:
    """The button of our own page was pressed (the dispatcher has checked that)."""
    asked = _read(guard.one_of_each(request.form))
    signed_in = session.find(request.cookie("session"))
    return _done(asked, []) if signed_in is None else _end(request, asked, signed_in)


def signed_out(request: Request) -> Answer:
    """`/signed-out`: the last page, for whoever comes back to it."""
    del request
    return Page("oidc/signed_out.html", ended=[], return_url=None, client_name=None)


def _read(sent: dict[str, str]) -> Asked:
    """NOTE: an address is kept only when it is registered, byte by byte, for a client that is named by a good hint or by `client_id`."""
    hint = keyring.verify_hint(sent["id_token_hint"]) if "id_token_hint" in sent else None
    named = sent.get("client_id")
    if hint is not None and named not in {None, hint["aud"]}:
        hint = None  # the hint is another client's: it counts for nothing
    client = clients.find(hint["aud"] if hint is not None else named or "")
    uri = sent.get("post_logout_redirect_uri", "")
    return_to = None
    if client is not None and client.may_leave_to(uri):
        return_to = back(uri, sent.get("state"))
    fields: dict[str, str] = {name: sent[name] for name in ("client_id", "post_logout_redirect_uri", "state") if name in sent}
    if client is not None:
        fields["client_id"] = client.id
    return Asked(client, user_of(client, hint["sub"]) if hint is not None and client is not None else None, return_to, fields)


def _end(request: Request, asked: Asked, signed_in: SignedIn) -> Answer:
    ended = [
        client.title(language_of(request)) for client_id in tokens.clients_of_session(signed_in.id) if (client := clients.find(client_id))
    ]
    session.end(signed_in.id, "signed_out")
    answer = _done(asked, ended)
    answer.delete_cookie("session")
    return answer


def _done(asked: Asked, ended: list[str]) -> Answer:
    if asked.return_to is not None:
        return see_other(asked.return_to)
    return Page("oidc/signed_out.html", ended=ended, return_url=None, client_name=None)
