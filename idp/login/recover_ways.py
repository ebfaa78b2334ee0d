"""A lost phone: how it is proved that the ID is theirs. Every way is offered to everybody; the words of a refusal do not tell who has what.

Each of them ends in `recoveries.begin`, in the transaction of the proof.
"""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from idp.config import settings
from idp.credentials import passkey, recoveries, trusted_device
from idp.credentials.recoveries import Case
from idp.credentials.trusted_device import KnownPerson
from idp.directory import sign_in_rules
from idp.errors import N_, Conflict, TooManyTries
from idp.login import browser, policy, recover_email, situation
from idp.login import flow as flows
from idp.login.flow_row import Flow
from idp.login.policy import Demand
from idp.login.recover_order import due, elsewhere, opened
from idp.login.session import SignedIn
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

STRONGEST = "phishing_resistant"

NO_PASSKEY = N_("This passkey does not open that ID. Choose another way.")
NOT_THIS_BROWSER = N_("This browser cannot prove that ID. Choose another way.")


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/recover/ways`."""
    row, case = opened(request, flow)
    if there := elsewhere(row, case, "ways"):
        return see_other(there)
    return _ways_page(request, row, case)


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/recover/ways`, `answer`: `passkey`, `browser`, `email` or `vouched`."""
    row, case = opened(request, flow, lock=True)
    if there := elsewhere(row, case, "ways"):
        return see_other(there)
    wanted = request.form.get("answer")
    try:
        if wanted == recoveries.PASSKEY:
            return _by_passkey(request, row, case)
        if wanted == recoveries.BROWSER:
            return _by_browser(request, row, case)
        if wanted == recoveries.EMAIL:
            return recover_email.ask(row, request, case)
        if wanted == recoveries.VOUCHED:
            recoveries.ask(case)
            return see_other(due(row, recoveries.get(case.id)))
    except Conflict as refusal:
        return _ways_page(request, row, case, problem=Form(request, ui_locales=row.ui_locales).explain(refusal), status=409)
    except TooManyTries as refusal:
        form = Form(request, ui_locales=row.ui_locales)
        return form.wait(_ways_page(request, row, case, problem=form.explain(refusal), status=429), refusal)
    return _ways_page(request, row, case, status=422)


def _by_passkey(request: Request, row: Flow, case: Case) -> Answer:
    """A sign-in by passkey that leads back here; once it was given in this browser for this request, it counts. Raises as `begin` does."""
    live = browser.signed_in(request)
    shown = _shown(live, case)
    if live is None or shown is None:
        now = clock.now()
        begun = flows.begin(
            return_to=f"{row.address}/recover/ways",
            demand=Demand(now, fresh_since=now, acr=STRONGEST),
            login_secret=request.cookie("login"),
            client_name=row.client_name,
            client_logo=row.client_logo,
            ui_locales=row.ui_locales,
        )
        return see_other(f"{begun.address}/passkey")
    if live.user_id != case.user_id:
        return _ways_page(request, row, case, problem=_say(request, row, NO_PASSKEY), status=422)
    recoveries.begin(case, recoveries.PASSKEY, passkey_id=shown)
    return see_other(due(row, recoveries.get(case.id)))


def _shown(live: SignedIn | None, case: Case) -> str | None:
    """The passkey that was shown in this browser for this request.

    NOTE: the session does not say which of them it was. It is the one that was used last, unless one was used since: then it is to be shown
    once more, so that nobody begins with theirs in the name of another one.
    """
    if live is None or live.acr != STRONGEST or live.auth_time < case.created_at:
        return None
    last = max(((key.last_used_at, key.id) for key in passkey.of_person(live.user_id) if key.last_used_at is not None), default=None)
    return last[1] if last is not None and last[0] <= live.auth_time else None


def _by_browser(request: Request, row: Flow, case: Case) -> Answer:
    """This browser knows them, as well as for a press of their name, and has for long; for whoever has more to lose that is too little
    (case 78).
    """
    known, live = browser.recognise(request), browser.signed_in(request)
    device = next((person for person in known.people if person.user_id == case.user_id), None)
    here = next((person for person in browser.everybody(known, live) if person.user_id == case.user_id), None)
    vouches = here is not None and situation.of_press(Demand(clock.now()), request, known, here).is_enough
    if device is None or not vouches or not _is_old_friend(device) or _has_more_to_lose(device.user_id):
        return _ways_page(request, row, case, problem=_say(request, row, NOT_THIS_BROWSER), status=422)
    recoveries.begin(case, recoveries.BROWSER, browser_id=known.browser_id)
    return see_other(due(row, recoveries.get(case.id)))


def _is_old_friend(device: KnownPerson) -> bool:
    """Whether the person was proved in it by their number, and it has been trusted for as long as a lost phone waits.

    NOTE: a browser is worth what it was remembered for: for an e-mail, a password or another provider it would be a way around the
    recovery code, or around the number. And what a thief proved a minute ago must not last longer than the time in which its owner can
    undo it: a password that was set anew, as all that ends what was proved, ends that trust as well.
    """
    if flows.BY_PHONE.isdisjoint(device.amr):
        return False
    before = clock.now() - timedelta(seconds=settings().login.recovery_wait)
    here = [each for each in trusted_device.of_person(device.user_id) if each.device_id == device.device_id]
    return any(each.trusted_at <= before for each in here)


def _has_more_to_lose(user_id: str) -> bool:
    """Whether more stands between a browser and this ID than its word: then that is not gone around here (ASVS 5.0 §6.3.4)."""
    return sign_in_rules.of_person(user_id).is_administrator or bool(situation.factors(user_id) & {policy.PASSKEY, policy.TOTP})


def _say(request: Request, row: Flow, text: str) -> str:
    return Form(request, ui_locales=row.ui_locales).translate(text)


def _ways_page(request: Request, row: Flow, case: Case, *, problem: str = "", status: int = 200) -> Page:
    live = browser.signed_in(request)
    shown = _shown(live, case) is not None
    return Page(
        "login/recover_ways.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        phone=case.phone,
        problem=problem,
        passkey_shown=shown,
    )
