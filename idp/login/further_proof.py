"""Is this you? The number alone does not open its ID: a code to the e-mail address of that ID does, or a fresh ID begins with the number.

Whoever stands here has the number, and perhaps nothing else to do with the ID: nothing of it is shown but a masked address.
"""

from __future__ import annotations

from idp import clock, languages
from idp.credentials import phone_code
from idp.credentials.phone_code import Transaction
from idp.directory import numbers, users
from idp.directory.tables import User
from idp.errors import Gone, TooManyTries
from idp.login import flow as flows
from idp.login.flow import Flow
from idp.login.policy import EMAIL_CODE, PHONE_CODE, Proved
from idp.messages.channels import is_carried
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/further_proof`."""
    row = flows.get(request, flow)
    if there := flows.elsewhere(row, request, "further_proof"):
        return see_other(there)
    return _page(row, doubted(row))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/further_proof`, `answer`: `email` (send a code there) or `anew` (begin a fresh ID)."""
    row = flows.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, "further_proof"):
        return see_other(there)
    user, wanted = doubted(row), request.form.get("answer")
    if wanted == "email" and address_of(user):
        try:
            return ask(row, request)
        except TooManyTries as refusal:
            form = Form(request, ui_locales=row.ui_locales)
            return form.wait(_page(row, user, problem=form.explain(refusal), status=429), refusal)
    if wanted == "anew" and may_begin_anew(user):
        return _begin_anew(row, request)
    return _page(row, user, status=422)


def ask(row: Flow, request: Request) -> Answer:
    """Send a code to the address; while the last one can still be entered, nothing is sent. Raises TooManyTries."""
    sent = email_code_of(row)
    if sent is None or not sent.is_open:
        sent = phone_code.begin(
            flows.get_code(row).phone,
            flow_id=row.id,
            purpose=phone_code.FURTHER_PROOF,
            language=language_of(request, row.ui_locales),
            network=request.network,
        )
    flows.write(row, email_code_id=sent.id, anew_at=None)
    return see_other(flows.next_address(row, request))


def email_code_of(row: Flow) -> Transaction | None:
    """The code that went to the address last, dead or alive."""
    return phone_code.find(row.email_code_id, row.id) if row.email_code_id else None


def proved(row: Flow, request: Request) -> Answer:
    """The code from the e-mail was right and is used up: number and ID belong together."""
    user, code, sent = doubted(row, alone=True), flows.get_code(row), email_code_of(row)
    if sent is None or user.email_verified_at is None or user.email_verified_at > sent.created_at:  # it was sent to a former address
        flows.write(row, email_code_id=None)
        return see_other(flows.next_address(row, request))
    numbers.believe(user.id, code.phone)
    amr = tuple(dict.fromkeys((phone_code.AMR[code.channel], phone_code.AMR["email"])))
    by_both = Proved(PHONE_CODE, "code", amr, clock.now(), also=(EMAIL_CODE,))
    return flows.finish(row, request, users.get(user.id), by_both, remember=row.remember)


def _begin_anew(row: Flow, request: Request) -> Answer:
    """Whoever has the number says that the ID is not theirs: a fresh one begins with it, once they gave a name. Raises Forbidden."""
    flows.require_welcome(row, None)
    flows.write(row, anew_at=clock.now())
    return see_other(flows.next_address(row, request))


def doubted(row: Flow, *, alone: bool = False) -> User:
    """The ID that the proved number alone does not open, `alone` as in `users.get`. Raises Gone when it has another number or none by now:
    another tab was first.
    """
    user = users.get(row.doubted_user_id or "", alone=alone)
    if user.phone != flows.get_code(row).phone:
        refusal = Gone(flows.OVER, detail=f"the number of {row.id} went to another ID meanwhile")
        refusal.shown["restart_url"] = row.return_to
        raise refusal
    return user


def address_of(user: User) -> str | None:
    """The address that a code can be sent to: verified, and mail goes out."""
    return user.email if user.email_verified_at is not None and is_carried("email") else None


def may_begin_anew(user: User) -> bool:
    """Whether the number may begin a fresh ID: only where it is the number that is doubted, not where more is asked of its owner."""
    return user.phone_doubted_at is not None


def _page(row: Flow, user: User, *, problem: str = "", status: int = 200) -> Page:
    address = address_of(user)
    return Page(
        "login/further_proof.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        email=languages.mask_email(address) if address else None,
        anew=may_begin_anew(user),
        problem=problem,
        identify_url=f"{row.address}/identify",
    )
