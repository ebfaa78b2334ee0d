"""The recovery codes of a person: made, shown once, counted, made anew.

What is shown stands on the answer to the button and nowhere else: neither the address nor the database can show it again. A file would be
kept by the browser's list of downloads with all that stands in it, so without a script there is none: the page is printed, or copied.
"""

from __future__ import annotations

from idp import clock, limits
from idp.account import authenticator, entry, shell
from idp.credentials import password_hashing, recovery_codes, totp
from idp.db.session import session as database
from idp.directory import users
from idp.web.http import Answer, Request

A_DAY, DAY = 10, 86400  # sets that one person can make: each costs ten slow hashes


def show(request: Request) -> Answer:
    """`GET /account/recovery_codes`: how many are left."""
    me = entry.enter(request)
    return shell.page(
        me,
        "account/recovery_codes.html",
        section="security",
        left=recovery_codes.left(me.id),
        guarded=totp.is_set_up(me.id),
        problem=False,
    )


def make(request: Request) -> Answer:
    """`POST /account/recovery_codes`, `instead_of` (the id of the set on the page): ten new ones, shown in the answer. Raises TooManyTries.

    NOTE: it commits before the slow hashes. A form that is sent a second time, in another tab or by reloading, makes no second set.
    """
    me = entry.enter(request)
    authenticator.require_proof(request, me)
    limits.spend("recovery_codes", me.id, limit=A_DAY, window_seconds=DAY)
    database.commit()
    with password_hashing.place():
        drawn = recovery_codes.draw(me.id)
    users.get(me.id, alone=True)
    entry.enter(request)  # it may have been signed out meanwhile
    how = {"instead_of": request.form.get("instead_of"), "session_id": me.session.id}
    if not recovery_codes.keep(me.id, drawn, **how, personal=entry.place(request)):
        left, guarded = recovery_codes.left(me.id), totp.is_set_up(me.id)
        return shell.page(me, "account/recovery_codes.html", section="security", status=409, left=left, guarded=guarded, problem=True)
    return shell.page(me, "account/recovery_codes_made.html", section="security", codes=drawn.texts, made_at=clock.now())
