"""Resource indicators (RFC 8707): a token is for the resource server that was named, with its scopes, its lifetime and its format, and for
no other one (RFC 9700 §2.3); who may introspect it (RFC 7662 §4). Cases 13, 30, 32 and 34 of threats.md.
"""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from idp import clock, config
from idp.account import erasing
from idp.cli.demo_story import Story
from idp.clock import freeze
from idp.db.session import session
from idp.delegation import clients
from idp.delegation.tables import Consent, DeviceAuthorization, OpaqueToken
from idp.errors import BadInput
from tests.oidc.asking import error_at, is_page_of_ours, person, phone, rows, signed_in, token_error
from tests.oidc.asserting import public, signed
from tests.oidc.devices import DEVICE_CODE, allows, begins, begun, polls, television
from tests.oidc.test_access_token import header_of
from tests.oidc.test_request_objects import ask, holds
from tests.world import ISSUER, SCOPES, Party, World, answer_of, claims_of

ORDERS, STOCK = "https://orders.example/api", "https://stock.example"
SCOPE = "openid profile orders:read orders:write offline_access"


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """Two resource servers; the second one reads only opaque tokens, and says which client it is."""
    return {
        "resources": {
            ORDERS: {
                "title": "Orders",
                "scopes": {"orders:read": "See your orders", "orders:write": "Order for you", "company": ""},
                "access_token_lifetime": 120,
                "access_token_algorithm": "RS256",
                "introspected_by": ["orders-server"],
            },
            STOCK: {"scopes": {"stock:read": "See the stock"}, "access_token_format": "opaque", "introspected_by": ["stock-server"]},
        }
    }


def shop(world: World, **changes: Any) -> Party:
    """A client that may name both."""
    given = {"scopes": [*SCOPES, "orders:read", "orders:write", "stock:read"], "resources": [ORDERS, STOCK]}
    return world.party(**given | changes)


def asked(world: World, story: Story, party: Party, *named: str, scope: str = SCOPE, key: str = "zimin") -> httpx2.Response:
    """The answer of the authorization endpoint to a person who is signed in."""
    browser = signed_in(world, story, key)
    pairs = [*party.asks(scope=scope).items(), *(("resource", each) for each in named)]
    return browser.go(f"/authorize?{httpx2.QueryParams(pairs)}")


def given(world: World, story: Story, party: Party, *named: str, scope: str = SCOPE, **form: str) -> dict[str, Any]:
    """What a code gives that was asked for with these resources."""
    answer = world.redeem(party, answer_of(asked(world, story, party, *named, scope=scope))["code"], **form)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_without_a_resource(world: World, story: Story) -> None:
    """Nothing was named: our own API, as ever."""
    tokens = given(world, story, shop(world), scope="openid profile")
    assert claims_of(tokens["access_token"])["aud"] == ISSUER
    assert tokens["expires_in"] == 300
    assert world.userinfo(tokens["access_token"]).status_code == 200


def test_a_token_for_a_resource(world: World, story: Story) -> None:
    """§2, §2.2: `aud`, scopes, lifetime and algorithm are the resource's; the ID token is the client's; userinfo stays shut (case 34)."""
    party = shop(world)
    tokens = given(world, story, party, ORDERS)
    said = claims_of(tokens["access_token"])
    assert (said["aud"], said["scope"], said["exp"] - said["iat"]) == (ORDERS, "orders:read orders:write", 120)
    assert header_of(tokens["access_token"])["alg"] == "RS256"
    assert (tokens["scope"], tokens["expires_in"]) == ("orders:read orders:write", 120)
    assert claims_of(tokens["id_token"])["aud"] == party.client.id
    refused = world.userinfo(tokens["access_token"])
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


