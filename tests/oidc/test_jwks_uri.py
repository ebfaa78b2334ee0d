"""A client's keys at an address of its own (`jwks_uri`: OpenID Connect Core §10.1.1, RFC 7591 §2).

The official modules oidcc-registration-jwks-uri and oidcc-refresh-token-rp-key-rotation; cases 33, 38 and 45 of threats.md for keys that
are fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest

from idp import clock
from idp.delegation import client_keys, clients
from idp.delegation.fetched import Wanted
from idp.errors import BadInput
from tests.oidc.asking import signed_in, token_error
from tests.oidc.asserting import TYPE, ask, private, public, says, signed
from tests.oidc.client_site import HANGS, LABORATORY, Site, site
from tests.world import CALLBACK, Party, World, answer_of


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """A laboratory: loopback may be asked."""
    return {"outbound": LABORATORY}


@pytest.fixture
def there() -> Iterator[Site]:
    """The client's server, with one key."""
    with site() as server:
        server.put("/keys", {"keys": [public("EC", kid="k1", use="sig")]})
        yield server


@pytest.fixture
def party(world: World, there: Site) -> Party:
    """A machine whose keys stand there."""
    return world.machine(token_endpoint_auth_method="private_key_jwt", jwks_uri=there.at("/keys"))


def refused(answer: Any) -> str:
    """The description of a refusal."""
    assert token_error(answer, 401) == "invalid_client"
    return str(answer.json()["error_description"])


def test_fetched_once(world: World, party: Party, there: Site) -> None:
    """oidcc-registration-jwks-uri: the keys are fetched when they are needed, and then kept; nothing is fetched at registration."""
    assert there.asked == []
    for _ in range(3):
        assert ask(world, signed(says(party))).status_code == 200
    assert there.asked == ["/keys"]


def test_rotation(world: World, story, there: Site) -> None:
    """oidcc-refresh-token-rp-key-rotation: a refresh with an assertion of a key that was put there a minute ago."""
    party = world.party(token_endpoint_auth_method="private_key_jwt", jwks_uri=there.at("/keys"))
    code = answer_of(signed_in(world, story, "zimin", party=party).authorize(party, prompt="none"))["code"]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": party.verifier}
    tokens = ask(world, signed(says(party)), **grant).json()
    there.put("/keys", {"keys": [public("RSA", kid="k2")]})
    with clock.freeze(clock.now()) as later:
        later(60)
        refreshing = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        answer = ask(world, signed(says(party), algorithm="RS256", header={"kid": "k2"}), **refreshing)
        assert answer.status_code == 200, answer.text
        assert there.asked == ["/keys", "/keys"]
        refused(ask(world, signed(says(party))))


def test_the_code_is_not_spent_meanwhile(world: World, story, there: Site) -> None:
    """The keys are fetched before the unit in which a code is spent: a server that is away costs nobody a sign-in."""
    party = world.party(token_endpoint_auth_method="private_key_jwt", jwks_uri=there.at("/keys"))
    code = answer_of(signed_in(world, story, "zimin", party=party).authorize(party, prompt="none"))["code"]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": party.verifier}
    there.put("/keys", "away", 503)
    with clock.freeze(clock.now()) as later:
        refused(ask(world, signed(says(party)), **grant))
        there.put("/keys", {"keys": [public("EC", kid="k1")]})
        later(10)
        assert ask(world, signed(says(party)), **grant).status_code == 200


def test_how_often(world: World, party: Party, there: Site) -> None:
    """Strangers who name keys that are not there make us look once in ten seconds; the good ones go on meanwhile."""
    with clock.freeze(clock.now()) as later:
        assert ask(world, signed(says(party))).status_code == 200
        for _ in range(3):
            later(10)
            for number in range(5):
                refused(ask(world, signed(says(party), header={"kid": f"other{number}"})))
                assert ask(world, signed(says(party))).status_code == 200
        assert len(there.asked) == 4


def test_a_key_of_the_same_name(world: World, party: Party, there: Site) -> None:
    """Some rotate without a new kid, or have none: a signature that fails makes us look too."""
    for kid in ("k1", None):
        key = {name: value for name, value in public("EC", kid=kid or "").items() if value}
        there.put("/keys", {"keys": [key]})
        with clock.freeze(clock.now()) as later:
            later(20 if kid else 40)
            assert ask(world, signed(says(party), header={"kid": kid})).status_code == 200
            there.put("/keys", {"keys": [{**public("EC", bits=7), **({"kid": kid} if kid else {})}]})
            later(10)
            assert ask(world, signed(says(party), header={"kid": kid}, key=private("EC", 7))).status_code == 200


