"""The pages of a forgotten password, over the rules of `password_reset`: whose (`/reset`), the code (`/reset/code`), the new one twice
(`/reset/password`). They may be opened wherever the page of the password may.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from wtforms import PasswordField, StringField

from idp import clock, languages
from idp.credentials import email_code, one_time_code, password, password_hashing, phone_code
from idp.credentials.password import Owner
from idp.credentials.password_hashing import Busy
from idp.credentials.phone_sendings import NotOpen
from idp.db.session import places, reads, writes
from idp.db.session import session as database
from idp.directory import accounts, users
from idp.directory.accounts import Standing
from idp.errors import N_, BadInput, Gone, TooManyTries
from idp.login import drafts, flow_row, password_reset
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.login.password_reset import PURPOSE, Reset
from idp.login.phone_code import ALL_TRIED, WRONG
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

NO_PASSWORD = N_("There is no password to set anew for this login. Sign in with phone and code.")
NOT_BY_NUMBER = N_("This number alone does not set a password anew. Sign in with phone and code: more is asked for there.")


class LoginForm(Form):
    """What was typed stays as it was typed."""

    login = StringField()


class CodeForm(Form):
    """One field."""

    code = StringField()


class NewPasswordForm(Form):
    """Twice, and never shown again."""

    password = PasswordField()
    password_again = PasswordField()


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/reset`; with `?back=1` as it was left for help."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "password"):
        return see_other(there)
    fresh = {"login": row.demand.login_hint[:200]}
    return _login_page(row, LoginForm(request, ui_locales=row.ui_locales, **drafts.restored(request, row, "reset", fresh)))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/reset`, `login`: a code goes out, if there is such a password; the page after it is the same if not."""
    row = flow_row.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, "password"):
        return see_other(there)
    form = LoginForm(request, ui_locales=row.ui_locales)
    try:
        password_reset.begin(row, request, password.read_login(form.login.data or ""))
    except (BadInput, TooManyTries) as refusal:
        return form.refused("login", refusal, partial(_login_page, row, form))
    return see_other(f"{row.address}/reset/code")


