"""A client is changed, deleted, and given a second secret while the first one works; every process sees it within a second.

Cases 25, 42, 48 and 88 of threats.md; the rules themselves are called, since an operator's commands do no more than that.
"""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from idp import clock
from idp.delegation import clients
from idp.delegation.tables import ClientRow, ClientSecret
from idp.errors import BadInput, Conflict, NotFound
from tests.oidc.asking import error_at, is_page_of_ours, rows, signed_in, token_error
from tests.oidc.asserting import ask, public, says, signed
from tests.world import CALLBACK, Party, World, answer_of

GRANT = {"grant_type": "client_credentials"}


def update(world: World, party: Party, **changes: Any) -> clients.Client:
    """As `idp clients update` does it."""
    with world.writes():
        return clients.update(party.client.id, **changes)


def add(world: World, party: Party, secret: str | None = None) -> tuple[str, Party]:
    """Another secret: its id, and the client with it."""
    with world.writes():
        made, shown = clients.add_secret(party.client.id, secret)
    return made, Party(party.client, shown, party.redirect_uri)


def listed(world: World, party: Party) -> list[dict[str, Any]]:
    """What an operator sees of its secrets."""
    with world.reads():
        return clients.list_secrets(party.client.id)


def test_what_is_changed_is_said(world: World) -> None:
    """Each value before and after stands in the event; what is not named stays, and what is the same is no change."""
    party = world.party(names={"ru": "Портал"}, purpose="To sell")
    after = update(world, party, name="Other", scopes=["openid", "email"], pkce="required", names={"zh": "门户"}, purpose=None)
    assert (after.name, after.scopes, after.pkce, after.names, after.purpose) == (
        "Other",
        ["openid", "email"],
        "required",
        {"zh": "门户"},
        None,
    )
    assert after.redirect_uris == [CALLBACK]
    assert after.has_secret(party.secret)
    (event,) = world.events("client.updated")
    assert event.client_id == party.client.id
    assert event.details["changed"] == {
        "name": {"before": "Test portal", "after": "Other"},
        "names": {"before": {"ru": "Портал"}, "after": {"zh": "门户"}},
        "scopes": {"before": party.client.scopes, "after": ["openid", "email"]},
        "pkce": {"before": "or_nonce", "after": "required"},
        "purpose": {"before": "To sell", "after": None},
    }
    assert after.updated_at > party.client.updated_at
    update(world, party, name="Other", pkce="required")
    assert len(world.events("client.updated")) == 1


def test_a_refused_change_changes_nothing(world: World) -> None:
    """A refusal is an answer and is committed: so it is judged before anything is written."""
    party, robot = world.party(), world.machine()
    before = sorted(rows(world, ClientRow))
    for wrong in (
        {"name": ""},
        {"name": "Good", "redirect_uris": []},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": [f"https://a.example/{n}" for n in range(101)]},
        {"scopes": []},
        {"scopes": ["orders:read"]},
        {"pkce": "plain"},
        {"names": {"de": "Seite"}},
        {"purpose": "x" * 301},
        {"policy_uri": "http://a.example/"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"jwks": {"keys": [{"kty": "oct", "k": "x"}]}},
        {"account_types": ["nobody"]},
    ):
        with pytest.raises(BadInput):
            update(world, party, **wrong)
    for wrong in ({"scopes": ["openid"]}, {"redirect_uris": [CALLBACK]}, {"token_endpoint_auth_method": "none"}, {"pkce": "required"}):
        with pytest.raises(BadInput):
            update(world, robot, **wrong)
    for unknown in ({"kind": "native"}, {"id": "x"}, {"disabled_at": None}, {"secrets": ()}):
        with pytest.raises(TypeError):
            update(world, party, **unknown)
    with world.writes(), pytest.raises(NotFound):
        clients.update("nobody", name="x")
    assert sorted(rows(world, ClientRow)) == before
    assert world.events("client.updated") == []


def test_a_change_holds_at_once(world: World, story) -> None:
    """Case 88: an address, a scope, a kind of proof that was taken away is refused from the next request on."""
    party = world.party(redirect_uris=[CALLBACK, "https://rp.example/other"])
    browser = signed_in(world, story, "zimin", party)
    code = answer_of(browser.authorize(party))["code"]
    update(world, party, redirect_uris=["https://rp.example/other"], scopes=["openid"], token_endpoint_auth_method="client_secret_post")
    assert is_page_of_ours(browser.authorize(party))
    party.redirect_uri = "https://rp.example/other"
    assert error_at(browser.authorize(party), party) == "invalid_scope"
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": party.verifier}
    assert token_error(world.token(party, **form), 401) == "invalid_client"
    assert "client_secret_post" in world.token(party, **form).json()["error_description"]


