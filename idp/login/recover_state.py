"""A lost phone: how it stands. To whoever asked for it, and to whoever signs in to the ID meanwhile: was it you?

recover/state   who vouches, until when it waits; stop it. Also for whoever proves the new number in a later sign-in
recover/asked   after any sign-in to the ID, on the way back to where it leads: it was me, or it was not
/recovery/<…>   from the notice: it was not me. The token moves into a cookie at once (case 93); then GET shows, POST stops
"""

from __future__ import annotations

from idp import clock
from idp.credentials import recoveries, vouches
from idp.credentials.recoveries import Case
from idp.errors import N_, Gone
from idp.login import browser, flow_row
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.web.http import Answer, Page, Request, see_other

LINK = "/recovery"
COOKIE_LIFETIME = 900  # seconds in which the button is pressed

STOPPED = N_("This change was stopped, or is done already.")


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/recover/state`."""
    row = flow_row.get(request, flow)
    case = _case_of(row)
    if case.state == recoveries.DRAFT:
        return see_other(f"{row.address}/recover")
    return Page(
        "login/recover_state.html",
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        case=case,
        state=case.state if case.is_waiting or case.is_open or case.ended_at else "over",
        # From here on the schedule does it, in a few seconds.
        is_due=case.is_waiting and case.due_at is not None and case.due_at <= clock.now(),
        vouch_code=recoveries.vouch_code(case.id) if case.state == recoveries.ASKING else "",
        vouched=len(vouches.given(case)) if case.state == recoveries.ASKING else 0,
        needed=vouches.NEEDED,
    )


def stop(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/recover/stop`: whoever asked for it, or has the new number, wants it no more."""
    row = flow_row.get(request, flow, lock=True)
    case = _case_of(row)
    recoveries.cancel(case.id, recoveries.WITHDRAWN)
    return see_other(row.address)


def asked(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/recover/asked`: to who has just signed in."""
    row = flow_row.get(request, flow)
    live = browser.signed_in(request)
    case = recoveries.of_person(live.user_id) if live is not None else None
    if case is None:
        return see_other(flows.way_out(row))
    return Page("login/recover_asked.html", parked=True, ui_locales=row.ui_locales, flow=row, case=case)


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/recover/asked`, `answer`: `not_me` stops it; whatever it is, the sign-in goes on."""
    row = flow_row.get(request, flow, lock=True)
    live = browser.signed_in(request)
    case = recoveries.of_person(live.user_id) if live is not None else None
    if live is not None and case is not None and request.form.get("answer") == recoveries.NOT_ME:
        recoveries.cancel(case.id, recoveries.NOT_ME, actor_id=live.user_id)
    return see_other(flows.way_out(row))


def follow_link(request: Request, token: str) -> Answer:
    """`GET /recovery/<token>`: the token leaves the address, whatever it is."""
    del request
    answer = see_other(LINK)
    if recoveries.is_token(token):
        answer.set_cookie("recovery", token, COOKIE_LIFETIME)
    return answer


def show_link(request: Request) -> Answer:
    """`GET /recovery`: from the notice. It only shows: links are opened by mail scanners too.

    NOTE: a link travels: nothing of the person stands on the page, and of the new number only its end.
    """
    return Page("login/recover_link.html", case=_of_link(request))


def stop_link(request: Request) -> Answer:
    """`POST /recovery`: it was not me."""
    recoveries.cancel(_of_link(request).id, recoveries.NOT_ME)
    return see_other(LINK)


def _of_link(request: Request) -> Case:
    case = recoveries.of_token(request.cookie("recovery"))
    if case is None or case.begun_at is None:
        raise Gone(STOPPED)
    return case


def _case_of(row: Flow) -> Case:
    """What this sign-in recovers; or what is to get the number that was proved in it. Raises Gone."""
    case = recoveries.of_flow(row.id)
    if case is None or case.state == recoveries.DRAFT:
        code = flow_row.code_of(row)
        if code is not None and code.used_at is not None:
            case = recoveries.of_number(code.phone) or case
    if case is None:
        raise Gone(recoveries.OVER)
    return case
