"""Request objects at an address (`request_uri`: OpenID Connect Core §6.2, RFC 9101 §5.2): only where the client has registered it.

The official modules oidcc-request-uri-signed-rs256, oidcc-request-uri-unsigned and
oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported. Cases 43 and 45 of threats.md, where a request makes us fetch.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from idp import clock
from idp.delegation import clients
from idp.errors import BadInput
from tests.keyring import forge
from tests.oidc.asking import back_at, error_at, is_page_of_ours, signed_in
from tests.oidc.asserting import public, signed
from tests.oidc.client_site import HANGS, LABORATORY, Site, site
from tests.oidc.test_request_objects import holds
from tests.world import CALLBACK, Browser, Party, World


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """A laboratory: loopback may be asked."""
    return {"outbound": LABORATORY}


@pytest.fixture
def there() -> Iterator[Site]:
    """The client's server."""
    with site() as server:
        yield server


@pytest.fixture
def party(world: World, there: Site) -> Party:
    """A portal whose requests stand at two addresses, the second one registered with a hash of something."""
    keys = {"keys": [public("RSA", kid="k1")]}
    return world.party(jwks=keys, request_uris=[there.at("/r"), there.at("/hashed#") + "A" * 43])


@pytest.fixture
def browser(world: World, story, party: Party) -> Browser:
    """Somebody who is signed in there."""
    return signed_in(world, story, "zimin", party=party)


def rs256(party: Party, **changes: Any) -> str:
    """A sound object."""
    return signed(holds(party, **changes), algorithm="RS256")


def hash_of(content: str) -> str:
    """The fragment that says which content is meant."""
    return base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()


def ask(browser: Browser, party: Party, uri: str, **outside: str) -> httpx2.Response:
    """As the official suite does it: what OAuth 2.0 wants is outside too."""
    given = {"client_id": party.client.id, "response_type": "code", "scope": "openid", "redirect_uri": CALLBACK, "request_uri": uri}
    return browser.get("/authorize", params=given | outside)


def test_signed(world: World, browser: Browser, party: Party, there: Site) -> None:
    """oidcc-request-uri-signed-rs256: fetched, its state comes back; discovery says that it works and that addresses are registered."""
    said = world.browser().get("/.well-known/openid-configuration").json()
    assert said["request_uri_parameter_supported"] is True
    assert said["require_request_uri_registration"] is True
    assert "RS256" in said["request_object_signing_alg_values_supported"]
    uri = there.put("/r", rs256(party) + "\n")
    assert back_at(ask(browser, party, uri), CALLBACK)["state"] == "inside"
    assert there.asked == ["/r"]


def test_a_hash_of_something_else(browser: Browser, party: Party, there: Site) -> None:
    """The suite registers a hash before there is a content: it says that the content changed, and takes nothing away from a signature."""
    uri = there.put("/hashed", rs256(party))
    for fragment in ("A" * 43, "B" * 43, hash_of("x")):
        assert "code" in back_at(ask(browser, party, f"{uri}#{fragment}"), CALLBACK)


def test_unsigned(world: World, story, browser: Browser, party: Party, there: Site) -> None:
    """oidcc-request-uri-unsigned: for a client that is registered so; there a hash must be the content's. Else it is not supported."""
    uri = there.put("/r", forge.compact({"alg": "none"}, holds(party), None))
    assert error_at(ask(browser, party, uri), party, state=None) == "request_uri_not_supported"
    open_one = world.party(request_object_signing_alg="none", request_uris=[there.at("/r")])
    visitor = signed_in(world, story, "zimin", party=open_one)
    content = forge.compact({"alg": "none"}, holds(open_one), None)
    with clock.freeze(clock.now()) as later:
        later(5)
        there.put("/r", content)
        assert "code" in back_at(ask(visitor, open_one, uri), CALLBACK)
        assert "code" in back_at(ask(visitor, open_one, f"{uri}#{hash_of(content)}"), CALLBACK)
        assert error_at(ask(visitor, open_one, f"{uri}#{hash_of('x')}"), open_one, state=None) == "invalid_request_uri"


