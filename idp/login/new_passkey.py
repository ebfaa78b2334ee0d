"""A new passkey for whoever is signed in in this browser: the question, and keeping the key that answers it. For all pages that offer one.

NOTE: who calls has seen that the person proved who they are a moment ago (case 102): a session that was left open makes no way back in.
"""

from __future__ import annotations

from typing import Any

from idp import languages
from idp.credentials import passkey, trusted_device
from idp.credentials import passkey_response as responses
from idp.credentials.passkey import ADD
from idp.credentials.passkey_response import Unsound
from idp.db.session import session as database
from idp.directory import users
from idp.directory.tables import User
from idp.errors import N_, BadInput, Gone
from idp.login import session
from idp.login.session import SignedIn
from idp.web.http import Request

TOO_LATE = N_("That took too long. Press the button once more.")
NOT_RIGHT = N_("The passkey could not be checked. Try again.")
SIGNED_OUT = N_("You were signed out meanwhile. Sign in again.")


def ask(here: SignedIn, user: User) -> dict[str, Any]:
    """What the authenticator is to be asked. Password managers show the number, with only its end, and the name. Raises TooManyTries."""
    name = languages.mask_phone(user.phone or "").replace(languages.NBSP, " ") or user.name or user.id
    return passkey.ask_for_key(here.id, user.id, name=name, shown_name=user.name or name)


def keep(request: Request, here: SignedIn) -> str:
    """Keep the key in the form's `credential`; answers its id. Raises BadInput, Conflict, Gone.

    NOTE: commits between using up the question and looking at the answer.
    """
    personal = {"ip": request.remote_address, "browser": trusted_device.name_of(request.user_agent)}
    try:
        response = responses.read(request.form.get("credential"))
        if not passkey.take(response, ADD, here.id, user_id=here.user_id):
            raise Unsound("challenge")
        database.commit()
        key = responses.verify_new(response, origin=passkey.origin(), domain=passkey.domain())
    except Unsound as e:
        passkey.refuse(e.reason, None, personal=personal, of=here.user_id)
        raise BadInput(TOO_LATE if e.reason == "challenge" else NOT_RIGHT, detail=f"a new passkey: {e.reason}") from e
    users.get(here.user_id, alone=True)
    if not session.is_live(here.id):  # signed out everywhere in this very moment: what was open must leave nothing behind
        raise Gone(SIGNED_OUT, detail="the session ended while a passkey was made")
    return passkey.add(here.user_id, key, **personal)
