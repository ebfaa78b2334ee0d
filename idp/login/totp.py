"""One more proof: the code that the person's authenticator app shows (`credentials/totp`).

NOTE: `answer` commits between counting the guess and looking at it.
"""

from __future__ import annotations

from functools import partial

from wtforms import StringField

from idp.credentials import factor_limits, totp
from idp.db.session import session as database
from idp.errors import N_, BadInput, Gone, TooManyTries
from idp.login import browser, drafts, flow_row, further_proof
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.login.policy import TOTP, proof
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

WRONG = N_("This code is wrong. Enter the one that the app shows now.")
USED = N_("This code was used already. Wait for the next one in the app.")
NO_MORE = N_("The authenticator app of this ID was removed meanwhile, in another browser. Start again: it is not asked for any more.")


class CodeForm(Form):
    """One field."""

    code = StringField()


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/totp`; with `?back=1` as it was left for help."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, TOTP):
        return see_other(there)
    further_proof.doubted(row)
    return _page(row, CodeForm(request, ui_locales=row.ui_locales, **drafts.restored(request, row, TOTP, {"code": ""})))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/totp`, `code`: one guess."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, TOTP):
        return see_other(there)
    form, user = CodeForm(request, ui_locales=row.ui_locales), further_proof.doubted(row)
    try:
        code = totp.read_code(form.code.data or "")
        guess = totp.guess(user.id, for_id=row.id, device_id=browser.device_of_person(request, user.id))
    except (BadInput, TooManyTries) as refusal:
        return form.refused("code", refusal, partial(_page, row, form))
    database.commit()  # counted, whatever happens from here on
    if guess is None:
        raise gone(request, flow)
    right = totp.judge(guess, code, personal=browser.place(request))
    if right is None:
        return _wrong(row, form, guess, WRONG)
    # First the sign-in, then the person, then what they prove it with: as everywhere, so that nobody waits for another in a circle.
    row = flow_row.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, TOTP):
        return see_other(there)  # another tab was quicker
    user = further_proof.doubted(row, alone=True)
    if user.id != right.user_id:  # another tab has led to another person
        return see_other(flows.next_address(row, request))
    if not totp.redeem(right):
        if totp.is_set_up(user.id):
            return _wrong(row, form, guess, USED)
        raise gone(request, flow)
    return flows.proved(row, request, user, proof(TOTP, ("otp",)))


def gone(request: Request, flow: str, text: str = NO_MORE) -> Gone:
    """What was to be proved is the person's no more since the page was opened: what is due now is asked from the beginning."""
    row = flow_row.get(request, flow, lock=True)
    flow_row.write(row, phone_code_id=None, **flow_row.NOTHING_PROVED)
    refusal = Gone(text, detail=f"a further proof of {row.id} was taken off meanwhile")
    refusal.shown["restart_url"] = row.address
    return refusal


def _wrong(row: Flow, form: CodeForm, guess: totp.Guess, text: str) -> Page:
    form.refuse_with("code", form.translate(text if guess.tries_left else factor_limits.ALL_TRIED))
    return _page(row, form, status=422, tries_left=guess.tries_left)


def _page(row: Flow, form: CodeForm, *, status: int = 200, tries_left: int | None = None) -> Page:
    locked = status == TooManyTries.status or tries_left == 0
    if locked:
        form.code.data = ""  # what was typed can win nothing any more
    return Page(
        "login/totp.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        form=form,
        flow=row,
        tries_left=tries_left,
        about="locked" if locked else "app",
    )
