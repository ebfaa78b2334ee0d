"""A person's own password: set, changed, taken off, each right after a proof (ASVS 5.0 §7.5.1), of two kinds from whoever can give them:
who has the number alone sets none that counts beside it. Nobody is asked for one they do not want.

Whoever is signed in elsewhere is signed out, unless the person takes the tick off (§7.4.3). The new one is hashed outside of any unit.
"""

from __future__ import annotations

from wtforms import BooleanField, PasswordField

from idp.account import browsers, entry, shell
from idp.account.entry import Me
from idp.account.providers import LAST, LAST_TITLE
from idp.credentials import password, password_hashing
from idp.credentials.password_hashing import Busy
from idp.db.session import places, writes
from idp.directory import users
from idp.directory.tables import User
from idp.errors import BadInput, Conflict
from idp.login import flow as flows
from idp.login import policy, situation
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

PAGE = "/account/password"
REASON = "password_changed"  # why others were signed out


class NewPasswordForm(Form):
    """Twice, and never shown again."""

    password = PasswordField()
    password_again = PasswordField()
    sign_out = BooleanField(default=True)


def show(request: Request) -> Answer:
    """`GET /account/password`."""
    me = _asked(request)
    return _page(me, NewPasswordForm(request, ui_locales=request.ui_locales))


def answer(request: Request) -> Answer:
    """`POST /account/password`, `password`, `password_again`, `sign_out`: the new one. Outside of any unit."""
    try:
        with password_hashing.place():
            return _set(request)
    except Busy as busy:
        with places(), writes():
            me = _asked(request)
            form = NewPasswordForm(request, ui_locales=request.ui_locales)
            form.refuse("password", busy)
            return form.wait(_page(me, form, status=429), busy)


def remove(request: Request) -> Answer:
    """`POST /account/password/remove`: from now on there is none. Raises Conflict: it is the last way in."""
    me = _asked(request)
    user = users.get(me.id, alone=True)  # two tabs that remove the last two ways wait here for one another
    if _is_last_way(user):
        raise Conflict(LAST, title=LAST_TITLE, detail="the last way into an ID")
    away = see_other("/account/security")
    if password.remove(me.id, user_id=me.id, personal=entry.place(request)):
        browsers.stay(request, me, away, reason=REASON)
    return away


def _set(request: Request) -> Answer:
    with places(), writes():
        me = _asked(request)
        form = NewPasswordForm(request, ui_locales=request.ui_locales)
        typed, user = form.password.data or "", me.user
        try:
            password.require_good(typed, own=(user.name, user.family_name, user.given_name, user.phone, user.email))
        except BadInput as refusal:
            form.refuse("password", refusal)
        if typed != (form.password_again.data or ""):
            form.refuse_with("password_again", form.translate(password.DIFFERENT))
        if form.errors:
            return _page(me, form, status=422)
    digest = password_hashing.make(typed)
    with places(), writes():
        me = _asked(request)
        users.get(me.id, alone=True)
        had = password.has(me.id)
        # Whoever showed no more than the number: that is remembered with the new password (`password.is_by_phone`).
        by_phone = set(me.session.amr) <= flows.BY_PHONE
        reason = "changed" if had else "set"
        password.keep(me.id, digest, user_id=me.id, reason=reason, by_phone=by_phone, personal=entry.place(request))
        done = see_other("/account/security")
        if form.sign_out.data:
            browsers.stay(request, me, done, reason=REASON)
        return done


def _is_last_way(user: User) -> bool:
    """Whether nothing else than the password opens the ID: its number is gone or doubted, and no provider knows the person."""
    return password.has(user.id) and not situation.ways_in(user, but=policy.PASSWORD)


def _asked(request: Request) -> Me:
    me = entry.enter(request, back_to=PAGE)
    entry.require_proof(request, me, back_to=PAGE)
    return me


def _page(me: Me, form: NewPasswordForm, *, status: int = 200) -> Page:
    since, is_last = password.set_at(me.id), _is_last_way(me.user)
    login = me.user.email if me.user.email_verified_at else me.user.phone
    return shell.page(
        me, "account/password.html", section="security", status=status, form=form, since=since, is_last=is_last, login=login or ""
    )
