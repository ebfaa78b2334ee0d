"""Software statements (RFC 7591 §2.3, §3.2.2): what an approved issuer has signed takes the place of what a client says. Case 49."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idp import clock
from tests.conftest import Told
from tests.keyring import forge
from tests.oidc.asserting import public, signed
from tests.oidc.registering import metadata, own, post
from tests.world import CALLBACK, World

MAKER = "https://maker.example"


@pytest.fixture
def world(told: Told, tmp_path: Path) -> Iterator[World]:
    """Open; the statements of one maker count."""
    keys = tmp_path / "maker.json"
    keys.write_text(json.dumps({"keys": [public("EC", kid="k1")]}))
    url = told.copy()
    made = World(told.settings(url, registration={"mode": "open", "software_statements": {MAKER: keys}}))
    yield made
    made.close()
    told.drop(url)


def statement(**changes: Any) -> dict[str, Any]:
    """What the maker says."""
    return {"iss": MAKER, "software_id": "tea-1", "client_name": "Tea of the maker", "iat": clock.timestamp(), **changes}


def test_it_takes_precedence(world: World) -> None:
    """§2.3: its words win, others stay; the answer holds it as it came; nothing else of it is taken."""
    made = signed(statement(client_id="cli_mine", first_party=True, redirect_uris=[CALLBACK]))
    answer = post(world, metadata(client_name="Google", policy_uri="https://rp.example/policy", software_statement=made))
    body = answer.json()
    assert answer.status_code == 201, body
    assert (body["client_name"], body["software_id"], body["policy_uri"]) == ("Tea of the maker", "tea-1", "https://rp.example/policy")
    assert body["software_statement"] == made
    assert body["client_id"] != "cli_mine"
    again = own(world, body, "PUT", json={"client_id": body["client_id"], "redirect_uris": [CALLBACK], "software_statement": made})
    assert again.json()["client_name"] == "Tea of the maker"


def test_what_it_says_is_judged_too(world: World) -> None:
    """Case 46: a maker's signature makes no bad address good."""
    made = signed(statement(redirect_uris=["http://rp.example/"]))
    assert post(world, metadata(software_statement=made)).json()["error"] == "invalid_redirect_uri"


def test_strangers(world: World) -> None:
    """§3.2.2: `unapproved_software_statement`."""
    for issuer in ("https://other.example", None, ["https://maker.example"], MAKER + "/"):
        answer = post(world, metadata(software_statement=signed(statement(iss=issuer))))
        assert (answer.status_code, answer.json()["error"]) == (400, "unapproved_software_statement")


def test_forged_ones(world: World) -> None:
    """Case 49: unsigned, by another key, by an HMAC of the public key, changed, out of date: `invalid_software_statement`."""
    sound = signed(statement())
    now = clock.timestamp()
    forged = (
        forge.compact({"alg": "none"}, statement(), None),
        forge.compact({"alg": "HS256"}, statement(), json.dumps(public("EC", kid="k1")).encode()),
        signed(statement(), algorithm="RS256"),
        signed(statement(), header={"jwk": public("EC")}),
        signed(statement(), header={"kid": "other"}),
        sound[:-8] + "AAAAAAAA",
        signed(statement(exp=now - 1)),
        signed(statement(iat=now + 3600)),
        signed(statement(exp="tomorrow")),
        *("x", "a.b.c", 7, {"a": 1}, [sound]),
    )
    for each in forged:
        answer = post(world, metadata(software_statement=each))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_software_statement"), each
