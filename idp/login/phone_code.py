"""Prove the number: the code from the message, five guesses, and the tick that remembers this browser.

NOTE: `answer` commits between counting the guess and looking at it. Whoever sends a hundred guesses at once gets five looked at.
"""

from __future__ import annotations

from wtforms import BooleanField, StringField

from idp import clock
from idp.config import settings
from idp.credentials import phone_code
from idp.credentials.phone_code import Transaction
from idp.db.session import session as database
from idp.errors import N_, BadInput, Gone, TooManyTries, WorkNeeded
from idp.login import browser
from idp.login import flow as flows
from idp.login.flow import Flow
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

DAY = 86400

WRONG = N_("This code is wrong. Check the message and enter it again.")
ALL_TRIED = N_("Too many wrong codes. Ask for a new one.")


class CodeForm(Form):
    """One field, not six: it takes a paste."""

    code = StringField()
    remember = BooleanField(default=True)


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/phone_code`."""
    row = flows.get(request, flow)
    if there := flows.elsewhere(row, request, "phone_code"):
        return see_other(there)
    code = flows.get_code(row)
    form = CodeForm(request, ui_locales=row.ui_locales, remember=not browser.is_shared(request))
    return _dead(row, form, code, status=200) or _page(row, form, code)


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/phone_code`, `code`, `remember`: one guess."""
    row = flows.get(request, flow)
    if there := flows.elsewhere(row, request, "phone_code"):
        return see_other(there)
    form = CodeForm(request, ui_locales=row.ui_locales)
    code_id = row.phone_code_id or ""
    try:
        code = phone_code.read_code(form.code.data or "")
        guess = phone_code.guess(code_id, row.id)
    except BadInput as refusal:
        form.refuse("code", refusal)
        return _again(row, request, form, status=422)
    except TooManyTries as refusal:
        form.refuse("code", refusal)
        return form.wait(_again(row, request, form, status=429), refusal)
    if guess is None:
        return _again(row, request, form, status=422)
    database.commit()  # counted, whatever happens from here on
    if not phone_code.judge(guess, code):
        form.refuse_with("code", form.translate(WRONG if guess.tries_left else ALL_TRIED))
        return _again(row, request, form, status=422)
    row = flows.get(request, flow, lock=True)  # first the sign-in, then its code, as everywhere: two tabs never wait for each other
    if not phone_code.redeem(guess):  # the same code, right twice at once: the other one signs in (case 54)
        return see_other(flows.next_address(row, request))
    return flows.proved_phone(row, request, guess, remember=bool(form.remember.data))


def resend(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/phone_code/resend`: the same code once more; when its time is over, a new one."""
    row = flows.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, "phone_code"):
        return see_other(there)
    code = flows.get_code(row)
    try:
        if not code.is_open:
            return flows.ask_for_code(row, request, code.phone)
        if code.resend_at is not None and code.resend_at <= clock.now():
            phone_code.resend(code.id, row.id)
    except WorkNeeded:
        return flows.await_work(row, code.phone, again=code.id)
    except (Gone, TooManyTries) as refusal:
        form = CodeForm(request, ui_locales=row.ui_locales)
        form.remember.data = row.remember and not browser.is_shared(request)
        form.refuse("code", refusal)
        page = _page(row, form, code, status=429)
        return form.wait(page, refusal) if isinstance(refusal, TooManyTries) else page
    return see_other(flows.next_address(row, request))


def _again(row: Flow, request: Request, form: CodeForm, *, status: int) -> Answer:
    """The page once more, with the transaction as it is now."""
    row.code = None
    code = flows.get_code(row)
    if code.used_at:
        return see_other(flows.next_address(row, request))
    return (_dead(row, form, code, status=status) if not form.code.errors else None) or _page(row, form, code, status=status)


def _dead(row: Flow, form: CodeForm, code: Transaction, *, status: int) -> Page | None:
    """The page of a code that nobody can enter any more, with the reason; None while it can be."""
    if code.is_open:
        return None
    form.refuse_with("code", form.translate(ALL_TRIED if code.tries_left == 0 else phone_code.TIME_OVER))
    return _page(row, form, code, status=status)


def _page(row: Flow, form: CodeForm, code: Transaction, *, status: int = 200) -> Page:
    now = clock.now()
    # A code that is over is not sent again: the button then asks for a new one, and works at once.
    resend_at = code.resend_at if code.is_open else now
    return Page(
        "login/phone_code.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        form=form,
        flow=row,
        phone=code.phone,
        channel=code.channel,
        expires_at=code.expires_at,
        resend_at=resend_at,
        resends=["sms"] if resend_at else [],
        identify_url=f"{row.address}/identify",
        remember_days=settings().login.remember_browser // DAY,
        tries_left=code.tries_left,
        now=now,
    )
