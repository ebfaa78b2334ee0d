"""Native apps (RFC 8252 §7, §8.6): no code leaves silently for an address that another app on the same device may have taken.

Loopback addresses and own schemes are tested one by one in `test_redirect_uri`; here it is what a person is asked.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from idp.cli.snippets import snippets
from tests import machine
from tests.oidc import over_tls
from tests.oidc.asking import back_at, error_at, person, phone, signed_in
from tests.world import Browser, Party, World

CLAIMED = "https://app.example/signed-in"
SCHEME = "com.example.app:/callback"
LOOPBACK = "http://127.0.0.1/callback"


def asks(browser: Browser, party: Party, uri: str) -> None:
    """The person is asked, and `prompt=none` is told so; after `Allow` there is a code, once."""
    party.redirect_uri = uri
    assert error_at(browser.authorize(party, prompt="none"), party) == "consent_required"
    page = browser.authorize(party)
    assert page.status_code == 200
    assert 'value="allow"' in page.text
    assert back_at(browser.allow(page), uri)["code"]


@pytest.mark.parametrize("first_party", [True, False])
@pytest.mark.parametrize("uri", [SCHEME, "com.example.app://callback", "http://127.0.0.1:51234/callback", "http://[::1]:51234/callback"])
def test_an_address_that_can_be_taken_is_never_silent(world: World, story, uri: str, first_party: bool) -> None:
    """RFC 8252 §8.6: neither for our own app, nor after it was allowed before."""
    registered = [SCHEME, "com.example.app://callback", LOOPBACK, "http://[::1]/callback"]
    party = world.party(kind="native", redirect_uris=registered, first_party=first_party)
    browser = signed_in(world, story)
    for _ in range(2):
        asks(browser, party, uri)


def test_a_claimed_link_is_as_good_as_a_web_address(world: World, story) -> None:
    """RFC 8252 §7.2: the system gives an https link to its owner's app only. Ours is silent, another's once it was allowed."""
    ours = world.party(kind="native", redirect_uris=[CLAIMED, SCHEME])
    theirs = world.party(kind="native", redirect_uris=[CLAIMED], first_party=False)
    browser = signed_in(world, story)
    assert back_at(browser.authorize(ours, prompt="none"), CLAIMED)["code"]
    page = browser.authorize(theirs)
    assert back_at(browser.allow(page), CLAIMED)["code"]
    assert back_at(browser.authorize(theirs, prompt="none"), CLAIMED)["code"]
    asks(browser, ours, SCHEME)


def test_only_native_apps_are_asked_so(world: World, story) -> None:
    """A web client on loopback is a developer's desk: registered with its port, by an operator's decision."""
    party = world.party(redirect_uris=["http://127.0.0.1:3000/cb"])
    assert back_at(signed_in(world, story).authorize(party, prompt="none"), "http://127.0.0.1:3000/cb")["code"]


def test_it_keeps_no_secret(world: World, story) -> None:
    """RFC 8252 §8.5: whoever has the app has what is in it; PKCE is required, and a refresh needs no more than the client_id."""
    party = world.party(kind="native", redirect_uris=[SCHEME])
    assert (party.secret, party.client.pkce, party.client.token_endpoint_auth_method) == (None, "required", "none")
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid offline_access")
    assert world.refresh(party, tokens["refresh_token"]).status_code == 200


@pytest.mark.node
def test_the_app_that_we_hand_out(told, story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8252 §7.3: our ready code for native apps, on openid-client: the system chooses its port, a person signs in, it gets tokens."""
    if reason := machine.relying_parties():
        pytest.skip(reason)
    with over_tls.served(told, None) as world:
        issuer = world.settings.server.issuer
        monkeypatch.setattr("tests.world.ISSUER", issuer)
        party = world.party(kind="native", redirect_uris=[SCHEME, LOOPBACK], scopes=["openid", "profile"])
        (tmp_path / "node_modules").symlink_to(Path(__file__).parent.parent / "node_modules")
        (tmp_path / "app.mjs").write_text(snippets(party.client, None, issuer)["JavaScript: openid-client"])
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        app = subprocess.Popen([str(machine.node()), "app.mjs"], cwd=tmp_path, text=True, **pipes)
        try:
            address = re.search(r"http\S+", app.stdout.readline())[0]
            with Browser(base_url=issuer, headers={"Accept-Language": "en"}) as browser:
                page = browser.onward(browser.submit(browser.go(address), phone=phone(story, "zimin")))
                page = browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimin"))))
                back = browser.allow(page).headers["Location"]
                assert re.match(r"http://127\.0\.0\.1:[0-9]+/callback\?code=", back)
                assert browser.get(back).status_code == 200
            out, err = app.communicate(timeout=30)
        finally:
            app.kill()
            app.wait()
    assert app.returncode == 0, err
    assert person(story, "zimin").user_id in out
