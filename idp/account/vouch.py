"""Vouch for a colleague who has lost their phone: the code that they read out, who they are, and one's word, right after a proof."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from wtforms import StringField

from idp import crypto, limits
from idp.account import entry, shell
from idp.account.entry import Me
from idp.credentials import recoveries, vouches
from idp.credentials.recoveries import Case
from idp.directory import users
from idp.errors import N_, Gone, Refusal, TooManyTries
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

TRIES, HOUR = 10, 3600  # of one person: a code has forty random bits
TICKET, TICKET_LIFETIME = "vouch", 1800
_SPACES = re.compile(r"[\s\-‐-―−]+")
_READ_AS = str.maketrans("oil", "011")

NO_SUCH = N_("There is no request with this code of somebody for whom you can vouch. Ask them to read it out again.")


class VouchForm(Form):
    """One field."""

    code = StringField()


def show(request: Request) -> Answer:
    """`GET /account/vouch`."""
    me = entry.enter(request)
    return _page(me, VouchForm(request, ui_locales=request.ui_locales))


def answer(request: Request) -> Answer:
    """`POST /account/vouch`, `code`: on to the person, if it is a colleague. Each try counts, the right ones too."""
    me = entry.enter(request)
    form = VouchForm(request, ui_locales=request.ui_locales)
    try:
        limits.spend("vouch_code", me.id, limit=TRIES, window_seconds=HOUR)
    except TooManyTries as refusal:
        return form.refused("code", refusal, partial(_page, me, form))
    case = recoveries.of_vouch_code(_read(form.code.data or ""))
    if case is None or not vouches.companies_for(case, me.id):
        form.refuse_with("code", form.translate(NO_SUCH))
        return _page(me, form, status=422)
    return see_other(f"/account/vouch/{crypto.sign_link(TICKET, [case.id, me.id])}")


def show_person(request: Request, ticket: str) -> Answer:
    """`GET /account/vouch/<ticket>`: who it is, and what one's word means. A fresh proof first, so that it need not be asked for after."""
    me = entry.enter(request)
    entry.require_proof(request, me)
    return _person_page(me, _case(me, ticket))


def vouch(request: Request, ticket: str) -> Answer:
    """`POST /account/vouch/<ticket>`: one's word."""
    me = entry.enter(request)
    entry.require_proof(request, me)
    case = _case(me, ticket)
    try:
        was_enough = vouches.vouch(case, me.id, session_id=me.session.id)
    except TooManyTries as refusal:
        form = Form(request, ui_locales=request.ui_locales)
        return form.wait(_person_page(me, case, problem=form.explain(refusal), status=429), refusal)
    except Refusal as refusal:
        form = Form(request, ui_locales=request.ui_locales)
        return _person_page(me, case, problem=form.explain(refusal), status=refusal.status)
    return shell.page(me, "account/vouch_person.html", section="security", done=True, was_enough=was_enough, **_shown(me, case))


def _read(text: str) -> str:
    """The code as people type what they hear: capitals, other dashes or none, an O for a zero."""
    plain = _SPACES.sub("", text[:40]).lower().translate(_READ_AS)
    return f"{plain[:4]}-{plain[4:]}"


def _case(me: Me, ticket: str) -> Case:
    """What a ticket of `answer` leads to; raises Gone."""
    read = crypto.read_link(TICKET, ticket, max_age=TICKET_LIFETIME)
    case = recoveries.find(read[0]) if isinstance(read, list) and read[1] == me.id else None
    if case is None or not vouches.companies_for(case, me.id):
        raise Gone(recoveries.OVER)
    return case


def _shown(me: Me, case: Case) -> dict[str, Any]:
    companies = [each.company_name for each in vouches.companies_for(case, me.id)]
    return {"name": users.get(case.user_id or "").name or "", "phone": case.phone, "companies": companies}


def _page(me: Me, form: VouchForm, *, status: int = 200) -> Page:
    return shell.page(me, "account/vouch.html", section="security", status=status, form=form)


def _person_page(me: Me, case: Case, *, problem: str = "", status: int = 200) -> Page:
    shown = _shown(me, case)
    return shell.page(me, "account/vouch_person.html", section="security", status=status, done=False, problem=problem, **shown)