def test_another_process_sees_it_within_a_second(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 88: what was changed elsewhere is kept for no longer than `CACHED`."""
    party = world.party()
    with world.reads():
        assert clients.find(party.client.id).name == "Test portal"
    with monkeypatch.context() as elsewhere, world.writes():
        elsewhere.setattr(clients, "_cache", {})
        clients.update(party.client.id, name="Other")
    began = time.monotonic()
    with world.reads():
        while clients.find(party.client.id).name != "Other":
            assert time.monotonic() - began < 1
            time.sleep(0.02)


def test_from_a_secret_to_a_key_and_back(world: World) -> None:
    """A secret that is no longer asked for is not kept for later; the way back begins with a new one."""
    robot = world.machine()
    update(world, robot, token_endpoint_auth_method="private_key_jwt", jwks={"keys": [public("EC", kid="k1")]})
    assert listed(world, robot) == []
    assert token_error(world.token(robot, **GRANT), 401) == "invalid_client"
    assert ask(world, signed(says(robot))).status_code == 200
    changed = world.events("client.updated")[-1].details["changed"]
    assert changed["jwks"] == {"before": None, "after": ["k1"]}
    with pytest.raises(BadInput, match="no secret"):
        update(world, robot, token_endpoint_auth_method="secret")
    assert ask(world, signed(says(robot))).status_code == 200
    _, renewed = add(world, robot)
    assert token_error(world.token(renewed, **GRANT), 401) == "invalid_client"
    update(world, robot, token_endpoint_auth_method="secret", jwks=None)
    assert world.token(renewed, **GRANT).status_code == 200
    assert token_error(world.token(robot, **GRANT), 401) == "invalid_client"
    assert token_error(ask(world, signed(says(robot))), 401) == "invalid_client"


def test_a_client_that_becomes_public_must_use_pkce(world: World) -> None:
    """It is tightened by itself, and the event says so; its secrets are gone."""
    party = world.party(pkce="optional")
    after = update(world, party, token_endpoint_auth_method="none")
    assert (after.pkce, after.secrets) == ("required", ())
    assert world.events("client.updated")[-1].details["changed"]["pkce"] == {"before": "optional", "after": "required"}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "secret"])
def test_registered_exactly(world: World, method: str) -> None:
    """Case 25: by Basic only, in the body only, or either."""
    robot = world.machine(token_endpoint_auth_method=method)
    http = world.browser()
    by_basic = http.post("/token", data=GRANT, auth=(robot.client.id, robot.secret)).status_code
    in_body = http.post("/token", data=GRANT | {"client_id": robot.client.id, "client_secret": robot.secret}).status_code
    assert (by_basic, in_body) == {"client_secret_basic": (200, 401), "client_secret_post": (401, 200), "secret": (200, 200)}[method]


def test_two_secrets(world: World) -> None:
    """A new secret works beside the old one; a third is refused; once revoked, one is nothing, at once."""
    robot = world.machine()
    first = listed(world, robot)[0]["id"]
    second, other = add(world, robot)
    assert world.token(robot, **GRANT).status_code == world.token(other, **GRANT).status_code == 200
    with pytest.raises(Conflict):
        add(world, robot)
    with world.writes():
        clients.revoke_secret(robot.client.id, first)
    assert token_error(world.token(robot, **GRANT), 401) == "invalid_client"
    assert world.token(other, **GRANT).status_code == 200
    assert [row["id"] for row in listed(world, robot)] == [second]
    with pytest.raises(Conflict, match="in use"):
        add(world, robot, robot.secret)
    names = [event.name for event in world.events() if event.client_id == robot.client.id and event.name.startswith("client.secret")]
    assert names == ["client.secret_added", "client.secret_revoked"]


def test_two_secrets_whoever_asks(world: World) -> None:
    """Eight operators at once: one more secret, and seven refusals."""
    robot, barrier, made = world.machine(), Barrier(8), []

    def go() -> None:
        barrier.wait()
        try:
            made.append(add(world, robot)[0])
        except Conflict:
            made.append(None)

    threads = [Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [made.count(None), len(listed(world, robot))] == [7, 2]


def test_the_last_secret(world: World) -> None:
    """It is kept for a client that needs one, unless somebody insists; nobody revokes another client's."""
    robot, other = world.machine(), world.machine()
    (only,) = listed(world, robot)
    for client_id, secret_id, error in (
        (robot.client.id, only["id"], Conflict),
        (other.client.id, only["id"], NotFound),
        (robot.client.id, "sec_x", NotFound),
        ("nobody", only["id"], NotFound),
    ):
        with world.writes(), pytest.raises(error):
            clients.revoke_secret(client_id, secret_id)
    assert world.token(robot, **GRANT).status_code == 200
    with world.writes():
        clients.revoke_secret(robot.client.id, only["id"], force=True)
    assert token_error(world.token(robot, **GRANT), 401) == "invalid_client"
    with world.writes(), pytest.raises(NotFound):
        clients.revoke_secret(robot.client.id, only["id"], force=True)


def test_clients_that_have_no_secret(world: World) -> None:
    """Public ones cannot get one."""
    for party in (world.party(kind="single_page"), world.party(kind="native"), world.party(token_endpoint_auth_method="none")):
        with pytest.raises(BadInput):
            add(world, party)


def test_a_secret_of_ones_own(world: World) -> None:
    """At least 32 characters that need no encoding; kept by its digest (case 42), never shown again (case 48)."""
    robot = world.machine()
    for wrong in ("", "x" * 31, "x" * 31 + " ", "я" * 43, "x" * 43 + "\n", "x" * 201):
        with pytest.raises(BadInput):
            add(world, robot, wrong)
    _, other = add(world, robot, "x" * 43)
    assert world.token(other, **GRANT).status_code == 200
    assert "x" * 43 not in str(rows(world, ClientSecret)) + repr(listed(world, robot))
    with world.reads():
        assert "x" * 43 not in repr(clients.find(robot.client.id))


def test_the_last_use(world: World) -> None:
    """Written at most once a minute for each secret, by right uses only, and it says which of the two is still in use."""
    robot = world.machine()
    with clock.freeze(clock.now()) as later:
        second, other = add(world, robot)
        began = clock.now()

        def used() -> dict[str, Any]:
            return {("second" if row["id"] == second else "first"): row["last_used_at"] for row in listed(world, robot)}

        assert world.token(Party(robot.client, "x" * 43), **GRANT).status_code == 401
        assert used() == {"first": None, "second": None}
        for seconds, seen in ((0, 0), (29, 0), (30, 0), (1, 60), (59, 60), (1, 120)):
            later(seconds)
            assert world.token(robot, **GRANT).status_code == 200
            assert used() == {"first": began + timedelta(seconds=seen), "second": None}
        assert world.token(other, **GRANT).status_code == 200
        assert used()["second"] == clock.now()


def test_the_last_use_survives_a_refusal(world: World) -> None:
    """The secret was right, whatever was asked with it."""
    robot = world.machine()
    assert token_error(world.token(robot, **GRANT, scope="nothing")) == "invalid_scope"
    assert listed(world, robot)[0]["last_used_at"] is not None


def test_a_deleted_client(world: World, story) -> None:
    """Case 30: at once nothing it holds works, not its secret, its codes, its tokens, nor a sign-in under way; its id stays taken."""
    party = world.party(first_party=False)
    browser = signed_in(world, story)
    page = browser.authorize(party, scope="openid offline_access")
    code = answer_of(browser.allow(page))["code"]
    tokens = world.redeem(party, code).json()
    pending = answer_of(browser.authorize(party, scope="openid offline_access"))["code"]
    halfway = browser.authorize(party, scope="openid phone")
    with world.writes():
        clients.delete(party.client.id)
    assert token_error(world.refresh(party, tokens["refresh_token"]), 401) == "invalid_client"
    assert token_error(world.redeem(party, pending), 401) == "invalid_client"
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert is_page_of_ours(browser.authorize(party))
    assert browser.submit(halfway, answer="allow").status_code >= 400
    assert (
        "Location"
        not in browser.get(
            "/end_session", params={"client_id": party.client.id, "post_logout_redirect_uri": "https://rp.example/signed-out"}
        ).headers
    )
    with world.reads():
        assert clients.find(party.client.id) is None
        assert party.client.id not in {client.id for client in clients.list_all()}
    for act in (
        lambda: clients.delete(party.client.id),
        lambda: clients.update(party.client.id, name="x"),
        lambda: clients.add_secret(party.client.id),
    ):
        with world.writes(), pytest.raises(NotFound):
            act()
    with pytest.raises(Conflict):
        world.party(client_id=party.client.id)
    assert [event.details for event in world.events("client.deleted")] == [{"secrets": 1}]
    assert signed_in(world, story, "zimin").authorize(world.party(), prompt="none").status_code == 303


def test_a_refused_registration_leaves_nothing(world: World) -> None:
    """A secret that will not do, or that was somebody's: no half of a client stays behind."""
    robot = world.machine()
    for secret, error in (("short", BadInput), (robot.secret, Conflict)):
        with world.writes(), pytest.raises(error):
            clients.register(name="Robot", kind="machine", scopes=[], client_id="robot-2", secret=secret)
    assert [row.id for row in rows(world, ClientRow)] == [robot.client.id]
