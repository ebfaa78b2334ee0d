"""A client id that is the address of a document (client id metadata documents). Cases 43, 46, 49 and 50 of threats.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.delegation import clients, document_clients
from tests.conftest import Told
from tests.oidc import over_tls
from tests.oidc.asking import is_page_of_ours, phone
from tests.oidc.client_site import LABORATORY, Site, site
from tests.oidc.test_discovery import OPENID
from tests.world import CALLBACK, Party, World, answer_of

MARK = "Unverified app."


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate of the client's site."""
    return over_tls.certificate(tmp_path)


@pytest.fixture
def there(pem: Path) -> Iterator[Site]:
    """The client's site, by TLS."""
    with site(pem) as server:
        yield server


@pytest.fixture
def world(told: Told, pem: Path) -> Iterator[World]:
    """Documents are taken, also from the machine itself."""
    url, lab = told.copy(), {**LABORATORY, "timeout": 3.0, "certificate_authorities": [pem]}
    made = World(told.settings(url, registration={"documents": True}, outbound=lab))
    document_clients._applied.clear()
    yield made
    made.close()
    told.drop(url)


def described(there: Site, **changes: Any) -> Party:
    """A client whose document says this; not known to us yet."""
    address = there.at("/client")
    document = {"client_id": address, "client_name": "Tea house", "redirect_uris": [CALLBACK], **changes}
    there.put("/client", {name: value for name, value in document.items() if value is not None})
    return Party(Known(address), None)  # type: ignore[arg-type] # all that a request needs of it


class Known:
    """What a relying party knows of itself."""

    def __init__(self, address: str) -> None:
        self.id = address

    def can_be_mistaken_at(self, uri: str) -> bool:
        """It is a page."""
        return not uri.startswith("https://")


def test_signing_in(world: World, story, there: Site) -> None:
    """The whole flow, public and with PKCE: fetched once, marked as unverified, bound to what the document says."""
    rp, browser = described(there), world.browser()
    page = world.sign_in(browser, rp, phone(story, "zimin"), scope="openid")
    assert MARK in page.text
    assert "Tea house" in page.text
    tokens = world.redeem(rp, answer_of(browser.allow(page))["code"])
    assert tokens.status_code == 200, tokens.text
    assert there.asked == ["/client"]
    with world.reads():
        client = clients.get(rp.client.id)
    assert (client.registered_by, client.first_party, client.pkce, client.is_public) == ("document", False, "required", True)
    assert is_page_of_ours(browser.authorize(rp, redirect_uri="https://evil.example/"))
    assert browser.get(f"/account/apps/{rp.client.id}").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://other.example/client"},
        {"client_id": None},
        {"redirect_uris": ["http://rp.example/"]},
        {"redirect_uris": None},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": ["none"]},
        {"client_secret": "x" * 43},
        {"scope": "openid company"},
        {"client_name": "<b>"},
    ],
)
def test_documents_that_will_not_do(world: World, there: Site, changes: dict[str, Any]) -> None:
    """Case 46, 49: another one's id, bad addresses, secrets, scopes beyond the policy: a page of ours, and nobody is sent anywhere."""
    rp = described(there, **changes)
    assert is_page_of_ours(world.browser().authorize(rp))
    with world.reads():
        assert clients.find(rp.client.id) is None


def test_addresses_that_will_not_do(world: World, there: Site) -> None:
    """Without a path, with a query, too long, plain http: not even asked."""
    for address in (there.at(""), there.at("/"), there.at("/client?a=1"), there.at("/" + "x" * 100), there.at("/a/../client"), "https://x"):
        assert is_page_of_ours(world.browser().authorize(Party(Known(address), None)))  # type: ignore[arg-type]
    assert there.asked == []


def test_what_the_operator_deleted_stays_so(world: World, there: Site) -> None:
    """An operator's word is the last one."""
    rp = described(there)
    assert world.browser().authorize(rp).status_code == 200
    with world.writes():
        clients.delete(rp.client.id)
    assert is_page_of_ours(world.browser().authorize(rp))


def test_off(told: Told, there: Site) -> None:
    """Off by default: nothing is fetched, and discovery says nothing of it."""
    url = told.copy()
    world = World(told.settings(url, outbound=LABORATORY))
    try:
        assert is_page_of_ours(world.browser().authorize(described(there)))
        assert there.asked == []
        assert "client_id_metadata_document_supported" not in world.browser().get(OPENID).json()
    finally:
        world.close()
        told.drop(url)


def test_discovery(world: World) -> None:
    """Where it is on, discovery says so."""
    assert world.browser().get(OPENID).json()["client_id_metadata_document_supported"] is True
