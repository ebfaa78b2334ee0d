"""While messages are pumped a code has to be earned: the browser works for a second, by itself, and the sign-in goes on.

Nobody has to read, click or drag anything (WCAG 2.2, 3.3.8). A browser without scripts cannot work: it gets one message in ten minutes for
its network, from a small budget of its own. What was asked for waits, sealed, in the row of the sign-in. `product.md` §2.7.
"""

from __future__ import annotations

from functools import partial

from wtforms import HiddenField

from idp.credentials import phone_code
from idp.credentials.phone_sendings import NotOpen
from idp.errors import N_, Gone, TooManyTries, WorkNeeded
from idp.login import flow as flows
from idp.login import flow_row, sending
from idp.login.flow_row import Flow
from idp.messages import proof_of_work, spend
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

REFUSED = N_("That did not count. Press the button to try again.")


class WorkForm(Form):
    """The solution, under the name that altcha's own page gives it; empty from a browser without scripts."""

    altcha = HiddenField()


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/proof_of_work`."""
    row = flow_row.get(request, flow)
    wanted = None if flows.is_over(row, request) else sending.awaited(row)
    if wanted is None:
        return see_other(flows.next_address(row, request))
    return _page(row, request, WorkForm(request, ui_locales=row.ui_locales), wanted)


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/proof_of_work`, `altcha`: what waited is sent, as if nobody had been asked for anything."""
    row = flow_row.get(request, flow, lock=True)
    wanted = None if flows.is_over(row, request) else sending.awaited(row)
    if wanted is None:
        return see_other(flows.next_address(row, request))
    form = WorkForm(request, ui_locales=row.ui_locales)
    solution = form.altcha.data or ""
    if solution and not proof_of_work.accept(solution, row.id, hard=wanted.hard):
        form.refuse_with("altcha", form.translate(REFUSED))
        return _page(row, request, form, wanted, status=422)
    try:
        following = _send(row, request, wanted, work=("hard" if wanted.hard else "solved") if solution else "plain")
    except WorkNeeded as needed:  # meanwhile it takes more
        return sending.await_work(row, wanted.phone, wanted.channel, again=wanted.again, hard=needed.is_hard)
    except TooManyTries as refusal:
        return form.refused("altcha", refusal, partial(_page, row, request, form, wanted))
    sending.worked(row)
    return following


def _send(row: Flow, request: Request, wanted: sending.Awaited, *, work: str) -> Answer:
    """What waited: the message once more, or, when its time is over or there was none, a new code."""
    code = flow_row.code_of(row)
    if wanted.again is not None and code is not None and code.id == wanted.again and code.is_open:
        try:
            phone_code.resend(code.id, row.id, wanted.channel or code.sent[-1], work=work)
        except NotOpen:  # another tab was quicker
            row.code = None
        except Gone:
            return sending.ask_for_code(row, request, wanted.phone, work=work)
        return see_other(flows.next_address(row, request))
    return sending.ask_for_code(row, request, wanted.phone, channel=wanted.channel, work=work)


def _page(row: Flow, request: Request, form: WorkForm, wanted: sending.Awaited, *, status: int = 200) -> Page:
    return Page(
        "login/proof_of_work.html",
        status=status,
        parked=True,
        works=True,
        ui_locales=row.ui_locales,
        form=form,
        flow=row,
        phone=wanted.phone,
        hard=wanted.hard,
        challenge=proof_of_work.challenge(row.id, hard=wanted.hard),
        plain_from=spend.plain_from(request.network),
        identify_url=f"{row.address}/identify",
        about="locked" if status == TooManyTries.status else "code",
    )
