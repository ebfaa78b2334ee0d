"""Who may read the desk's inbox: somebody at this machine, by a name of this machine. Cases 62 and 89 of threats.md."""

from __future__ import annotations

import pytest

from tests.conftest import Told
from tests.oidc.asking import phone
from tests.world import World


@pytest.fixture
def sent(world: World, story) -> World:
    """A code has been sent."""
    browser = world.browser()
    browser.onward(browser.submit(browser.authorize(world.party()), phone=phone(story, "zimin")))
    world.deliver()
    return world


@pytest.mark.parametrize("path", ["/dev/inbox", "/dev/inbox.json"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.example", "0.0.0.0:8000", "[::]", "", "[", "a@b"]
)
def test_a_rebound_name(sent: World, path: str, host: str) -> None:
    """Case 89: a page of the internet has its own name lead to 127.0.0.1 (DNS rebinding) and asks as its own origin: it reads no code."""
    answer = sent.browser(address="127.0.0.1").get(path, headers={"Host": host})
    assert answer.status_code == 404
    assert "zimin" not in answer.text


@pytest.mark.parametrize("host", ["localhost:8000", "localhost", "127.0.0.1:8000", "[::1]:8000", "id.localhost:8000"])
def test_the_desk_itself(sent: World, host: str) -> None:
    """Whoever sits there reads it, by any name that only this machine has."""
    messages = sent.browser(address="127.0.0.1").get("/dev/inbox.json", headers={"Host": host}).json()
    assert len(messages) == 1


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via"])
def test_behind_a_proxy(sent: World, name: str) -> None:
    """Case 62: a proxy on this machine speaks for others, whatever it says."""
    answer = sent.browser(address="127.0.0.1").get("/dev/inbox.json", headers={name: "127.0.0.1"})
    assert answer.status_code == 404


@pytest.mark.parametrize("address", ["203.0.113.7", "::ffff:203.0.113.7", "10.0.0.1", ""])
def test_from_elsewhere(sent: World, address: str) -> None:
    """Case 62: the network reads nothing, whatever name it calls."""
    assert sent.browser(address=address).get("/dev/inbox.json", headers={"Host": "localhost:8000"}).status_code == 404


def test_by_the_issuers_own_name(told: Told) -> None:
    """A desk with a name and a certificate of its own reads it by that name; the name is the operator's, so no stranger's page has it."""
    url = told.copy()
    there = World(told.settings(url, server={"issuer": "https://id.example.test:8443"}))
    answers = [
        there.browser(address="127.0.0.1").get("/dev/inbox.json", headers={"Host": host}).status_code
        for host in ("id.example.test:8443", "id.example.test", "evil.example", "id.example.test.evil.example")
    ]
    there.close()
    told.drop(url)
    assert answers == [200, 200, 404, 404]
