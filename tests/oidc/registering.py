"""A relying party that registers itself, as the tests of registration do it."""

from __future__ import annotations

from typing import Any

import httpx2

from idp.delegation import clients
from tests.world import CALLBACK, ISSUER, Party, World

DEVELOPER = "192.0.2.44"  # the network that registrations come from
OPEN: dict[str, dict[str, object]] = {"registration": {"mode": "open"}}


def metadata(**changes: Any) -> dict[str, Any]:
    """What a sound client says of itself; `changes` replace or (None) remove some."""
    given = {"client_name": "Tea house", "redirect_uris": [CALLBACK], **changes}
    return {name: value for name, value in given.items() if value is not None}


def post(world: World, given: Any, *, token: str | None = None, address: str = DEVELOPER) -> httpx2.Response:
    """POST /register; `token`: an initial access token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return world.browser(address=address).post("/register", json=given, headers=headers)


def registered(world: World, **changes: Any) -> dict[str, Any]:
    """Registered: the whole answer."""
    answer = post(world, metadata(**changes))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refused(world: World, error: str = "invalid_client_metadata", **changes: Any) -> str:
    """Not registered, for this reason; answers the description."""
    answer = post(world, metadata(**changes))
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert answer.headers["Content-Type"] == "application/json"
    return str(answer.json()["error_description"])


def own(world: World, body: dict[str, Any], method: str = "GET", *, token: str | None = None, json: Any = None) -> httpx2.Response:
    """A request to the address of a registration."""
    path = body["registration_client_uri"].removeprefix(ISSUER)
    headers = {"Authorization": f"Bearer {token or body['registration_access_token']}"}
    return world.browser(address=DEVELOPER).request(method, path, headers=headers, json=json)


def party(world: World, **changes: Any) -> Party:
    """A registered client as the other tests know one."""
    body = registered(world, **changes)
    with world.reads():
        client = clients.get(body["client_id"])
    return Party(client, body.get("client_secret"), body["redirect_uris"][0])
