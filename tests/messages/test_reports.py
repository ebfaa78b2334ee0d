"""Delivery reports of a gateway: believed only with its secret, and harmless twice, late, out of order and made up.

Promise R13 (duplicate receipts); cases 41 and 110 in spirit: no secret in an address, and nothing to learn without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from idp.messages import channels, receipts
from tests.conftest import Told
from tests.messages.far_end import FarEnd
from tests.messages.test_gateways import a_webhook
from tests.world import World

SECRET, OTHER = "report-secret-" + "a" * 24, "report-secret-" + "b" * 24
STATES = {"id": "data.0.id", "state": "data.0.state", "delivered": ["DELIVRD"], "failed": ["UNDELIV", "EXPIRED"]}


@pytest.fixture
def world(told: Told, far_end: FarEnd) -> Iterator[World]:
    """A provider with a gateway that reports in JSON, one that reports in forms, and one that does not."""
    gateways = {
        "main": a_webhook(far_end, reports={"secret": SECRET, **STATES}),
        "forms": a_webhook(far_end, reports={"secret": OTHER}),
        "silent": a_webhook(far_end),
    }
    url = told.copy()
    made = World(told.settings(url, messages={"channel": "gateways", "sms": ["main", "forms"], "gateways": gateways}))
    yield made
    made.close()
    told.drop(url)
    told.settings(told.url)


def sent(world: World) -> str:
    """A message that the gateway took; its id."""
    with world.writes():
        message_id = channels.send("sms", "+79005550001", "test", "ru")
    world.deliver()
    return str(message_id)


def report(world: World, known_as: str, state: str, *, gateway: str = "main", secret: str = SECRET, **more: Any) -> httpx2.Response:
    """What the gateway sends."""
    given = {"json": {"data": [{"id": known_as, "state": state}]}, "headers": {"Authorization": f"Bearer {secret}"}} | more
    return world.browser(address="198.51.100.7").post(f"/api/messages/receipts/{gateway}", **given)


def state_of(world: World, message_id: str) -> tuple[str, str | None]:
    """State and reason."""
    with world.reads():
        found: Any = receipts.find(message_id)
    return found.state, found.reason


def test_delivered(world: World) -> None:
    """By the gateway's name for the message, and by ours; on the way first, which changes nothing."""
    message_id = sent(world)
    assert report(world, "gw-1", "ACCEPTD").status_code == 204
    assert state_of(world, message_id) == ("sent", None)
    assert report(world, "gw-1", "DELIVRD").status_code == 204
    assert state_of(world, message_id) == ("delivered", None)
    other = sent(world)
    assert report(world, other, "UNDELIV").status_code == 204
    assert state_of(world, other) == ("failed", "undeliv")


def test_twice_late_and_out_of_order(world: World) -> None:
    """R13: the first end is the end; each report is answered with 204, so the gateway stops."""
    message_id = sent(world)
    for state in ("DELIVRD", "DELIVRD", "UNDELIV", "ACCEPTD", "EXPIRED"):
        assert report(world, "gw-1", state).status_code == 204
        assert state_of(world, message_id) == ("delivered", None)


@pytest.mark.parametrize(
    "how",
    [
        {"secret": ""},
        {"secret": SECRET[:-1]},
        {"secret": OTHER},
        {"headers": {}},
        {"headers": {"Authorization": SECRET}},
        {"headers": {"Authorization": f"Basic {SECRET}"}},
        {"headers": {}, "params": {"token": SECRET, "secret": SECRET}},
        {"gateway": "silent"},
        {"gateway": "nobody"},
        {"gateway": "nobody", "secret": "no such gateway takes a report: at least 32 characters"},
        {"gateway": "forms"},
    ],
)
def test_only_with_the_secret(world: World, how: dict[str, Any]) -> None:
    """401, whether there is such a gateway or not, and nothing has changed."""
    message_id = sent(world)
    refused = report(world, "gw-1", "DELIVRD", **how)
    assert (refused.status_code, refused.json()["error"]) == (401, "login_required")
    assert state_of(world, message_id) == ("sent", None)


def test_another_gateways_message(world: World) -> None:
    """A gateway speaks only of its own: 404, as for a message that nobody knows (yet)."""
    message_id = sent(world)
    form = {"json": None, "data": {"id": message_id, "status": "delivered"}}
    assert report(world, "", "", gateway="forms", secret=OTHER, **form).status_code == 404
    assert report(world, "gw-77", "DELIVRD").status_code == 404
    assert state_of(world, message_id) == ("sent", None)


def test_as_a_form(world: World, far_end: FarEnd) -> None:
    """The other encoding, with the names that are default, of the gateway that took it when the first did not."""
    far_end.answers.extend([500, "ok"])
    message_id = sent(world)
    form = {"json": None, "data": {"id": message_id, "status": "undelivered"}}
    assert report(world, message_id, "DELIVRD").status_code == 404
    assert report(world, "", "", gateway="forms", secret=OTHER, **form).status_code == 204
    assert state_of(world, message_id) == ("failed", "undelivered")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"data":{"0":1}}', b'{"data":[{"id":"x\\u0000","state":"DELIVRD"}]}', b"[" * 9000]
)
def test_what_is_no_report(world: World, body: bytes) -> None:
    """400, and no trace; GET is not for it, and a flood is turned away."""
    sent(world)
    assert report(world, "", "", json=None, content=body).status_code == 400
    assert report(world, "", "", json=None, content=b"x" * 70_000).status_code == 413
    assert world.browser().get("/api/messages/receipts/main").status_code == 405
