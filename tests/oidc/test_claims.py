"""What each scope gives, and where: the contract on the wire (claims.md "Scopes").

OpenID Connect Core §2, §5.1, §5.4; case 13 of threats.md.
"""

from __future__ import annotations

import re

import pytest

from idp.directory import users
from tests.oidc.asking import error_at, person, phone, signed_in, token_error
from tests.world import ISSUER, SCOPES, World, answer_of, claims_of, new_phone

PROTOCOL = {"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}
PROFILE = set(
    "name family_name given_name middle_name nickname preferred_username profile picture website "
    "gender birthdate zoneinfo locale updated_at".split()
)
ACCOUNT = {"account_id", "account_type"}
COMPANY = {"company_id", "company_name", "company_type", "company_status", "company_inn", "roles", "permissions"}
USERINFO = {
    "openid": set(),
    "profile": PROFILE,
    "email": {"email", "email_verified"},
    "phone": {"phone_number", "phone_number_verified"},
    "address": {"address"},
    "account": ACCOUNT,
    "company": COMPANY,
    "companies": {"companies"},
    "offline_access": set(),
}
ACCESS_TOKEN = {"iss", "aud", "sub", "client_id", "scope", "iat", "exp", "jti", "sid", "auth_time", "acr", "amr"}


def everything(world: World, story, key: str, scope: str) -> tuple[dict, dict, dict, dict]:
    """Token response, ID token, access token and userinfo of an employee who asked for `scope`."""
    party = world.party(account_types=["employee"])
    tokens = world.tokens(world.browser(), party, phone(story, key), scope=scope)
    id_token = claims_of(tokens["id_token"]) if "id_token" in tokens else {}
    return tokens, id_token, claims_of(tokens["access_token"]), world.userinfo(tokens["access_token"]).json()


@pytest.mark.parametrize("scope", list(USERINFO))
def test_each_scope_alone(world: World, story, scope: str) -> None:
    """Core §5.4: with `openid` and one scope, userinfo holds exactly its claims, the ID token only those that claims.md puts there."""
    asked = "openid" if scope == "openid" else f"openid {scope}"
    tokens, id_token, access_token, userinfo = everything(world, story, "lazareva", asked)
    assert tokens["scope"] == asked
    assert set(userinfo) == {"sub"} | USERINFO[scope]
    chosen = USERINFO[scope] if scope in {"account", "company"} else set()
    assert set(id_token) == PROTOCOL | chosen
    more = {"account": {"account_id"}, "company": {"account_id", "company_id", "roles", "permissions"}}.get(scope, set())
    assert set(access_token) == ACCESS_TOKEN | more
    subject = person(story, "lazareva").user_id
    assert {id_token["sub"], access_token["sub"], userinfo["sub"]} == {subject}


def test_all_of_them(world: World, story) -> None:
    """Conformance, scope-all: every claim in userinfo; names, phone and the list of companies in no token."""
    tokens, id_token, access_token, userinfo = everything(world, story, "lazareva", " ".join(SCOPES))
    assert tokens["scope"].split() == SCOPES
    assert set(userinfo) == {"sub"}.union(*USERINFO.values())
    assert set(id_token) == PROTOCOL | ACCOUNT | COMPANY
    assert set(access_token) == ACCESS_TOKEN | {"account_id", "company_id", "roles", "permissions"}


def test_types(world: World, story) -> None:
    """Core §5.1, §5.1.1: strings that are not empty, numbers, booleans, an object; nothing is null."""
    _, _, _, userinfo = everything(world, story, "lazareva", " ".join(SCOPES))
    for name in PROFILE - {"updated_at"}:
        assert isinstance(userinfo[name], str), name
        assert userinfo[name], name
    assert type(userinfo["updated_at"]) is int
    assert userinfo["email_verified"] is True
    assert userinfo["phone_number_verified"] is True
    assert re.fullmatch(r"\+[1-9][0-9]{6,14}", userinfo["phone_number"])
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", userinfo["birthdate"])
    assert set(userinfo["address"]) == {"formatted", "street_address", "locality", "region", "postal_code", "country"}
    assert all(isinstance(value, str) and value for value in userinfo["address"].values())
    assert userinfo["account_type"] == "employee"
    assert isinstance(userinfo["roles"], list)
    assert userinfo["permissions"] == sorted(userinfo["permissions"])


def test_the_id_token(world: World, story) -> None:
    """Core §2, §3.1.3.7: what a client library validates."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid")
    claims = claims_of(tokens["id_token"])
    assert (claims["iss"], claims["aud"], claims["azp"], claims["nonce"]) == (ISSUER, party.client.id, party.client.id, "nonce-1")
    assert all(type(claims[name]) is int for name in ("exp", "iat", "auth_time"))
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert claims["auth_time"] <= claims["iat"]
    assert claims["acr"] == "urn:idp:acr:code"
    assert claims["amr"] == ["sms"]
    assert claims["sid"].startswith("ses_")
    assert claims["sub"].isascii()
    assert 0 < len(claims["sub"]) <= 255
    assert type(tokens["expires_in"]) is int
    assert tokens["token_type"] == "Bearer"
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"}


def test_companies(world: World, story) -> None:
    """claims.md: all of them, the suspended ones too, as they are now; roles only where the person may enter."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "anna"), scope="openid companies")
    listed = {company["id"]: company for company in world.userinfo(tokens["access_token"]).json()["companies"]}
    assert set(listed) == set(story.companies.values())
    for company in listed.values():
        assert set(company) == {"id", "name", "inn", "status", "roles", "account_id", "last_used_at"}
    assert listed[story.companies["romashka"]]["roles"] == ["accountant"]
    assert (listed[story.companies["veter"]]["status"], listed[story.companies["veter"]]["roles"]) == ("suspended", [])


def test_a_person_of_whom_little_is_known(world: World) -> None:
    """Core §5.3.2: what is not filled in is left out, not sent as null or as an empty text."""
    number = new_phone()
    with world.writes():
        users.register(number, "Имя", "ru-RU", "1")
    tokens = world.tokens(world.browser(), world.party(), number, scope="openid profile email phone address companies")
    userinfo = world.userinfo(tokens["access_token"]).json()
    assert set(userinfo) == {"sub", "name", "locale", "updated_at", "phone_number", "phone_number_verified", "companies"}
    assert userinfo["companies"] == []


def test_a_personal_account_has_no_company(world: World, story) -> None:
    """A buyer: the account, and not one claim of a company."""
    tokens = world.tokens(world.browser(), world.party(account_types=["personal"]), phone(story, "anna"), scope="openid account company")
    for claims in (claims_of(tokens["id_token"]), world.userinfo(tokens["access_token"]).json()):
        assert claims["account_type"] == "personal"
        assert not COMPANY & set(claims)


def test_unknown_scopes_are_ignored(world: World, story) -> None:
    """Core §3.1.2.1: the answer's `scope` says what was granted, and nothing that a stranger made up (PYSEC-2026-4359)."""
    party = world.party()
    for scope in (
        "openid nonsense",
        "nonsense openid",
        "openid openid",
        "openid  profile",
        "openid admin:users",
        "OPENID openid",
        'openid "',
    ):
        browser = signed_in(world, story, "zimin", party)
        tokens = world.redeem(party, answer_of(browser.authorize(party, scope=scope))["code"]).json()
        assert tokens["scope"] == ("openid profile" if "profile" in scope else "openid")
        assert claims_of(tokens["access_token"])["scope"] == tokens["scope"]


def test_scopes_that_the_client_may_not_have(world: World, story) -> None:
    """Case 13: `invalid_scope`, for a person who is signed in and with consent remembered as well; nothing is quietly left out."""
    party = world.party(scopes=["openid", "profile"])
    browser = signed_in(world, story, "zimin", party)
    for scope in ("openid email", "openid profile offline_access", "company", "openid account company"):
        for prompt in (None, "none", "consent"):
            assert error_at(browser.authorize(party, scope=scope, prompt=prompt), party) == "invalid_scope"


def test_without_openid(world: World, story) -> None:
    """Case 13, case 40: OAuth alone gives no ID token, and its access token opens no userinfo."""
    tokens, id_token, _, _ = everything(world, story, "lazareva", "profile email")
    assert "id_token" not in tokens
    assert id_token == {}
    assert token_error(world.userinfo(tokens["access_token"]), 403) == "insufficient_scope"


def test_userinfo_says_how_it_is_now(world: World, story) -> None:
    """house.md rule 7: a token's scopes, but the directory's values of this moment."""
    tokens = world.tokens(world.browser(), world.party(), phone(story, "zimin"), scope="openid profile address")
    before = world.userinfo(tokens["access_token"]).json()
    with world.writes():
        users.change_profile(person(story, "zimin").user_id, {"nickname": "Новое имя", "gender": ""})
    after = world.userinfo(tokens["access_token"]).json()
    assert after["nickname"] == "Новое имя"
    assert "gender" in before
    assert "gender" not in after
