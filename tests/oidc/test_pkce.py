"""PKCE per client, judged where the request comes in: only S256, never the silent `plain` (RFC 7636, RFC 9700 §2.1.1, claims.md).

Case 21 of threats.md.
"""

from __future__ import annotations

import pytest

from tests.oidc.asking import back_at, error_at, phone, signed_in, token_error
from tests.world import CALLBACK, Party, World, answer_of

NONE = {"code_challenge": None, "code_challenge_method": None}


def redeem(world: World, party: Party, code: str, verifier: str | None):
    """Redeem with this verifier, or without one."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": party.redirect_uri}
    return world.token(party, **form | ({"code_verifier": verifier} if verifier is not None else {}))


@pytest.mark.parametrize(
    ("registered", "changes", "allowed"),
    [
        ({"kind": "single_page"}, {}, True),
        ({"kind": "single_page"}, NONE, False),
        ({"kind": "single_page", "pkce": "optional"}, NONE, False),
        ({"kind": "native", "pkce": "or_nonce"}, NONE, False),
        ({"pkce": "required"}, {}, True),
        ({"pkce": "required"}, NONE, False),
        ({"pkce": "or_nonce"}, {}, True),
        ({"pkce": "or_nonce"}, {"nonce": None}, True),
        ({"pkce": "or_nonce"}, NONE, True),
        ({"pkce": "or_nonce"}, NONE | {"nonce": None}, False),
        ({"pkce": "or_nonce"}, NONE | {"scope": "profile"}, False),
        ({}, NONE | {"nonce": None}, False),
        ({"pkce": "optional"}, NONE | {"nonce": None}, True),
        ({"pkce": "optional"}, NONE | {"nonce": None, "scope": "profile"}, True),
    ],
)
def test_what_a_client_must_send(world: World, registered: dict, changes: dict, allowed: bool) -> None:
    """Case 21: `required` (public clients always), `or_nonce` (an OpenID Connect nonce will do), `optional`. Refused at /authorize."""
    party = world.party(**registered)
    answer = world.browser().authorize(party, **changes)
    if allowed:
        assert answer.status_code == 200
    else:
        assert error_at(answer, party) == "invalid_request"
        description = answer_of(answer)["error_description"]
        assert "PKCE" in description
        assert "code_challenge" in description


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge_method": "S512"},
        {"code_challenge_method": "none"},
        {"code_challenge": None},
        {"code_challenge": "x" * 42},
        {"code_challenge": "x" * 44},
        {"code_challenge": "x" * 128},
        {"code_challenge": "x" * 43 + "\n"},
        {"code_challenge": "x" * 42 + "="},
        {"code_challenge": "x" * 42 + "+"},
        {"code_challenge": "é" * 43},
        {"code_challenge": "x" * 43, "code_challenge_method": "plain"},
    ],
)
@pytest.mark.parametrize("pkce", ["required", "or_nonce", "optional"])
def test_only_s256(world: World, pkce: str, changes: dict) -> None:
    """Case 21: what is no S256 challenge is refused, also where PKCE is optional; a method left out is not taken for `plain`."""
    party = world.party(pkce=pkce)
    assert error_at(world.browser().authorize(party, **changes), party) == "invalid_request"


def test_a_challenge_binds(world: World, story) -> None:
    """RFC 7636 §4.6: once a challenge was sent, the verifier is required of every client, and it is the right one."""
    for registered in (
        {},
        {"pkce": "optional"},
        {"pkce": "required"},
        {"kind": "single_page"},
        {"kind": "native", "redirect_uris": ["com.example.app:/cb"]},
    ):
        party = world.party(**registered)
        browser = signed_in(world, story, "zimin", party)
        code = answer_of(browser.allow(browser.authorize(party)) if "redirect_uris" in registered else browser.authorize(party))["code"]
        missing = token_error(redeem(world, party, code, None))
        assert missing == ("invalid_request" if party.secret is None else "invalid_grant")
        wrong = [party.verifier[:-1], party.verifier + "x", party.verifier.swapcase(), party.challenge, "x" * 42, "x" * 129, "x" * 43]
        for verifier in [*wrong, party.verifier + " ", party.verifier + "\n", "я" * 43, party.verifier[:-1] + "=", ""]:
            assert token_error(redeem(world, party, code, verifier)) in {"invalid_grant", "invalid_request"}, verifier
        assert redeem(world, party, code, party.verifier).status_code == 200


def test_a_verifier_without_a_challenge(world: World, story) -> None:
    """Case 21, RFC 9700 §4.8.2 (downgrade): where the challenge was stripped off, an honest client's redemption fails."""
    party = world.party()
    browser = signed_in(world, story, "zimin", party)
    code = answer_of(browser.authorize(party, **NONE))["code"]
    assert token_error(redeem(world, party, code, party.verifier)) == "invalid_grant"
    assert world.events("code.refused")[-1].details["why"] == "a code_verifier without a code_challenge"
    assert redeem(world, party, code, None).status_code == 200


def test_the_lengths_that_are_allowed(world: World, story) -> None:
    """RFC 7636 §4.1: 43 to 128 characters, `-._~` included."""
    for verifier in ("a" * 43, "Z" * 128, "-._~" * 12):
        party = world.party(kind="single_page")
        party.verifier = verifier
        browser = signed_in(world, story, "zimin", party)
        code = back_at(browser.authorize(party), CALLBACK)["code"]
        assert redeem(world, party, code, verifier).status_code == 200


def test_without_pkce_the_client_is_still_who_it_says(world: World, story) -> None:
    """A client with a nonce instead proves itself by its secret; without it the code is worth nothing."""
    party = world.party()
    answer = answer_of(world.sign_in(world.browser(), party, phone(story, "zimin"), **NONE))
    as_public = Party(party.client, None)
    assert token_error(redeem(world, as_public, answer["code"], None), 401) == "invalid_client"
    assert redeem(world, party, answer["code"], None).status_code == 200
