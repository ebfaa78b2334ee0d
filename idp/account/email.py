"""The e-mail address: added, changed or removed. It counts from the moment its code was entered, and not before (case 97).

NOTE: whose an address is, is told only to who has proved that they read its mail (cases 70, 98). The code is bound to this session and
begins only right after a proof, so to enter it needs no further one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from wtforms import StringField

from idp.account import codes, email_undo, entry, shell
from idp.account.codes import CodeForm
from idp.account.entry import Me
from idp.credentials import email_code, one_time_code
from idp.credentials.email_code import Guess, Sent
from idp.credentials.phone_sendings import NotOpen
from idp.db.session import session as database
from idp.directory import users
from idp.directory.names import canonical_email, kept_email
from idp.directory.tables import User
from idp.errors import N_, BadInput, Conflict, Gone, TooManyTries
from idp.login import policy, session, situation
from idp.messages.channels import is_carried
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of

PURPOSE = "change_email"
STRONG = "mfa"  # as far as the person can prove it: by a stolen number alone nobody takes an ID away
HERE = "/account/email"
CODE = "/account/email/code"

SAME = N_("This address is yours already.")
NO_MAIL = N_("No mail can be sent at present. Try again later.")
LAST_WAY = N_("Your ID has no phone number: without this address nothing would open it.")
LAST_BESIDE = N_("A code to your number does not open your ID by itself any more: without this address nothing would. Add a passkey first.")


class EmailForm(Form):
    """One field. Whether the address counts is said by its code, not by a form (case 97)."""

    email = StringField()


def show(request: Request) -> Answer:
    """`GET /account/email`."""
    me = entry.enter(request)
    entry.fresh(request, me, acr=STRONG)
    return _page(me, EmailForm(request, email=""), said=shell.done(request))


def answer(request: Request) -> Answer:
    """`POST /account/email`, `email`: a code goes there. One that is under way to the same address goes on."""
    me = entry.enter(request)
    entry.fresh(request, me, acr=STRONG)
    form = EmailForm(request)
    try:
        address = kept_email(form.email.data or "")
        if me.user.email and canonical_email(address) == canonical_email(me.user.email):
            raise BadInput(SAME)
        if not is_carried("email"):
            raise BadInput(NO_MAIL)
        sent = _sent(me)
        if sent is None or not sent.is_open or canonical_email(sent.address) != canonical_email(address):
            language = language_of(request)
            email_code.begin(address, for_id=me.session.id, purpose=PURPOSE, language=language, network=request.network)
    except (BadInput, TooManyTries) as refusal:
        return form.refused("email", refusal, partial(_page, me, form))
    return see_other(CODE)


def show_code(request: Request) -> Answer:
    """`GET /account/email/code`."""
    me = entry.enter(request)
    sent = _sent(me)
    return see_other(HERE) if sent is None or sent.used_at else _code_page(me, CodeForm(request, code=""), sent)


def answer_code(request: Request) -> Answer:
    """`POST /account/email/code`, `code`: one guess. NOTE: it commits between counting the guess and looking at it."""
    me = entry.enter(request)
    sent = _sent(me)
    if sent is None or sent.used_at:
        return see_other(HERE)
    form = CodeForm(request)
    try:
        code = one_time_code.read_code(form.code.data or "", sent.id)
        guess = email_code.guess(sent.id, me.session.id, purpose=PURPOSE)
    except (BadInput, TooManyTries) as refusal:
        return form.refused("code", refusal, partial(_code_page, me, form, sent))
    database.commit()
    if guess is None or not email_code.judge(guess, code):
        codes.refuse(form, guess.tries_left if guess else None)
        return _code_page(me, form, _sent(me) or sent, status=422)
    return _confirmed(request, guess)


def resend(request: Request) -> Answer:
    """`POST /account/email/code/resend`: the same code once more; when its time is over, the address is asked for again."""
    me = entry.enter(request, back_to=CODE)
    sent = _sent(me)
    if sent is None:
        return see_other(HERE)
    try:
        email_code.resend(sent.id, me.session.id)
    except Gone:
        return see_other(HERE)
    except NotOpen:  # too early, or no more: the page says from when
        pass
    except TooManyTries as refusal:
        form = CodeForm(request)
        return form.refused("code", refusal, partial(_code_page, me, form, sent))
    return see_other(CODE)


def remove(request: Request) -> Answer:
    """`POST /account/email/remove`: the address can take it back, as after a change."""
    me = entry.enter(request, back_to=HERE)
    entry.fresh(request, me, back_to=HERE, acr=STRONG)
    user = users.get(me.id, alone=True)
    if not _is_removable(user):
        form = EmailForm(request)
        form.refuse_with("email", form.translate(LAST_BESIDE if user.phone else LAST_WAY))
        return _page(me, form, status=422)
    former = users.remove_email(me.id, actor_id=me.id)
    if former:
        email_undo.offer(user, former)
    return see_other("/account/security?done=email_removed")


def _confirmed(request: Request, guess: Guess) -> Answer:
    """The code was right: the address is the person's, unless it is another ID's, or this session has ended meanwhile.

    NOTE: a password that was reset in this very moment has ended the session, and one that is about to be waits for us: the person's row is
    ours from the second line on, so exactly one of the two happened first, and the other one sees it.
    """
    if not email_code.redeem(guess):
        return see_other(HERE)
    me = entry.enter(request, back_to=HERE)
    user = users.get(me.id, alone=True)
    if not session.is_live(me.session.id):
        return see_other(HERE)  # which leads to a sign-in
    try:
        former = users.confirm_email(me.id, guess.address, actor_id=me.id)
    except Conflict as refusal:
        form = EmailForm(request, email="")
        form.email.data = guess.address
        form.refuse("email", refusal)
        return _page(me, form, status=409)
    if former:
        email_undo.offer(user, former)
    return see_other("/account/security?done=email")


def _sent(me: Me) -> Sent | None:
    """The code of the address that this session wants to have, dead or alive."""
    return email_code.find_last(me.session.id, purpose=PURPOSE)


def _is_removable(user: User) -> bool:
    """Whether something is left that opens the ID, and a number through which the person is reached."""
    return bool(user.email and user.phone and situation.ways_in(user, but=policy.EMAIL_CODE))


def _page(me: Me, form: EmailForm, *, status: int = 200, said: str = "") -> Page:
    return shell.page(
        me,
        "account/email.html",
        section="security",
        status=status,
        said=said,
        form=form,
        email=me.user.email or "",
        removable=_is_removable(me.user),
    )


def _code_page(me: Me, form: CodeForm, sent: Sent, *, status: int = 200) -> Page:
    codes.bury(form, is_open=sent.is_open, tries_left=sent.tries_left)
    ways = [("email", sent.next_send_at)] if sent.has_sendings_left else []
    about: dict[str, Any] = {
        "channel": "email",
        "to": sent.address,
        "digits": sent.digits,
        "tries_left": sent.tries_left,
        "expires_at": sent.expires_at,
    }
    return codes.page(me, form, action=CODE, back=HERE, is_open=sent.is_open, ways=ways, status=status, **about)
