"""Profile: what the ID says of the person."""

from __future__ import annotations

from idp.account import entry, shell
from idp.web.http import Answer, Request


def show(request: Request) -> Answer:
    """`GET /account/profile`."""
    me = entry.enter(request)
    return shell.page(me, "account/profile.html", section="profile")
