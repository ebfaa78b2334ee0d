"""`/dev/inbox` and `/dev/inbox.json`: every message of the `inbox` channel, for a desk. On loopback only, and gone with another channel."""

from __future__ import annotations

from ipaddress import ip_address

from idp.config import is_loopback, settings
from idp.errors import NotFound
from idp.messages import inbox
from idp.web.faces import json_response
from idp.web.http import Answer, Page, Request, Response


def _require_desk(request: Request) -> None:
    """Raise NotFound unless the channel is on and the caller, and every proxy that spoke for one, sits on this machine."""
    address = request.remote_address
    forwarded = any(request.header(name) for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"))
    if (
        settings().messages.channel != "inbox"
        or forwarded
        or not address
        or not is_loopback(address)
        or not ip_address(address).is_loopback
    ):
        raise NotFound(detail="the inbox is not for this caller")


def show(request: Request) -> Answer:
    """The page; `?to=` filters by recipient."""
    _require_desk(request)
    to = request.query.get("to").strip()
    return Page("messages/inbox.html", messages=inbox.newest(to or None), to=to)


def show_json(request: Request) -> Response:
    """The same for programs, newest first."""
    _require_desk(request)
    return json_response([message.as_json() for message in inbox.newest(request.query.get("to").strip() or None)])
