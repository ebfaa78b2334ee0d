"""A lost phone, proved by what was read in the e-mail of the ID and by one of its recovery codes: first the one, then the other.

NOTE: whoever typed an ID may be anybody. Whether a mail went out is never told; only who reads it gets as far as the recovery code.
NOTE: both answers commit between counting the guess and looking at it; the recovery code's hash is made between two units, in a place of
`password_hashing`.
"""

from __future__ import annotations

from functools import partial

from wtforms import StringField

from idp import clock, crypto, limits
from idp.credentials import email_code, one_time_code, password_hashing, recoveries, recovery_codes
from idp.credentials.email_code import Sent
from idp.credentials.one_time_code import TIME_OVER
from idp.credentials.password_hashing import Busy
from idp.credentials.recoveries import Case
from idp.db.session import places, reads, writes
from idp.db.session import session as database
from idp.directory import users
from idp.errors import N_, BadInput, Conflict, Gone, Refusal, TooManyTries
from idp.login.flow_row import Flow
from idp.login.phone_code import ALL_TRIED, WRONG
from idp.login.recover_order import due, elsewhere, opened
from idp.messages.channels import is_carried
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of

MAILS = 5  # a day for one ID, as it was typed: the same for one that nobody has
DAY = 86400

NOT_RIGHT = N_("This recovery code is wrong, or was used already.")
HAS_NONE = N_("This ID has no recovery codes. Choose another way.")


class EmailForm(Form):
    """One field: the code from the mail, then a recovery code."""

    code = StringField()


def ask(row: Flow, request: Request, case: Case) -> Answer:
    """Send a code to the address of the ID, if it has one, and lead to where it is entered. While the last one can still be entered,
    nothing is sent. Raises TooManyTries.
    """
    sent = _sent(row, case)
    if case.email_proved_at is None and (sent is None or not sent.is_open):
        recoveries.note(case, email_code_id=_send(row, request, case).id)
    return see_other(f"{row.address}/recover/email")


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/recover/email`."""
    row, case = opened(request, flow)
    if there := _elsewhere(row, case):
        return see_other(there)
    return _page(row, case, EmailForm(request, ui_locales=row.ui_locales))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/recover/email`, `code`: one guess at the code from the mail; once that was right, at the recovery codes.
    Outside of any unit.
    """
    with places(), writes():
        row, case = opened(request, flow)
        if there := _elsewhere(row, case):
            return see_other(there)
        if case.email_proved_at is None:
            form = EmailForm(request, ui_locales=row.ui_locales)
            try:
                return _guess_mail_code(request, row, case, form)
            except (BadInput, TooManyTries) as refusal:
                return _refused(row, case, form, refusal)
    try:
        with password_hashing.place():
            return _guess_recovery_code(request, flow)
    except Busy as busy:
        with places(), reads():
            return _refused(row, case, EmailForm(request, ui_locales=row.ui_locales), busy)


def resend(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/recover/email/resend`: a new code, once the pause is over."""
    row, case = opened(request, flow, lock=True)
    if there := _elsewhere(row, case):
        return see_other(there)
    sent = _sent(row, case)
    if case.email_proved_at is None and (sent is None or not sent.is_open or sent.next_send_at <= clock.now()):
        try:
            recoveries.note(case, email_code_id=_send(row, request, case).id)
        except TooManyTries as refusal:
            form = EmailForm(request, ui_locales=row.ui_locales)
            return form.refused("code", refusal, partial(_page, row, case, form))
    return see_other(f"{row.address}/recover/email")


def _guess_mail_code(request: Request, row: Flow, case: Case, form: EmailForm) -> Answer:
    code_id = case.email_code_id or ""
    code = one_time_code.read_code(form.code.data or "", code_id)
    try:
        guess = email_code.guess(code_id, row.id, purpose=recoveries.MAIL)
    except TooManyTries:
        # NOTE: what is counted against an address would tell whose it is, were it told to who typed a number.
        if "@" in case.who:
            raise
        form.refuse_with("code", form.translate(WRONG))
        return _page(row, case, form, status=422)
    database.commit()  # counted, whatever happens from here on
    if guess is None or not email_code.judge(guess, code):
        if guess is not None:
            form.refuse_with("code", form.translate(WRONG if guess.tries_left else ALL_TRIED))
        return _page(row, case, form, status=422)
    row, case = opened(request, row.id, lock=True)
    if case.email_code_id == guess.id and _is_theirs(case, guess.address) and email_code.redeem(guess):
        recoveries.note(case, email_proved_at=clock.now())
    return see_other(f"{row.address}/recover/email")


