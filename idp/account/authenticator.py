"""The authenticator app of a person: set up by a picture and a first right code, replaced by another, taken away.

Each needs a proof of the last minutes, of two kinds from whoever can give them: who has the phone number alone changes nothing about what
is there to keep them out (ASVS 5.0 §7.5.1). Whoever is signed in elsewhere is signed out: they never showed the new
factor (case 82).
"""

from __future__ import annotations

from wtforms import StringField

from idp.account import browsers, entry, shell
from idp.account.entry import Me
from idp.account.picture import Picture
from idp.credentials import recovery_codes, totp
from idp.directory import numbers, users
from idp.errors import N_, BadInput
from idp.login import flow as flows
from idp.messages import wording
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

PAGE, SET_UP, AFTER = "/account/authenticator", "/account/authenticator/set_up", "/account/recovery_codes"
REASON = "factor_changed"  # why others were signed out
WRONG = N_("This code is wrong. Enter the one that the app shows now, and check that the phone sets its clock by itself.")


class CodeForm(Form):
    """One field."""

    code = StringField()


def show(request: Request) -> Answer:
    """`GET /account/authenticator`: whether there is one, and what can be done."""
    me = entry.enter(request)
    return shell.page(me, "account/authenticator.html", section="security", live=totp.find(me.id))


def set_up(request: Request) -> Answer:
    """`GET /account/authenticator/set_up`: the picture, and the field for the first code."""
    me = entry.enter(request)
    entry.require_proof(request, me)
    return _page(me, CodeForm(request, ui_locales=request.ui_locales))


def confirm(request: Request) -> Answer:
    """`POST /account/authenticator/set_up`, `code`: the app shows the right codes, and is the person's from now on."""
    me = entry.enter(request)
    entry.require_proof(request, me)
    form = CodeForm(request, ui_locales=request.ui_locales)
    users.get(me.id, alone=True)
    secret = totp.pending(me.id, me.session.id)
    if secret is None:  # confirmed in another tab, or its half hour is over
        return see_other(PAGE)
    try:
        code = totp.read_code(form.code.data or "")
    except BadInput as refusal:
        form.refuse("code", refusal)
        return _page(me, form, status=422)
    if not totp.confirm(secret, me.id, me.session.id, code, personal=entry.place(request)):
        form.refuse_with("code", form.translate(WRONG))
        return _page(me, form, status=422)
    answer = see_other(PAGE if recovery_codes.are_left(me.id) else AFTER)
    browsers.stay(request, me, answer, reason=REASON)
    return answer


def remove(request: Request) -> Answer:
    """`POST /account/authenticator/remove`: the person uses none any more."""
    me = entry.enter(request, back_to=PAGE)
    entry.require_proof(request, me, back_to=PAGE)
    user = users.get(me.id, alone=True)
    answer = see_other(PAGE)
    if totp.remove(me.id, session_id=me.session.id, personal=entry.place(request)):
        if user.phone_doubted_at is not None and user.phone and not flows.BY_PHONE.isdisjoint(me.session.amr):
            numbers.believe(user.id, user.phone)  # who got here holds the number, and nothing else stands for them from now on
        browsers.stay(request, me, answer, reason=REASON)
    return answer


def _page(me: Me, form: CodeForm, *, status: int = 200) -> Page:
    secret = totp.begin(me.id, me.session.id)
    address = secret.address(wording.brand(form.language), me.user.email or me.user.phone or me.user.name or "")
    return shell.page(
        me,
        "account/authenticator_set_up.html",
        section="security",
        status=status,
        form=form,
        secret=secret.grouped,
        address=address,
        picture=Picture(address),
        replaces=totp.is_set_up(me.id),
    )
