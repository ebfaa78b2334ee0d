"""`idp messages`: do codes and notices go out, and what became of one? No text and no code is shown, and of a number only its ends."""

from __future__ import annotations

import secrets
import sys
import time
from datetime import datetime
from typing import Any

import click

from idp import clock, crypto, outbox, telemetry
from idp.cli.failures import Failure
from idp.cli.operator import named, past, read_phone
from idp.cli.output import FORMAT, as_json, record, remark, table
from idp.cli.setting import at_work
from idp.cli.spend import simulate, spend
from idp.config import Settings
from idp.config_messages import KINDS
from idp.credentials import phone_sendings
from idp.db.session import reads, writes
from idp.directory.names import kept_email, require_phone
from idp.languages import LANGUAGES
from idp.messages import breaker, channels, gateways, receipts
from idp.messages.gateway import GatewayFailed
from idp.messages.tables import RECEIPT_STATES

SHOWN = (
    *("id", "channel", "wording", "recipient", "gateway", "gateway_message_id", "state", "reason", "passed", "tries"),
    *("created_at", "expires_at", "sent_at", "settled_at"),
)
LISTED = ("id", "created_at", "channel", "wording", "recipient", "gateway", "state", "reason", "tries", "sent_at", "settled_at")
SINCE = "2026-11-22T18:00:00Z, 2026-11-22 (UTC), or 30m, 2h, 7d ago"


@click.group()
def messages() -> None:
    """Text messages, calls and mail."""


