"""Delete my ID: what is lost, a fresh proof as strong as the person can give it, a time of waiting in which one press takes it back.

What then happens is `erasing`'s.
"""

from __future__ import annotations

from datetime import timedelta

from idp.account import entry, shell
from idp.account.entry import Me
from idp.config import settings
from idp.directory import deletion
from idp.errors import N_
from idp.web.http import Answer, Page, Request, see_other

HERE = "/account/deletion"
NOT_SURE = N_("Tick this if you want your ID deleted.")


def show(request: Request) -> Answer:
    """`GET /account/deletion`: what would be lost; while it is awaited, when it will be, and the way back."""
    me = entry.enter(request)
    if me.user.deletion_due_at is None:
        entry.require_proof(request, me)
    return _page(me)


def ask(request: Request) -> Answer:
    """`POST /account/deletion`."""
    me = entry.enter(request)
    entry.require_proof(request, me)
    if not request.form.get("sure"):
        return _page(me, error=NOT_SURE, status=422)
    deletion.request(me.id, wait=timedelta(seconds=settings().account.deletion_wait), personal=entry.place(request))
    return see_other(HERE)


def cancel(request: Request) -> Answer:
    """`POST /account/deletion/cancel`: needs no fresh proof, since it only keeps what is there."""
    me = entry.enter(request, back_to=HERE)
    deletion.cancel(me.id, personal=entry.place(request))
    return see_other("/account/data")


def view(request: Request) -> Answer:
    """The form's address that was opened."""
    del request
    return see_other(HERE)


def _page(me: Me, *, error: str = "", status: int = 200) -> Page:
    lost = deletion.lost(me.id)
    return shell.page(
        me,
        "account/deletion.html",
        section="data",
        status=status,
        owned=lost.owned,
        works_in=lost.works_in,
        family=lost.family,
        days=settings().account.deletion_wait // 86400,
        due_at=me.user.deletion_due_at,
        asked_at=me.user.deletion_requested_at,
        errors=[error] if error else [],
    )
