"""`/dev/inbox` and `/dev/inbox.json`: every message of the `inbox` channel, for a desk. On loopback only, and gone with another channel."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from idp.config import is_loopback, settings
from idp.errors import NotFound
from idp.messages import inbox
from idp.web.faces import json_response
from idp.web.http import Answer, Page, Request, Response

PROXIES = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via")


def _require_desk(request: Request) -> None:
    """Raise NotFound unless the channel is on, the caller sits here, no proxy spoke for one, and we are called by a name of ours.

    NOTE: the last one stops a page of the internet whose name has been made to lead to 127.0.0.1 (DNS rebinding). To the browser such an
    inbox is of that page's origin, whose scripts may read every code; the name by which it calls us is what it cannot change.
    """
    address = request.remote_address
    here = bool(address) and ip_address(address).is_loopback
    if settings().messages.channel != "inbox" or not here or any(map(request.header, PROXIES)) or not _is_our_name(request.header("Host")):
        raise NotFound(detail="the inbox is not for this caller")


def _is_our_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name) or name == urlsplit(settings().server.issuer).hostname


def show(request: Request) -> Answer:
    """The page; `?to=` filters by recipient."""
    _require_desk(request)
    to = request.query.get("to").strip()
    return Page("messages/inbox.html", messages=inbox.newest(to or None), to=to)


def show_json(request: Request) -> Response:
    """The same for programs, newest first."""
    _require_desk(request)
    return json_response([message.as_json() for message in inbox.newest(request.query.get("to").strip() or None)])
