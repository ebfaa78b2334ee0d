"""The number is proved and new: a name, the terms, and the person has an ID."""

from __future__ import annotations

from wtforms import BooleanField, StringField

from idp.directory.names import clean_name
from idp.errors import N_
from idp.login import drafts, flow_row, social
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.web.forms import Form, reads, ticked
from idp.web.http import Answer, Page, Request, see_other


class RegisterForm(Form):
    """The phone is not in it: which one was proved, only we know (case 58)."""

    name = StringField(validators=[reads(clean_name)])
    terms = BooleanField(validators=[ticked(N_("Accept the terms to go on."))])


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/register`; with `?back=1` as it was left for help."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "register"):
        return see_other(there)
    values = drafts.restored(request, row, "register", {"name": social.claimed_name(row), "terms": False})
    return _page(row, RegisterForm(request, ui_locales=row.ui_locales, **values))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/register`, `name`, `terms`."""
    row = flow_row.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, "register"):
        return see_other(there)
    form = RegisterForm(request, ui_locales=row.ui_locales)
    if not form.is_valid():
        return _page(row, form, status=422)
    return flows.registered(row, request, form.name.data)


def _page(row: Flow, form: RegisterForm, *, status: int = 200) -> Page:
    return Page(
        "login/register.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        form=form,
        flow=row,
        phone=flow_row.get_code(row).phone,
        anew=row.anew_at is not None,
    )
