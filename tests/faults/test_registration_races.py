"""An initial access token is good as often as it says, however many register in one instant, against four worker processes.

RFC 7591 §3; case 50 of threats.md, on both databases.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
import sqlalchemy as sa

from idp.delegation import initial_tokens
from idp.delegation.tables import ClientRow
from tests.conftest import Told
from tests.faults.race import at_once, statuses
from tests.faults.served import Served, served
from tests.machine import count

RUNS = count(3, 50)
AT_ONCE = 16


@pytest.fixture(scope="module")
def provider(told_on_both: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Registration by token."""
    with served(told_on_both, tmp_path_factory.mktemp("served"), registration={"mode": "token"}) as running:
        yield running


def test_one_use(provider: Served) -> None:
    """One client comes of it; everybody else is told that the token is used up."""
    for _ in range(RUNS):
        with provider.writes():
            _, token = initial_tokens.add("Race", uses=1)
        request = httpx2.Request(
            "POST",
            f"{provider.issuer}/register",
            json={"client_name": "Racer", "redirect_uris": ["https://rp.example/callback"]},
            headers={"Authorization": f"Bearer {token}"},
        )
        before = len(provider.rows(sa.select(ClientRow.id)))
        assert statuses(at_once([request] * AT_ONCE)) == {201: 1, 401: AT_ONCE - 1}
        assert len(provider.rows(sa.select(ClientRow.id))) == before + 1
