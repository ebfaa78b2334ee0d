"""My data: a copy of all of it in one archive, and the way to have it deleted."""

from __future__ import annotations

from idp import clock, events, limits
from idp.account import archive, entry, shell
from idp.account.entry import Me
from idp.config import settings
from idp.db.session import places, reads, writes
from idp.directory import pictures
from idp.web.http import Answer, Request, Response
from idp.web.pages import language_of

HERE = "/account/data/archive"
DOWNLOADED = "data.downloaded"


def show(request: Request) -> Answer:
    """`GET /account/data`."""
    me = entry.enter(request)
    return shell.page(me, "account/data.html", section="data", due_at=me.user.deletion_due_at)


def show_archive(request: Request) -> Answer:
    """`GET /account/data/archive`: what the copy holds, and the button; after a fresh proof, as strong as the
    person can give it, since it is all we know of them.
    """
    me = entry.enter(request)
    entry.require_proof(request, me)
    most = settings().account.archives_per_day
    left = most - min(most, limits.used(DOWNLOADED, me.id, window_seconds=86400))
    return shell.page(me, "account/download.html", section="data", parts=archive.titles(), left=left)


def download(request: Request) -> Answer:
    """`POST /account/data/archive`: the archive itself.

    It opens its own units: who asks and how often is counted and committed first, then all is read in one look, and only after that it is
    written and packed, with neither lock nor connection in hand.
    """
    with places(), writes():
        me = _asked(request)
    with places(), reads():
        found, picture = archive.collect(me.id, language_of(request)), pictures.of_person(me.id)
    return _file(archive.pack(found, language_of(request), picture))


def _asked(request: Request) -> Me:
    me = entry.enter(request)
    entry.require_proof(request, me)
    limits.spend(DOWNLOADED, me.id, limit=settings().account.archives_per_day, window_seconds=86400)
    events.record("data.downloaded", user_id=me.id, session_id=me.session.id, personal=entry.place(request))
    return me


def _file(body: bytes) -> Response:
    name = f"my-data-{clock.now():%Y-%m-%d}.zip"
    shown_as = ("Content-Disposition", f'attachment; filename="{name}"')
    return Response(body, headers=[("Content-Type", "application/zip"), shown_as, ("Cache-Control", "no-store")])
