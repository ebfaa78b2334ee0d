"""How many authorization requests of one network may be parked: each one is rows in the database, and costs whoever sends it nothing.

A cheap throttle: in each process's own memory, or one figure for all of them where there is a Redis (`throttle`). A network (IPv4
/24, IPv6 /56) may stand for a mobile carrier's hundred thousand people, so there is room for a crowd, and the rest of it arrives at a
steady pace.
"""

from __future__ import annotations

from idp import telemetry, throttle
from idp.errors import N_, TooManyTries

CROWD = 600  # at once
PACE = 1.0  # seconds for each one after that
LOOPBACK = ("127.", "::/")  # not counted: a proxy here whose hops nobody configured speaks for everybody


def admit(network: str) -> None:
    """Count one more of `network`; raises TooManyTries when it sends them faster than that."""
    if network.startswith(LOOPBACK):
        return
    ahead = throttle.count("arrivals", network, crowd=CROWD, pace=PACE)
    if ahead > 0:
        telemetry.count_limited("arrivals")
        raise TooManyTries(N_("Too many sign-ins were begun from your network. Try again in a moment."), retry_after=int(ahead) + 1)