def show_code(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/reset/code`."""
    row = flow_row.get(request, flow)
    reset = _open(row, request)
    if reset is None or reset.proved_at is not None:
        return see_other(_next(row, request, reset))
    return _code_page(row, reset, CodeForm(request, ui_locales=row.ui_locales))


def answer_code(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/reset/code`, `code`: one guess."""
    row = flow_row.get(request, flow)
    reset = _open(row, request)
    if reset is None or reset.proved_at is not None:
        return see_other(_next(row, request, reset))
    form = CodeForm(request, ui_locales=row.ui_locales)
    by = phone_code if reset.login.is_phone else email_code
    try:
        code = one_time_code.read_code(form.code.data or "", reset.code_id)
        guess = by.guess(reset.code_id, row.id, purpose=PURPOSE)
    except (BadInput, TooManyTries) as refusal:
        return form.refused("code", refusal, partial(_code_page, row, reset, form))
    database.commit()  # counted, whatever happens from here on
    right = by.judge(guess, code) if guess is not None else None
    if guess is None or not right:
        if guess is not None:
            form.refuse_with("code", form.translate(WRONG if guess.tries_left else ALL_TRIED))
        return _code_page(row, reset, form, status=422)
    row = flow_row.get(request, flow, lock=True)
    now = password_reset.find(row)
    used = guess if right is True else right
    if now is None or now.code_id != reset.code_id or flows.elsewhere(row, request, "password") or not by.redeem(used):
        return see_other(_next(row, request, now))  # another tab was quicker
    password_reset.proved(row)
    return see_other(f"{row.address}/reset/password")


def resend(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/reset/code/resend`: the same code once more; when its time is over, a new one."""
    row = flow_row.get(request, flow, lock=True)
    reset = _open(row, request)
    if reset is None or reset.proved_at is not None:
        return see_other(_next(row, request, reset))
    code = password_reset.code_of(row, reset)
    try:
        if code is None or not code.is_open:
            password_reset.begin(row, request, reset.login)
        else:
            password_reset.resend(row, reset)
    except (NotOpen, Gone):  # too early, or no more: the page says from when
        pass
    except TooManyTries as refusal:
        form = CodeForm(request, ui_locales=row.ui_locales)
        return form.refused("code", refusal, partial(_code_page, row, reset, form))
    return see_other(f"{row.address}/reset/code")


def show_password(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/reset/password`."""
    row = flow_row.get(request, flow)
    reset = _open(row, request)
    if reset is None or reset.proved_at is None:
        return see_other(_next(row, request, reset))
    return _password_page(row, reset, NewPasswordForm(request, ui_locales=row.ui_locales))


def set_password(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/reset/password`, `password`, `password_again`: the new one. Outside of any unit."""
    try:
        with password_hashing.place():
            return _set(request, flow)
    except Busy as busy:
        with places(), reads():
            row = flow_row.get(request, flow)
            reset, form = _open(row, request), NewPasswordForm(request, ui_locales=row.ui_locales)
            if reset is None:
                return see_other(_next(row, request, reset))
            form.refuse("password", busy)
            return form.wait(_password_page(row, reset, form, status=429), busy)


def _set(request: Request, flow: str) -> Answer:
    with places(), writes():
        row = flow_row.get(request, flow)
        reset = _open(row, request)
        if reset is None or reset.proved_at is None:
            return see_other(_next(row, request, reset))
        owner = password_reset.owner_of(reset)
        form = NewPasswordForm(request, ui_locales=row.ui_locales)
        typed = form.password.data or ""
        try:
            if owner is not None:
                password.require_good(typed, own=own_words(owner))
        except BadInput as refusal:
            form.refuse("password", refusal)
        if typed != (form.password_again.data or ""):
            form.refuse_with("password_again", form.translate(password.DIFFERENT))
        if owner is None or form.errors:
            return _password_page(row, reset, form, status=422)
    digest = password_hashing.make(typed)
    with places(), writes():
        row = flow_row.get(request, flow, lock=True)
        reset = _open(row, request)
        if reset is None or not password_reset.finish(row, request, reset, owner, digest):
            return see_other(_next(row, request, reset))
        return see_other(f"{row.address}/password")


def own_words(owner: Owner) -> list[str | None]:
    """What everybody knows of the person: no password."""
    user = users.find(owner.user_id) if owner.user_id else None
    return [owner.address, *((user.name, user.family_name, user.given_name, user.phone, user.email) if user else ())]


def _open(row: Flow, request: Request) -> Reset | None:
    """The reset of this sign-in, while it may go on."""
    reset = password_reset.find(row)
    return None if reset is None or reset.done_at is not None or flows.elsewhere(row, request, "password") else reset


def _next(row: Flow, request: Request, reset: Reset | None) -> str:
    """Where a page leads whose turn it is not."""
    if there := flows.elsewhere(row, request, "password"):
        return there
    if reset is None or reset.done_at is not None:
        return f"{row.address}/password" if password_reset.done_for(row) else f"{row.address}/reset"
    return f"{row.address}/reset/{'code' if reset.proved_at is None else 'password'}"


def _login_page(row: Flow, form: LoginForm, *, status: int = 200) -> Page:
    about = "locked" if status == TooManyTries.status else "password"
    return _page("login/reset.html", row, form, status, about=about)


def _code_page(row: Flow, reset: Reset, form: CodeForm, *, status: int = 200) -> Page:
    code, now = password_reset.code_of(row, reset), clock.now()
    if code is None:
        raise Gone(flow_row.OVER, detail=f"{row.id} has no code for a new password")
    if not code.is_open:
        form.code.data = ""
        if not form.code.errors:
            form.refuse_with("code", form.translate(ALL_TRIED if code.tries_left == 0 else one_time_code.TIME_OVER))
    resend_at = now if not code.is_open else code.next_send_at if code.has_sendings_left else None
    login = languages.mask_phone(reset.login.canonical) if reset.login.is_phone else reset.login.canonical
    about = "locked" if status == TooManyTries.status else "code"
    return _page(
        "login/reset_code.html",
        row,
        form,
        status,
        about=about,
        code=code,
        login=login,
        resend_at=resend_at,
        now=now,
        is_phone=reset.login.is_phone,
    )


def _password_page(row: Flow, reset: Reset, form: NewPasswordForm, *, status: int = 200) -> Page:
    owner = password_reset.owner_of(reset)
    why = ""
    if owner is None:
        why = form.translate(NOT_BY_NUMBER if reset.login.is_phone and reset.owner_id else NO_PASSWORD)
    behind = password.behind(owner, reset.login) if owner else None
    whose = {"account": _account(owner), "behind": _account(behind)}
    return _page(
        "login/reset_password.html", row, form, status, why=why, username=owner.address if owner else "", about="password", **whose
    )


def _account(owner: Owner | None) -> Standing | None:
    """The account whose password it is; None: nobody's, or the ID's."""
    return accounts.standing(owner.account_id) if owner is not None and owner.account_id else None


def _page(template: str, row: Flow, form: Form, status: int, **more: Any) -> Page:
    more |= {"password_url": f"{row.address}/password", "reset_url": f"{row.address}/reset", "identify_url": f"{row.address}/identify"}
    return Page(template, status=status, parked=True, ui_locales=row.ui_locales, form=form, flow=row, **more)