def test_one_after_the_other(world: World, story: Story) -> None:
    """§2.2: of several that were named each token is for one: the first, the one that this request names, or our own API."""
    party = shop(world)
    scope = SCOPE + " stock:read"
    tokens = given(world, story, party, ORDERS, STOCK, scope=scope)
    assert claims_of(tokens["access_token"])["aud"] == ORDERS
    second = world.refresh(party, tokens["refresh_token"], resource=STOCK).json()
    assert (second["scope"], second["expires_in"]) == ("stock:read", 300)
    assert len(second["access_token"]) == 43  # it reads only opaque ones
    assert [row.audience for row in rows(world, OpaqueToken)] == [[STOCK]]
    assert world.userinfo(second["access_token"]).status_code == 401
    own = world.refresh(party, second["refresh_token"], resource=ISSUER).json()
    assert claims_of(own["access_token"])["aud"] == ISSUER
    assert own["scope"] == "openid profile offline_access"
    assert world.userinfo(own["access_token"]).status_code == 200
    again = world.refresh(party, own["refresh_token"], scope=scope).json()
    assert claims_of(again["access_token"])["aud"] == ORDERS
    less = world.refresh(party, again["refresh_token"], scope="orders:read").json()
    assert claims_of(less["access_token"])["scope"] == "orders:read"


@pytest.mark.parametrize(
    ("named", "scope", "error"),
    [
        (["https://unknown.example"], SCOPE, "invalid_target"),
        (["https://orders.example"], SCOPE, "invalid_target"),
        ([ORDERS + "/"], SCOPE, "invalid_target"),
        ([ORDERS + "#x"], SCOPE, "invalid_target"),
        (["orders"], SCOPE, "invalid_target"),
        ([ORDERS, "https://unknown.example"], SCOPE, "invalid_target"),
        ([f"https://{n}.example" for n in range(11)], SCOPE, "invalid_target"),
        ([ORDERS], "openid", "invalid_scope"),
        ([ORDERS], "openid orders:read stock:read", "invalid_scope"),
        ([], "openid orders:read", "invalid_scope"),
        ([ORDERS, STOCK], "openid orders:read", "invalid_scope"),
    ],
    ids=str,
)
def test_what_is_refused_at_the_authorization_endpoint(world: World, story: Story, named: list[str], scope: str, error: str) -> None:
    """§2: `invalid_target`, back at the client; a scope without its resource, and a resource without a scope, say which is missing."""
    party = shop(world)
    assert error_at(asked(world, story, party, *named, scope=scope), party) == error


def test_only_who_may(world: World, story: Story) -> None:
    """An operator decides which client may name which; what was taken back holds for what it has already (case 30)."""
    party = shop(world, resources=[ORDERS], scopes=["openid", "offline_access", "orders:read"])
    assert error_at(asked(world, story, party, STOCK, scope="openid orders:read"), party) == "invalid_target"
    tokens = given(world, story, party, ORDERS, scope="openid offline_access orders:read")
    assert world.introspect(party, tokens["access_token"]).json()["active"] is True
    with world.writes():
        clients.update(party.client.id, resources=[], scopes=["openid", "offline_access"])
    assert world.introspect(party, tokens["access_token"]).json() == {"active": False}
    assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_target"
    with world.writes():
        for wrong in ({"resources": ["https://unknown.example"]}, {"scopes": ["openid", "stock:read"]}):
            with pytest.raises(BadInput):
                clients.update(party.client.id, **wrong)


def test_what_is_refused_at_the_token_endpoint(world: World, story: Story) -> None:
    """§2.2: what was not named before, two at once; a refresh token that is refused so is not spent."""
    party = shop(world)
    code = answer_of(asked(world, story, party, ORDERS))["code"]
    assert token_error(world.redeem(party, code, resource=STOCK)) == "invalid_target"
    tokens = given(world, story, party, ORDERS)
    with freeze(clock.now()) as shift:
        for wrong in (STOCK, "https://unknown.example", f"{ORDERS} {ISSUER}", ORDERS + "#"):
            assert token_error(world.refresh(party, tokens["refresh_token"], resource=wrong)) == "invalid_target"
            shift(60)
        assert token_error(world.refresh(party, tokens["refresh_token"], resource=ORDERS, scope="openid")) == "invalid_scope"
        shift(60)
        fresh = world.refresh(party, tokens["refresh_token"], resource=ORDERS)
    assert fresh.status_code == 200
    plain = given(world, story, shop(world), scope="openid offline_access")
    other = world.refresh(party, plain["refresh_token"], resource=ORDERS)
    assert token_error(other) == "invalid_grant"


