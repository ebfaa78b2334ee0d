"""The other proof beside the number: a code from the e-mail of the ID, judged as every code is (`phone_code`).

NOTE: `answer` commits between counting the guess and looking at it.
"""

from __future__ import annotations

from functools import partial

from wtforms import StringField

from idp import clock, languages
from idp.credentials import one_time_code, phone_code
from idp.credentials.phone_sendings import EMAIL, NotOpen
from idp.db.session import session as database
from idp.errors import BadInput, Gone, TooManyTries
from idp.login import drafts, flow_row, further_proof
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.login.phone_code import ALL_TRIED, WRONG
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other


class EmailCodeForm(Form):
    """One field."""

    code = StringField()


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/email_code`; with `?back=1` as it was left for help."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "email_code"):
        return see_other(there)
    values = drafts.restored(request, row, "email_code", {"code": ""})
    return _page(row, EmailCodeForm(request, ui_locales=row.ui_locales, **values))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/email_code`, `code`: one guess."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "email_code"):
        return see_other(there)
    form = EmailCodeForm(request, ui_locales=row.ui_locales)
    try:
        code = one_time_code.read_code(form.code.data or "", row.email_code_id or "")
        guess = phone_code.guess(row.email_code_id or "", row.id, purpose=phone_code.FURTHER_PROOF)
    except (BadInput, TooManyTries) as refusal:
        return form.refused("code", refusal, partial(_page, row, form))
    database.commit()  # counted, whatever happens from here on; one that was not lets go of the code, as in `phone_code`
    if guess is None:
        return _page(row, form, status=422)
    right = phone_code.judge(guess, code)
    if right is None:
        form.refuse_with("code", form.translate(WRONG if guess.tries_left else ALL_TRIED))
        return _page(row, form, status=422)
    row = flow_row.get(request, flow, lock=True)
    if row.email_code_id != guess.id or flows.elsewhere(row, request, "email_code") or not phone_code.redeem(right):
        return see_other(flows.next_address(row, request))  # another tab was quicker
    return further_proof.proved(row, request)


def resend(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/email_code/resend`: the same code once more; when its time is over, a new one."""
    row = flow_row.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, "email_code"):
        return see_other(there)
    user, sent = further_proof.doubted(row), further_proof.email_code_of(row)
    address = further_proof.address_of(row, user)
    try:
        if address is None or sent is None or not sent.is_open:
            return further_proof.ask(row, request) if address else see_other(f"{row.address}/further_proof")
        phone_code.resend(sent.id, row.id, EMAIL)
    except (NotOpen, Gone):  # too early, or no more: the page says from when
        pass
    except TooManyTries as refusal:
        form = EmailCodeForm(request, ui_locales=row.ui_locales)
        return form.refused("code", refusal, partial(_page, row, form))
    return see_other(flows.next_address(row, request))


def _page(row: Flow, form: EmailCodeForm, *, status: int = 200) -> Page:
    user, sent, now = further_proof.doubted(row), further_proof.email_code_of(row), clock.now()
    if sent is None:
        raise Gone(flow_row.OVER, detail=f"{row.id} has no code by e-mail")
    if not sent.is_open:
        form.code.data = ""  # what was typed can win nothing any more, and is not shown again
        if not form.code.errors:
            form.refuse_with("code", form.translate(ALL_TRIED if sent.tries_left == 0 else one_time_code.TIME_OVER))
    return Page(
        "login/email_code.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        form=form,
        flow=row,
        email=languages.mask_email(user.email or ""),
        sent=sent,
        # A code that is over is not sent again: the button then asks for a new one, and works at once.
        resend_at=next((way.at for way in sent.progress().ways), None) if sent.is_open else now,
        about="locked" if status == TooManyTries.status or sent.tries_left == 0 else "code",
        now=now,
    )
