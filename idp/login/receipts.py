"""What became of the code: each sending by its channel, when, and how it fared; for the person who waits, and for whom they ask.

NOTE: it tells what the gateways say of the number that was typed, and of an e-mail nothing but that it was asked for: nothing here differs
by whether anybody has the number (case 70).
"""

from __future__ import annotations

import re

from idp.credentials.phone_code import Transaction
from idp.credentials.phone_sendings import Progress, Sending
from idp.errors import N_
from idp.login import drafts, flow_row
from idp.login import flow as flows
from idp.web.faces import json_response
from idp.web.http import Answer, Page, Request, see_other

# The words of gateways and of ours, in plain ones; the first that fits.
REASONS = (
    (re.compile("expired|too_late"), N_("Its time ran out before it arrived.")),
    (re.compile("absent|unreach|switched_off|no_answer|no_response|busy|coverage"), N_("The phone is off, busy or out of coverage.")),
    (re.compile("unknown_subscriber|invalid|bad_number|not_exist|unallocated"), N_("The operator does not know this number.")),
    (re.compile("block|barred|spam|reject|refus|prohibit"), N_("The operator or the phone does not accept it.")),
    (
        re.compile("timeout|connection|tls|status_|_host|no_gateway|^open$|login|throttled|queue_full|bound_already|smpp_|bad_address"),
        N_("We could not hand it over to the operator."),
    ),
)
OTHER = N_("The operator does not say why.")


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/phone_code/receipts`."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "phone_code"):
        return see_other(there)
    code = flow_row.get_code(row)
    sendings = [{"sending": each, "why": _explained(each)} for each in code.progress().sendings]
    return Page(
        "login/receipts.html",
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        phone=code.phone,
        code_id=code.id,
        sendings=sendings,
        back_url=f"{row.address}/phone_code?back=1",
        here=f"{row.address}/phone_code/receipts",
    )


def leave(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/phone_code/receipts`: from the page of the code, what was typed is kept."""
    row = flow_row.get(request, flow)
    drafts.keep(request, row, "phone_code")
    return see_other(f"{row.address}/phone_code/receipts")


def state(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/phone_code/state`: for the page's script, whether the page would look otherwise by now."""
    row = flow_row.get(request, flow)
    code = flow_row.code_of(row)
    return json_response({"mark": mark(code, code.progress() if code is not None and code.is_open else None)})


def mark(code: Transaction | None, progress: Progress | None) -> str:
    """What is the same as long as the page would show the same."""
    if code is None or progress is None:
        return "over"
    return f"{len(code.sent)}-{progress.state}"


def _explained(sending: Sending) -> str:
    """Why it is not there: it failed, or nobody has taken it so far."""
    return why(sending.reason) if sending.state == "failed" or (sending.state == "queued" and sending.reason) else ""


def why(reason: str | None) -> str:
    """A receipt's word as a sentence (a msgid)."""
    if reason is None:
        return OTHER
    return next((text for pattern, text in REASONS if pattern.search(reason)), OTHER)