def test_a_consent_names_what_it_is_for(world: World, story: Story) -> None:
    """The page says in words what may be done where; the next request for more asks again (case 13)."""
    party = shop(world, first_party=False)
    page = asked(world, story, party, ORDERS, scope="openid orders:read")
    assert "See your orders" in page.text
    assert "Orders" in page.text
    assert "Order for you" not in page.text
    browser = signed_in(world, story)
    pairs = {**party.asks(scope="openid orders:read"), "resource": ORDERS}
    browser.allow(browser.go(f"/authorize?{httpx2.QueryParams(pairs)}"))
    assert [row.scopes for row in rows(world, Consent)] == [["openid", "orders:read"]]
    assert "code" in answer_of(browser.go(f"/authorize?{httpx2.QueryParams(pairs)}"))
    more = pairs | {"scope": "openid orders:read orders:write"}
    assert is_page_of_ours(browser.go(f"/authorize?{httpx2.QueryParams(more)}"), 200)
    apps = browser.get(f"/account/apps/{party.client.id}")
    assert "See your orders" in apps.text


def test_the_company_in_a_resources_token(world: World, story: Story) -> None:
    """Only a resource that says so reads which company the person came in for."""
    party = shop(world, account_types=["employee"])
    browser = signed_in(world, story, "lazareva")
    for named, scope, told in ((ORDERS, "openid company orders:read", True), (STOCK, "openid company stock:read", False)):
        pairs = {**party.asks(scope=scope), "resource": named}
        tokens = world.redeem(party, answer_of(browser.go(f"/authorize?{httpx2.QueryParams(pairs)}"))["code"]).json()
        said = world.introspect(party, tokens["access_token"]).json()
        assert (said.get("company_id") == story.companies["romashka"]) is told
        assert claims_of(tokens["id_token"])["company_id"] == story.companies["romashka"]


def test_who_may_introspect(world: World, story: Story) -> None:
    """RFC 7662 §4: the client that got it, and the resource server that it is for; nobody else, and not about what is for us (case 32)."""
    party = shop(world)
    orders = world.machine(client_id="orders-server")
    stock = world.machine(client_id="stock-server")
    tokens = given(world, story, party, ORDERS, STOCK, scope=SCOPE + " stock:read")
    for_stock = world.refresh(party, tokens["refresh_token"], resource=STOCK).json()["access_token"]
    own = world.refresh(party, tokens["refresh_token"], resource=ISSUER).json()["access_token"]
    said = world.introspect(orders, tokens["access_token"]).json()
    assert (said["active"], said["aud"], said["scope"], said["client_id"]) == (True, ORDERS, "orders:read orders:write", party.client.id)
    assert world.introspect(stock, for_stock).json()["aud"] == STOCK
    for asker, token in ((orders, for_stock), (stock, tokens["access_token"]), (orders, own), (world.party(), tokens["access_token"])):
        assert world.introspect(asker, token).json() == {"active": False}
    assert world.introspect(orders, tokens["refresh_token"]).json() == {"active": False}
    assert token_error(world.revoke(orders, tokens["access_token"])) == "invalid_grant"
    assert world.revoke(party, tokens["access_token"]).status_code == 200
    assert world.introspect(orders, tokens["access_token"]).json() == {"active": False}
    assert world.revoke(party, for_stock).status_code == 200
    assert world.introspect(stock, for_stock).json() == {"active": False}


def test_a_machine(world: World) -> None:
    """`client_credentials`: its scopes that are the resource's; without one its own words, as ever."""
    robot = world.machine(scopes=["orders:read", "stock:read", "own:word"], resources=[ORDERS, STOCK])
    grant = {"grant_type": "client_credentials"}
    plain = world.token(robot, **grant).json()
    assert (plain["scope"], claims_of(plain["access_token"])["aud"]) == ("orders:read stock:read own:word", ISSUER)
    for_orders = world.token(robot, **grant, resource=ORDERS).json()
    assert (for_orders["scope"], for_orders["expires_in"]) == ("orders:read", 120)
    assert claims_of(for_orders["access_token"])["aud"] == ORDERS
    opaque = world.token(robot, **grant, resource=STOCK, scope="stock:read").json()
    assert len(opaque["access_token"]) == 43
    assert world.introspect(robot, opaque["access_token"]).json()["aud"] == STOCK
    assert claims_of(world.token(robot, **grant, resource=ISSUER).json()["access_token"])["aud"] == ISSUER
    assert token_error(world.token(robot, **grant, resource=ORDERS, scope="orders:read own:word")) == "invalid_scope"
    assert token_error(world.token(robot, **grant, resource="https://unknown.example")) == "invalid_target"
    assert token_error(world.token(robot, **grant, resource=f"{ORDERS} {STOCK}")) == "invalid_target"
    assert token_error(world.token(world.machine(), **grant, resource=ORDERS)) == "invalid_target"


