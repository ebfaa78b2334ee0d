"""Who are you? One field for a phone number; the answer is the same whether anybody has it (case 70)."""

from __future__ import annotations

from functools import partial

from wtforms import TelField

from idp.credentials.phone import read_number
from idp.directory import accounts
from idp.errors import BadInput, TooManyTries
from idp.login import browser, drafts, flow_row, linking, passkey, sending, social
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other


class IdentifyForm(Form):
    """What was typed stays as it was typed."""

    phone = TelField()


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/identify`; with `?back=1` as it was left for help."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "identify"):
        return see_other(there)
    values = drafts.restored(request, row, "identify", {"phone": flow_row.hinted_phone(row)})
    return _page(row, request, IdentifyForm(request, ui_locales=row.ui_locales, **values))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/identify`, `phone`: a code goes out."""
    row = flow_row.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, "identify"):
        return see_other(there)
    form = IdentifyForm(request, ui_locales=row.ui_locales)
    try:
        return sending.ask_for_code(row, request, read_number(form.phone.data or ""))
    except (BadInput, TooManyTries) as refusal:
        return form.refused("phone", refusal, partial(_page, row, request, form))


def _page(row: Flow, request: Request, form: IdentifyForm, *, status: int = 200) -> Page:
    demand = row.demand
    owner = linking.waiting(row.password_owner_id, row.password_at)
    standing = accounts.standing(owner.id) if owner is not None else None
    return Page(
        "login/identify.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        form=form,
        flow=row,
        create=demand.create,
        passkeys=passkey.is_offered(row),
        password_url=f"{row.address}/password" if row.doubted_user_id is None else None,
        to_link=standing.title if standing is not None else "",
        people_url=f"{row.address}/people" if browser.people(request, demand) else None,
        providers=social.offered(row),
        notice=social.notice(request),
        about="locked" if status == TooManyTries.status else "number",
    )