def test_only_what_is_registered(browser: Browser, party: Party, there: Site) -> None:
    """Case 43: byte by byte up to the fragment; nothing else is ever asked, whatever a request says."""
    there.put("/r", rs256(party))
    there.put("/other", rs256(party))
    for uri in (
        there.at("/other"),
        there.at("/r?x=1"),
        there.at("/r/"),
        there.at("/R"),
        there.at("//r"),
        there.at("/r").replace("127.0.0.1", "localhost"),
        there.at("/r").replace("http:", "HTTP:"),
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "urn:ietf:params:oauth:request_uri:x",
        "javascript:alert(1)",
        there.at("/r#") + "A" * 500,
        "#",
    ):
        assert error_at(ask(browser, party, uri), party, state=None) == "invalid_request_uri", uri
        assert is_page_of_ours(ask(browser, party, uri, redirect_uri="https://evil.example/cb"))
    assert there.asked == []


def test_what_cannot_be_fetched(browser: Browser, party: Party, there: Site) -> None:
    """Case 45: nothing there, something else, too much, nobody answering: an error for the client; an older object is not used instead."""
    uri = there.put("/r", rs256(party))
    with clock.freeze(clock.now()) as later:
        assert "code" in back_at(ask(browser, party, uri), CALLBACK)
        for status, body in ((404, rs256(party)), (200, "<p>Hi</p>"), (200, "x" * 20000), (200, b"\xff"), (302, b""), (500, b"")):
            later(3)
            there.put("/r", body, status)
            assert error_at(ask(browser, party, uri), party, state=None) == "invalid_request_uri"
        later(3)
        there.hangs = HANGS
        assert error_at(ask(browser, party, uri), party, state=None) == "invalid_request_uri"
        there.hangs = 0
        later(3)
        there.put("/r", rs256(party))
        assert "code" in back_at(ask(browser, party, uri), CALLBACK)


def test_how_often(browser: Browser, party: Party, there: Site) -> None:
    """What has the hash that is asked for is not fetched again; what has none may change, and is fetched anew, after two seconds."""
    content = rs256(party, exp=None)
    uri = there.put("/r", content)
    with clock.freeze(clock.now()) as later:
        for _ in range(5):
            assert "code" in back_at(ask(browser, party, f"{uri}#{hash_of(content)}"), CALLBACK)
            later(3600)
        assert len(there.asked) == 1
        for _ in range(3):
            assert "code" in back_at(ask(browser, party, uri), CALLBACK)
        assert len(there.asked) == 2
        changed = rs256(party, state="anew", exp=None)
        there.put("/r", changed)
        later(2)
        assert back_at(ask(browser, party, uri), CALLBACK)["state"] == "anew"
        assert len(there.asked) == 3


def test_the_keys_may_have_to_be_fetched_too(world: World, story, there: Site) -> None:
    """An object and the key that signed it, both at the client's addresses: one request, two fetches, no unit open meanwhile."""
    party = world.party(jwks_uri=there.put("/keys", {"keys": [public("RSA", kid="k1")]}), request_uris=[there.at("/r")])
    browser = signed_in(world, story, "zimin", party=party)
    assert back_at(ask(browser, party, there.put("/r", rs256(party))), CALLBACK)["state"] == "inside"
    assert there.asked == ["/r", "/keys"]


def test_what_may_be_registered(world: World) -> None:
    """An https address of at most 512 characters, with a fragment or without; not for who asks for nobody."""
    given = {"name": "App", "kind": "web", "redirect_uris": [CALLBACK], "scopes": ["openid"]}
    for wrong in (
        "http://rp.example/r",
        "ftp://rp.example/r",
        "https://rp.example/" + "r" * 500,
        "https://rp.example/r#a b",
        "https:r",
        "x",
    ):
        with world.writes(), pytest.raises(BadInput):
            clients.register(**given, request_uris=[wrong])
    with world.writes(), pytest.raises(BadInput):
        clients.register(**given, request_uris=[f"https://rp.example/{number}" for number in range(101)])
    with world.writes(), pytest.raises(BadInput):
        clients.register(name="Robot", kind="machine", scopes=[], request_uris=["https://rp.example/r"])
    for wrong in (
        {"request_object_signing_alg": "RS512"},
        {"request_object_encryption_alg": "RSA1_5"},
        {"request_object_encryption_alg": "dir"},
        {"request_object_encryption_alg": "RSA-OAEP", "request_object_encryption_enc": "A192GCM"},
        {"request_object_encryption_enc": "A128GCM"},
        {"request_object_signing_alg": "HS256", "token_endpoint_auth_method": "none"},
    ):
        with world.writes(), pytest.raises(BadInput):
            clients.register(**given | wrong)
