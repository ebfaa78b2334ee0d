"""Another number: a code to the one that the ID has, then one to the new one (`product.md` §12, case 97).

What has been proved stands in the codes themselves, which are bound to this session: there is no form that could say so (case 60). The
first one begins only right after a proof. Whose the new number is, is told only to who has proved that they hold it (case 70).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from wtforms import StringField

from idp import clock, events
from idp.account import codes, entry, shell
from idp.account.codes import CodeForm
from idp.account.entry import Me
from idp.credentials import one_time_code, phone_code, phone_sendings
from idp.credentials.phone import read_number
from idp.credentials.phone_code import FORMER_NUMBER, NEW_NUMBER, Guess, Transaction
from idp.credentials.phone_sendings import NotOpen
from idp.db.session import session as database
from idp.directory import sign_in_rules, users
from idp.errors import N_, BadInput, Conflict, Gone, TooManyTries
from idp.login import browser, session
from idp.login.policy import PHONE_CODE, Proved
from idp.oidc.change_phone import change_phone
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of

STRONG = "mfa"  # as far as the person can prove it: by a stolen number alone nobody takes an ID away
HERE = "/account/phone"
FORMER, NEW, NEW_CODE = f"{HERE}/former", f"{HERE}/new", f"{HERE}/code"
COUNTS_FOR = timedelta(minutes=10)  # the code to the former number, once it was entered

SAME = N_("This number is yours already.")


class NumberForm(Form):
    """One field."""

    phone = StringField()


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the change is in this session: the code to the number that the ID has, and the one to the new number."""

    former: Transaction | None
    new: Transaction | None
    is_former_proved: bool


def show(request: Request) -> Answer:
    """`GET /account/phone`: what will happen."""
    me = entry.enter(request)
    entry.fresh(request, me, acr=STRONG)
    if not me.user.phone:
        return see_other(NEW)
    return _page(me, Form(request))


def begin(request: Request) -> Answer:
    """`POST /account/phone`: a code to the number that the ID has. While the last one can be entered, nothing is sent."""
    me = entry.enter(request)
    entry.fresh(request, me, acr=STRONG)
    if not me.user.phone:
        return see_other(NEW)
    former = _standing(me).former
    try:
        if former is None or not former.is_open:
            _send(request, me, me.user.phone, FORMER_NUMBER)
    except TooManyTries as refusal:
        form = Form(request)
        return form.wait(_page(me, form, problem=form.explain(refusal), status=429), refusal)
    return see_other(FORMER)


def lost(request: Request) -> Answer:
    """`POST /account/phone/lost`: no code can come to the number that the ID has. Another way gives it a new one, after a time (§6.3)."""
    entry.enter(request, back_to=HERE)
    return entry.lead(request, "recover", back_to=HERE)


def show_former(request: Request) -> Answer:
    """`GET /account/phone/former`: the code to the number that the ID has."""
    me = entry.enter(request)
    at = _standing(me)
    if at.former is None or at.former.used_at:
        return see_other(NEW if at.is_former_proved else HERE)
    return _code_page(me, CodeForm(request, code=""), at.former)


def answer_former(request: Request) -> Answer:
    """`POST /account/phone/former`, `code`: one guess."""
    me = entry.enter(request)
    former = _standing(me).former
    if former is None or former.used_at:
        return see_other(FORMER)
    judged = _judge(request, me, former)
    if not isinstance(judged, Guess):
        return judged
    phone_code.redeem(judged)
    return see_other(NEW)  # which knows whether it was


def show_new(request: Request) -> Answer:
    """`GET /account/phone/new`: which number?"""
    me = entry.enter(request)
    if (there := _not_yet(request, me, _standing(me))) is not None:
        return there
    return _number_page(me, NumberForm(request, phone=""))


def answer_new(request: Request) -> Answer:
    """`POST /account/phone/new`, `phone`: a code goes there, whoever has it."""
    me = entry.enter(request)
    at = _standing(me)
    if (there := _not_yet(request, me, at)) is not None:
        return there
    form = NumberForm(request)
    try:
        phone = read_number(form.phone.data or "")
        if phone == me.user.phone:
            raise BadInput(SAME)
        if at.new is None or not at.new.is_open or at.new.phone != phone:
            _send(request, me, phone, NEW_NUMBER)
    except (BadInput, TooManyTries) as refusal:
        return form.refused("phone", refusal, partial(_number_page, me, form))
    return see_other(NEW_CODE)


def show_code(request: Request) -> Answer:
    """`GET /account/phone/code`: the code to the new number."""
    me = entry.enter(request)
    at = _standing(me)
    if at.new is None or at.new.used_at or not at.is_former_proved:
        return see_other(NEW)
    return _code_page(me, CodeForm(request, code=""), at.new)


def answer_code(request: Request) -> Answer:
    """`POST /account/phone/code`, `code`: one guess; the right one changes the number."""
    me = entry.enter(request)
    at = _standing(me)
    if at.new is None or at.new.used_at or not at.is_former_proved:
        return see_other(NEW)
    judged = _judge(request, me, at.new)
    if not isinstance(judged, Guess):
        return judged
    return _changed(request, me, judged) if phone_code.redeem(judged) else see_other(NEW)


def resend_former(request: Request) -> Answer:
    """`POST /account/phone/former/resend`, `channel`."""
    me = entry.enter(request, back_to=FORMER)
    return _resend(request, me, _standing(me).former, FORMER, HERE)


