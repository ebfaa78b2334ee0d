"""How many authorization requests of one network may be parked: each one is rows in the database, and costs whoever sends it nothing.

A cheap throttle in each process's own memory; what must be exact is counted in the database (`limits`). A network (IPv4 /24, IPv6 /56) may
stand for a mobile carrier's hundred thousand people, so there is room for a crowd, and the rest of it arrives at a steady pace.
"""

from __future__ import annotations

import time

from idp.errors import N_, TooManyTries

CROWD = 600  # at once
PACE = 1.0  # seconds for each one after that, in each process
NETWORKS = 20_000  # that are remembered
LOOPBACK = ("127.", "::/")  # not counted: a proxy here whose hops nobody configured speaks for everybody

_free_at: dict[str, float] = {}  # when all that a network has sent would have arrived at that pace


def admit(network: str) -> None:
    """Count one more of `network`; raises TooManyTries when it sends them faster than that."""
    if network.startswith(LOOPBACK):
        return
    now = time.monotonic()
    free_at = max(now, _free_at.get(network, now)) + PACE
    ahead = free_at - now - CROWD * PACE
    if ahead > 0:
        raise TooManyTries(N_("Too many sign-ins were begun from your network. Try again in a moment."), retry_after=int(ahead) + 1)
    if len(_free_at) >= NETWORKS and network not in _free_at:
        _forget(now)
    _free_at[network] = free_at


def _forget(now: float) -> None:
    """Drop networks that owe nothing; when all of them do, all: a flood from everywhere is no single network's doing."""
    for network in [each for each, free_at in _free_at.items() if free_at <= now]:
        del _free_at[network]
    if len(_free_at) >= NETWORKS:
        _free_at.clear()


def forget() -> None:
    """Forget everybody: for tests."""
    _free_at.clear()
