"""A lost phone: which ID, and which new number. A code proves the new number; what comes then says `recover_order`.

NOTE: what was typed is looked up, and nothing shows whether anybody has it (case 70, goal G-7).
"""

from __future__ import annotations

from functools import partial

from wtforms import StringField, TelField

from idp import clock
from idp.credentials import one_time_code, phone_code, recoveries
from idp.credentials.phone import read_number
from idp.credentials.phone_code import Transaction
from idp.credentials.phone_sendings import EMAIL, NotOpen, again
from idp.credentials.recoveries import Case
from idp.db.session import session as database
from idp.directory import users
from idp.directory.names import canonical_email
from idp.errors import N_, BadInput, Gone, TooManyTries
from idp.login import flow_row
from idp.login.flow_row import Flow
from idp.login.phone_code import ALL_TRIED, WRONG
from idp.login.recover_order import due, elsewhere, opened
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of

NOT_WHO = N_("Enter the number or the e-mail address of your ID.")
THE_SAME = N_("This is the number that the ID has. Enter the new one.")
HAS_AN_ID = N_("This number opens an ID already. Sign in with it, or enter another number.")


class RecoverForm(Form):
    """What was typed stays as it was typed."""

    login = StringField()
    phone = TelField()


class CodeForm(Form):
    """One field."""

    code = StringField()


# ---------------------------------------------------------------- which ID, which number


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/recover`."""
    row = flow_row.get(request, flow)
    case = recoveries.of_flow(row.id)
    typed = {"login": case.who, "phone": case.phone} if case is not None and case.is_open else {"login": "", "phone": ""}
    return _page(row, RecoverForm(request, ui_locales=row.ui_locales, **typed))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/recover`, `login`, `phone`: a code goes out to the new number."""
    row = flow_row.get(request, flow, lock=True)
    form = RecoverForm(request, ui_locales=row.ui_locales)
    who = _read(form, "login", _who)
    phone = _read(form, "phone", read_number)
    if who and who == phone:
        form.refuse_with("phone", form.translate(THE_SAME))
    if form.errors or form.login.errors or form.phone.errors:
        return _page(row, form, status=422)
    former = recoveries.of_flow(row.id)
    try:
        sent = _open_code(row, former, phone) or _send(row, request, phone)
    except TooManyTries as refusal:
        return form.refused("phone", refusal, partial(_page, row, form))
    case = recoveries.open_for(row.id, who, phone, phone_code_id=sent.id)
    if sent.used_at is not None:
        recoveries.note(case, phone_proved_at=clock.now())
    return see_other(due(row, recoveries.get(case.id)))


def _open_code(row: Flow, former: Case | None, phone: str) -> Transaction | None:
    """The code that was sent to the same number a moment ago, if it can still be entered, or was: whoever corrects the other field needs no
    new one, and gets no new guesses.
    """
    if former is None or former.phone != phone or former.state != recoveries.DRAFT:
        return None
    sent = phone_code.find(former.phone_code_id or "", row.id)
    return sent if sent is not None and (sent.is_open or (sent.used_at is not None and former.phone_proved_at is not None)) else None


def _send(row: Flow, request: Request, phone: str) -> Transaction:
    """A code to the new number. Raises TooManyTries."""
    how = {"language": language_of(request, row.ui_locales), "network": request.network}
    return phone_code.begin(phone, flow_id=row.id, purpose=recoveries.NEW_PHONE, **how)


def _who(text: str) -> str:
    """The number (E.164) or the address (in the form in which two are the same) of an ID, whosoever."""
    if not text.strip():
        raise BadInput(NOT_WHO)
    return canonical_email(text) if "@" in text else read_number(text)


def _read(form: RecoverForm, name: str, rule: object) -> str:
    try:
        return str(rule(form[name].data or ""))  # type: ignore[operator] # one of two rules
    except BadInput as refusal:
        form.refuse(name, refusal)
        return ""


def _page(row: Flow, form: RecoverForm, *, status: int = 200) -> Page:
    return Page("login/recover.html", status=status, parked=True, ui_locales=row.ui_locales, flow=row, form=form)


# ---------------------------------------------------------------- the new number


def show_code(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/recover/code`."""
    row, case = opened(request, flow)
    if there := elsewhere(row, case, "code"):
        return see_other(there)
    return _code_page(row, case, CodeForm(request, ui_locales=row.ui_locales))


def answer_code(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/recover/code`, `code`: one guess, as for any code."""
    row, case = opened(request, flow)
    if there := elsewhere(row, case, "code"):
        return see_other(there)
    form, code_id = CodeForm(request, ui_locales=row.ui_locales), case.phone_code_id or ""
    try:
        code = one_time_code.read_code(form.code.data or "", code_id)
        guess = phone_code.guess(code_id, row.id, purpose=recoveries.NEW_PHONE)
    except (BadInput, TooManyTries) as refusal:
        return form.refused("code", refusal, partial(_code_page, row, case, form))
    database.commit()  # counted, whatever happens from here on
    right = phone_code.judge(guess, code) if guess is not None else None
    if guess is None or right is None or right.channel == EMAIL:
        if guess is not None:
            form.refuse_with("code", form.translate(WRONG if guess.tries_left else ALL_TRIED))
        return _code_page(row, case, form, status=422)
    row, case = opened(request, flow, lock=True)
    if case.phone_code_id != guess.id or not phone_code.redeem(right):
        return see_other(due(row, case))  # another tab was quicker
    if users.find_by_phone(case.phone) is not None:
        again = RecoverForm(request, ui_locales=row.ui_locales)
        again.login.data, again.phone.data = case.who, case.phone
        again.refuse_with("phone", again.translate(HAS_AN_ID))
        return _page(row, again, status=422)
    recoveries.note(case, phone_proved_at=clock.now())
    return see_other(due(row, recoveries.get(case.id)))


def resend(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/recover/code/resend`, `channel`: the code once more; when its time is over, a new one. Never by mail: that proves
    no number.
    """
    row, case = opened(request, flow, lock=True)
    sent = phone_code.find(case.phone_code_id or "", row.id)
    if (there := elsewhere(row, case, "code")) or sent is None:
        return see_other(there or due(row, case))
    channel = request.form.get("channel") or sent.sent[-1]
    try:
        if not sent.is_open:
            recoveries.note(case, phone_code_id=_send(row, request, case.phone).id)
        elif channel != EMAIL:
            phone_code.resend(sent.id, row.id, channel)
    except (NotOpen, Gone):  # too early, or no more: the page says from when
        pass
    except TooManyTries as refusal:
        form = CodeForm(request, ui_locales=row.ui_locales)
        return form.refused("code", refusal, partial(_code_page, row, case, form))
    return see_other(due(row, recoveries.get(case.id)))


def _code_page(row: Flow, case: Case, form: CodeForm, *, status: int = 200) -> Page:
    sent = phone_code.find(case.phone_code_id or "", row.id)
    if sent is None:
        raise Gone(recoveries.OVER)
    if not sent.is_open:
        form.code.data = ""
        if not form.code.errors:
            form.refuse_with("code", form.translate(ALL_TRIED if sent.tries_left == 0 else one_time_code.TIME_OVER))
    ways = sent.progress().ways if sent.is_open else again(case.phone, sent.sent)
    return Page(
        "login/recover_code.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        form=form,
        sent=sent,
        ways=[way for way in ways if way.channel != EMAIL],
        now=clock.now(),
    )
