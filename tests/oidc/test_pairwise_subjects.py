"""Pairwise subjects: a person is somebody else in each sector, and the same one there for ever (OpenID Connect Core §8.1, §17.3)."""

from __future__ import annotations

import json
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idp import clock, crypto
from idp.delegation import clients, sectors, subjects
from idp.delegation.tables import ClientRow
from idp.errors import BadInput
from tests.cli.terminal import answer, idp
from tests.oidc import over_tls
from tests.oidc.asking import error_at, person, phone, rows, signed_in
from tests.oidc.client_site import LABORATORY, Site, site
from tests.oidc.test_discovery import OPENID
from tests.world import Party, World, answer_of, claims_of

SHOP, FORUM = "https://shop.example/callback", "https://forum.example/callback"
SUB = re.compile(r"[A-Za-z0-9_-]{20,255}")


def pairwise(world: World, uri: str = SHOP, **more: object) -> Party:
    """A client with pairwise subjects, coming back to `uri`."""
    return world.party(redirect_uris=[uri], subject_type="pairwise", **more)


def subject_of(world: World, story, party: Party, who: str = "zimin") -> str:
    """What this person is called at this client."""
    tokens = world.tokens(world.browser(), party, phone(story, who), scope="openid")
    return str(claims_of(tokens["id_token"])["sub"])


def test_everywhere_a_sub_goes_out(world: World, story) -> None:
    """Core §8.1, RFC 9068 §2.2, RFC 7662 §2.2: ID token, userinfo, access token, introspection say the same, and never the person's id."""
    party, user_id = pairwise(world), person(story, "zimin").user_id
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid offline_access")
    id_token, access_token = claims_of(tokens["id_token"]), claims_of(tokens["access_token"])
    told = [id_token, access_token, world.userinfo(tokens["access_token"]).json()]
    told += [world.introspect(party, tokens[name]).json() for name in ("access_token", "refresh_token")]
    told += [claims_of(world.refresh(party, tokens["refresh_token"]).json()["id_token"])]
    assert len({claims["sub"] for claims in told}) == 1
    assert SUB.fullmatch(id_token["sub"])
    assert len({claims["sid"] for claims in told if "sid" in claims}) == 1
    for claims in told:
        assert user_id not in json.dumps(claims)
        assert "ses_" not in json.dumps(claims)


def test_sectors_cannot_compare(world: World, story) -> None:
    """Core §17.3: another sector, another sub and sid for one person in one browser session; the same sector, the same ones."""
    browser, found = world.browser(), []
    for uri in (SHOP, "https://shop.example/other", FORUM):
        party = pairwise(world, uri)
        page = world.sign_in(browser, party, phone(story, "zimin"), scope="openid") if not found else browser.authorize(party)
        found.append(claims_of(world.redeem(party, answer_of(page)["code"]).json()["id_token"]))
    shop, beside, forum = found
    assert shop["sub"] == beside["sub"] != forum["sub"]
    assert shop["sid"] == beside["sid"] != forum["sid"]
    assert subject_of(world, story, pairwise(world), "anna") != shop["sub"]
    assert subject_of(world, story, world.party()) == person(story, "zimin").user_id


def test_the_way_back(world: World, story) -> None:
    """Core §3.1.2.1: an ID token of this client as `id_token_hint` says whom it means; somebody else's sector's says nothing."""
    party, other = pairwise(world), pairwise(world, FORUM)
    browser = signed_in(world, story, "zimin", party)
    tokens = world.redeem(party, answer_of(browser.authorize(party))["code"]).json()
    assert "code" in answer_of(browser.authorize(party, prompt="none", id_token_hint=tokens["id_token"]))
    anna = signed_in(world, story, "anna", party)
    assert error_at(anna.authorize(party, prompt="none", id_token_hint=tokens["id_token"]), party) == "login_required"
    sub = claims_of(tokens["id_token"])["sub"]
    assert subjects.user_of(party.client, sub) == person(story, "zimin").user_id
    assert subjects.user_of(other.client, sub) is None
    for made_up in (person(story, "zimin").user_id, "", "x", sub[:-1], sub + "A", "é", "a" * 62):
        assert subjects.user_of(party.client, made_up) is None
    left = browser.go(f"/end_session?id_token_hint={tokens['id_token']}&post_logout_redirect_uri=https://rp.example/signed-out")
    assert left.headers["Location"] == "https://rp.example/signed-out"