def test_what_may_stand_there(world: World, party: Party, there: Site) -> None:
    """Case 38: keys of kinds unknown, private, weak or broken are passed by; those beside them count. Two of one name are none."""
    good = public("EC", kid="k1")
    others: list[Any] = [
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "k1"},
        {"kty": "oct", "k": "AAAA", "kid": "k1"},
        {**public("RSA", bits=1024), "kid": "k1"},
        {**good, "d": "AAAA", "kid": "k9"},
        {**public("RSA", kid="k1"), "use": "enc"},
        "x",
        None,
    ]
    with clock.freeze(clock.now()) as later:
        there.put("/keys", {"keys": [*others, good]})
        assert ask(world, signed(says(party))).status_code == 200
        refused(ask(world, signed(says(party), header={"kid": "k9"})))
        there.put("/keys", {"keys": [good, {**public("EC", bits=7), "kid": "k1"}]})
        later(3600)
        refused(ask(world, signed(says(party))))
        there.put("/keys", {"keys": []})  # taken back, all of them
        later(3600)
        refused(ask(world, signed(says(party))))
        for none in ("[]", "x", '{"keys": 1}', "[" * 3000):
            there.put("/keys", none)
            later(3600)
            refused(ask(world, signed(says(party))))


def test_away(world: World, party: Party, there: Site) -> None:
    """Case 45: what was good goes on while the address hangs or talks nonsense; somebody else's sign-in does not wait for it."""
    other = world.machine()
    with clock.freeze(clock.now()) as later:
        assert ask(world, signed(says(party))).status_code == 200
        there.put("/keys", "<html>Back soon</html>")
        later(3600)
        assert ask(world, signed(says(party))).status_code == 200
        later(3600)
        there.hangs = HANGS
        slow = Thread(target=lambda: ask(world, signed(says(party))))
        slow.start()
        assert world.token(other, grant_type="client_credentials").status_code == 200
        assert ask(world, signed(says(party))).status_code == 200
        slow.join()


def test_one_of_both(world: World, there: Site) -> None:
    """The keys or their address; the one takes the other's place. An address is https, or loopback on a desk."""
    given = {"name": "Robot", "kind": "machine", "scopes": ["x:read"], "token_endpoint_auth_method": "private_key_jwt"}
    jwks = {"keys": [public("EC", kid="k1")]}
    for wrong in (
        {},
        {"jwks": jwks, "jwks_uri": "https://a.example/k"},
        {"jwks_uri": "http://a.example/k"},
        {"jwks_uri": "ftp://a.example/k"},
        {"jwks_uri": "https://a.example/k#x"},
        {"jwks_uri": "https://u@a.example/k"},
    ):
        with world.writes(), pytest.raises(BadInput):
            clients.register(**given | wrong)
    with world.writes():
        made, _ = clients.register(**given, jwks=jwks)
        assert clients.update(made.id, jwks_uri=there.at("/keys")).jwks is None
        assert clients.update(made.id, jwks=jwks).jwks_uri is None
        pinned = clients.update(made.id, token_endpoint_auth_signing_alg="PS256")
    party = Party(pinned, None, "")
    assert "PS256" in refused(ask(world, signed(says(party))))


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("RSA-OAEP", "RSA"), ("RSA-OAEP-256", "RSA"), ("ECDH-ES", "EC"), ("ECDH-ES+A128KW", "EC"), ("ECDH-ES+A256KW", "EC")],
)
def test_keys_to_encrypt_to(world: World, there: Site, algorithm: str, kind: str) -> None:
    """RFC 7517 §4.2: one that is for encryption, rather than one that does not say; never one for signatures, nor for another algorithm."""
    keys = [
        public(kind, kid="silent"),
        public(kind, kid="signs", use="sig"),
        public(kind, kid="other", use="enc", alg="RSA-OAEP-256" if algorithm != "RSA-OAEP-256" and kind == "RSA" else ""),
        public(kind, kid="this", use="enc", alg=algorithm),
    ]
    keys = [key for key in keys if key.get("alg") != ""]
    there.put("/keys", {"keys": keys[:2]})
    party = world.party(jwks_uri=there.at("/keys"))

    def found() -> str | None:
        for _ in range(2):
            try:
                with world.reads():
                    key = client_keys.encryption_key(party.client, algorithm)
                    return key.kid if key else None
            except Wanted as wanted:
                with world.app.app_context():
                    wanted.do()
        raise AssertionError

    with clock.freeze(clock.now()) as later:
        assert found() == "silent"
        there.put("/keys", {"keys": keys})
        later(3600)
        assert found() == "this"
        there.put("/keys", {"keys": keys[1:2]})
        later(3600)
        assert found() is None
    by_value = world.party(jwks={"keys": keys})
    with world.reads():
        key = client_keys.encryption_key(by_value.client, algorithm)
    assert key is not None
    assert key.kid == "this"


def test_an_assertion_is_good_once_although_it_is_judged_twice(world: World, party: Party) -> None:
    """The unit that found the keys missing is taken back whole: the `jti` was not used by it."""
    form = {"grant_type": "client_credentials", "client_assertion": signed(says(party)), "client_assertion_type": TYPE}
    http = world.browser()
    assert http.post("/token", data=form).status_code == 200
    assert "jti" in refused(http.post("/token", data=form))
