"""A gateway that fails is left alone for a while, so that nobody waits for it: a breaker for each, shared by all workers (promise R13).

    closed   it is asked, and what it does is counted
    open     it is passed over at once; when its pause is over one message is tried with it (a probe)

It opens after IN_A_ROW failures in a row, or when of at least ENOUGH tries within WINDOW seconds half failed. A probe that is taken closes
it; one that is not makes the pause longer. The state is a row in the database and not of a process: four workers that each had to fail five
times would cost twenty people their time, and each would send a probe of its own. It costs an UPDATE in the unit that writes the receipt.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp import clock, events
from idp.config_gateways import LONGEST_TRY
from idp.db.columns import table
from idp.db.session import changed, insert_or_ignore, reads, session, writes
from idp.messages.tables import Breaker

IN_A_ROW = 5
ENOUGH, WINDOW = 6, 30  # tries, seconds
STEP = 3  # seconds that are counted together
FIRST_PAUSE, LONGEST_PAUSE = 15, 300  # seconds
PROBE = timedelta(seconds=LONGEST_TRY + 12)  # so long nobody else probes: whoever does may die meanwhile

_rows = table(Breaker)
_OF = sa.select(_rows).where(_rows.c.name == sa.bindparam("of_gateway"))
_LOCKED = _OF.with_for_update()
_WRITE = sa.update(_rows).where(_rows.c.name == sa.bindparam("of_gateway"))
_TAKE_PROBE = _WRITE.where(_rows.c.state == "open", _rows.c.probe_at == sa.bindparam("was_due_at"))


class Admitted(NamedTuple):
    """A gateway may be asked. `is_probe`: by this message alone, to see whether it is well again."""

    is_probe: bool = False


class Standing(NamedTuple):
    """How a gateway stands; `reason`: the word of what opened its breaker last."""

    is_closed: bool
    reason: str | None = None
    opened_at: datetime | None = None
    probe_at: datetime | None = None

    def says(self) -> str:
        """For an operator."""
        if self.is_closed or self.opened_at is None or self.probe_at is None:
            return "asked"
        return f"left alone since {self.opened_at:%Y-%m-%d %H:%M:%S}Z ({self.reason}), tried again at {self.probe_at:%H:%M:%S}Z"


def admit(name: str) -> Admitted | None:
    """Whether the gateway may be asked now. In units of its own: who takes the probe keeps all others from it at once."""
    with reads():
        row = session.execute(_OF, {"of_gateway": name}).one_or_none()
    if row is None or row.state == "closed":
        return Admitted()
    now = clock.now()
    if row.probe_at > now:
        return None
    with writes():
        is_ours = changed(_TAKE_PROBE, of_gateway=name, was_due_at=row.probe_at, probe_at=now + PROBE) == 1
    return Admitted(is_probe=True) if is_ours else None


def succeeded(name: str, admitted: Admitted) -> None:
    """It took a message. In the unit that writes down what became of that."""
    row = _locked(name)
    if row.state == "open":
        if admitted.is_probe:
            _write(name, state="closed", in_a_row=0, recent=[], reason=None, pause=0, opened_at=None, probe_at=None)
            events.record("gateway.closed", details={"gateway": name, "open_for": int((clock.now() - row.opened_at).total_seconds())})
        return  # else it was asked before it was left alone: that says nothing of now
    _write(name, in_a_row=0, recent=_counted(row.recent, taken=1))


def failed(name: str, word: str, admitted: Admitted) -> None:
    """It did not take a message, and `word` says why. In a unit that is committed before anything slow happens."""
    now, row = clock.now(), _locked(name)
    if row.state == "open":
        if admitted.is_probe:
            pause = min(row.pause * 2, LONGEST_PAUSE)
            _write(name, reason=word[:40], pause=pause, probe_at=now + timedelta(seconds=pause))
        return
    in_a_row, recent = row.in_a_row + 1, _counted(row.recent, failed=1)
    tries, failures = sum(part[1] + part[2] for part in recent), sum(part[2] for part in recent)
    if in_a_row < IN_A_ROW and (tries < ENOUGH or failures * 2 < tries):
        _write(name, in_a_row=in_a_row, recent=recent, reason=word[:40])
        return
    probe_at = now + timedelta(seconds=FIRST_PAUSE)
    _write(name, state="open", in_a_row=in_a_row, recent=[], reason=word[:40], pause=FIRST_PAUSE, opened_at=now, probe_at=probe_at)
    details = {"gateway": name, "reason": word[:40], "in_a_row": in_a_row, "failed": failures, "of": tries}
    events.record("gateway.opened", outcome="failed", details=details)


def standings() -> dict[str, Standing]:
    """How each gateway stands that was ever asked. In a `reads()` unit."""
    return {row.name: Standing(row.state == "closed", row.reason, row.opened_at, row.probe_at) for row in session.execute(sa.select(_rows))}


def _locked(name: str) -> Any:
    """The row, which nobody else changes until our unit ends."""
    row = session.execute(_LOCKED, {"of_gateway": name}).one_or_none()
    if row is None:
        insert_or_ignore(Breaker, name=name, state="closed", in_a_row=0, recent=[], pause=0)
        row = session.execute(_LOCKED, {"of_gateway": name}).one()
    return row


def _write(name: str, **values: Any) -> None:
    changed(_WRITE, of_gateway=name, **values)


def _counted(recent: list[Any], *, taken: int = 0, failed: int = 0) -> list[Any]:
    """`recent` with one more try, and without what is older than WINDOW."""
    step = clock.timestamp() // STEP * STEP
    kept = [part for part in recent if step - WINDOW < part[0] <= step]
    if not kept or kept[-1][0] != step:
        kept = [*kept, [step, 0, 0]]
    return [*kept[:-1], [step, kept[-1][1] + taken, kept[-1][2] + failed]]
