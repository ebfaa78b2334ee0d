"""What may die in what clients do by keys: an assertion, a request object, keys that are fetched, a secret that becomes a key."""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from idp.db.session import writes
from idp.delegation import clients, dynamic_clients, fetched, initial_tokens
from tests.faults.crash import Step
from tests.faults.steps import Act, _doing, _sending, _signed_in
from tests.keyring import forge
from tests.oidc.asserting import TYPE, public, says, signed
from tests.world import Party, World

NOT_PUBLIC = "https://127.0.0.1/keys"  # the door refuses it at once


def ask_by_hmac(world: World) -> Act:
    """A token for a machine that signs with its secret."""
    party = world.machine(token_endpoint_auth_method="client_secret_jwt")
    assertion = forge.compact({"alg": "HS256"}, says(party), str(party.secret).encode())
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": assertion}
    return _sending(world.browser().build_request("POST", "/token", data=form))


def ask_by_fetched_keys(world: World) -> Act:
    """Likewise by a key that has to be fetched first, from where nothing is: the unit begins anew."""
    party = world.machine(token_endpoint_auth_method="private_key_jwt", jwks_uri=NOT_PUBLIC)
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": signed(says(party))}
    return _sending(world.browser().build_request("POST", "/token", data=form))


def authorize_by_object(world: World) -> Act:
    """A request object of somebody who is signed in: a code at once."""
    browser, _ = _signed_in(world)
    party = world.party(jwks={"keys": [public("EC", kid="k1")]})
    token = signed({**party.asks(prompt="none"), "iss": party.client.id})
    return _sending(browser.build_request("GET", "/authorize", params={"client_id": party.client.id, "request": token}))


def secret_becomes_key(world: World) -> Act:
    """A second secret, sealed; from then on the client signs with it."""
    party: Party = world.machine()

    def act() -> None:
        clients.add_secret(party.client.id, "k" * 43, as_key=True)
        clients.update(party.client.id, token_endpoint_auth_method="client_secret_jwt")

    return _doing(act)


def fetch(world: World) -> Act:
    """What stands at a client's address."""
    del world

    def act(other: World) -> str:
        with other.app.app_context():
            return fetched.refetch(NOT_PUBLIC) or "nothing"

    return act


def _describing(**changes: str) -> dict[str, object]:
    return {"client_name": "Tea house", "redirect_uris": ["https://rp.example/callback"], **changes}


def register(world: World) -> Act:
    """A client registers itself, with a token that is good once."""
    with world.writes():
        _, token = initial_tokens.add("Partners", uses=1)

    def act(other: World) -> str:
        with other.app.app_context(), writes():
            token_id = initial_tokens.find(token)
            if token_id is None:
                return "used up"
            dynamic_clients.register(_describing(), network="198.51.100.0/24", initial_token=token_id)
        return "registered"

    return act


def _registered(world: World) -> dynamic_clients.Registered:
    with world.writes():
        return dynamic_clients.register(_describing(), network="198.51.100.0/24", initial_token=None)


def replace_registration(world: World) -> Act:
    """It describes itself anew, and needs a secret that is a key from then on."""
    made = _registered(world)
    given = _describing(client_id=made.client.id, client_name="Coffee house", id_token_signed_response_alg="HS256")
    return _doing(lambda: dynamic_clients.replace(clients.get(made.client.id), given))


def delete_registration(world: World) -> Act:
    """It goes."""
    made = _registered(world)
    path, headers = f"/register/{made.client.id}", {"Authorization": f"Bearer {made.token}"}
    return _sending(world.browser().build_request("DELETE", path, headers=headers))


def expire_unused(world: World) -> Act:
    """What nobody has used for a month is disabled."""
    _registered(world)
    return _doing(lambda: dynamic_clients.expire(clock.now() + timedelta(days=31)))


STEPS_OF_CLIENTS = (
    Step("ask by HMAC", ask_by_hmac),
    Step("ask by fetched keys", ask_by_fetched_keys),
    Step("authorize by object", authorize_by_object),
    Step("secret becomes key", secret_becomes_key, uneven={"client_secrets": {"sealed"}}),
    Step("fetch", fetch),
    Step("register client", register),
    Step("replace registration", replace_registration),
    Step("delete registration", delete_registration),
    Step("expire unused", expire_unused),
)
