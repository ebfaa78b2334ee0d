"""Who may enter these pages: the person who is signed in in this browser; for what is sensitive, only right after a proof.

Whoever may not yet is sent to a sign-in that leads back: `enter` and `fresh` raise `Elsewhere`, so a view goes on only with the person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from idp import clock, crypto
from idp.config import settings
from idp.credentials import totp, trusted_device
from idp.db.session import session as database
from idp.directory import users
from idp.directory.tables import User
from idp.login import browser, flow, policy, session, situation, social
from idp.login.policy import Demand
from idp.login.session import SignedIn
from idp.oidc import arrivals
from idp.web.http import Answer, Elsewhere, Request, see_other


@dataclass(frozen=True, slots=True)
class Me:
    """The person whose pages these are: their live session in this browser, and their ID as it is now."""

    session: SignedIn
    user: User

    @property
    def id(self) -> str:
        """The ID."""
        return self.user.id


def enter(request: Request, *, back_to: str = "") -> Me:
    """The person who is signed in here, whose session is in use now; in a writing unit.

    Raises Elsewhere: a sign-in that returns to this page (without its query), or to `back_to`, a path of ours: where this is a form without
    a page of its own.
    NOTE: that the session is in use is committed by itself, once a minute, before the page does anything: whoever held its row and then
    asked for the person's would take them the other way round than a sign-in does (`db/session`).
    """
    here = _signed_in(request, back_to)
    if session.touch(here):
        database.commit()
        here = _signed_in(request, back_to)  # in the unit that goes on with it
    user = users.get(here.user_id)
    request.ui_locales = (user.locale,) if user.locale else ()
    request.zone = users.zone_of(user)
    return Me(here, user)


def fresh(request: Request, me: Me, *, back_to: str = "", acr: str = "code") -> None:
    """Go on only when the person proved who they are within the last minutes (ASVS 5.0 §7.5.1); in a writing unit.

    A known browser's word is no proof. To be asked when the page with the form is opened, so that nothing typed is lost, and once more when
    the form comes: raises Elsewhere, a sign-in of this person and no other, as `enter` does. `acr`: how strong a proof, of `policy.LEVELS`.
    """
    now = clock.now()
    # Another provider lets in whoever is still signed in there: its word says nothing about this moment.
    ago = 0 if set(me.session.amr) <= set(social.AMR) else settings().login.fresh_proof
    demand = Demand(now, fresh_since=now - timedelta(seconds=ago), acr=acr, user_id=me.id)
    if not situation.is_met(demand, me.session):  # as far as this person can prove it
        raise _sign_in(request, demand, back_to)


def require_proof(request: Request, me: Me, *, back_to: str = "") -> None:
    """A fresh proof (`fresh`), of two kinds where the person can give them: by the authenticator, a passkey, a password.

    Recovery codes do not count: whoever has lost them makes new ones without them. Nor, in the minutes after it was set up, does the
    authenticator, so that whoever did needs no second code at once: since then only those are signed in who showed it, and the browser in
    which it was set up.
    """
    live, lately = totp.find(me.id), clock.now() - timedelta(seconds=settings().login.fresh_proof)
    just_made = live is not None and live.confirmed_at > lately
    has_more = bool(situation.factors(me.id) - {policy.RECOVERY_CODE})
    fresh(request, me, back_to=back_to, acr="mfa" if has_more and not just_made else "code")


def lead(request: Request, page: str, *, back_to: str) -> Answer:
    """To a page that belongs to a sign-in, for who is signed in and cannot prove what is asked here; it leads back to `back_to`."""
    now = clock.now()
    return _begun(request, Demand(now, fresh_since=now), back_to, page)


def place(request: Request) -> dict[str, str]:
    """From where something is done, for the personal part of its event."""
    return {"ip": request.remote_address, "browser": trusted_device.name_of(request.user_agent)}


def _signed_in(request: Request, back_to: str) -> SignedIn:
    here, demand = browser.signed_in(request), Demand(clock.now())
    if here is None or not policy.is_met(demand, here):
        raise _sign_in(request, demand, back_to)
    return here


def _sign_in(request: Request, demand: Demand, back_to: str) -> Elsewhere:
    return Elsewhere(_begun(request, demand, back_to or _address(request)))


def _begun(request: Request, demand: Demand, back_to: str, page: str = "") -> Answer:
    """A sign-in that returns to `back_to`, at `page` or wherever it begins. The browser that has no `login` cookie yet gets one with it."""
    arrivals.admit(request.network)
    secret = request.cookie("login") or crypto.new_secret()
    begun = flow.begin(return_to=back_to, demand=demand, login_secret=secret, ui_locales=request.ui_locales)
    answer = see_other(f"{begun.address}/{page}") if page else flow.enter(begun, request)
    if not request.cookie("login"):
        answer.set_cookie("login", secret)
    return answer


def _address(request: Request) -> str:
    """Where the person is, as a path of ours; a POST has a page of the same address.

    NOTE: without the query: it is kept with the sign-in, and anybody may have put anything into it (case 41).
    """
    return "/" + quote(request.path.encode("latin-1").lstrip(b"/"), safe="/")
