"""One more proof: what was proved so far leads to an ID and does not open it. The page offers what the rule takes and the person has; where
it is the number that is doubted, a fresh ID may begin with it instead.

Whoever stands here has proved one thing, and perhaps has nothing else to do with the ID: nothing of it is shown but masked addresses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from idp import clock, languages
from idp.credentials import phone_code
from idp.credentials.phone_code import Transaction
from idp.directory.tables import User
from idp.errors import N_, Gone, TooManyTries
from idp.login import flow as flows
from idp.login import flow_row, policy, sending
from idp.login.flow_row import Flow
from idp.messages.channels import is_carried
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of


class Way(NamedTuple):
    """A further proof that has a page of its own, under its name; `title` is a msgid."""

    name: str
    title: str


# In the order in which they are offered, the strongest first; codes by e-mail and to the phone stand after them.
WAYS: tuple[Way, ...] = (
    Way(policy.PASSKEY, N_("Sign in with a passkey")),
    Way(policy.PASSWORD, N_("Enter the password")),
    Way(policy.TOTP, N_("Code of the authenticator app")),
    Way(policy.RECOVERY_CODE, N_("Recovery code")),
)


def show(request: Request, flow: str) -> Answer:
    """`GET /login/<flow>/further_proof`."""
    row = flow_row.get(request, flow)
    if there := flows.elsewhere(row, request, "further_proof"):
        return see_other(there)
    return _page(row, doubted(row))


def answer(request: Request, flow: str) -> Answer:
    """`POST /login/<flow>/further_proof`, `answer`: `email`, `phone` (send a code there) or `anew` (begin a fresh ID)."""
    row = flow_row.get(request, flow, lock=True)
    if there := flows.elsewhere(row, request, "further_proof"):
        return see_other(there)
    user, wanted = doubted(row), request.form.get("answer")
    try:
        if wanted == "email" and address_of(row, user):
            return ask(row, request)
        if wanted == "phone" and (number := number_of(row, user)):
            flow_row.write(row, email_code_id=None, anew_at=None)
            return sending.ask_for_code(row, request, number)
    except TooManyTries as refusal:
        form = Form(request, ui_locales=row.ui_locales)
        return form.wait(_page(row, user, problem=form.explain(refusal), status=429), refusal)
    if wanted == "anew" and may_begin_anew(row, user):
        return _begin_anew(row, request)
    return _page(row, user, status=422)


def ask(row: Flow, request: Request) -> Answer:
    """Send a code to the address; while the last one can still be entered, nothing is sent. Raises TooManyTries."""
    sent = email_code_of(row)
    if sent is None or not sent.is_open:
        sent = phone_code.begin(
            flow_row.get_code(row).phone,
            flow_id=row.id,
            purpose=phone_code.FURTHER_PROOF,
            language=language_of(request, row.ui_locales),
            network=request.network,
        )
    flow_row.write(row, email_code_id=sent.id, anew_at=None)
    return see_other(flows.next_address(row, request))


def email_code_of(row: Flow) -> Transaction | None:
    """The code that went to the address last, dead or alive."""
    return phone_code.find(row.email_code_id, row.id) if row.email_code_id else None


def proved(row: Flow, request: Request) -> Answer:
    """The code from the e-mail was right and is used up: number and ID belong together."""
    user, sent = doubted(row, alone=True), email_code_of(row)
    if sent is None or user.email_verified_at is None or user.email_verified_at > sent.created_at:  # it was sent to a former address
        flow_row.write(row, email_code_id=None)
        return see_other(flows.next_address(row, request))
    return flows.proved(row, request, user, policy.proof(policy.EMAIL_CODE, (phone_code.AMR["email"],)))


def _begin_anew(row: Flow, request: Request) -> Answer:
    """Whoever has the number says that the ID is not theirs: a fresh one begins with it, once they gave a name. Raises Forbidden."""
    flows.require_welcome(row, None)
    flow_row.write(row, anew_at=clock.now())
    return see_other(flows.next_address(row, request))


def doubted(row: Flow, *, alone: bool = False) -> User:
    """The ID that the proofs so far do not open, `alone` as in `users.get`. Raises Gone when the number that was proved is another ID's or
    nobody's by now: another tab was first.
    """
    user = flow_row.pending_user(row, alone=alone)
    if user is None or (flow_row.has_given(row, policy.PHONE_CODE) and user.phone != flow_row.get_code(row).phone):
        refusal = Gone(flow_row.OVER, detail=f"the number of {row.id} went to another ID meanwhile")
        refusal.shown["restart_url"] = row.return_to
        raise refusal
    return user


def address_of(row: Flow, user: User) -> str | None:
    """The address for a code: the rule takes it, beside a number that was proved; it is verified, and mail goes out."""
    takes_it = policy.EMAIL_CODE in row.wanted and flow_row.has_given(row, policy.PHONE_CODE)
    return user.email if takes_it and user.email_verified_at is not None and is_carried("email") else None


def number_of(row: Flow, user: User) -> str | None:
    """The number that a code can be sent to, where the rule takes one."""
    return user.phone if policy.PHONE_CODE in row.wanted else None


def may_begin_anew(row: Flow, user: User) -> bool:
    """Whether the number may begin a fresh ID: only who proved it, and only where it is the number that is doubted."""
    return user.phone_doubted_at is not None and flow_row.has_given(row, policy.PHONE_CODE)


def _page(row: Flow, user: User, *, problem: str = "", status: int = 200) -> Page:
    address, number = address_of(row, user), number_of(row, user)
    ways: list[dict[str, Any]] = [{"name": way.name, "title": way.title} for way in WAYS if way.name in row.wanted]
    return Page(
        "login/further_proof.html",
        status=status,
        parked=True,
        ui_locales=row.ui_locales,
        flow=row,
        ways=ways,
        email=languages.mask_email(address) if address else None,
        phone=languages.mask_phone(number) if number else None,
        anew=may_begin_anew(row, user),
        by_number=flow_row.has_given(row, policy.PHONE_CODE),
        why=_why(row, user),
        problem=problem,
        identify_url=f"{row.address}/identify",
    )


def _why(row: Flow, user: User) -> str:
    """Why one proof is not enough, as the page says it (a msgid)."""
    if policy.TOTP in row.wanted:
        return N_("That was right. But this ID has an authenticator app: in a new browser it is asked for as well.")
    if may_begin_anew(row, user):
        return N_("Your number is right. But the ID with this number was not used for a long time, and numbers change hands.")
    if row.wanted <= policy.KNOWN_BY_HEART:
        return N_("A new browser: here the company or the app asks for a password or a passkey as well, once.")
    return N_("In a new browser one proof is not enough here.")
