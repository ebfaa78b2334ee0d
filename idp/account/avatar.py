"""The person's picture: chosen from a file, drawn anew, taken away; and where everybody gets it who was given its address."""

from __future__ import annotations

from functools import partial

from wtforms import StringField

from idp import limits
from idp.account import entry, shell
from idp.account.entry import Me
from idp.db.session import session as database
from idp.directory import pictures
from idp.errors import N_, BadInput, NotFound, TooManyTries
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, Response, see_other

A_DAY = 30  # uploads of one person: each is a second's work
LARGEST = pictures.LARGEST + 16384  # bytes of the form: the file, and what stands around it
NO_FILE = N_("Choose a picture first.")
HEADERS = (
    ("Content-Type", pictures.KIND),
    ("Content-Disposition", 'inline; filename="picture.jpg"'),
    ("Cache-Control", "public, max-age=86400, immutable"),  # a new picture has a new address; who removes one waits a day at most
    ("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),  # apps show it on their own sites
)


class AvatarForm(Form):
    """Its field is a file, which no form shows again."""

    picture = StringField()


def show(request: Request) -> Answer:
    """`GET /account/avatar`."""
    me = entry.enter(request)
    return _page(me, AvatarForm(request))


def answer(request: Request) -> Answer:
    """`POST /account/avatar`, `picture`: a file. NOTE: it commits before the picture is drawn, which takes a while."""
    me = entry.enter(request)
    form = AvatarForm(request)
    try:
        limits.spend("pictures", me.id, limit=A_DAY, window_seconds=86400)
        file = request.files.get("picture")
        if not file:
            raise BadInput(NO_FILE)
        database.commit()
        drawn = pictures.draw(file)
    except (BadInput, TooManyTries) as refusal:
        return form.refused("picture", refusal, partial(_page, me, form))
    me = entry.enter(request)  # as it is now, after the work
    pictures.keep(me.id, drawn)
    return see_other("/account/profile?done=avatar")


def remove(request: Request) -> Answer:
    """`POST /account/avatar/remove`."""
    me = entry.enter(request, back_to="/account/avatar")
    pictures.remove(me.id)
    return see_other("/account/profile?done=avatar")


def serve(request: Request, picture_id: str) -> Response:
    """`GET /pictures/<id>`, for everybody; with `?size=small` the small one."""
    content = pictures.find(picture_id, small=request.query.get("size") == "small")
    if content is None:
        raise NotFound(detail="no such picture")
    return Response(content, headers=list(HEADERS))


def _page(me: Me, form: Form, *, status: int = 200) -> Page:
    return shell.page(
        me,
        "account/avatar.html",
        section="profile",
        status=status,
        form=form,
        picture=me.user.picture or "",
        own=bool(pictures.small_path(me.user.picture)),
    )
