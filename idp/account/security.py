"""Sign-in and security: what opens the ID, and where it is open. Each row or section is one way to prove who one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from idp.account import browsers, entry, passkeys, providers, recovery, shell
from idp.account.entry import Me
from idp.credentials import password, recovery_codes, totp
from idp.web.http import Answer, Request


class Part(NamedTuple):
    """What `templates/account/rows/<name>.html` shows of `facts(me)`, which it finds as `row`: a row, or a section of its own. No facts:
    there is nothing to show.
    """

    name: str
    facts: Callable[[Me], Mapping[str, Any]]


def _email(me: Me) -> Mapping[str, Any]:
    return {"email": me.user.email or "", "verified_at": me.user.email_verified_at}


def _phone(me: Me) -> Mapping[str, Any]:
    return {"phone": me.user.phone or "", "verified_at": me.user.phone_verified_at}


def _password(me: Me) -> Mapping[str, Any]:
    return {"since": password.set_at(me.id)}


def _authenticator(me: Me) -> Mapping[str, Any]:
    live = totp.find(me.id)
    return {"since": live.confirmed_at if live else None}


def _recovery_codes(me: Me) -> Mapping[str, Any]:
    left = recovery_codes.left(me.id)
    return {"left": left.number if left else None, "of": recovery_codes.HOW_MANY}


# In the order of the page. To add one: a file, a template in `rows`, and a line here.
ABOVE: tuple[Part, ...] = (Part("recovery", recovery.facts), Part("passkeys", passkeys.facts))  # a section each, before the rows
ROWS: tuple[Part, ...] = (
    Part("phone", _phone),
    Part("email", _email),
    Part("password", _password),
    Part("authenticator", _authenticator),
    Part("recovery_codes", _recovery_codes),
    Part("providers", providers.facts),
)
BELOW: tuple[Part, ...] = (Part("browsers", browsers.facts), Part("vouch", recovery.facts))  # a section each, after the rows


def show(request: Request) -> Answer:
    """`GET /account/security`."""
    me = entry.enter(request)

    def told(parts: tuple[Part, ...]) -> list[dict[str, Any]]:
        return [{"name": part.name, "row": dict(facts)} for part in parts if (facts := part.facts(me))]

    return shell.page(
        me, "account/security.html", section="security", said=shell.done(request), above=told(ABOVE), rows=told(ROWS), below=told(BELOW)
    )
