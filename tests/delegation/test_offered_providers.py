"""Which other providers an app offers: all that are configured, some of them, none; only what is configured can be named."""

from __future__ import annotations

import pytest

from idp.delegation import clients
from idp.errors import BadInput
from tests.world import World

TWO = {key: {"preset": key, "client_id": "us", "client_secret": "secret"} for key in ("google", "github")}


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """Two providers."""
    return {"providers": dict(TWO)}


def test_which_are_offered(world: World) -> None:
    """None named: all. The change is an event; a machine has no sign-in page."""
    party, machine = world.party(), world.machine()
    assert party.client.providers is None
    for given, kept in ((["github", "google", "github"], ["github", "google"]), ([], []), (None, None)):
        with world.writes():
            assert clients.update(party.client.id, providers=given).providers == kept
    assert world.events("client.updated")[0].details["changed"] == {"providers": {"before": None, "after": ["github", "google"]}}
    with world.writes():
        clients.update(party.client.id, providers=["github", "google"])
    del world.settings.providers["google"]  # taken out of the configuration: the client can be changed all the same
    with world.writes():
        assert clients.update(party.client.id, name="Other").providers == ["github", "google"]
    for client, named in ((party, ["vk"]), (machine, ["google"])):
        with pytest.raises(BadInput), world.writes():
            clients.update(client.client.id, providers=named)
