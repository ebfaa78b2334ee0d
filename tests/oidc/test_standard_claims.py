"""All that the scopes `profile`, `email`, `phone` and `address` promise can be filled in, and is given (OpenID Connect Core §5.1, §5.4).

Conformance: oidcc-scope-profile, -email, -address, -phone, -all, oidcc-alternate-happy-flow, oidcc-userinfo-get.
"""

from __future__ import annotations

import pytest

from tests.cli.terminal import answer, idp
from tests.oidc.asking import person, phone
from tests.world import World, claims_of, new_phone

PROFILE = {
    "name": "Мария Ивановна Ким",
    "family_name": "Ким",
    "given_name": "Мария",
    "middle_name": "Ивановна",
    "nickname": "Маша",
    "preferred_username": "mkim",
    "profile": "https://people.example/mkim",
    "picture": "https://people.example/mkim.png",
    "website": "https://kim.example/",
    "gender": "female",
    "birthdate": "1990-05-31",
    "zoneinfo": "Asia/Almaty",
    "locale": "ru-KZ",
}
ADDRESS = {"street_address": "Абая 1", "locality": "Алматы", "region": "Алматы", "postal_code": "050000", "country": "KZ"}
FORMATTED = "Абая 1, Алматы, Алматы, 050000, KZ"
SCOPES = {
    "profile": PROFILE.keys() | {"updated_at"},
    "email": {"email", "email_verified"},
    "phone": {"phone_number", "phone_number_verified"},
    "address": {"address"},
}


@pytest.fixture
def test_user(world: World, story) -> str:
    """A person of whom an operator said all that can be said, by the command line; answers the number."""
    who = person(story, "zimin").user_id
    given = [(f"--{name.replace('_', '-')}", value) for name, value in (PROFILE | ADDRESS).items()]
    shown = answer("users", "update", who, *(word for pair in given for word in pair))
    assert {name: shown[name] for name in PROFILE} == PROFILE
    assert shown["address"] == ADDRESS | {"formatted": FORMATTED}
    return phone(story, "zimin")


@pytest.mark.parametrize("asked", [*SCOPES, "profile email address phone"])
def test_every_claim_of_the_scope(world: World, test_user: str, asked: str) -> None:
    """All of them in userinfo, of the right types, and none of them in the ID token; no claim of a scope that was not asked for."""
    scopes = asked.split()
    for scope in (f"openid {asked}", f"{asked} openid"):
        tokens = world.tokens(world.browser(), world.party(), test_user, scope=scope)
        userinfo = world.userinfo(tokens["access_token"]).json()
        wanted = set().union(*(SCOPES[each] for each in scopes))
        assert userinfo.keys() == wanted | {"sub"}
        assert not claims_of(tokens["id_token"]).keys() & wanted
        assert claims_of(tokens["id_token"])["sub"] == userinfo["sub"]
        if "profile" in scopes:
            assert {name: userinfo[name] for name in PROFILE} == PROFILE
            assert type(userinfo["updated_at"]) is int
        if "address" in scopes:
            assert userinfo["address"] == ADDRESS | {"formatted": FORMATTED}
        for name in wanted & {"email_verified", "phone_number_verified"}:
            assert userinfo[name] is True


def test_what_is_emptied_is_left_out(world: World, story, test_user: str) -> None:
    """Core §5.3.2; the address is written anew from what is left of it."""
    who = person(story, "zimin").user_id
    shown = answer("users", "update", who, "--nickname", "", "--region", "", "--postal-code", "")
    assert "nickname" not in shown
    assert shown["address"]["formatted"] == "Абая 1, Алматы, KZ"
    tokens = world.tokens(world.browser(), world.party(), test_user, scope="openid profile address")
    userinfo = world.userinfo(tokens["access_token"]).json()
    assert "nickname" not in userinfo
    assert userinfo["address"].keys() == {"formatted", "street_address", "locality", "country"}
    [*_, event] = world.events("user.profile_changed")
    assert (event.user_id, event.actor_id, event.details["claims"]) == (who, "operator", ["address", "nickname"])


@pytest.mark.parametrize(
    "wrong",
    [
        ("--birthdate", "31.05.1990"),
        ("--zoneinfo", "Mars/Olympus"),
        ("--zoneinfo", "../../etc/passwd"),
        ("--locale", "русский"),
        ("--website", "javascript:alert(1)"),
        ("--name", ""),
        ("--name", "\x07"),
        ("--street-address", "x" * 400),
        (),
    ],
    ids=str,
)
def test_what_cannot_be_said_of_anybody(world: World, story, wrong: tuple[str, ...]) -> None:
    """Refused with a sentence; nothing has changed."""
    who, before = person(story, "zimin").user_id, len(world.events("user.profile_changed"))
    refused = idp("users", "update", who, *wrong)
    assert refused.code in {1, 2}
    assert refused.err
    assert len(world.events("user.profile_changed")) == before


def test_nobody(world: World) -> None:
    """A number that nobody has."""
    assert idp("users", "update", new_phone(), "--nickname", "x").code == 1
