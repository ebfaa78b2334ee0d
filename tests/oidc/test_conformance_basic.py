"""The modules of the official Basic plan and, by `response_mode=form_post`, of the Form Post plan (`conformance.md` §3.2, §3.3).

Those that only ask whether a request like this succeeds are walked here, each by its name; the others have tests of their own, which
`docs/conformance.md` names.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.oidc.answers import came_back
from tests.oidc.asking import is_page_of_ours, person, signed_in
from tests.world import CALLBACK, World, claims_of

LEAN = {"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}
TABLE = Path(__file__).parents[2] / "docs" / "conformance.md"
SUCCEED = {
    "oidcc-server": {},
    "oidcc-ensure-request-without-nonce-succeeds-for-code-flow": {"nonce": None},
    "oidcc-alternate-happy-flow": {"scope": "email openid"},
    "oidcc-display-page": {"display": "page"},
    "oidcc-display-popup": {"display": "popup"},
    "oidcc-ensure-request-with-unknown-parameter-succeeds": {"extra": "foobar"},
    "oidcc-login-hint": {"login_hint": "buffy@host"},
    "oidcc-ui-locales": {"ui_locales": "se"},
    "oidcc-claims-locales": {"claims_locales": "se"},
    "oidcc-ensure-request-with-acr-values-succeeds": {"acr_values": "1 2"},
    "oidcc-claims-essential": {"claims": '{"userinfo":{"name":{"essential":true}}}', "scope": "openid"},
    "oidcc-max-age-10000": {"max_age": "15000"},
    "oidcc-scope-profile": {"scope": "openid profile"},
    "oidcc-scope-email": {"scope": "openid email"},
    "oidcc-scope-address": {"scope": "openid address"},
    "oidcc-scope-phone": {"scope": "openid phone"},
    "oidcc-scope-all": {"scope": "openid profile email phone address"},
}
REFUSED = {
    "oidcc-response-type-missing": ({"response_type": None}, "invalid_request"),
    "oidcc-prompt-none-not-logged-in": ({"prompt": "none", "state": "s" * 128}, "login_required"),
}


@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_requests_that_succeed(world: World, story, mode: str) -> None:
    """Each of SUCCEED: a lean ID token, what userinfo is for in userinfo, the code good once; nothing in the query by form post."""
    party = world.party(pkce="optional")
    browser = signed_in(world, story, "zimin", party)
    for module, changes in SUCCEED.items():
        asked = {"code_challenge": None, "code_challenge_method": None, **changes, **({} if mode == "query" else {"response_mode": mode})}
        answer = came_back(browser.authorize(party, **asked), CALLBACK, mode)
        assert answer["state"] == "state-1", module
        assert entropy(answer["code"]) >= 96, module
        form = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": CALLBACK}
        redeemed = world.token(party, **form)
        assert redeemed.status_code == 200, module
        tokens = redeemed.json()
        assert tokens["expires_in"] > 0
        assert set(claims_of(tokens["id_token"])) <= LEAN, module
        assert claims_of(tokens["id_token"]).get("nonce") == changes.get("nonce", "nonce-1"), module
        assert world.userinfo(tokens["access_token"]).json()["sub"] == person(story, "zimin").user_id
    assert world.token(party, **form).json()["error"] == "invalid_grant"  # oidcc-codereuse


@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_requests_that_are_refused(world: World, mode: str) -> None:
    """Each of REFUSED, by the same way; and oidcc-ensure-registered-redirect-uri: a page, and no form to a stranger."""
    party, browser = world.party(), world.browser()
    wanted = {} if mode == "query" else {"response_mode": mode}
    for module, (changes, error) in REFUSED.items():
        answer = came_back(browser.authorize(party, **wanted, **changes), CALLBACK, mode)
        assert (answer["error"], answer["state"]) == (error, changes.get("state", "state-1")), module
    assert is_page_of_ours(browser.authorize(party, redirect_uri="https://evil.example/", **wanted))


@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_a_request_by_post(world: World, story, mode: str) -> None:
    """oidcc-ensure-post-request-succeeds."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    sent = browser.onward(browser.post("/authorize", data=party.asks(response_mode=mode)))
    assert world.redeem(party, came_back(sent, CALLBACK, mode)["code"]).status_code == 200


def test_the_table_names_what_is_there() -> None:
    """`docs/conformance.md`: every test that it names is there."""
    named = re.findall(r"`(tests/[a-z_/]+\.py)`", TABLE.read_text("utf-8"))
    assert named
    assert [path for path in named if not (TABLE.parents[1] / path).is_file()] == []


def entropy(text: str) -> float:
    """As the suite measures it: Shannon's, of the characters."""
    return sum(-math.log2(count / len(text)) * count for count in Counter(text).values())
