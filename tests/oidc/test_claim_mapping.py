"""Claim mapping per client: claims under the names that a relying party expects (claims.md "Claim mapping")."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from idp.delegation import claim_mapping, clients
from idp.delegation.claim_mapping import RESERVED, applied, parsed
from idp.errors import BadInput
from tests.oidc.asking import phone
from tests.world import Party, World, claims_of

CLAIMS = {
    "sub": "usr_1",
    "name": "Анна",
    "updated_at": 17,
    "email_verified": True,
    "address": {"country": "KZ", "locality": "Алматы"},
    "company_id": "cmp_1",
    "company_name": "Ромашка",
    "roles": ["accountant", "admin"],
    "permissions": [],
}


def made(table: dict[str, str]) -> dict:
    """What a table adds to CLAIMS."""
    judged = claim_mapping.require(table)
    assert judged is not None
    got = applied(parsed(judged), CLAIMS)
    assert {name: got[name] for name in CLAIMS if name not in table} == {name: CLAIMS[name] for name in CLAIMS if name not in table}
    return {name: value for name, value in got.items() if CLAIMS.get(name) != value}


def everywhere(world: World, story, party: Party, scope: str, who: str = "lazareva") -> tuple[dict, dict, dict, dict]:
    """ID token, access token, userinfo and introspection of an employee."""
    tokens = world.tokens(world.browser(), party, phone(story, who), scope=scope)
    told = world.introspect(party, tokens["access_token"]).json()
    return claims_of(tokens["id_token"]), claims_of(tokens["access_token"]), world.userinfo(tokens["access_token"]).json(), told


def test_paths_and_templates() -> None:
    """Dots lead into objects, braces into texts, lists give lists; what is not there is left out, whole."""
    assert made({"org_id": "company_id", "land": "address.country", "all": "address"}) == {
        "org_id": "cmp_1",
        "land": "KZ",
        "all": CLAIMS["address"],
    }
    assert made({"title": "{company_name}, {address.locality}"}) == {"title": "Ромашка, Алматы"}
    assert made({"seen": "{updated_at}/{email_verified}"}) == {"seen": "17/true"}
    assert made({"groups": "/{company_id}/{roles}"}) == {"groups": ["/cmp_1/accountant", "/cmp_1/admin"]}
    assert made({"none": "/{permissions}", "as_it_is": "permissions"}) == {"none": [], "as_it_is": []}
    assert made({"a.b.c": "company_id", "a.b.d": "name", "a.{company_id}": "sub"}) == {
        "a": {"b": {"c": "cmp_1", "d": "Анна"}, "cmp_1": "usr_1"}
    }
    assert made({"https://rp.example/claims/roles": "roles"}) == {"https://rp.example/claims/roles": CLAIMS["roles"]}
    assert made({"x": "nickname", "y": "{nickname}!", "z": "address.region", "o.{account_id}": "name", "p.q": "picture"}) == {}
    assert made({"name": "{company_name}"}) == {"name": "Ромашка"}
    assert CLAIMS["name"] == "Анна"


@pytest.mark.parametrize(
    "table",
    [
        *({name: "name"} for name in sorted(RESERVED)),
        *({f"{name}.x": "name"} for name in ("sub", "cnf", "address", "companies", "_claim_names")),
        {"x": "nonsense"},
        {"x": "__class__"},
        {"x": "name.__class__"},
        {"x": "companies.0.id"},
        {"x": "{companies}"},
        {"x": "{address}"},
        {"x": "{nonsense}"},
        {"x": "{name"},
        {"x": "name}"},
        {"x": "{{name}}"},
        {"x": "{}"},
        {"x": "{roles} {permissions}"},
        {"x": ""},
        {"": "name"},
        {"x y": "name"},
        {"x\n": "name"},
        {"{company_id}": "name"},
        {"x.{roles}": "name"},
        {"x.": "name"},
        {".x": "name"},
        {"a.b.c.d.e": "name"},
        {"a": "name", "a.b": "name"},
        {"https://rp.example/ü": "name"},
        {"https://rp.example/{company_id}": "name"},
        {"x": 1},
        {"x": ["name"]},
        {"x": "n" * 300},
        {f"x{number}": "name" for number in range(40)},
        ["name"],
        "auth0",
        17,
    ],
    ids=str,
)
def test_what_is_no_mapping(table: object) -> None:
    """No claim of the protocol, and none that others believe us, can be overwritten; paths exist; it stays small."""
    with pytest.raises(BadInput):
        claim_mapping.require(table)


def test_everywhere_and_only_what_is_there(world: World, story) -> None:
    """ID token, access token, userinfo, introspection; nothing that the granted scopes did not give."""
    table = {"org_id": "company_id", "who": "name", "kind": "account_type", "mail": "email"}
    party = world.party(account_types=["employee"], claim_mapping=table)
    id_token, access_token, userinfo, told = everywhere(world, story, party, "openid profile account company")
    company = userinfo["company_id"]
    assert {claims["org_id"] for claims in (id_token, access_token, userinfo, told)} == {company}
    assert userinfo["who"] == userinfo["name"]
    assert (id_token["kind"], userinfo["kind"]) == ("employee", "employee")
    for claims in (id_token, access_token, told):
        assert "who" not in claims
    for claims in (id_token, access_token, userinfo, told):
        assert "mail" not in claims
    for claims in everywhere(world, story, party, "openid", "zimin"):
        assert not claims.keys() & table.keys()


def test_the_protocol_stays(world: World, story) -> None:
    """Whatever is mapped, what is reserved is as it was without it."""
    plain, mapped = (world.party(account_types=["employee"], claim_mapping=table) for table in (None, "organization"))
    for one, other in zip(*(everywhere(world, story, party, "openid company") for party in (plain, mapped)), strict=True):
        assert one.keys() & RESERVED == other.keys() & RESERVED
        assert other.keys() - one.keys() == {"organization", "groups"}
        assert (one["sub"], one.get("iss")) == (other["sub"], other.get("iss"))


def test_presets(world: World, story) -> None:
    """claims.md: `org_id` and `org_name`; an `organization` object and `groups`; `groups` alone. Stored as tables, so that they stay."""
    shown = {}
    for preset in claim_mapping.PRESETS:
        party = world.party(account_types=["employee"], claim_mapping=preset)
        assert party.client.claim_mapping == claim_mapping.PRESETS[preset]
        id_token, _, userinfo, _ = everywhere(world, story, party, "openid company")
        shown[preset] = userinfo
        assert {name: id_token[name] for name in claim_mapping.PRESETS[preset] if "." not in name} == {
            name: userinfo[name] for name in claim_mapping.PRESETS[preset] if "." not in name
        }
    company, name, roles = (shown["org_id"][each] for each in ("company_id", "company_name", "roles"))
    assert (shown["org_id"]["org_id"], shown["org_id"]["org_name"]) == (company, name)
    assert shown["organization"]["organization"] == {company: {"id": company, "name": name}}
    assert shown["organization"]["groups"] == [f"/{role}" for role in roles]
    assert shown["groups"]["groups"] == roles


def test_a_change_holds_at_once(world: World, story) -> None:
    """It is the client's as it is now, for tokens that are there already too."""
    party = world.party(account_types=["employee"])
    token = world.tokens(world.browser(), party, phone(story, "lazareva"), scope="openid company")["access_token"]
    for table in ({"org": "company_id"}, {"organisation": "company_name"}, None):
        with world.writes():
            clients.update(party.client.id, claim_mapping=table)
        assert world.userinfo(token).json().keys() & {"org", "organisation"} == (table or {}).keys()


def test_the_command_line(tmp_path: Path) -> None:
    """`--claim-mapping` takes a file or a preset; a file that is none is said so."""
    from idp.cli.client_fields import said
    from idp.cli.failures import Failure
    from idp.cli.main import cli

    file = tmp_path / "mapping.json"
    file.write_text(json.dumps({"org": "company_id"}))
    assert said({"claim_mapping": str(file)}, {}) == {"claim_mapping": {"org": "company_id"}}
    assert said({"claim_mapping": "groups"}, {}) == {"claim_mapping": "groups"}
    assert said({"claim_mapping": ""}, {}) == {"claim_mapping": ""}
    file.write_text("{")
    for named in (str(file), str(tmp_path / "missing")):
        with pytest.raises(Failure):
            said({"claim_mapping": named}, {})
    assert "--claim-mapping" in CliRunner().invoke(cli, ["clients", "create", "--help"]).output