def resend_code(request: Request) -> Answer:
    """`POST /account/phone/code/resend`, `channel`."""
    me = entry.enter(request, back_to=NEW_CODE)
    return _resend(request, me, _standing(me).new, NEW_CODE, NEW)


def _changed(request: Request, me: Me, proved: Guess) -> Answer:
    """Both numbers are proved: everything that was signed in ends, and here a new session begins with the new number (ASVS 5.0 §7.2.4).

    Raises Elsewhere when this session has ended meanwhile.
    """
    user = users.get(me.id, alone=True)
    if user.phone != me.user.phone or not session.is_live(me.session.id):
        return see_other(HERE)  # another tab was first: it begins anew, or with a sign-in
    try:
        change_phone(me.id, proved.phone, actor_id=me.id)
    except Conflict as refusal:
        form = NumberForm(request, phone="")
        form.phone.data = proved.phone
        form.refuse("phone", refusal)
        return _number_page(me, form, status=409)
    by = Proved(PHONE_CODE, "code", (phone_code.AMR[proved.channel],), clock.now())
    is_administrator = sign_in_rules.of_person(me.id).is_administrator
    begun = session.start(me.id, by, is_administrator=is_administrator, ip=request.remote_address, user_agent=request.user_agent)
    answer = see_other("/account/security?done=phone")
    if begun is not None:
        live, secret = begun
        events.record("session.begun", user_id=me.id, actor_id=me.id, session_id=live.id, details={"reason": "phone_changed"})
        answer.set_cookie("session", secret)
    browser.drop_unknown(request, answer)
    return answer


def _standing(me: Me) -> Standing:
    former = phone_code.find_of(me.session.id, FORMER_NUMBER)
    if former is not None and former.phone != me.user.phone:  # of the number before the last change
        former = None
    proved_at = former.used_at if former is not None else None
    is_proved = proved_at is not None and clock.now() < proved_at + COUNTS_FOR
    new = phone_code.find_of(me.session.id, NEW_NUMBER)
    if new is not None and proved_at is not None and new.created_at < proved_at:  # of an earlier try
        new = None
    return Standing(former, new, is_proved or not me.user.phone)


def _not_yet(request: Request, me: Me, at: Standing) -> Answer | None:
    """Where to go before a new number may be named; None: nowhere. Raises Elsewhere where there is no former number to be proved."""
    if not me.user.phone:
        entry.fresh(request, me, acr=STRONG)
    return None if at.is_former_proved else see_other(HERE)


def _send(request: Request, me: Me, phone: str, purpose: str) -> None:
    phone_code.begin(
        phone,
        flow_id=me.session.id,
        purpose=purpose,
        language=language_of(request),
        network=request.network,
        device_id=browser.device_of(request, phone) if purpose == FORMER_NUMBER else None,
    )


def _judge(request: Request, me: Me, sent: Transaction) -> Guess | Answer:
    """One guess at a code: the right one, or the page that says what was wrong. NOTE: it commits between counting and looking."""
    form = CodeForm(request)
    try:
        code = one_time_code.read_code(form.code.data or "", sent.id)
        guess = phone_code.guess(sent.id, me.session.id, purpose=sent.purpose)
    except (BadInput, TooManyTries) as refusal:
        return form.refused("code", refusal, partial(_code_page, me, form, sent))
    database.commit()
    right = phone_code.judge(guess, code) if guess is not None else None
    if right is not None:
        return right
    codes.refuse(form, guess.tries_left if guess else None, of_call=sent.sent[-1] == phone_sendings.FLASH)
    return _code_page(me, form, phone_code.find(sent.id, me.session.id) or sent, status=422)


def _resend(request: Request, me: Me, sent: Transaction | None, page: str, anew: str) -> Answer:
    """The same code once more; when its time is over, it begins anew on the page before."""
    if sent is None:
        return see_other(anew)
    try:
        phone_code.resend(sent.id, me.session.id, request.form.get("channel") or sent.sent[-1])
    except Gone:
        return see_other(anew)
    except NotOpen:  # too early, or no more: the page says from when
        pass
    except TooManyTries as refusal:
        form = CodeForm(request)
        return form.refused("code", refusal, partial(_code_page, me, form, sent))
    return see_other(page)


def _page(me: Me, form: Form, *, problem: str = "", status: int = 200) -> Page:
    return shell.page(me, "account/phone.html", section="security", status=status, form=form, phone=me.user.phone or "", problem=problem)


def _number_page(me: Me, form: NumberForm, *, status: int = 200) -> Page:
    return shell.page(me, "account/phone_new.html", section="security", status=status, form=form)


def _code_page(me: Me, form: CodeForm, sent: Transaction, *, status: int = 200) -> Page:
    codes.bury(form, is_open=sent.is_open, tries_left=sent.tries_left)
    ways = [(way.channel, way.at) for way in sent.progress().ways] if sent.is_open else []
    action, back = (FORMER, HERE) if sent.purpose == FORMER_NUMBER else (NEW_CODE, NEW)
    about: dict[str, Any] = {"channel": sent.sent[-1], "to": sent.phone, "digits": sent.digits, "tries_left": sent.tries_left}
    return codes.page(
        me, form, action=action, back=back, is_open=sent.is_open, ways=ways, status=status, expires_at=sent.expires_at, **about
    )
