"""A second provider that is not ours (npm's oidc-provider): its discovery, keys and tokens are read, and it takes what we send.

OpenID Connect Core §3.1, RFC 7636, RFC 9207, RFC 7523; each way to say who we are, each algorithm, and the answer by a form.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from tests import machine
from tests.conftest import Told
from tests.login import theirs
from tests.login.hostile import sent_to
from tests.login.http_lab import provider, text_of
from tests.login.lab import id_token, where
from tests.login.social_lab import by_phone, linked
from tests.world import ISSUER, new_phone

pytestmark = pytest.mark.node
BACK = f"{ISSUER}/login/social/callback/up"
HOW = {
    "basic": ("client_secret_basic", "RS256", ""),
    "post": ("client_secret_post", "PS256", ""),
    "private_key_jwt": ("private_key_jwt", "ES256", ""),
    "form": ("client_secret_basic", "Ed25519", "form_post"),
}
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def test_a_whole_sign_in(told: Told, tmp_path: Path) -> None:
    """From a stranger to a link, and in again by it; and its person’s no. An address that it vouches for says nothing."""
    if reason := machine.relying_parties():
        pytest.skip(reason)
    (tmp_path / "key").write_bytes(PEM)
    public = {**ECKey.import_key(PEM).as_dict(private=False), "kid": "ours", "use": "sig"}
    registered = [
        theirs.client(BACK, name, token_endpoint_auth_method=method, id_token_signed_response_alg=algorithm, jwks={"keys": [public]})
        for name, (method, algorithm, _) in HOW.items()
    ]
    with theirs.running(*registered) as issuer:
        for name, (_, _, mode) in HOW.items():
            ours = {"issuer": issuer, "title": "Theirs", "client_id": name, "response_mode": mode, "scopes": ["openid", "profile", "email"]}
            ours |= {"client_auth": name if name in {"post", "private_key_jwt"} else "basic", "client_secret": theirs.SECRET}
            ours |= {"private_key": tmp_path / "key", "key_id": "ours"}
            with provider(told, providers={"up": ours}, outbound={"allow_private_addresses": True}) as world:
                party, browser = world.party(), world.browser()

                def come(party=party, browser=browser, mode=mode, *, answer: str = "yes"):
                    answered = theirs.agree(sent_to(browser, browser.authorize(party)).headers["Location"], answer=answer)
                    if not mode:
                        return browser.go(answered.headers["Location"])
                    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', answered.text))
                    given = {field: html.unescape(value) for field, value in fields.items()}
                    return browser.onward(world.browser().post(BACK, data=given))

                assert "You have not signed in with Theirs" in text_of(come(answer="no")), name
                page = come()
                assert "linked to this account at Theirs" in text_of(page), (name, text_of(page))
                page = by_phone(world, browser, page, new_phone())
                assert 'value="Them vera"' in page.text
                page = browser.onward(browser.submit(page, name="Vera", terms="1"))
                claims = id_token(world, party, browser.onward(browser.submit(page, answer="link")))
                assert linked(world, str(claims["sub"])) == [(issuer, "vera")]
                browser.cookies.clear()
                again = id_token(world, party, come())
                assert (again["sub"], again["amr"]) == (claims["sub"], ["fed"])
                assert where(page) == "social"
