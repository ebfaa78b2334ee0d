"""`/end_session` (OpenID Connect RP-Initiated Logout): at once with a hint that is this session's, else after a press of a button.

https://openid.net/specs/openid-connect-rpinitiated-1_0.html. `logout_hint` is read and decides nothing: a browser has one session here, and
whoever is asked sees whose it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from idp.delegation import clients, hints
from idp.delegation.clients import Client
from idp.delegation.subjects import session_of, subject
from idp.errors import TooLarge
from idp.login import session
from idp.login.session import SignedIn
from idp.oidc import guard
from idp.oidc.endpoints.authorization import LONGEST_ADDRESS
from idp.oidc.logout import browser_session
from idp.oidc.response_modes.query import back
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of

KEPT = ("client_id", "post_logout_redirect_uri", "state", "ui_locales")
"""What the button of our page sends on. Not the hint: it has said what it can."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the relying party asked for, as far as it is true. `sub`, `sid`: whom and which session its hint means; empty without one."""

    client: Client | None
    sub: str = ""
    sid: str = ""
    return_to: str | None = None
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def is_sure(self) -> bool:
        """Whether it is known who asks: the hint was given to them."""
        return self.sub != ""


def end_session(request: Request) -> Answer:
    """Sign out, or ask first: an image on a stranger's page, or another person's hint, signs nobody out (case 84)."""
    if request.is_post:  # from the relying party's site, so without our Lax cookies
        guard.one_of_each(request.form)
        address = f"/end_session?{urlencode(request.form.pairs)}"  # written anew, as at /authorize
        if len(address) > LONGEST_ADDRESS:
            raise TooLarge
        return see_other(address)
    sent = guard.one_of_each(request.query)
    request.ui_locales = _locales(sent)
    asked = _read(sent)
    signed_in = session.find(request.cookie("session"))
    if signed_in is None:
        return _nobody(request, asked, sure=asked.is_sure)
    if _is_meant(asked, signed_in):
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
    sent = guard.one_of_each(request.form)
    request.ui_locales = _locales(sent)
    asked = _read(sent)
    signed_in = session.find(request.cookie("session"))
    return _nobody(request, asked, sure=True) if signed_in is None else _end(request, asked, signed_in)


def signed_out(request: Request) -> Answer:
    """`/signed-out`: the last page, for whoever comes back to it."""
    del request
    return browser_session.after()


def _locales(sent: dict[str, str]) -> tuple[str, ...]:
    return tuple(sent.get("ui_locales", "").split()[:10])


def _read(sent: dict[str, str]) -> Asked:
    """NOTE: an address is kept only when it is registered, byte by byte, for a client that is named by a good hint or by `client_id`."""
    hint = hints.find(sent["id_token_hint"]) if "id_token_hint" in sent else None
    named = sent.get("client_id")
    if hint is not None and named not in {None, hint["aud"]}:
        hint = None  # the hint is another client's: it counts for nothing
    client = clients.find(hint["aud"] if hint is not None else named or "")
    uri = sent.get("post_logout_redirect_uri", "")
    return_to = None
    if client is not None and client.may_leave_to(uri):
        return_to = back(uri, sent.get("state"))
    fields: dict[str, str] = {name: sent[name] for name in KEPT if name in sent}
    if client is None or hint is None:
        return Asked(client, return_to=return_to, fields=fields)
    fields["client_id"] = client.id
    return Asked(client, str(hint.get("sub", "")), str(hint.get("sid", "")), return_to, fields)


def _is_meant(asked: Asked, signed_in: SignedIn) -> bool:
    """Whether the hint is of this session, or of a recent one of the same person in this same browser.

    §2: one whose `sid` is neither the present session's nor a recent one's is suspect. An ID token of another browser was given to somebody
    who is not here: whoever brings it may have found it, and asking costs one press (case 84).
    """
    if asked.client is None or not asked.is_sure or asked.sub != subject(asked.client, signed_in.user_id):
        return False
    sid = session_of(asked.client, asked.sid)
    if sid is None or sid == signed_in.id:
        return sid is not None
    former = session.with_id(sid, signed_in.user_id)
    return former is not None and former.browser_id is not None and former.browser_id == signed_in.browser_id


def _end(request: Request, asked: Asked, signed_in: SignedIn) -> Answer:
    return browser_session.end(signed_in, language=language_of(request), return_to=asked.return_to, client=asked.client)


def _nobody(request: Request, asked: Asked, *, sure: bool) -> Answer:
    """Nobody is signed in: that is what was wanted. The way back to an app that only somebody's link names is no advice of ours."""
    client = asked.client if sure else None
    return browser_session.after(return_to=asked.return_to, client=client, language=language_of(request))
