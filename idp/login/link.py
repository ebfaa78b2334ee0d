"""An account that is nobody's yet is linked to the ID of whoever proved its password, its address, and now a number: for good, and only
after that ID was shown and confirmed (`product.md` §8.1). Nothing is issued before.
"""

from __future__ import annotations

from idp import languages
from idp.directory import accounts, employees, users
from idp.directory.tables import User
from idp.errors import Conflict, Gone, Refusal
from idp.login import flow as flows
from idp.login import flow_row, linking, policy, situation
from idp.login.flow_row import Flow
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/link`."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, linking.PAGE):
        return see_other(there)
    user = flow_row.pending_user(row)
    return _page(row, user) if user else see_other(f"{row.address}/identify")


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/link`, `answer`: `link` (for good), or `without` (sign in, and link nothing)."""
    row = flow_row.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, linking.PAGE):
        return see_other(there)
    user, wanted = flow_row.pending_user(row, alone=True), request.form.get("answer")
    if user is None or wanted not in {"link", "without"}:
        return _page(row, user, status=422) if user else see_other(f"{row.address}/identify")
    flows.require_welcome(row, user)
    given = flows.standing(row, request, user)
    if given != row.given:
        return flows.begin_again(row)
    proved = policy.together(given)
    if situation.look(row.demand, request, user, proved).judged.after.due == policy.FURTHER_PROOF:  # they set up more meanwhile
        return flows.begin_again(row)
    owner = linking.waiting(row.password_owner_id, row.password_at)
    if wanted == "link" and owner is not None:
        try:
            employees.link(owner.id, user.id, proved_at=proved.auth_time)
        except (Conflict, Gone) as refusal:
            form = Form(request, ui_locales=row.ui_locales)
            return _page(row, user, refusal=refusal, problem=form.explain(refusal), status=409)
    account_id = owner.id if owner is not None and wanted == "link" else None
    return flows.finish(row, request, users.get(user.id), proved, remember=row.remember, account_id=account_id)


def _page(row: Flow, user: User, *, refusal: Refusal | None = None, problem: str = "", status: int = 200) -> Page:
    owner = linking.waiting(row.password_owner_id, row.password_at)
    standing = accounts.standing(owner.id) if owner is not None else None
    code = flow_row.code_of(row)
    return Page(
        "login/link.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        title=standing.title if standing is not None else "",
        kind=standing.kind if standing is not None else "",
        login=owner.address if owner is not None else "",
        name=user.name or "",
        phone=languages.mask_phone(user.phone or ""),
        is_new=code is not None and user.created_at >= code.created_at,
        may_link=owner is not None and refusal is None,
        problem=problem,
        identify_url=f"{row.address}/identify",
    )
