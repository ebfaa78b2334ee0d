"""Sending a code in a sign-in: what goes out, and what waits while the browser works for it (`product.md` §2.7)."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import crypto
from idp.credentials import phone_code
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed
from idp.db.session import session as database
from idp.errors import WorkNeeded
from idp.login import browser, policy
from idp.login.flow import next_address
from idp.login.flow_row import NOTHING_PROVED, Flow, code_of, pending_user, write
from idp.login.tables import LoginFlow
from idp.web.http import Answer, Request, see_other
from idp.web.pages import language_of

WORK = "awaiting work"

_flows = table(LoginFlow)
_AWAITS = Ready(sa.select(_flows.c.awaiting_work).where(_flows.c.id == sa.bindparam("of_flow")))
_WRITE = Ready(sa.update(_flows).where(_flows.c.id == sa.bindparam("of_flow")))


class Awaited(NamedTuple):
    """What a browser works for: a code to `phone` by `channel`, or (`again`) one more message with the code of that id; `hard`: longer."""

    phone: str
    channel: str | None
    again: str | None
    hard: bool = False


def ask_for_code(flow: Flow, request: Request, phone: str, *, channel: str | None = None, work: str | None = None) -> Answer:
    """Send a code to `phone` and lead on; while the last code for it can still be entered, nothing is sent. Raises TooManyTries.

    `channel`: by which to begin, else by the ladder's first. `work`: what the browser did for it already, as `spend.require_open` knows it;
    where it has to, this leads there; raises WorkNeeded when that was not enough. NOTE: whoever changes the number and changes it back
    finds the code that is under way, with the guesses it has left: no way around gives new ones.
    """
    # Whoever proves the number of the one to whom other proofs led goes on; any other number begins afresh.
    goes_on = policy.PHONE_CODE in flow.wanted and (pending := pending_user(flow)) is not None and pending.phone == phone
    kept: dict[str, Any] = {} if goes_on else NOTHING_PROVED
    sent = code_of(flow)
    if sent is None or sent.phone != phone:
        sent = phone_code.find_last(phone, flow.id)
        if sent is not None and sent.is_open:
            write(flow, phone_code_id=sent.id, **kept)
    if sent is None or not sent.is_open:
        try:
            begun = phone_code.begin(
                phone,
                flow_id=flow.id,
                purpose=phone_code.SIGN_IN,
                language=language_of(request, flow.ui_locales),
                network=request.network,
                device_id=browser.device_of(request, phone),
                channel=channel,
                work=work,
            )
        except WorkNeeded as needed:
            if work is not None:
                raise
            return await_work(flow, phone, channel, hard=needed.is_hard)
        write(flow, phone_code_id=begun.id, **kept)
        flow.code = begun
    return see_other(next_address(flow, request))


def await_work(flow: Flow, phone: str, channel: str | None, *, again: str | None = None, hard: bool = False) -> Answer:
    """Keep what was asked for, and lead to where it is earned."""
    changed(_WRITE, of_flow=flow.id, awaiting_work=crypto.seal(WORK, json.dumps(Awaited(phone, channel, again, hard))))
    return see_other(f"{flow.address}/proof_of_work")


def awaited(flow: Flow) -> Awaited | None:
    """What `await_work` kept; None when nothing waits for work."""
    sealed = database.execute(_AWAITS, {"of_flow": flow.id}).scalar_one_or_none()
    return Awaited(*json.loads(crypto.unseal(WORK, sealed))) if sealed else None


def worked(flow: Flow) -> None:
    """Nothing waits any more."""
    changed(_WRITE, of_flow=flow.id, awaiting_work=None)
