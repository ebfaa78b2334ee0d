"""A lost phone: the order of its pages, in one sign-in; then a waiting time, which outlives it (`credentials/recoveries`).

    recover         the number or address of the ID, and the new number: a code goes out to that one
    recover/code    prove the new number
    recover/ways    prove the ID: a passkey, this browser, or
    recover/email   e-mail and a recovery code, or
    recover/state   two administrators, to whom a code is read out; and from then on: until when it waits

NOTE: until something is proved all answers are the same, whether anybody has what was typed (case 70, goal G-7): every way is offered, and
what cannot be proved is refused in the same words. Nobody is signed in by any of it (case 92).
"""

from __future__ import annotations

from idp.credentials import recoveries
from idp.credentials.recoveries import Case
from idp.errors import Gone
from idp.login import flow_row
from idp.login.flow_row import Flow
from idp.web.http import Request


def opened(request: Request, flow: str, *, lock: bool = False) -> tuple[Flow, Case]:
    """The sign-in of this address in this browser, and what is recovered in it. Raises Gone."""
    row = flow_row.get(request, flow, lock=lock)
    case = recoveries.of_flow(row.id)
    if case is None:
        refusal = Gone(recoveries.OVER, detail=f"{row.id} recovers nothing")
        refusal.shown["restart_url"] = f"{row.address}/recover"
        raise refusal
    return row, case


def due(row: Flow, case: Case) -> str:
    """Where the person goes from here."""
    if case.state == recoveries.DRAFT:
        if not case.is_open:
            return f"{row.address}/recover"
        return f"{row.address}/recover/{'ways' if case.phone_proved_at else 'code'}"
    return f"{row.address}/recover/state"


def elsewhere(row: Flow, case: Case, page: str) -> str | None:
    """Where to go instead of `page`, when it is not its turn (case 60)."""
    there = due(row, case)
    allowed = {"email", "ways"} if there.endswith("/ways") else set()
    return None if page in allowed or there.endswith(f"/recover/{page}") else there