def test_asked_for_by_its_value(world: World, story) -> None:
    """Core §5.5.1: `sub` with a value is what this client knows the person by; their id, or another sector's word, is nobody's."""
    party, other = pairwise(world), pairwise(world, FORUM)
    browser = signed_in(world, story, "zimin", party)
    user_id = person(story, "zimin").user_id

    def asked(sub: str) -> dict[str, str]:
        return answer_of(browser.authorize(party, prompt="none", claims=json.dumps({"id_token": {"sub": {"value": sub}}})))

    assert "code" in asked(subjects.subject(party.client, user_id))
    for wrong in (user_id, subjects.subject(other.client, user_id), subjects.subject(party.client, person(story, "anna").user_id)):
        assert "code" not in asked(wrong)


def test_a_token_of_a_client_that_became_pairwise(world: World, story) -> None:
    """What names the person openly stands no more: nobody passes for another by a sub of the other kind."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid")
    with world.writes():
        clients.update(party.client.id, subject_type="pairwise")
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert error_at(signed_in(world, story, "zimin", party).authorize(party, id_token_hint=tokens["id_token"]), party) == "invalid_request"


def test_revoking(world: World, story) -> None:
    """RFC 7009: the event names person and session by our own ids."""
    party = pairwise(world)
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid")
    assert world.revoke(party, tokens["access_token"]).status_code == 200
    assert world.userinfo(tokens["access_token"]).status_code == 401
    event = world.events("token.revoked")[-1]
    assert event.user_id == person(story, "zimin").user_id
    assert event.session_id.startswith("ses_")


def test_the_same_for_ever(world: World, story, tmp_path: Path, told) -> None:
    """Core §8: a new first root key changes no sub."""
    party = pairwise(world)
    before = subject_of(world, story, party)
    old = (told.folder / "keys" / crypto.ROOT_KEY).read_text()
    (tmp_path / crypto.ROOT_KEY).write_text(urlsafe_b64encode(secrets.token_bytes(32)).decode() + "\n" + old)
    try:
        crypto.load_keys(tmp_path)
        assert subject_of(world, story, party) == before
    finally:
        crypto.load_keys(told.folder / "keys")


def test_registering(world: World) -> None:
    """Registration §5: several hosts need an address that lists them."""
    several = [SHOP, FORUM]
    for refused in (
        {"redirect_uris": several},
        {"redirect_uris": ["https://a.example/app", "https://b.example/app", "com.example.app:/cb"], "kind": "native"},
        {"redirect_uris": [SHOP], "sector_identifier_uri": "http://localhost:9000/list"},
        {"redirect_uris": [SHOP], "sector_identifier_uri": "https://shop.example/list#x"},
        {"redirect_uris": [SHOP], "subject_type": "both"},
    ):
        with pytest.raises(BadInput):
            world.party(**{"subject_type": "pairwise"} | refused)
    assert pairwise(world).client.sector_identifier == "shop.example"
    assert world.party().client.sector_identifier is None
    with pytest.raises(BadInput):
        world.machine(subject_type="pairwise")


def test_native_apps(world: World, story) -> None:
    """RFC 8252: loopback and own schemes are nobody's host, so that apps of two makers are not one sector because of them."""
    for uris in (["http://127.0.0.1/cb"], ["com.example.app:/callback"], ["http://127.0.0.1/cb", "com.example.app:/callback"]):
        apps = [world.party(kind="native", redirect_uris=uris, subject_type="pairwise") for _ in range(2)]
        assert {app.client.sector_identifier for app in apps} == {None}
        subs = {subjects.subject(app.client, person(story, "zimin").user_id) for app in apps}
        assert len(subs) == 2
    app = world.party(kind="native", redirect_uris=["http://127.0.0.1/cb", "https://shop.example/app"], subject_type="pairwise")
    assert app.client.sector_identifier == "shop.example"


def test_a_change_that_would_make_strangers_of_all(world: World, story) -> None:
    """Core §8: a sub is never given to another person, nor another one to the same, by a change of an address."""
    party = pairwise(world)
    before = subject_of(world, story, party)
    with pytest.raises(BadInput, match="sector"), world.writes():
        clients.update(party.client.id, redirect_uris=[FORUM])
    with world.writes():
        moved = clients.update(party.client.id, redirect_uris=["https://shop.example/new"])
    assert subject_of(world, story, Party(moved, party.secret, "https://shop.example/new")) == before


