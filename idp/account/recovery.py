"""A change of the number that waits, as whoever has the ID sees it on their pages: stop it. Administrators find the way to vouch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idp.account import entry
from idp.account.entry import Me
from idp.credentials import recoveries
from idp.directory import sign_in_rules
from idp.web.http import Answer, Request, see_other

HERE = "/account/security#recovery"


def facts(me: Me) -> Mapping[str, Any]:
    """What the section of `/account/security` shows; nothing to most people."""
    waits = me.user.phone_changes_at is not None
    return {"case": recoveries.of_person(me.id) if waits else None, "administers": sign_in_rules.of_person(me.id).is_administrator}


def view(request: Request) -> Answer:
    """The form's address that was opened: the page it stands on."""
    del request
    return see_other(HERE)


def stop(request: Request) -> Answer:
    """`POST /account/recovery`: it was not me. To stop it takes no fresh proof: it keeps all as it is."""
    me = entry.enter(request, back_to=HERE.partition("#")[0])
    case = recoveries.of_person(me.id)
    if case is not None:
        recoveries.cancel(case.id, recoveries.NOT_ME, actor_id=me.id)
    return see_other(HERE)
