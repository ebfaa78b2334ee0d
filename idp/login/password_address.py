"""After a right password: whom it signs in, and what is still to be shown.

The first sign-in with an account's login e-mail sends a code there, since nobody has shown yet that they read its mail (case 111). An
account that is linked to nobody leads to phone and code; then `link` asks to which ID.

NOTE: `answer` commits between counting the guess and looking at it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from wtforms import StringField

from idp import clock, languages
from idp.credentials import email_code, one_time_code, password
from idp.credentials.email_code import Sent
from idp.credentials.one_time_code import TIME_OVER
from idp.credentials.password import Owner
from idp.credentials.phone_sendings import NotOpen
from idp.db.session import session as database
from idp.directory import users
from idp.errors import BadInput, Gone, TooManyTries
from idp.login import flow as flows
from idp.login import flow_row, policy
from idp.login.flow_row import Flow
from idp.login.phone_code import ALL_TRIED, WRONG
from idp.login.policy import Proved
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of

PURPOSE = "login_email"
AMR = ("pwd",)
OF_NUMBER = ("sms",)


class AddressForm(Form):
    """One field."""

    code = StringField()


def signed(row: Flow, request: Request, owner: Owner, *, remember: bool) -> Answer:
    """The password of `owner` was right, and perhaps its address shown: sign the person in, or lead to what is missing."""
    if owner.verified_at is not None and owner.user_id is not None:
        user = users.get(owner.user_id, alone=True)
        return flows.proved(row, request, user, proof_of(owner.id), remember=remember, account_id=owner.account_id)
    about = {"password_owner_id": owner.id, "password_at": clock.now(), "remember": remember, "phone_code_id": None}
    flow_row.write(row, **about, **flow_row.NOTHING_PROVED)
    if owner.verified_at is None:
        return _ask(row, request, owner)
    return see_other(f"{row.address}/identify")


def proof_of(owner_id: str) -> Proved:
    """What a right password shows; one that a code to the number set lately shows that number (case 73)."""
    proof = policy.proof(policy.PASSWORD, AMR)
    return replace(proof, proof=policy.NUMBERS_PASSWORD, amr=OF_NUMBER) if password.is_by_phone(owner_id) else proof


def _ask(row: Flow, request: Request, owner: Owner) -> Answer:
    """Send a code to the account's login e-mail; while the last one can still be entered, nothing is sent."""
    sent = email_code.find_last(row.id, purpose=PURPOSE)
    if sent is None or not sent.is_open or sent.address != owner.address:
        try:
            _begin(row, request, owner)
        except TooManyTries as refusal:
            form = AddressForm(request, ui_locales=row.ui_locales)
            return form.refused("code", refusal, partial(_page, row, form, owner, None))
    return see_other(f"{row.address}/password/code")


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/password/code`."""
    row = flow_row.get(request, flow)
    owner = _owner(row)
    if owner is None or flows.elsewhere(row, request, "password"):
        return see_other(flows.next_address(row, request))
    return _page(row, AddressForm(request, ui_locales=row.ui_locales), owner, _sent(row))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/password/code`, `code`: one guess."""
    row = flow_row.get(request, flow)
    owner, sent = _owner(row), _sent(row)
    if owner is None or sent is None or flows.elsewhere(row, request, "password"):
        return see_other(flows.next_address(row, request))
    form = AddressForm(request, ui_locales=row.ui_locales)
    try:
        code = one_time_code.read_code(form.code.data or "", sent.id)
        guess = email_code.guess(sent.id, row.id, purpose=PURPOSE)
    except (BadInput, TooManyTries) as refusal:
        return form.refused("code", refusal, partial(_page, row, form, owner, sent))
    database.commit()  # counted, whatever happens from here on
    if guess is None or not email_code.judge(guess, code):
        if guess is not None:
            form.refuse_with("code", form.translate(WRONG if guess.tries_left else ALL_TRIED))
        return _page(row, form, owner, _sent(row), status=422)
    row = flow_row.get(request, flow, lock=True)
    owner = _owner(row)
    if owner is None or owner.address != guess.address or not email_code.redeem(guess):
        return see_other(flows.next_address(row, request))  # another tab was quicker, or it is another address now
    password.verified(owner)
    shown = password.find_account(owner.id)
    if shown is None:
        return see_other(flows.next_address(row, request))
    return signed(row, request, shown, remember=row.remember)


def resend(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/password/code/resend`: the same code once more; when its time is over, a new one."""
    row = flow_row.get(request, flow, lock=True)
    owner, sent = _owner(row), _sent(row)
    if owner is None or flows.elsewhere(row, request, "password"):
        return see_other(flows.next_address(row, request))
    if sent is None or not sent.is_open:
        return _ask(row, request, owner)
    try:
        email_code.resend(sent.id, row.id)
    except (NotOpen, Gone):  # too early, or no more: the page says from when
        pass
    except TooManyTries as refusal:
        form = AddressForm(request, ui_locales=row.ui_locales)
        return form.refused("code", refusal, partial(_page, row, form, owner, sent))
    return see_other(f"{row.address}/password/code")


def _begin(row: Flow, request: Request, owner: Owner) -> None:
    language = language_of(request, row.ui_locales)
    email_code.begin(owner.address or "", for_id=row.id, purpose=PURPOSE, language=language, network=request.network)


def _owner(row: Flow) -> Owner | None:
    """The account whose password was right in this sign-in, as long as its address is not shown and the password is the same."""
    owner = password.find_account(row.password_owner_id) if row.password_owner_id else None
    if owner is None or owner.verified_at is not None or not password.is_unchanged_since(owner.id, row.password_at):
        return None
    return owner


def _sent(row: Flow) -> Sent | None:
    return email_code.find_last(row.id, purpose=PURPOSE)


def _page(row: Flow, form: AddressForm, owner: Owner, sent: Sent | None, *, status: int = 200) -> Page:
    now = clock.now()
    if sent is not None and not sent.is_open:
        form.code.data = ""
        if not form.code.errors:
            form.refuse_with("code", form.translate(ALL_TRIED if sent.tries_left == 0 else TIME_OVER))
    resend_at = now
    if sent is not None and sent.is_open:
        resend_at = sent.next_send_at if sent.has_sendings_left else None  # type: ignore[assignment] # None: no more
    return Page(
        "login/password_address.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        form=form,
        flow=row,
        email=languages.mask_email(owner.address or ""),
        sent=sent,
        resend_at=resend_at,
        about="locked" if status == TooManyTries.status else "code",
        now=now,
    )
