"""`idp messages`: does what people wait for go out?"""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from idp import crypto, telemetry
from idp.cli.failures import Failure
from idp.cli.output import FORMAT, as_json, record, remark
from idp.cli.setting import at_work
from idp.cli.spend import simulate, spend
from idp.db.session import reads, writes
from idp.directory.names import kept_email, require_phone
from idp.languages import LANGUAGES
from idp.messages import channels, receipts
from idp.messages.gateway import GatewayFailed


@click.group()
def messages() -> None:
    """Text messages and mail."""


messages.add_command(spend)
messages.add_command(simulate)


@messages.command()
@click.option("--to", required=True, help="A phone number (+79005550000) or an e-mail address.")
@click.option("--language", type=click.Choice(LANGUAGES), help="[default: that of the settings]")
@FORMAT
@click.pass_context
def test(ctx: click.Context, to: str, language: str | None, form: str) -> None:
    """Send one test message now, past the queue, and say what became of it; exit code 1 when nobody took it."""
    kind, to = ("email", kept_email(to)) if "@" in to else ("sms", require_phone(to))
    with at_work() as settings:
        if not channels.is_carried(kind):
            what = "mail: set [smtp] host" if kind == "email" else "text messages: set [messages] sms"
            raise Failure(f"Nothing carries {what}.")
        message_id, began = crypto.new_id("msg"), time.monotonic()
        payload: dict[str, Any] = {"channel": kind, "to": to, "wording": "test", "language": language or settings.languages.default}
        payload |= {"code": None, "params": {}, "person": None}
        # Its line in the log belongs to the worker's; here the answer says the same.
        telemetry.set_up(settings.telemetry.model_copy(update={"log_level": "WARNING"}), stream=sys.stderr)
        try:
            with writes():
                channels.deliver(message_id, payload)
        except GatewayFailed as e:
            with writes():
                channels.note_failure(message_id, payload, e, given_up=True, expires_at=None)
        took = round((time.monotonic() - began) * 1000)
        with reads():
            receipt = receipts.find(message_id)
    if receipt is None:
        raise RuntimeError("a message was neither sent nor refused")
    said = {
        "message_id": receipt.id,
        "channel": receipt.channel,
        "gateway": receipt.gateway,
        "state": receipt.state,
        "reason": receipt.reason,
        "gateway_message_id": receipt.gateway_message_id,
        "duration_ms": took,
    }
    if form == "json":
        as_json(said)
    else:
        record({name: value for name, value in said.items() if value is not None})
    if receipt.state == "failed":
        remark(f"{receipt.gateway or 'Nobody'} did not take it: {receipt.reason}. `idp doctor` looks at the channels.")
        ctx.exit(1)