@messages.command("list")
@click.option("--phone", metavar="PHONE", help="What went to this number.")
@click.option("--code", "code_id", metavar="ID", help="What was sent with one code: its page tells the person this id, for support.")
@click.option("--since", type=past, metavar="INSTANT", help=f"Not before: {SINCE}.")
@click.option("--state", type=click.Choice(RECEIPT_STATES), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@FORMAT
def listing(*, phone: str | None, code_id: str | None, since: datetime | None, state: str | None, limit: int, form: str) -> None:
    """List messages, the newest first: channel, gateway, state, reason, times; numbers masked."""
    if code_id is not None and (phone or since or state):
        raise click.UsageError("--code names a few messages: leave the other options out.")
    with at_work():
        to = read_phone(phone) if phone else None
        with reads():
            found = _of_code(code_id) if code_id is not None else _listed(to, since, state, limit)
    found = sorted(found, key=lambda row: (row["created_at"], row["id"]), reverse=True)[:limit]
    if form == "json":
        as_json(found)
    else:
        table(LISTED, [[row[name] for name in LISTED] for row in found], empty="No message fits.")


@messages.command()
@click.argument("message_id", metavar="ID")
@FORMAT
def show(message_id: str, form: str) -> None:
    """Show what became of a message: who was asked, who took it, when, or why not."""
    with at_work(), reads():
        receipt = receipts.find(message_id)
        waiting = [row for row in outbox.look([message_id]) if row.kind == channels.KIND]
        if receipt is None and not waiting:
            how = f"--code {message_id}" if message_id.startswith(("otp_", "otp8_")) else "--phone PHONE"
            raise Failure(f"There is no message {named(message_id)}. `idp messages list {how}` finds them; after 90 days they are gone.")
        found = _of_receipt(receipt) if receipt is not None else _of_outbox(waiting[0])
    found["next_try_at"] = waiting[0].due_at if waiting and waiting[0].state == "waiting" and found["state"] == "queued" else None
    if form == "json":
        as_json(found)
    else:
        record({name: value for name, value in found.items() if value is not None})


messages.add_command(spend)
messages.add_command(simulate)


@messages.command()
@click.option("--to", required=True, help="A phone number (+79005550000) or an e-mail address.")
@click.option("--channel", "kind", type=click.Choice(KINDS), help="[default: sms for a number, email for an address]")
@click.option("--gateway", metavar="NAME", help="This gateway and no other, also one that is left alone [default: as for a code]")
@click.option("--language", type=click.Choice(LANGUAGES), help="[default: that of the settings]")
@FORMAT
@click.pass_context
def test(ctx: click.Context, *, to: str, kind: str | None, gateway: str | None, language: str | None, form: str) -> None:
    """Send one test message now, past the queue, and say what became of it; exit code 1 when nobody took it.

    A gateway that takes it is asked again by all workers.
    """
    kind, to = _whither(to, kind)
    with at_work() as settings:
        _require_carried(settings, kind, gateway)
        message_id, began = crypto.new_id("msg"), time.monotonic()
        payload: dict[str, Any] = {"channel": kind, "to": to, "wording": "test", "language": language or settings.languages.default}
        payload |= {"code": f"{secrets.randbelow(10**6):06}" if kind == "flash_call" else None, "params": {}, "person": None}
        # Its line in the log belongs to the worker's; here the answer says the same.
        telemetry.set_up(settings.telemetry.model_copy(update={"log_level": "WARNING"}), stream=sys.stderr)
        try:
            with writes():
                channels.deliver(message_id, payload, only=gateway)
                if gateway is not None:
                    breaker.succeeded(gateway, breaker.Admitted(is_probe=True))
        except GatewayFailed as e:
            with writes():
                channels.note_failure(message_id, payload, e, given_up=True, expires_at=None)
        finally:
            gateways.close_lines()
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
        "passed": receipt.passed,
        "caller_ends_in": payload["code"],
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


def _whither(to: str, kind: str | None) -> tuple[str, str]:
    """Channel and recipient of a test."""
    if kind is not None and (kind == "email") != ("@" in to):
        raise click.UsageError("--channel email goes to an address, every other channel to a phone number.")
    return ("email", kept_email(to)) if "@" in to else (kind or "sms", require_phone(to))


def _require_carried(settings: Settings, kind: str, gateway: str | None) -> None:
    if not channels.is_carried(kind):
        what = {"email": "mail: set [smtp] host", "sms": "text messages: set [messages] sms"}
        raise Failure(f"Nothing carries {what.get(kind, f'{kind}: set [messages] {kind}')}.")
    if gateway is not None and settings.messages.channel == "inbox":
        raise Failure("The inbox takes everything: there is no gateway to be named.")
    if gateway is not None and gateway not in gateways.named(kind):
        raise Failure(f"{named(gateway)} carries no {kind}. There are: {', '.join(gateways.named(kind))}.")


def _listed(to: str | None, since: datetime | None, state: str | None, limit: int) -> list[dict[str, Any]]:
    found = [_of_receipt(row) for row in receipts.newest(limit, to=to, since=since, state=state)]
    return found + (_not_tried_yet(to, since, {row["id"] for row in found}) if state in {None, "queued"} else [])


def _of_code(code_id: str) -> list[dict[str, Any]]:
    """The messages with one code; an e-mail to an ID that has no address is among them, as the page of the person has it too."""
    message_ids = phone_sendings.messages_of(code_id)
    tried = {row.id: _of_receipt(row) for message_id in message_ids if (row := receipts.find(message_id)) is not None}
    waiting = {row.id: _of_outbox(row) for row in outbox.look([each for each in message_ids if each not in tried])}
    return [*tried.values(), *waiting.values()]


def _of_receipt(row: Any) -> dict[str, Any]:
    found = {name: getattr(row, name) for name in SHOWN}
    found["state"], found["reason"] = receipts.stand(row, clock.now())
    return found


def _of_outbox(row: outbox.Waiting) -> dict[str, Any]:
    """A message that nobody was asked for yet, in the same shape."""
    payload = row.payload()
    state, reason = receipts.before_any_try(row, clock.now())
    found: dict[str, Any] = dict.fromkeys(SHOWN) | {"id": row.id, "state": state, "reason": reason, "tries": row.attempts}
    found |= {"channel": payload.get("channel"), "wording": payload.get("wording"), "created_at": row.created_at}
    return found | {"recipient": receipts.masked(payload["to"]) if "to" in payload else None, "expires_at": row.expires_at}


def _not_tried_yet(to: str | None, since: datetime | None, known: set[str]) -> list[dict[str, Any]]:
    """What waits in the outbox and has no receipt; what waits too late will never be tried, and is left out."""
    rows = [row for row in outbox.waiting(channels.KIND, 1000) if row.id not in known and (since is None or row.created_at >= since)]
    tried = receipts.states_of([row.id for row in rows])
    untried = {message_id for message_id, state in tried.items() if not state.gateway and state.state == "queued"}
    return [_of_outbox(row) for row in rows if row.id in untried and (to is None or row.payload().get("to") == to)]
