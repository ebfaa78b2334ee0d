"""What a person with a browser waits for on the ladder: a rung, and what the gateway says of the last sending."""

from __future__ import annotations

import sqlalchemy as sa
from playwright.sync_api import expect

from idp import clock
from idp.credentials.tables import PhoneCode, PhoneCodeSending
from idp.db.columns import table
from idp.db.session import session
from idp.messages.tables import Receipt
from tests.cli.running import wait_until
from tests.journeys.visitor import Visitor

HEADINGS = {
    "flash_call": "Enter the last six digits of the number that calls",
    "sms": "Enter the code from the text message",
    "voice": "Enter the code from the call",
    "email": "Enter the code from the e-mail",
}
ASK = {
    "flash_call": "Call me: the number that calls ends in the code",
    "sms": "Send a new text message",
    "voice": "Call me and say the code",
    "email": "Send the code by e-mail",
}
# One table of settings for all: pauses that a test can wait for, and all rungs.
LADDER: dict[str, dict[str, object]] = {
    "login": {"silent_after": 600, "code_pauses": [1, 1, 1, 1]},
    "messages": {"ladder": {"default": ["flash_call", "sms", "voice", "email"], "79005553503": ["sms", "voice", "email"]}},
    "brand": {"support_url": "/help", "support_email": "help@bazar.example"},
}


def says(visitor: Visitor, state: str, reason: str | None = None) -> None:
    """The gateway's report of the newest sending of this tab's sign-in, which it has taken before."""
    flow = visitor.page.url.partition("/login/")[2].partition("/")[0]
    sendings, receipts = table(PhoneCodeSending), table(Receipt)
    of_flow = sa.select(PhoneCode.id).where(PhoneCode.flow_id == flow).order_by(PhoneCode.created_at.desc()).limit(1)
    wait_until("the message is delivered", lambda: not visitor.stage.world.waiting(), 30)
    with visitor.stage.world.writes():
        newest = sa.select(sendings.c.message_id).where(sendings.c.code_id == session.scalar(of_flow)).order_by(sendings.c.place.desc())
        message_id = session.scalars(newest).first()
        settled = clock.now() if state in {"failed", "delivered"} else None
        session.execute(sa.update(receipts).where(receipts.c.id == message_id).values(state=state, reason=reason, settled_at=settled))


def ask(visitor: Visitor, channel: str, to: str) -> str:
    """Press the button of a rung, be shown its page, and read the code where it came to."""
    known = visitor.codes(to)
    button = visitor.button(visitor.idp(ASK[channel]))
    expect(button).to_be_visible()
    button.click()
    expect(visitor.heading).to_have_text(visitor.idp(HEADINGS[channel]))
    return visitor.new_code(to, known)