def _guess_recovery_code(request: Request, flow: str) -> Answer:
    with places(), writes():  # counted at its end, whatever happens from there on
        row, case = opened(request, flow)
        if (there := _elsewhere(row, case)) or case.email_proved_at is None:
            return see_other(there or f"{row.address}/recover/email")
        form = EmailForm(request, ui_locales=row.ui_locales)
        try:
            code = recovery_codes.read_code(form.code.data or "")
            guess = recovery_codes.guess(case.user_id or "", for_id=row.id)
        except (BadInput, TooManyTries) as refusal:
            return _refused(row, case, form, refusal)
        if guess is None:
            form.refuse_with("code", form.translate(HAS_NONE))
            return _page(row, case, form, status=422)
    digest, of = recovery_codes.digest(guess, code), case.id
    with places(), writes():
        row, case = opened(request, flow, lock=True)
        # Another tab was quicker; perhaps it has begun with another ID, which this code must not prove.
        if case.id != of or case.state != recoveries.DRAFT:
            return see_other(due(row, case))
        try:
            recoveries.require_may_begin(case)  # told before a code is used up for nothing
        except (Conflict, TooManyTries) as refusal:
            return _refused(row, case, form, refusal)
        if recovery_codes.redeem(guess, digest) is None:
            form.refuse_with("code", form.translate(NOT_RIGHT))
            return _page(row, case, form, status=422)
        recoveries.begin(case, recoveries.EMAIL)
        return see_other(due(row, recoveries.get(case.id)))


def _send(row: Flow, request: Request, case: Case) -> Sent:
    """A mail to the address of the ID, or to nobody; the same work. Raises TooManyTries.

    NOTE: it goes to the stored address, never to what was typed (case 98). What is counted against that address alone is never told to who
    typed a number: then nothing goes out, and it looks as if nobody had the ID.
    """
    limits.spend("recovery_mail", case.who, limit=MAILS, window_seconds=DAY)
    user = users.find(case.user_id or "")
    address = user.email if user is not None and user.email_verified_at is not None and is_carried("email") else None
    nobody = case.who if "@" in case.who else f"{crypto.derive('recovery nobody', case.who).hex()[:32]}@nobody.invalid"
    how = {"for_id": row.id, "purpose": recoveries.MAIL, "language": language_of(request, row.ui_locales), "network": request.network}
    try:
        return email_code.begin(address or nobody, send=address is not None, **how)
    except TooManyTries:
        if "@" in case.who:
            raise
        return email_code.begin(nobody, send=False, **how)


def _is_theirs(case: Case, address: str) -> bool:
    """Whether it still is the address of the ID."""
    user = users.find(case.user_id or "")
    return user is not None and user.email == address and user.email_verified_at is not None


def _sent(row: Flow, case: Case) -> Sent | None:
    return email_code.find(case.email_code_id, row.id) if case.email_code_id else None


def _elsewhere(row: Flow, case: Case) -> str | None:
    there = elsewhere(row, case, "email")
    return there or (None if case.email_code_id else due(row, case))


def _refused(row: Flow, case: Case, form: EmailForm, refusal: Refusal) -> Answer:
    form.refuse("code", refusal)
    page = _page(row, case, form, status=422 if isinstance(refusal, BadInput) else refusal.status)
    return form.wait(page, refusal) if isinstance(refusal, TooManyTries) else page


def _page(row: Flow, case: Case, form: EmailForm, *, status: int = 200) -> Page:
    sent, now = _sent(row, case), clock.now()
    if sent is None:
        raise Gone(recoveries.OVER)
    if case.email_proved_at is None and not sent.is_open:
        form.code.data = ""
        if not form.code.errors:
            form.refuse_with("code", form.translate(ALL_TRIED if sent.tries_left == 0 else TIME_OVER))
    return Page(
        "login/recover_email.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        form=form,
        sent=sent,
        is_proved=case.email_proved_at is not None,
        example=recovery_codes.EXAMPLE,
        resend_at=sent.next_send_at if sent.is_open else now,
        now=now,
    )
