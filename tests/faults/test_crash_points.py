"""R20: whatever statement a process dies at, the same thing done again leads to the same end, on SQLite and PostgreSQL.

For every step of every flow and every k: it dies at its k-th point, another process does it again. When nothing had been committed, what
is there at last, and what is answered, is what a run without a crash gives. When it had been committed and only the answer was lost, it is
what doing it twice gives, which other files judge (a replayed code revokes, a second press of a button finds it pressed).
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from idp import clock
from tests.conftest import Told
from tests.faults.conftest import BOTH, BOTH_AT_TIMES
from tests.faults.crash import differences, swept
from tests.faults.steps import STEPS, Step
from tests.faults.steps_of_clients import STEPS_OF_CLIENTS
from tests.faults.steps_of_codes import STEPS_OF_CODES
from tests.faults.steps_of_devices import STEPS_OF_DEVICES
from tests.faults.steps_of_factors import STEPS_OF_FACTORS
from tests.faults.steps_of_own_pages import STEPS_OF_OWN_PAGES
from tests.faults.steps_of_passkeys import STEPS_OF_PASSKEYS
from tests.faults.steps_of_passwords import STEPS_OF_PASSWORDS
from tests.faults.steps_of_profile import STEPS_OF_PROFILE
from tests.faults.steps_of_providers import STEPS_OF_PROVIDERS
from tests.faults.steps_of_recovery import STEPS_OF_RECOVERY
from tests.faults.steps_of_sign_outs import STEPS_OF_SIGN_OUTS
from tests.machine import count

# What takes long, or is a hundred statements of one transaction, is sampled every day and swept in `make faults`.
_log = logging.getLogger("tests.faults")
LONG = {"make keys", "look at keys", "rotate keys", "revoke key", "make recovery codes"}
LOCKING = {
    "right code",
    "right app code",
    "right password",
    "sign in with passkey",
    "sign in with a provider",
    "wrong code",
    "register",
    "press name",
    "redeem",
    "refresh",
    "fetch tokens on a device",
    "deliver",
    "react",
    "rotate keys",
}
ALL = (
    *STEPS,
    *STEPS_OF_CLIENTS,
    *STEPS_OF_CODES,
    *STEPS_OF_DEVICES,
    *STEPS_OF_FACTORS,
    *STEPS_OF_OWN_PAGES,
    *STEPS_OF_PASSKEYS,
    *STEPS_OF_PASSWORDS,
    *STEPS_OF_PROFILE,
    *STEPS_OF_PROVIDERS,
    *STEPS_OF_RECOVERY,
    *STEPS_OF_SIGN_OUTS,
)
CASES = [("sqlite", step) for step in ALL] + [
    pytest.param("postgresql", step, marks=pytest.mark.postgresql) for step in ALL if BOTH_AT_TIMES == BOTH or step.name in LOCKING
]


@pytest.mark.parametrize(("told_on_both", "step"), CASES, indirect=["told_on_both"], ids=str)
def test_dying_at_every_point(told_on_both: Told, step: Step, tmp_path: Path) -> None:
    """R20, R1: no point of the step leaves anything that the same step, done again, does not bring to its end."""
    stride = _stride(step, on_postgresql=told_on_both.cluster is not None)
    # Never before the story was told: a key that is younger than now would not be published yet.
    with clock.freeze(datetime.now(UTC).replace(microsecond=0)) as shift, swept(told_on_both, tmp_path, step, shift) as sweep:
        once, twice = sweep.once(), None
        point, deaths, seconds = 1, 0, time.monotonic()
        while (died := sweep.die_at(point)) is not None:
            again, allowed = sweep.retry(), [once]
            if died.commits and again != once:
                twice = twice or sweep.once(2)
                allowed.append(twice)
            if again not in allowed:
                wrong = [f"{other.answer} -> {again.answer}: {differences(other.dump, again.dump)}" for other in allowed]
                pytest.fail(f"{step} died at {died}\n" + "\n".join(wrong))
            deaths += 1
            point += stride
        assert deaths > 0
        _log.info("%s: died %d times at up to %d points in %.1f s", step, deaths, point - stride, time.monotonic() - seconds)


def _stride(step: Step, *, on_postgresql: bool) -> int:
    if step.name == "tell story":  # four hundred statements of one transaction
        return count(211 if on_postgresql else 97, 1)
    if step.name in LONG:
        return count(131 if on_postgresql else 89, 1)
    return count(97 if on_postgresql else 67, 1)
