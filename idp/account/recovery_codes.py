"""The recovery codes of a person: made, shown once, counted, made anew.

What is shown stands on the answer to the button and nowhere else: neither the address nor the database can show it again. A file would be
kept by the browser's list of downloads with all that stands in it, so without a script there is none: the page is printed, or copied.
"""

from __future__ import annotations

from idp import clock, limits
from idp.account import entry, shell
from idp.account.entry import Me
from idp.credentials import password_hashing, recovery_codes, totp
from idp.db.session import places, writes
from idp.directory import users
from idp.web.http import Answer, Page, Request

A_DAY, DAY = 10, 86400  # sets that one person can make: each costs ten slow hashes


def show(request: Request) -> Answer:
    """`GET /account/recovery_codes`: how many are left."""
    return _page(entry.enter(request))


def make(request: Request) -> Answer:
    """`POST /account/recovery_codes`, `instead_of` (the id of the set on the page): ten new ones, shown in the answer. Outside of any unit.

    Raises TooManyTries. NOTE: a form that is sent a second time, in another tab or by reloading, makes no second set.
    """
    with password_hashing.place():
        with places(), writes():
            me = entry.enter(request)
            entry.require_proof(request, me)
            limits.spend("recovery_codes", me.id, limit=A_DAY, window_seconds=DAY)
        drawn = recovery_codes.draw(me.id)
    with places(), writes():
        me = entry.enter(request)  # it may have been signed out meanwhile
        users.get(me.id, alone=True)
        how = {"instead_of": request.form.get("instead_of"), "session_id": me.session.id}
        if not recovery_codes.keep(me.id, drawn, **how, personal=entry.place(request)):
            return _page(me, problem=True, status=409)
    return shell.page(me, "account/recovery_codes_made.html", section="security", codes=drawn.texts, made_at=clock.now())


def _page(me: Me, *, problem: bool = False, status: int = 200) -> Page:
    return shell.page(
        me,
        "account/recovery_codes.html",
        section="security",
        status=status,
        left=recovery_codes.left(me.id),
        guarded=totp.is_set_up(me.id),
        problem=problem,
    )
