"""What may die in what clients do by keys: an assertion, a request object, keys that are fetched, a secret that becomes a key."""

from __future__ import annotations

from idp.delegation import clients, fetched
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


STEPS_OF_CLIENTS = (
    Step("ask by HMAC", ask_by_hmac),
    Step("ask by fetched keys", ask_by_fetched_keys),
    Step("authorize by object", authorize_by_object),
    Step("secret becomes key", secret_becomes_key, uneven={"client_secrets": {"sealed"}}),
    Step("fetch", fetch),
)