class TestAListOfAddresses:
    """`sector_identifier_uri`, on a server of the client's (Core §8.1, Registration §5)."""

    @pytest.fixture
    def pem(self, tmp_path: Path) -> Path:
        """A certificate of that server."""
        return over_tls.certificate(tmp_path)

    @pytest.fixture
    def changed_settings(self, pem: Path) -> dict[str, dict[str, object]]:
        """It may be asked, and its certificate is believed."""
        return {"outbound": LABORATORY | {"timeout": 3.0, "certificate_authorities": [pem]}}

    @pytest.fixture
    def there(self, pem: Path) -> Iterator[Site]:
        """The server."""
        with site(pem) as server:
            yield server

    @staticmethod
    def create(*uris: str, sector: str) -> dict[str, Any]:
        """`idp clients create`."""
        given = [word for uri in uris for word in ("--redirect-uri", uri)]
        return answer(
            "clients",
            "create",
            "--name",
            "Shop",
            "--first-party",
            "--scope",
            "openid",
            *given,
            "--subject-type",
            "pairwise",
            "--sector-identifier-uri",
            sector,
        )

    def test_registered(self, world: World, story, there: Site) -> None:
        """Conformance, oidcc-registration-sector-uri: its host is the sector, for several clients on several hosts."""
        address = there.put("/list", [SHOP, FORUM])
        made = [self.create(*uris, sector=address) for uris in ([SHOP, FORUM], [SHOP], [FORUM])]
        assert {each["sector_identifier"] for each in made} == {"127.0.0.1"}
        found = []
        for each, uri in zip(made, (FORUM, SHOP, FORUM), strict=True):
            with world.reads():
                party = Party(clients.get(each["client_id"]), each["client_secret"], uri)
            page = world.sign_in(world.browser(), party, phone(story, "zimin"), scope="openid")
            found.append(claims_of(world.redeem(party, answer_of(page)["code"]).json()["id_token"])["sub"])
        assert len(set(found)) == 1

    def test_not_listed(self, world: World, there: Site) -> None:
        """Conformance, oidcc-registration-sector-bad: refused with what is missing; nothing is registered, nor changed."""
        wrong = there.put("/wrong", [SHOP])
        for sector in (wrong, there.put("/broken", "{"), there.at("/nowhere")):
            refused = idp("clients", "create", "--name", "Shop", "--redirect-uri", FORUM, "--sector-identifier-uri", sector)
            assert (refused.code, "sector_identifier_uri" in refused.err) == (1, True)
        assert not [row for row in rows(world, ClientRow) if row.name == "Shop"]
        made = self.create(SHOP, sector=wrong)
        changed = idp("clients", "update", made["client_id"], "--redirect-uri", SHOP, "--redirect-uri", FORUM)
        assert (changed.code, FORUM in changed.err) == (1, True)
        there.put("/wrong", [SHOP, FORUM])
        with clock.freeze(clock.now() + timedelta(seconds=11)):
            assert idp("clients", "update", made["client_id"], "--redirect-uri", SHOP, "--redirect-uri", FORUM).code == 0

    def test_what_changes_nothing_asks_nobody(self, there: Site, world: World) -> None:
        """A client whose sector is known is renamed although the server is away."""
        made = self.create(SHOP, sector=there.put("/list", [SHOP]))
        asked = len(there.asked)
        assert idp("clients", "update", made["client_id"], "--name", "Other").code == 0
        assert len(there.asked) == asked
        assert world.events("client.updated")[-1].details["changed"].keys() == {"name"}


def test_the_list_of_a_sector() -> None:
    """Conformance, oidcc-registration-sector-uri and oidcc-registration-sector-bad: each redirect address stands in the list."""
    sectors.require_listed(json.dumps([SHOP, FORUM, "https://more.example/"]), [FORUM, SHOP])
    for document in ("", "{", "null", "{}", '"https://shop.example/callback"', "[]", json.dumps([SHOP + "/"]), "[1]", "[" * 9000):
        with pytest.raises(BadInput):
            sectors.require_listed(document, [SHOP])
    with pytest.raises(BadInput, match="list"):
        sectors.require_listed(json.dumps([SHOP]), [SHOP, FORUM])
    registered = {"sector_identifier_uri": "https://shop.example/list", "redirect_uris": [SHOP]}
    assert sectors.list_to_fetch(None, registered) == "https://shop.example/list"
    assert sectors.list_to_fetch(registered, registered) is None
    assert sectors.list_to_fetch(registered, registered | {"redirect_uris": [SHOP, FORUM]}) == "https://shop.example/list"
    assert sectors.list_to_fetch(None, registered | {"sector_identifier_uri": None}) is None


def test_discovery_says_so(world: World) -> None:
    """Discovery §3."""
    assert world.browser().get(OPENID).json()["subject_types_supported"] == ["public", "pairwise"]


def test_nothing_is_kept_of_it(world: World, story) -> None:
    """Nobody who has a dump can tell who is called what: no table holds a sub (case 42)."""
    party = pairwise(world)
    sub = subject_of(world, story, party)
    from idp.db.columns import Base

    for mapper in Base.registry.mappers:
        assert sub not in repr(rows(world, mapper.class_))
