"""The session of this browser ends: the page that says what ended with it, and the frames in which relying parties end theirs.

OpenID Connect Front-Channel Logout 1.0 (https://openid.net/specs/openid-connect-frontchannel-1_0.html). The frames stand on the page that
is shown after the session has ended, with `iss` and `sid` always (§3); from there the person goes on to where they came from, once the
frames are loaded, or after a moment: a relying party that hangs keeps nobody here (threats: case 52).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from idp.config import settings
from idp.delegation import clients, redirects, session_clients, subjects
from idp.delegation.clients import Client
from idp.login import session
from idp.login.session import SignedIn
from idp.web.http import Answer, Page, see_other

PATIENCE = 4  # seconds that frames have to load, where no script sees that they did


@dataclass(frozen=True, slots=True)
class Ended:
    """An app that the session had signed in to. `told`: it hears of the end, from us or in a frame; else it learns when it next asks."""

    name: str
    told: bool


class Went(NamedTuple):
    """What ends with a session: the apps that held something of it, by name, and the addresses of those that end it in a frame."""

    apps: list[Ended]
    frames: list[str]


NOTHING = Went([], [])


def end(signed_in: SignedIn, *, language: str, return_to: str | None = None, client: Client | None = None) -> Answer:
    """End the session; answers the way to `return_to`, or the page that says what has ended, with the way back to `client`."""
    went = ends_with(signed_in.id, language)
    session.end(signed_in.id, "signed_out")
    answer = after(went, return_to=return_to, client=client, language=language)
    answer.delete_cookie("session")
    return answer


def ends_with(session_id: str, language: str) -> Went:
    """What will end with this session; names for a reader of `language`."""
    living = set(session_clients.of_session(session_id, living=True))
    known = [found for each in session_clients.of_session(session_id) if (found := clients.find(each))]
    frames = [_frame(each, session_id) for each in known if each.frontchannel_logout_uri]
    return Went([Ended(each.title(language), told=_is_told(each)) for each in known if each.id in living], frames)


def after(went: Went = NOTHING, *, return_to: str | None = None, client: Client | None = None, language: str = "") -> Answer:
    """What is shown when nobody is signed in any more: frames first, where there are any, and then the way on."""
    if return_to is not None and not went.frames:
        return see_other(return_to)
    home = client.client_uri or client.restart_url if client is not None else None
    return Page(
        "oidc/signed_out.html",
        frames=tuple(dict.fromkeys(origin for each in went.frames if (origin := redirects.origin(each)))),
        ended=went.apps,
        frame_urls=went.frames,
        return_url=return_to or home,
        goes_on=return_to is not None,
        patience=PATIENCE,
        client_name=client.title(language) if client is not None else None,
    )


def _frame(client: Client, session_id: str) -> str:
    """§3: what stood in its query stays, `iss` and `sid` come after it."""
    address = client.frontchannel_logout_uri or ""
    shown = {"iss": settings().server.issuer, "sid": subjects.session_id(client, session_id)}
    return f"{address}{'&' if '?' in address else '?'}{urlencode(shown)}"


def _is_told(client: Client) -> bool:
    return bool(client.backchannel_logout_uri or client.frontchannel_logout_uri)
