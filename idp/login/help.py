"""Help that fits the moment: the code does not come, number, password or app is lost, nothing works, the number leads to another ID.

One page; `about` says which moment, `from` which page it was opened on. Whom to ask stands in the settings.
"""

from __future__ import annotations

from idp import languages
from idp.login import drafts, flow_row
from idp.login.flow_row import Flow
from idp.web.http import Answer, Page, Request, see_other

MOMENTS = ("code", "number", "password", "app", "locked", "linked")
PAGES = (
    *("identify", "phone_code", "register", "people", "proof_of_work", "further_proof", "email_code"),
    *("totp", "recovery_code", "password", "reset", "passkey"),
)


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/help`, `about`, `from`."""
    row = flow_row.get(request, flow)
    about, page = _asked(request)
    code = flow_row.code_of(row)
    waiting = code is not None and code.used_at is None
    return Page(
        "login/help.html",
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        about=about,
        others=[each for each in MOMENTS if each != about],
        page=page,
        back_url=f"{row.address}/{page}?back=1" if page else row.address,
        phone=languages.mask_phone(code.phone) if code is not None and waiting else "",
        sent=code.sent if code is not None and waiting else (),
        receipts_url=f"{row.address}/phone_code/receipts" if waiting else None,
        identify_url=f"{row.address}/identify",
    )


def leave(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/help`, from the form of a page: what was typed there is kept."""
    row = flow_row.get(request, flow)
    about, page = _asked(request)
    if page:
        drafts.keep(request, row, page)
    return see_other(address(row, about, page))


def address(flow: Flow, about: str, page: str = "") -> str:
    """Where the help on `about` is."""
    return f"{flow.address}/help?about={about}" + (f"&from={page}" if page else "")


def _asked(request: Request) -> tuple[str, str]:
    about, page = request.query.get("about"), request.query.get("from")
    return (about if about in MOMENTS else MOMENTS[0]), (page if page in PAGES else "")
