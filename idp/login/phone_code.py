"""Prove the number: the code from the message, five guesses, and the tick that remembers this browser; and the ladder, by which it comes.

NOTE: `answer` commits between counting the guess and looking at it. Whoever sends a hundred guesses at once gets five looked at.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from wtforms import BooleanField, StringField

from idp import clock
from idp.config import settings
from idp.credentials import one_time_code, phone_code, phone_sendings
from idp.credentials.phone_code import Transaction
from idp.db.session import session as database
from idp.errors import N_, BadInput, Gone, TooManyTries, WorkNeeded
from idp.login import browser, drafts, flow_row, passkey, passkey_offer, receipts, sending
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

DAY = 86400
RENEWED = timedelta(hours=2)  # a code that ran out within them is replaced when somebody enters it

WRONG = N_("This code is wrong. Check the message and enter it again.")
WRONG_DIGITS = N_("These digits are wrong. Enter the last six digits of the number that called.")
ALL_TRIED = N_("Too many wrong codes. Ask for a new one.")
SENT_NEW = N_("The time of this code is over. A new one has been sent.")


class CodeForm(Form):
    """One field, not six: it takes a paste."""

    code = StringField()
    remember = BooleanField(default=True)


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/phone_code`; with `?back=1` as it was left for help."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "phone_code"):
        return see_other(there)
    code = flow_row.get_code(row)
    fresh = {"code": "", "remember": not browser.is_shared(request)}
    form = CodeForm(request, ui_locales=row.ui_locales, **drafts.restored(request, row, "phone_code", fresh))
    return _dead(row, form, code, status=200) or _page(row, form, code)


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/phone_code`, `code`, `remember`: one guess."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "phone_code"):
        return see_other(there)
    form = CodeForm(request, ui_locales=row.ui_locales)
    code_id = row.phone_code_id or ""
    try:
        code = one_time_code.read_code(form.code.data or "", code_id)
        guess = phone_code.guess(code_id, row.id)
    except (BadInput, TooManyTries) as refusal:
        return form.refused("code", refusal, partial(_again, row, request, form))
    # Counted, whatever happens from here on. One that was not counted lets go of the code as well: PostgreSQL keeps a row locked that an
    # UPDATE looked at, and whoever sends the code again takes first the sign-in, then its code.
    database.commit()
    if guess is None:
        return _late(request, row, form)
    right = phone_code.judge(guess, code)
    if right is None:
        wrong = WRONG_DIGITS if guess.sent[-1] == phone_sendings.FLASH else WRONG
        form.refuse_with("code", form.translate(wrong if guess.tries_left else ALL_TRIED))
        return _again(row, request, form, status=422)
    row = flow_row.get(request, flow, lock=True)  # first the sign-in, then its code, as everywhere: two tabs never wait for each other
    if not phone_code.redeem(right):  # the same code, right twice at once: the other one signs in (case 54)
        return see_other(flows.next_address(row, request))
    onward = flows.proved_phone(row, request, right, remember=bool(form.remember.data))
    return passkey_offer.instead(row, request, onward, right.phone)


def resend(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/phone_code/resend`, `channel`: the code once more, by this channel; when its time is over, a new one.

    Pressed too early, or when nothing more is sent, it changes nothing: the page says from when, or that there is no more.
    """
    row = flow_row.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, "phone_code"):
        return see_other(there)
    code = flow_row.get_code(row)
    channel = request.form.get("channel") or code.sent[-1]
    try:
        if not code.is_open:
            usual = [way.channel for way in phone_sendings.again(code.phone, code.sent)]
            return sending.ask_for_code(row, request, code.phone, channel=channel if channel in usual else None)
        phone_code.resend(code.id, row.id, channel)
    except WorkNeeded as needed:
        return sending.await_work(row, code.phone, channel, again=code.id, hard=needed.is_hard)
    except (phone_sendings.NotOpen, Gone):  # Gone: used or guessed up in this very moment
        row.code = None
    except TooManyTries as refusal:
        form = CodeForm(request, ui_locales=row.ui_locales)
        form.remember.data = row.remember and not browser.is_shared(request)
        return form.refused("code", refusal, partial(_page, row, form, code))
    return see_other(flows.next_address(row, request))


def _late(request: Request, row: Flow, form: CodeForm) -> Answer:
    """A code was entered that takes no more guesses. When its time has just run out, a new one goes out, and the page says so."""
    row.code = None
    if not _has_run_out(flow_row.get_code(row)):
        return _again(row, request, form, status=422)
    row = flow_row.get(request, row.id, lock=True)
    code = flow_row.get_code(row)
    if not _has_run_out(code):  # another tab was quicker
        return _again(row, request, form, status=422)
    form.code.data = ""
    if clock.now() - code.expires_at > RENEWED:
        form.refuse_with("code", form.translate(WRONG))
        return _again(row, request, form, status=422)
    try:
        following = sending.ask_for_code(row, request, code.phone, channel=code.sent[-1])
    except TooManyTries as refusal:
        return form.refused("code", refusal, partial(_again, row, request, form))
    if flow_row.get_code(row).id == code.id:  # first the browser has to work for it
        return following
    form.refuse_with("code", form.translate(SENT_NEW))
    return _again(row, request, form, status=422)


def _has_run_out(code: Transaction) -> bool:
    """Whether only its time is over: it was neither used nor guessed up."""
    return code.used_at is None and code.tries_left > 0 and not code.is_open


def _again(row: Flow, request: Request, form: CodeForm, *, status: int) -> Answer:
    """The page once more, with the transaction as it is now."""
    row.code = None
    code = flow_row.get_code(row)
    if code.used_at:
        return see_other(flows.next_address(row, request))
    return (_dead(row, form, code, status=status) if not form.code.errors else None) or _page(row, form, code, status=status)


def _dead(row: Flow, form: CodeForm, code: Transaction, *, status: int) -> Page | None:
    """The page of a code that nobody can enter any more, with the reason; None while it can be."""
    if code.is_open:
        return None
    form.refuse_with("code", form.translate(ALL_TRIED if code.tries_left == 0 else one_time_code.TIME_OVER))
    return _page(row, form, code, status=status)


def _page(row: Flow, form: CodeForm, code: Transaction, *, status: int = 200) -> Page:
    # A code that is over is not sent again: the buttons then ask for a new one, and work at once.
    progress = code.progress() if code.is_open else None
    if not code.is_open:
        form.code.data = ""  # what was typed can win nothing any more, and is not shown again
    return Page(
        "login/phone_code.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        form=form,
        flow=row,
        phone=code.phone,
        channel=code.sent[-1],
        digits=code.digits,
        sent=code.sent,
        expires_at=code.expires_at,
        state=progress.state if progress else "over",
        mark=receipts.mark(code, progress),
        why=receipts.why(progress.reason) if progress else "",
        ways=progress.ways if progress else phone_sendings.again(code.phone, code.sent),
        identify_url=f"{row.address}/identify",
        remember_days=settings().login.remember_browser // DAY,
        tries_left=code.tries_left,
        about="locked" if status == TooManyTries.status or code.tries_left == 0 else "code",
        now=clock.now(),
        passkeys=passkey.is_offered(row),
    )