def test_a_device(world: World, story: Story) -> None:
    """RFC 8628 with RFC 8707: named when the device asks, shown to the person, in the token."""
    tv = television(world, scopes=["openid", "orders:read"], resources=[ORDERS])
    assert token_error(begins(world, tv, scope="openid orders:read", resource=STOCK)) == "invalid_target"
    codes = begun(world, tv, scope="openid orders:read", resource=ORDERS)
    allows(signed_in(world, story), codes["user_code"])
    tokens = polls(world, tv, codes["device_code"]).json()
    assert claims_of(tokens["access_token"])["aud"] == ORDERS


def test_a_resource_that_is_gone(world: World, story: Story) -> None:
    """Taken out of the settings: its tokens open nothing, and none are given; everything else goes on."""
    party = shop(world)
    tokens = given(world, story, party, ORDERS)
    kept = {STOCK: world.settings.resources[STOCK]}
    config.use(world.settings.model_copy(update={"resources": kept}))
    assert world.introspect(party, tokens["access_token"]).json() == {"active": False}
    assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_target"
    assert world.refresh(party, tokens["refresh_token"], resource=ISSUER).status_code == 200
    with world.writes():
        clients.update(party.client.id, scopes=["openid"], name="Other")


def test_inside_a_signed_request(world: World, story: Story) -> None:
    """RFC 9101 §4: as one text, and as a list of several."""
    party = shop(world, jwks={"keys": [public("EC", kid="k1")]})
    browser = signed_in(world, story)
    for named, scope in ((ORDERS, "openid orders:read"), ([STOCK, ORDERS], "openid orders:read stock:read")):
        answer = answer_of(ask(browser, party, signed(holds(party, resource=named, scope=scope), algorithm="ES256")))
        first = world.introspect(party, world.redeem(party, answer["code"]).json()["access_token"]).json()
        assert first["aud"] == (named if isinstance(named, str) else named[0])


def test_when_the_id_is_deleted(world: World, story: Story) -> None:
    """What a device was allowed goes with the person, before the row's own time is over."""
    party = shop(world, grant_types=["authorization_code", DEVICE_CODE])
    allows(signed_in(world, story), begun(world, party)["user_code"])
    with world.writes():
        of_device = next(each for each in erasing.ERASED if each.model is DeviceAuthorization)
        session.execute(DeviceAuthorization.__table__.delete().where(of_device.theirs("nobody")))
        assert session.execute(DeviceAuthorization.__table__.select()).all()
        session.execute(DeviceAuthorization.__table__.delete().where(of_device.theirs(person(story, "zimin").user_id)))
    assert rows(world, DeviceAuthorization) == []


def test_discovery(world: World) -> None:
    """RFC 8414 §2 `scopes_supported`."""
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert {"orders:read", "stock:read", "openid"} <= set(document["scopes_supported"])


def test_a_person_signs_in(world: World, story: Story) -> None:
    """From the first page on: the parked request keeps the resource."""
    party = shop(world)
    browser = world.browser()
    page = browser.go(f"/authorize?{httpx2.QueryParams({**party.asks(scope=SCOPE), 'resource': ORDERS})}")
    page = browser.onward(browser.submit(page, phone=phone(story, "zimin")))
    back = answer_of(browser.onward(browser.submit(page, code=world.code_for(phone(story, "zimin")))))
    assert claims_of(world.redeem(party, back["code"]).json()["access_token"])["aud"] == ORDERS
