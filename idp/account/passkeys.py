"""The passkeys of a person: listed by what keeps them, added, called by another name, removed.

To add and to remove one needs a proof of the last minutes (cases 102, 106; ASVS 5.0 §7.5.1); to add one, of two kinds from whoever can
give them: it counts as two from then on. Whoever adds one is offered to sign out everywhere else (§7.4.3). The last way into an ID is not
removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wtforms import StringField

from idp.account import entry, shell
from idp.account.entry import Me
from idp.credentials import passkey, totp
from idp.credentials.tables import Passkey
from idp.directory import users
from idp.directory.tables import User
from idp.errors import N_, BadInput, Conflict, Forbidden, NotFound
from idp.login import new_passkey, policy, situation
from idp.web.faces import json_response
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other

PAGE, ADD, REMOVED = "/account/passkeys", "/account/passkeys/add", "/account/passkeys/removed"
NO_SUCH = N_("You have no such passkey. Perhaps it was removed.")
LAST_TITLE = N_("This is the last way into your ID")
LAST = N_("Add a phone number or another passkey first. Then this one can be removed.")


class NameForm(Form):
    """One field."""

    name = StringField()


def facts(me: Me) -> Mapping[str, Any]:
    """What the section of `/account/security` shows."""
    return {"passkeys": passkey.of_person(me.id), "possible": passkey.is_possible(), "signal": _signal(me)}


def view(request: Request) -> Answer:
    """`GET /account/passkeys`: where they are listed."""
    del request
    return see_other("/account/security#passkeys")


def show_add(request: Request) -> Answer:
    """`GET /account/passkeys/add`."""
    me = entry.enter(request)
    entry.require_proof(request, me)
    return _adding(me)


def options(request: Request) -> Answer:
    """`POST /account/passkeys/add/options`: what the authenticator is to be asked, as JSON. Raises TooManyTries."""
    me = entry.enter(request, back_to=ADD)
    entry.require_proof(request, me, back_to=ADD)
    return json_response(new_passkey.ask(me.session, me.user))


def add(request: Request) -> Answer:
    """`POST /account/passkeys/add`, `credential`: keep it."""
    me = entry.enter(request)
    entry.require_proof(request, me)
    try:
        kept = new_passkey.keep(request, me.session)
    except (BadInput, Conflict) as refusal:
        return _adding(me, problem=Form(request, ui_locales=request.ui_locales).explain(refusal), status=422)
    return see_other(f"{PAGE}/{kept}?added=1")


def show(request: Request, passkey_id: str) -> Answer:
    """`GET /account/passkeys/<id>`: its name, to be changed; with `added=1`, right after it was made."""
    me = entry.enter(request)
    mine = _mine(me, passkey_id)
    return _page(me, mine, NameForm(request, ui_locales=request.ui_locales, name=mine.name), added=request.query.get("added") == "1")


def rename(request: Request, passkey_id: str) -> Answer:
    """`POST /account/passkeys/<id>`, `name`."""
    me = entry.enter(request)
    form = NameForm(request, ui_locales=request.ui_locales)
    try:
        if not passkey.rename(me.id, passkey_id, form.name.data or ""):
            raise NotFound(NO_SUCH, detail="a passkey that is not theirs")
    except BadInput as refusal:
        form.refuse("name", refusal)
        return _page(me, _mine(me, passkey_id), form, status=422)
    return view(request)


def show_remove(request: Request, passkey_id: str) -> Answer:
    """`GET /account/passkeys/<id>/remove`: what stops, and what stays."""
    me = entry.enter(request)
    _require_proof_to_remove(request, me)
    mine = _mine(me, passkey_id)
    return shell.page(me, "account/passkey_remove.html", section="security", passkey=mine, is_last=_is_last_way(me.user))


def remove(request: Request, passkey_id: str) -> Answer:
    """`POST /account/passkeys/<id>/remove`. Raises Forbidden: it is the last way in."""
    me = entry.enter(request)
    _require_proof_to_remove(request, me)
    user = users.get(me.id, alone=True)  # two tabs that remove the last two wait here for one another
    _mine(me, passkey_id)
    if _is_last_way(user):
        raise Forbidden(LAST, title=LAST_TITLE, detail="the last way into an ID")
    passkey.remove(me.id, passkey_id, personal=entry.place(request))
    return see_other(REMOVED)


def show_removed(request: Request) -> Answer:
    """`GET /account/passkeys/removed`: it opens nothing any more; on the device it is still to be removed."""
    me = entry.enter(request)
    return shell.page(me, "account/passkey_removed.html", section="security", signal=_signal(me))


def _require_proof_to_remove(request: Request, me: Me) -> None:
    """A fresh proof; of two kinds where there is an authenticator app.

    NOTE: a passkey does not guard its own removal. Whoever has lost the phone that it is in comes in by a code to their number, and must be
    able to remove it; a code opens the ID anyway, so nothing is won by removing what else opens it. Every known channel is told.
    """
    if totp.is_set_up(me.id):
        entry.require_proof(request, me)
    else:
        entry.fresh(request, me)


def _mine(me: Me, passkey_id: str) -> Passkey:
    """The person's passkey of this id; raises NotFound, also for another's (case 106)."""
    found = next((each for each in passkey.of_person(me.id) if each.id == passkey_id), None)
    if found is None:
        raise NotFound(NO_SUCH, detail="a passkey that is not theirs")
    return found


def _is_last_way(user: User) -> bool:
    """Whether nothing else than the one passkey opens the ID."""
    return len(passkey.of_person(user.id)) == 1 and not situation.ways_in(user, but=policy.PASSKEY)


def _signal(me: Me) -> str:
    """What the script tells the password manager: these passkeys open the ID, and no others; empty for who never had one."""
    handle = passkey.find_handle(me.id)
    accepted = [each.credential_id for each in passkey.of_person(me.id)]
    told = {"signalName": "allAcceptedCredentials", "rpID": passkey.domain(), "userID": handle, "allAcceptedCredentialIDs": accepted}
    return json.dumps(told) if handle else ""


def _adding(me: Me, *, problem: str = "", status: int = 200) -> Page:
    return shell.page(me, "account/passkey_add.html", section="security", status=status, address=ADD, problem=problem)


def _page(me: Me, mine: Passkey, form: NameForm, *, added: bool = False, status: int = 200) -> Page:
    return shell.page(me, "account/passkey.html", section="security", status=status, passkey=mine, form=form, added=added)
