"""One more proof: one of the ten codes that the person has kept for the day on which all else is lost (`credentials/recovery_codes`).

NOTE: the guess is counted in a unit of its own; the slow hash of what was typed is made between that one and the one in which it counts.
"""

from __future__ import annotations

from wtforms import StringField

from idp.credentials import factor_limits, password_hashing, recovery_codes
from idp.credentials.password_hashing import Busy
from idp.db.session import places, reads, writes
from idp.errors import N_, BadInput, TooManyTries
from idp.login import browser, drafts, flow_row, further_proof, totp
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.login.policy import RECOVERY_CODE, proof
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

WRONG = N_("This is none of the codes, or it was used before. Check it, or take another one.")
NO_MORE = N_("The recovery codes of this ID were taken off meanwhile. Start again.")


class CodeForm(Form):
    """One field."""

    code = StringField()


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/recovery_code`; with `?back=1` as it was left for help."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, RECOVERY_CODE):
        return see_other(there)
    further_proof.doubted(row)
    return _page(row, CodeForm(request, ui_locales=row.ui_locales, **drafts.restored(request, row, RECOVERY_CODE, {"code": ""})))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/recovery_code`, `code`: one guess. Outside of any unit."""
    try:
        with password_hashing.place():
            return _guess(request, flow)
    except Busy as busy:
        with places(), reads():
            row = flow_row.get(request, flow)
            form = CodeForm(request, ui_locales=row.ui_locales)
            form.refuse("code", busy)
            return form.wait(_page(row, form, status=429), busy)


def _guess(request: Request, flow: str) -> Answer:
    with places(), writes():  # counted at its end, whatever happens from there on
        row = flow_row.get(request, flow)
        if there := flows.elsewhere(row, request, RECOVERY_CODE):
            return see_other(there)
        form, user = CodeForm(request, ui_locales=row.ui_locales), further_proof.doubted(row)
        try:
            code = recovery_codes.read_code(form.code.data or "")
            guess = recovery_codes.guess(user.id, for_id=row.id, device_id=browser.device_of_person(request, user.id))
        except BadInput as refusal:
            form.refuse("code", refusal)
            return _page(row, form, status=422)
        except TooManyTries as refusal:
            form.refuse("code", refusal)
            return form.wait(_page(row, form, status=429, locked=True), refusal)
        if guess is None:
            raise totp.gone(request, flow, NO_MORE)
    typed = recovery_codes.digest(guess, code)
    with places(), writes():
        row = flow_row.get(request, flow, lock=True)  # first the sign-in, then the person, then the code, as everywhere
        if there := flows.elsewhere(row, request, RECOVERY_CODE):
            return see_other(there)  # another tab was quicker
        user = further_proof.doubted(row, alone=True)
        if user.id != guess.user_id:  # another tab has led to another person
            return see_other(flows.next_address(row, request))
        if recovery_codes.redeem(guess, typed, personal=browser.place(request)) is None:
            form.refuse_with("code", form.translate(WRONG if guess.tries_left else factor_limits.ALL_TRIED))
            return _page(row, form, status=422, tries_left=guess.tries_left, locked=not guess.tries_left)
        onward = flows.proved(row, request, user, proof(RECOVERY_CODE, ("otp",)))
    # Signed in; before the person goes on they are told how many are left.
    onward.headers = [(name, f"{row.address}/recovery_code/left" if value == row.return_to else value) for name, value in onward.headers]
    return onward


def left(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/recovery_code/left`: the person is in; how many codes they have now, and on to where they came from."""
    row, live = flow_row.get(request, flow), browser.signed_in(request)
    if live is None or row.finished_at is None:
        return see_other(flows.next_address(row, request))
    codes = recovery_codes.left(live.user_id)
    return Page(
        "login/recovery_code_left.html",
        ui_locales=row.ui_locales,
        parked=True,
        left=codes.number if codes else 0,
        of=recovery_codes.HOW_MANY,
        onward=row.return_to,
    )


def _page(row: Flow, form: CodeForm, *, status: int = 200, tries_left: int | None = None, locked: bool = False) -> Page:
    if locked:
        form.code.data = ""  # what was typed can win nothing any more
    return Page(
        "login/recovery_code.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        form=form,
        flow=row,
        example=recovery_codes.EXAMPLE,
        tries_left=tries_left,
        about="locked" if locked else "app",
    )
