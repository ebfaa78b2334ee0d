"""`idp messages spend` and `idp messages simulate`: what codes cost on a day, and what other rules would have made of it."""

from __future__ import annotations

import json
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from idp import clock
from idp.cli.failures import Failure
from idp.cli.output import FORMAT, as_json, record, remark, table
from idp.cli.setting import at_work
from idp.config import PREFIX, Settings
from idp.config_source import nearest, sentence
from idp.config_spend import Spend, units, written
from idp.db.session import reads
from idp.messages import spend_ledger, spend_replay
from idp.messages.spend import day_of
from idp.messages.spend_rules import NOTICES


def _day(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """A day of the budgets, as they are counted."""
    if value in {"today", ""}:
        return day_of(clock.now())
    try:
        return datetime.strptime(value, "%Y-%m-%d").strftime("%Y-%m-%d")  # noqa: DTZ007 - a day has no hour
    except ValueError as e:
        raise click.BadParameter("a day is written as 2026-11-22") from e


DAY = click.option("--day", callback=_day, default="today", show_default=True, metavar="DAY", help="A day in UTC: 2026-11-22.")


@click.command()
@DAY
@click.option("--by", type=click.Choice(["country", "prefix", "channel", "gateway"]), default="country", show_default=True)
@FORMAT
def spend(day: str, by: str, form: str) -> None:
    """What messages cost on a day, how many arrived and how many codes were entered."""
    with at_work() as settings, reads():
        lines = list(spend_ledger.sums(day, by))
        used, told = spend_ledger.used(day), spend_ledger.used(day, NOTICES)
    currency, budget = settings.spend.currency, settings.spend.day_budget
    if form == "json":
        said = [{by: line.name, **_numbers(line), "cost": written(line.cost)} for line in lines]
        whole = {"day": day, "currency": currency, "codes_cost": written(used), "day_budget": written(units(budget))}
        whole |= {"notices_cost": written(told), "notice_budget": written(units(settings.spend.notice_budget))}
        as_json(whole | {"by": by, "lines": said})
        return
    columns = (by, "messages", "sent", "delivered", "entered", "share", f"cost, {currency}")
    rows = [(line.name or "-", line.messages, line.sent, line.delivered, line.verified, _share(line), written(line.cost)) for line in lines]
    table(columns, rows, empty=f"Nothing was sent on {day}.")
    of_notices = f"{written(told)} of {written(units(settings.spend.notice_budget))}"
    remark(f"Codes cost {written(used)} of {written(units(budget))} {currency} on {day}, notices {of_notices}.")


@click.command()
@DAY
@click.option("--rules", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A TOML file with keys of [spend].")
@click.option("--rule", "single", multiple=True, metavar="KEY=VALUE", help="One key of [spend]; can be given more than once.")
@click.option("--robots-work", is_flag=True, help="Suppose that robots work for their codes too.")
@FORMAT
def simulate(day: str, rules: Path | None, single: tuple[str, ...], robots_work: bool, form: str) -> None:
    """Replay a day against other rules: what they would have blocked and saved, and whom they would have hurt."""
    with at_work() as settings, reads():
        chosen = _rules(settings, rules, single)
        entries = spend_ledger.of_day(day)
        done = spend_replay.replay(
            entries, chosen, lambda country: spend_ledger.usual(country, day, chosen.unverified_days), robots_work=robots_work
        )
    said: dict[str, Any] = {
        **{"day": day, "messages": done.messages, "blocked": done.messages - done.let_through, "cost": written(done.cost)},
        **{"saved": written(done.saved), "currency": chosen.currency, "asked_to_work": done.asked_to_work, "hurt": done.hurt},
    }
    by_rule = sorted(done.rules.items(), key=lambda item: -item[1].saved)
    if form == "json":
        each = [{"rule": name, "messages": rule.messages, "entered": rule.verified, "saved": written(rule.saved)} for name, rule in by_rule]
        as_json(said | {"rules": each})
        return
    record(said)
    lines = [(name, rule.messages, rule.verified, written(rule.saved)) for name, rule in by_rule]
    table(("rule", "blocked", "of them entered", f"saved, {chosen.currency}"), lines, empty="No rule would have blocked anything.")
    remark("hurt: people who entered a code on that day and would have got none; asked_to_work: who would have waited for a second.")


def _numbers(line: spend_ledger.Sum) -> dict[str, int]:
    return {"messages": line.messages, "sent": line.sent, "delivered": line.delivered, "entered": line.verified}


def _share(line: spend_ledger.Sum) -> str:
    return f"{100 * line.verified // line.messages} %" if line.messages else ""


def _rules(settings: Settings, path: Path | None, single: tuple[str, ...]) -> Spend:
    """The settings in force, with what the file and the options change. Raises Failure for what is no rule."""
    given = settings.spend.model_dump(exclude_unset=True)
    if path is not None:
        try:
            read = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as e:
            raise Failure(f"{path} cannot be read as TOML: {e}") from e
        given |= read.get("spend", read)
    for text in single:
        name, equals, value = text.partition("=")
        if not equals:
            raise Failure(f'--rule {text}: write it as KEY=VALUE, as in "day_budget=500".')
        given[name.strip()] = _value(value.strip())
    for name in given:
        if name not in Spend.model_fields:
            raise Failure(f"{name} is no key of [spend]{nearest(name, Spend.model_fields, '{}')}.")
    try:
        return Spend(**given)
    except ValidationError as e:
        raise Failure(*[sentence({**error, "loc": ("spend", *error["loc"])}, PREFIX) for error in e.errors()]) from e


def _value(text: str) -> Any:
    """Lists and tables as JSON, as in the variables; everything else as it is."""
    if text[:1] not in {"{", "["}:
        return text
    try:
        return json.loads(text)
    except ValueError as e:
        raise Failure(f"{text} is no JSON.") from e
