"""Sign in with an e-mail address or a phone number and a password, or prove the password beside something else (`product.md` §5).

Whatever is wrong, one sentence says it, after the same work: unknown, without a password, a wrong one (case 96, goal G-7). What a login
may be guessed at is counted in SQL before the password is looked at; a browser that knows the person counts apart (`password_limits`).

    what was typed -> a place in the line -> counted, committed -> compared, outside of any unit -> the sign-in, in a unit of its own

A person's address and number were shown to be theirs before they could be a login. An account's login e-mail may not have been: then a code
goes there first (`password_address`). An account that is linked to nobody leads on to phone and code, and `link` asks to which ID.
"""

from __future__ import annotations

from dataclasses import dataclass

from wtforms import BooleanField, PasswordField, StringField

from idp import events
from idp.config import settings
from idp.credentials import password, password_hashing, password_limits, trusted_device
from idp.credentials.password import Login, Owner
from idp.credentials.password_hashing import Busy
from idp.db.session import places, reads, writes
from idp.directory import users
from idp.errors import N_, BadInput, Refusal, TooManyTries
from idp.login import browser, drafts, flow_row, password_address, policy
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.login.password_reset import done_for
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

DAY = 86400

WRONG = N_("The e-mail, the number or the password is wrong. Capitals and spaces matter.")
WRONG_PASSWORD = N_("This password is wrong. Capitals and spaces matter.")
BY_PHONE_ONLY = N_(
    "This password was set by a code to your number. Beside such a code it does not count for three days: prove something else."
)
EMPTY = N_("Enter the password.")


class PasswordForm(Form):
    """The login stays as it was typed; a password is never shown again. Beside another proof only the password is asked for."""

    login = StringField()
    password = PasswordField()
    remember = BooleanField(default=True)


