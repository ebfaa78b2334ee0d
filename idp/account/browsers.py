"""The browsers of a person: where their ID is open or remembered, signed out one by one, or everywhere at once.

A browser is one row, whether it is only remembered, only signed in, or both. There is no map of addresses: the place is the address itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from idp import clock
from idp.account import entry
from idp.account.entry import Me
from idp.config import settings
from idp.credentials import trusted_device
from idp.errors import BadInput
from idp.languages import format_date
from idp.login import browser, session, situation
from idp.oidc.logout import browser_session
from idp.oidc.sign_out_browser import sign_out_browser
from idp.oidc.sign_out_everywhere import REASON, sign_out_elsewhere, sign_out_everywhere
from idp.web.http import Answer, Request, see_other
from idp.web.pages import language_of

HERE = "/account/security#browsers"
MOST = 50  # rows of the page; whoever has more signs out everywhere
HANDHELD = ("iOS", "Android")


def facts(me: Me) -> Mapping[str, Any]:
    """What the section of `/account/security` shows."""
    rows = of_person(me)
    return {"browsers": rows[:MOST], "more": max(0, len(rows) - MOST), "others": len(rows) - 1}


def of_person(me: Me) -> list[dict[str, Any]]:
    """The person's browsers, this one first, then the last used. `id` is what the form sends: a device's, or a session's."""
    found: dict[str, dict[str, Any]] = {}
    for device in trusted_device.of_person(me.id):
        row = _row(device.device_id, device.name, device.last_ip, device.last_used_at)
        found[device.browser_id] = row | {"browser_id": device.browser_id, "until": device.expires_at}
    for live in session.of_person(me.id):
        row = found.setdefault(live.browser_id or live.id, _row(live.id, live.browser_name, live.ip, live.last_seen_at))
        row |= {"signed_in": True, "here": row["here"] or live.id == me.session.id, "session_id": row["session_id"] or live.id}
        if live.last_seen_at > row["used_at"]:
            row |= {"used_at": live.last_seen_at, "place": live.ip}
    today = format_date("en", clock.now())
    rows = sorted(found.values(), key=lambda row: (not row["here"], -row["used_at"].timestamp(), row["id"]))
    return [row | {"today": format_date("en", row["used_at"]) == today} for row in rows]


def _row(form_id: str, name: str, place: str, used_at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {"id": form_id, "name": name, "place": place, "used_at": used_at, "is_handheld": name.endswith(HANDHELD)}
    return row | {"browser_id": None, "session_id": None, "until": None, "signed_in": False, "here": False}


def view(request: Request) -> Answer:
    """A form's address that was opened: the list."""
    del request
    return see_other(HERE)


def sign_out(request: Request) -> Answer:
    """`POST /account/browsers/sign_out`: the browser that was pressed, if it is this person's. One that is gone already is no error."""
    me = entry.enter(request, back_to=HERE.partition("#")[0])
    pressed = request.form.get("browser")
    row = next((row for row in of_person(me) if row["id"] == pressed), None)
    if row is not None:
        personal = entry.place(request) | {"signed_out": row["name"]}
        sign_out_browser(me.id, browser_id=row["browser_id"], session_id=row["session_id"], personal=personal)
    return see_other(HERE)


def sign_out_of_all(request: Request) -> Answer:
    """`POST /account/browsers/sign_out_everywhere`: everywhere but here, or (`where` is `here_too`) here as well."""
    me = entry.enter(request, back_to=HERE.partition("#")[0])
    where = request.form.get("where")
    if where not in {"elsewhere", "here_too"}:
        raise BadInput(detail="a way of signing out that is on no button")
    if where == "here_too":
        went = browser_session.ends_with(me.session.id, language_of(request))
        sign_out_everywhere(me.id, personal=entry.place(request))
        answer = browser_session.after(went) if went.frames else see_other("/signed-out")
        answer.delete_cookie("session")
        browser.drop_unknown(request, answer)
        return answer
    answer = see_other(HERE)
    stay(request, me, answer)
    return answer


def stay(request: Request, me: Me, answer: Answer, *, reason: str = REASON) -> None:
    """Sign the person out everywhere but here, in the present unit; `answer` carries what this browser goes on with.

    `reason`: why, where it was not for its own sake.
    """
    at = {"user_agent": request.user_agent, "ip": request.remote_address, "language": situation.spoken(request)}
    stayed = sign_out_elsewhere(me.session, browser.recognise(request), **at, reason=reason, personal=entry.place(request))
    if stayed.secret is None:
        answer.delete_cookie("session")
        return
    # As at a sign-in: in a browser that is not remembered the session ends with the window.
    answer.set_cookie("session", stayed.secret, settings().login.session_lifetime if stayed.cookie else None)
    if stayed.cookie:
        answer.set_cookie("browser", stayed.cookie, settings().login.remember_browser)
