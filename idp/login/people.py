"""The people who are known in this browser: press your name, or take one off the list."""

from __future__ import annotations

from idp import languages
from idp.credentials import trusted_device
from idp.directory import users
from idp.login import browser, flow_row, passkey, sending, session, situation
from idp.login import flow as flows
from idp.login.browser import PersonHere
from idp.login.flow_row import Flow
from idp.web.http import Answer, Page, Request, see_other


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/people`; with `?removing=1` to take somebody off the list."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "people"):
        return see_other(there)
    demand = row.demand
    here, known = browser.people(request, demand), browser.recognise(request)
    shown = [
        {"id": person.id, "name": person.name, "initials": initials(person.name), "phone": languages.mask_phone(person.phone or "")}
        for person in here
    ]
    return Page(
        "login/people.html",
        parked=True,
        ui_locales=row.ui_locales,
        people=shown,
        flow=row,
        identify_url=f"{row.address}/identify",
        removing=request.query.get("removing") == "1",
        needs_code=not all(situation.of_press(demand, request, known, person).is_enough for person in here),
        remembered=bool(known.people),
        passkeys=passkey.is_offered(row),
    )


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/people`, `person`: somebody pressed a name. A name that is not known here is nobody's (case 75)."""
    row = flow_row.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, "people"):
        return see_other(there)
    if browser.expel_thief(request):
        return see_other(flows.next_address(row, request))
    wanted = request.form.get("person")
    person = next((person for person in browser.people(request, row.demand) if person.id == wanted), None)
    return _pressed(row, request, person) if person else see_other(flows.next_address(row, request))


def _pressed(row: Flow, request: Request, person: PersonHere) -> Answer:
    """Somebody who is known here pressed their name: in, when that is enough for who asks; else a code goes out. Raises TooManyTries."""
    if situation.of_press(row.demand, request, browser.recognise(request), person).is_enough:
        user = users.get(person.user_id, alone=True)
        return flows.finish(row, request, user, person.proved, remember=None, device_id=person.device_id, session_id=person.session_id)
    if person.phone is None:
        return see_other(f"{row.address}/identify")
    return sending.ask_for_code(row, request, person.phone)


def forget(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/people/forget`, `person`: not known here any more, and signed out here."""
    row = flow_row.get(request, flow, lock=True)
    wanted = request.form.get("person")
    live, known = browser.signed_in(request), browser.recognise(request)
    if known.browser_id is not None and known.person(wanted):
        user_id = trusted_device.forget(known.browser_id, device_id=wanted)
        if user_id is not None:  # None: another tab was quicker; to `end_of_browser` it would mean everybody
            session.end_of_browser(known.browser_id, "forgotten", user_id=user_id)
        if live is not None and live.user_id == user_id:
            session.end(live.id, "forgotten")
    elif live is not None and live.id == wanted:
        session.end(live.id, "forgotten")
    return see_other(flows.next_address(row, request))


def share(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/people/shared`: others use this browser too. It knows nobody any more, and the tick is off beforehand."""
    row = flow_row.get(request, flow, lock=True)
    live, known = browser.signed_in(request), browser.recognise(request)
    if known.browser_id is not None and known.people:
        trusted_device.end(known.browser_id, "shared")
        session.end_of_browser(known.browser_id, "shared")
    if live is not None:
        session.end(live.id, "shared")
    onward = see_other(flows.next_address(row, request))
    browser.mark_shared(request, onward, remember=False)
    browser.drop_unknown(request, onward)
    return onward


def initials(name: str) -> str:
    """Up to two letters for the round picture; of a name in Chinese characters the first one."""
    words = name.split()
    if words and "一" <= words[0][0] <= "鿿":
        return words[0][0]
    return "".join(word[0] for word in words[:2]).upper()