@dataclass(frozen=True, slots=True)
class Try:
    """What was typed: with which digests it is compared (owner, digest), and under what it is counted."""

    candidates: list[tuple[str, str | None]]
    subject: str
    is_known: bool
    login: Login | None
    owner: Owner | None
    user_id: str | None


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/password`; with `?back=1` as it was left for help."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "password"):
        return see_other(there)
    fresh = {"login": row.demand.login_hint[:200], "remember": not browser.is_shared(request)}
    return _page(row, PasswordForm(request, ui_locales=row.ui_locales, **drafts.restored(request, row, "password", fresh)))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/password`, `login`, `password`, `remember`: one guess. Outside of any unit."""
    try:
        with password_hashing.place():
            return _guess(request, flow)
    except Busy as busy:
        with places(), reads():
            row = flow_row.get(request, flow)
            form = PasswordForm(request, ui_locales=row.ui_locales)
            form.refuse("password", busy)
            return form.wait(_page(row, form, status=429), busy)


def _guess(request: Request, flow: str) -> Answer:
    with places(), reads():  # whoever is refused asks nothing of the database's writer: a flood would hold up everybody else's
        row = flow_row.get(request, flow)
        if there := flows.elsewhere(row, request, "password"):
            return see_other(there)
        form = PasswordForm(request, ui_locales=row.ui_locales)
        typed = form.password.data or ""
        try:
            tried = _read(row, request, form)
        except BadInput as refusal:
            return _page(row, form, status=422) if form.errors else _refused(row, form, refusal)
        except TooManyTries as refusal:
            return _wait(row, form, refusal)
    try:
        with places(), writes():
            mark = password_limits.count_guess(tried.subject)
    except TooManyTries as refusal:
        with places(), reads():
            return _wait(flow_row.get(request, flow), form, refusal)
    right = next((each for each in tried.candidates if password_hashing.is_right(each[1], typed)), None)
    renewed = None
    if right is not None and right[1] is not None and password_hashing.is_old(right[1]):
        renewed = password_hashing.make(typed)
    with places(), writes():
        row = flow_row.get(request, flow, lock=True)
        if there := flows.elsewhere(row, request, "password"):
            return see_other(there)
        if right is None or right[1] is None:
            return _wrong(row, request, form, tried)
        if renewed is not None:
            password.renew(right[0], right[1], renewed)
        return _right(row, request, form, tried, mark=mark, proved=(right[0], renewed or right[1]))


def _read(row: Flow, request: Request, form: PasswordForm) -> Try:
    """What was typed, before it is counted. Raises BadInput, and TooManyTries where nothing is looked at now."""
    typed, login, owner = form.password.data or "", None, None
    pending = flow_row.pending_user(row)
    if pending is None:
        try:
            login = password.read_login(form.login.data or "")
        except BadInput as refusal:
            form.refuse("login", refusal)
            raise
    if not typed:
        raise BadInput(EMPTY)
    password.require_size(typed)
    candidates: list[tuple[str, str | None]]
    if login is not None:
        owner = password.find_owner(login)
        user_id, named = (owner.user_id if owner else None), login.canonical
        candidates = [(owner.id if owner else "", owner.digest if owner else None)]
    else:
        user_id = named = pending.id if pending else ""
        of = row.demand.password_of
        candidates = [*password.digests_of(user_id, of if of.startswith("acc_") else None)] or [("", None)]
    known = next((each.device_id for each in browser.recognise(request).people if each.user_id == user_id), None)
    if known is None:
        password_limits.require_network(request.network)
    subject = password_limits.subject(named, known)
    password_limits.require_open(subject)
    return Try(candidates, subject, known is not None, login, owner, user_id)


def _wrong(row: Flow, request: Request, form: PasswordForm, tried: Try) -> Answer:
    """It was wrong, or there is nobody: written down, counted by network, and said in the same words."""
    details = {"flow": row.id, "known_browser": tried.is_known}
    personal = {"ip": request.remote_address, "browser": trusted_device.name_of(request.user_agent)}
    named = tried.login.canonical if tried.login else ""
    events.record("password.wrong", outcome="refused", user_id=tried.user_id, details=details, personal=personal | {"login": named})
    whose = tried.user_id if any(digest for _, digest in tried.candidates) else None  # who has no password has nothing that could be locked
    password_limits.wrong(tried.subject, request.network, is_known=tried.is_known, user_id=whose, login=named)
    form.refuse_with("password", form.translate(WRONG if tried.login else WRONG_PASSWORD))
    return _page(row, form, status=422)


def _right(row: Flow, request: Request, form: PasswordForm, tried: Try, *, mark: int, proved: tuple[str, str]) -> Answer:
    """It was right: what is still missing, or the end. Nothing of it holds when the password was changed in this very moment."""
    user = users.get(tried.user_id, alone=True) if tried.user_id else None
    if not password.is_still(*proved):
        return _wrong(row, request, form, tried)
    password_limits.give_back(tried.subject, mark)
    remember = bool(form.remember.data)
    if tried.owner is not None:
        return password_address.signed(row, request, tried.owner, remember=remember)
    if user is None:
        return see_other(flows.next_address(row, request))
    by_number = flow_row.has_given(row, policy.PHONE_CODE) or flow_row.has_given(row, policy.NUMBERS_PASSWORD)
    if by_number and password.is_by_phone(proved[0]):
        form.refuse_with("password", form.translate(BY_PHONE_ONLY))
        return _page(row, form, status=422)
    return flows.proved(row, request, user, password_address.proof_of(proved[0]))


def _wait(row: Flow, form: PasswordForm, refusal: TooManyTries) -> Answer:
    form.refuse("password", refusal)
    return form.wait(_page(row, form, status=429, locked=refusal), refusal)


def _refused(row: Flow, form: PasswordForm, refusal: Refusal) -> Page:
    form.refuse("password", refusal)
    return _page(row, form, status=422)


def _page(row: Flow, form: PasswordForm, *, status: int = 200, locked: TooManyTries | None = None) -> Page:
    pending = flow_row.pending_user(row)
    return Page(
        "login/password.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        form=form,
        flow=row,
        further=pending is not None,
        locked=locked is not None,
        reset_done=done_for(row),
        remember_days=settings().login.remember_browser // DAY,
        back_url=f"{row.address}/further_proof" if pending is not None else f"{row.address}/identify",
        about="locked" if status == TooManyTries.status else "password",
    )
