"""A passkey: one press, and whatever unlocks the device. It says by itself who somebody is, so no number has to be typed; as a further
proof it has to be that person's.

The page's script asks `options` for a question, and fills the answer into the form that `answer` takes. Nothing before the answer tells
whether anybody has a passkey here, and what comes of one that we do not know is what comes of a wrong signature (case 70, goal G-7).

NOTE: `answer` commits between using up the question and looking at the answer.
"""

from __future__ import annotations

import json

from idp.credentials import passkey, trusted_device
from idp.credentials import passkey_response as responses
from idp.credentials.passkey import FURTHER_PROOF, SIGN_IN, Kept
from idp.credentials.passkey_response import Response, Unsound
from idp.db.session import session as database
from idp.directory import users
from idp.errors import N_, Gone
from idp.login import flow as flows
from idp.login import flow_row, policy
from idp.login.flow_row import Flow
from idp.web.faces import json_response
from idp.web.http import Answer, Page, Request, see_other

UNKNOWN = N_("This passkey opens no ID here. Perhaps it was removed. Sign in another way.")
TOO_LATE = N_("That took too long. Press the button once more.")
NOT_RIGHT = N_("The passkey could not be checked. Try again or sign in another way.")
OF_ANOTHER = N_("This passkey belongs to another ID. Take the one of the ID that you began with.")
DOUBTED = N_("This passkey may have been copied, so it opens nothing. Sign in another way and remove it in your ID.")
SAID = {"unknown": UNKNOWN, "another_person": OF_ANOTHER, "doubted": DOUBTED}


def is_offered(row: Flow) -> bool:
    """Whether the pages of this sign-in have the button: nobody is proved yet, and it is not to begin with a fresh ID."""
    return passkey.is_possible() and row.doubted_user_id is None and not row.demand.create


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/passkey`."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "passkey"):
        return see_other(there)
    return _page(row)


def options(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/passkey/options`: what the browser's authenticator is to be asked, as JSON. Raises TooManyTries.

    Before somebody is proved it is the same for everybody: no list of credentials, whatever number was typed.
    """
    row = flow_row.get(request, flow)
    if flows.elsewhere(row, request, "passkey"):
        raise Gone(flow_row.OVER, detail=f"no passkey is due in {row.id}")
    return json_response(passkey.ask_for_proof(row.id, user_id=row.doubted_user_id))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/passkey`, `credential`: what the authenticator said, as JSON."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "passkey"):
        return see_other(there)
    asked_of = row.doubted_user_id
    try:
        response = responses.read(request.form.get("credential"))
    except Unsound:
        return _page(row, problem=NOT_RIGHT, status=422)
    if not passkey.take(response, FURTHER_PROOF if asked_of else SIGN_IN, row.id, user_id=asked_of):
        return _page(
            row, problem=TOO_LATE, status=422
        )  # an answer to no question of ours is no event: anybody could fill the log with them
    kept = passkey.find(response)
    database.commit()  # the question is used up, whatever happens from here on
    try:
        shown = passkey.verify(response, kept, user_id=asked_of)
    except Unsound as e:
        return _refused(row, request, e.reason, kept, response)
    row = flow_row.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, "passkey"):  # another tab was quicker
        return see_other(there)
    user = users.get(shown.kept.user_id, alone=True)
    if wrong := passkey.use(shown):
        return _refused(row, request, wrong, kept, response)
    return flows.proved(row, request, user, policy.proof(policy.PASSKEY, shown.kept.amr))


def _refused(row: Flow, request: Request, reason: str, kept: Kept | None, response: Response | None = None) -> Page:
    """The page once more, with what is wrong.

    To a credential that opens nothing the answer is 404, and the script tells the password manager, which then offers it no more. NOTE: so
    this must never be said of a passkey for what may happen to its owner (a question that was too old, a device that verified nobody).
    """
    personal = {"ip": request.remote_address, "browser": trusted_device.name_of(request.user_agent)}
    passkey.refuse(reason, kept, personal=personal, flow=row.id)
    signal = None
    if reason == "unknown" and response is not None:
        signal = {"signalName": "unknownCredential", "rpID": passkey.domain(), "credentialID": response.credential_id}
    return _page(row, problem=SAID.get(reason, NOT_RIGHT), signal=json.dumps(signal) if signal else "", status=404 if signal else 422)


def _page(row: Flow, *, problem: str = "", signal: str = "", status: int = 200) -> Page:
    return Page(
        "login/passkey.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        address=f"{row.address}/passkey",
        other_url=f"{row.address}/further_proof" if row.doubted_user_id else f"{row.address}/identify",
        problem=problem,
        signal=signal,
    )
