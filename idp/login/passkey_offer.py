"""After a sign-in with a code: a passkey would save the next one. Shown once a month at most, to who has none, in a browser that can make
one (its script says so on the page of the code); one press goes on without.
"""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from idp.config import settings
from idp.credentials import passkey
from idp.directory import users
from idp.errors import Gone, Refusal
from idp.login import browser, flow_row, new_passkey, policy, situation, social
from idp.login.flow_row import Flow
from idp.login.policy import REMEMBERED
from idp.login.session import SignedIn
from idp.web.cookies import cookie_name
from idp.web.faces import json_response
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other


def instead(row: Flow, request: Request, answer: Answer, phone: str) -> Answer:
    """`answer` to the right code for `phone`, or the same by way of the offer, where it has signed somebody in and the offer is due."""
    if request.form.get("passkey") != "1" or not passkey.is_possible():
        return answer
    session = f"{cookie_name('session')}="
    if ("Location", row.return_to) not in answer.headers or not any(value.startswith(session) for _, value in answer.headers):
        return answer
    user = users.find_by_phone(phone)
    if user is None or _has_more(user.id) or not passkey.offer(user.id):
        return answer
    offer = f"{row.address}/passkey_offer"
    answer.headers = [(name, offer if name == "Location" else value) for name, value in answer.headers]
    return answer


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/passkey_offer`."""
    row = flow_row.get(request, flow)
    return _page(row) if _here(row, request) else see_other(row.return_to)


def options(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/passkey_offer/options`: what the authenticator is to be asked, as JSON. Raises Gone, TooManyTries."""
    row = flow_row.get(request, flow)
    here = _here(row, request)
    if here is None:
        raise Gone(flow_row.OVER, detail=f"no passkey is offered in {row.id}")
    return json_response(new_passkey.ask(here, users.get(here.user_id)))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/passkey_offer`, `credential`: keep it and go on; without one, only go on."""
    row = flow_row.get(request, flow)
    here = _here(row, request) if request.form.get("credential") else None
    if here is None:
        return see_other(row.return_to)
    try:
        new_passkey.keep(request, here)
    except Gone:
        raise
    except Refusal as refusal:
        form = Form(request, ui_locales=row.ui_locales)
        return _page(row, problem=form.explain(refusal), status=422)
    return see_other(row.return_to)


def _here(row: Flow, request: Request) -> SignedIn | None:
    """Who has just signed in by this sign-in, so lately that the proof is fresh; of two kinds where the person has more than the number,
    as `account/passkeys` asks for: a passkey counts as two from then on. Another provider's word is no proof of this moment
    (`account/entry.fresh`).
    """
    if row.finished_at is None:
        return None
    live = browser.signed_in(request)
    lately = clock.now() - timedelta(seconds=settings().login.fresh_proof)
    if live is None or live.acr == REMEMBERED or set(live.amr) <= set(social.AMR) or live.auth_time < lately:
        return None
    return live if policy.rank(live.acr) >= policy.rank("mfa") or not _has_more(live.user_id) else None


def _has_more(user_id: str) -> bool:
    """Whether there is anything that the person can be asked for beside the number; recovery codes are for when it is lost."""
    return bool(situation.factors(user_id) - {policy.RECOVERY_CODE})


def _page(row: Flow, *, problem: str = "", status: int = 200) -> Page:
    address = f"{row.address}/passkey_offer"
    return Page("login/passkey_offer.html", status=status, parked=True, ui_locales=row.ui_locales, address=address, problem=problem)
