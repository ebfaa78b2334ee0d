"""`idp messages spend` and `idp messages simulate` (commands.md): a day by its numbers, and by other rules."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from idp.db.columns import table
from idp.messages.tables import SpendCount, SpendEntry
from tests.cli.running import Place

DAY = "2026-11-22"
NINE = datetime(2026, 11, 22, 9, tzinfo=UTC)


def entry(number: int, *, verified: bool, country: str = "RU", network: str = "a" * 64, **more: object) -> dict[str, object]:
    """A row of the ledger: one minute after the other, ten roubles each."""
    at = NINE + timedelta(minutes=number)
    row = {
        **{"id": f"out_{number:03}", "day": DAY, "purpose": "sign_in", "code_id": f"otp_{number:03}", "channel": "sms", "country": country},
        **{"prefix": "+7912345" if country == "RU" else "+7701234", "network": network, "reserve": "", "day_shard": 0, "country_shard": 0},
        **{"gateway": "main", "parts": 1, "cost": 100_000, "is_doubtful": False, "created_at": at, "sent_at": at, "delivered_at": at},
    }
    return {**row, "verified_at": at + timedelta(seconds=30) if verified else None, "returned_at": None, **more}


@pytest.fixture
def day(place: Place) -> Place:
    """Ten people in Russia, and fifteen messages to Kazakhstan that nobody entered; one that came back, a notice, another day."""
    rows = [entry(n, verified=True, network=f"{n:064}", prefix=f"+791200{n}") for n in range(10)]
    rows += [entry(10 + n, verified=False, country="KZ") for n in range(15)]
    rows += [entry(40, verified=False, returned_at=NINE), entry(41, verified=False, purpose="notice", network="", code_id=None)]
    rows += [entry(42, verified=True, day="2026-11-21")]
    counted = {"day": DAY, "kind": "day", "subject": "", "shard": 0, "cost": 2_500_000, "messages": 25, "verified": 10, "most": 0}
    with sa.create_engine(f"sqlite:///{place.folder / 'idp.sqlite3'}").begin() as connection:
        connection.execute(sa.insert(table(SpendEntry)), rows)
        connection.execute(sa.insert(table(SpendCount)), [counted])
        connection.engine.dispose()
    return place


def said(place: Place, *words: str) -> dict[str, object]:
    """The answer as JSON."""
    done = place.idp("messages", *words, "--day", DAY, "--format", "json")
    assert done.code == 0, done.err
    read: dict[str, object] = json.loads(done.out)
    return read


def test_spend(day: Place) -> None:
    """By country, prefix, channel, gateway: messages, sent, delivered, entered, money; what came back costs nothing."""
    by_country = said(day, "spend")
    assert (by_country["day"], by_country["currency"], by_country["codes_cost"], by_country["day_budget"]) == (
        DAY,
        "RUB",
        "250.00",
        "2000.00",
    )
    assert by_country["lines"] == [
        {"country": "KZ", "messages": 15, "sent": 15, "delivered": 15, "entered": 0, "cost": "150.00"},
        {"country": "RU", "messages": 12, "sent": 12, "delivered": 12, "entered": 10, "cost": "110.00"},
    ]
    assert len(said(day, "spend", "--by", "prefix")["lines"]) == 12  # type: ignore[arg-type] # a list
    shown = day.idp("messages", "spend", "--day", DAY, "--by", "channel")
    assert shown.code == 0
    assert "260.00" in shown.out
    assert "37 %" in shown.out
    assert "Codes cost 250.00 of 2000.00 RUB" in shown.err
    empty = day.idp("messages", "spend")
    assert empty.code == 0
    assert "Nothing was sent on" in empty.err


def test_simulate(day: Place, tmp_path) -> None:
    """What a rule would have blocked and saved, and whom it would have hurt."""
    closed = said(day, "simulate", "--rule", "unverified_floor=5", "--rule", "work_from_unverified=100")
    assert (closed["blocked"], closed["saved"], closed["hurt"]) == (10, "100.00", 0)
    assert closed["rules"] == [{"rule": "country_closed", "messages": 10, "entered": 0, "saved": "100.00"}]
    small = said(day, "simulate", "--rule", "day_budget=50", "--rule", "known_browsers=0", "--rule", "without_scripts=0")
    assert (small["blocked"], small["saved"], small["hurt"]) == (20, "200.00", 5)
    asked = said(day, "simulate", "--rule", "day_budget=200", "--rule", "work_from_budget=10")
    assert (asked["asked_to_work"], asked["hurt"], asked["blocked"]) == (8, 0, 15)
    rules = tmp_path / "rules.toml"
    rules.write_text("[spend]\nwork_from_network = 3\n[[unknown]]\nx = 1\n", "utf-8")
    by_file = said(day, "simulate", "--rules", str(rules))
    assert by_file["rules"] == [{"rule": "network_rate", "messages": 12, "entered": 0, "saved": "120.00"}]
    shown = day.idp("messages", "simulate", "--day", DAY, "--rules", str(rules), "--robots-work")
    assert shown.code == 0
    assert re.search(r"(?m)^blocked +0$", shown.out)
    assert "No rule would have blocked anything." in shown.err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("spend", "--day", "yesterday"), 2, "2026-11-22"),
        (("spend", "--by", "phone"), 2, "country"),
        (("simulate", "--rule", "day_budget"), 1, "KEY=VALUE"),
        (("simulate", "--rule", "day_budgett=1"), 1, "did you mean day_budget"),
        (("simulate", "--rule", "day_budget=much"), 1, "amount"),
        (("simulate", "--rule", "prices={"), 1, "JSON"),
        (("simulate", "--rules", "nothing.toml"), 2, "nothing.toml"),
    ],
)
def test_refused(place: Place, words: tuple[str, ...], code: int, why: str) -> None:
    """A sentence that says what to change."""
    done = place.idp("messages", *words)
    assert done.code == code
    assert why in done.err
