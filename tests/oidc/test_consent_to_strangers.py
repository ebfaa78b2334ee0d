"""What people read of an app that nobody here has checked: the mark, where it leads, its policy and terms, its logo.

Cases 43, 46 and 50 of threats.md; conformance: oidcc-registration-logo-uri, oidcc-registration-policy-uri, oidcc-registration-tos-uri.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.oidc.asking import phone
from tests.oidc.client_site import LABORATORY, Site, site
from tests.oidc.registering import OPEN, party
from tests.world import Browser, Party, World

MARK = "Unverified app."


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """Open to everybody, and to addresses of the machine."""
    return {**OPEN, "outbound": {**LABORATORY, "timeout": 3.0}}


@pytest.fixture
def there() -> Iterator[Site]:
    """The app's own site."""
    with site() as server:
        yield server


def png(side: int = 200, kind: str = "PNG") -> bytes:
    """A picture with a text in it that must not go on."""
    written = io.BytesIO()
    Image.new("RGBA", (side, side), (200, 0, 0, 128)).save(written, kind)
    return written.getvalue() + b"<script>alert(1)</script>"


def asked(world: World, story, rp: Party) -> tuple[Browser, str]:
    """The page that asks."""
    browser = world.browser()
    page = world.sign_in(browser, rp, phone(story, "zimin"), scope="openid email")
    assert 'value="allow"' in page.text
    return browser, page.text


def test_the_mark(world: World, story) -> None:
    """Case 50: whoever registered itself is marked, whatever it calls itself; who was registered by an operator is not."""
    _, page = asked(world, story, party(world, client_name="Bazar ID"))
    assert MARK in page
    assert "rp.example" in page
    _, ordinary = asked(world, story, world.party(first_party=False))
    assert MARK not in ordinary


def test_policy_and_terms(world: World, story) -> None:
    """oidcc-registration-policy-uri, -tos-uri: both links stand there, and lead out without telling where from."""
    rp = party(world, policy_uri="https://rp.example/policy", tos_uri="https://rp.example/terms?a=1&b=2", client_name="Tea & 'house\"")
    _, page = asked(world, story, rp)
    for link in ("https://rp.example/policy", "https://rp.example/terms?a=1&amp;b=2"):
        assert f'<a href="{link}" target="_blank" rel="noopener">' in page
    assert "Tea &amp; " in page


def test_the_logo(world: World, story, there: Site) -> None:
    """oidcc-registration-logo-uri: shown from our own address, drawn anew; its site is asked once, and never by the person's browser."""
    rp = party(world, logo_uri=there.put("/logo.png", png()))
    browser, page = asked(world, story, rp)
    source = re.search(r'<img class="avatar square client" src="([^"]+)"', page)
    assert source is not None
    assert source[1] == f"/logos/{rp.client.id}"
    for _ in range(3):
        answer = browser.get(source[1])
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert b"script" not in answer.content
        assert Image.open(io.BytesIO(answer.content)).size == (128, 128)
    assert there.asked == ["/logo.png"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 200),
        (b"gone", 404),
        (png(16), 200),
        (b"x" * 300_000, 200),
    ],
)
def test_no_logo_is_no_error(world: World, story, there: Site, body: bytes, status: int) -> None:
    """Cases 43, 45: SVG, nothing, too small, too large: no picture, the letter stands there, and the site is not asked again."""
    rp = party(world, logo_uri=there.put("/logo", body, status))
    browser, _ = asked(world, story, rp)
    assert [browser.get(f"/logos/{rp.client.id}").status_code for _ in range(2)] == [404, 404]
    assert there.asked == ["/logo"]
    _, page = asked(world, story, rp)
    assert f"/logos/{rp.client.id}" not in page


def test_a_logo_inside(told, story) -> None:
    """Case 43: an address of the machine itself is not asked without the laboratory's setting."""
    url = told.copy()
    world = World(told.settings(url, registration={"mode": "open"}))
    try:
        with site() as server:
            rp = party(world, logo_uri=server.put("/logo.png", png()))
            assert world.browser().get(f"/logos/{rp.client.id}").status_code == 404
            assert server.asked == []
    finally:
        world.close()
        told.drop(url)


def test_nobody_has_a_logo(world: World) -> None:
    """Who has none, or does not exist."""
    for client_id in (world.party().client.id, "nobody", "x" * 200):
        assert world.browser().get(f"/logos/{client_id}").status_code == 404


def test_a_laboratory_asks_nobody(told, story) -> None:
    """`[registration] skip_consent`: no page for who registered itself, unless it asks for one; for others nothing changes."""
    url = told.copy()
    world = World(told.settings(url, registration={"mode": "open", "skip_consent": True}))
    try:
        rp = party(world)
        browser = world.browser()
        assert "code=" in world.sign_in(browser, rp, phone(story, "zimin"), scope="openid").headers["Location"]
        assert MARK in browser.authorize(rp, scope="openid", prompt="consent").text
        assert 'value="allow"' in browser.authorize(world.party(first_party=False)).text
    finally:
        world.close()
        told.drop(url)
