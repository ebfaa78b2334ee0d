"""`/introspect`: does a token stand at this moment, and what for (RFC 7662). Cases 24, 25, 30, 32, 34, 38 and 88 of threats.md."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import httpx2
import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import ECKey

from idp import clock, keyring
from idp.db.columns import table
from idp.db.session import engine, session
from idp.delegation import clients
from idp.delegation.tables import ClientRow
from idp.directory import companies, employees, roles, users
from idp.keyring import SigningKey
from idp.oidc.client_auth.methods import ASSERTION
from tests.oidc.asking import change, person, phone, token_error
from tests.oidc.test_client_authentication import basic
from tests.oidc.test_switching_company import employee_of
from tests.oidc.test_token_confusion import made
from tests.world import ISSUER, Party, World, answer_of, claims_of

SCOPE = "openid account company"
FORMATS = pytest.mark.parametrize("format_", ["jwt", "opaque"])
STANDARD = {"active", "iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti", "token_type", "sid", "auth_time", "acr", "amr"}
ACTING = {"account_id", "company_id", "roles", "permissions"}


def is_inactive(answer) -> bool:
    """RFC 7662 §2.2: nothing but that, whatever the reason."""
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json()["active"] or answer.content == b'{"active":false}'
    return not answer.json()["active"]


def at_romashka(world: World, story, **registration: str) -> tuple[Party, dict]:
    """A client, and the tokens of a content manager there."""
    party = world.party(account_types=["employee"], **registration)
    return party, world.tokens(world.browser(), party, phone(story, "lazareva"), scope=SCOPE)


@FORMATS
def test_an_access_token(world: World, story, format_: str) -> None:
    """RFC 7662 §2.2, RFC 9068 §2.2: what the token stands for, the same of either format."""
    with clock.freeze(clock.now()) as later:
        party, tokens = at_romashka(world, story, access_token_format=format_)
        now = clock.timestamp()
        later(100)
        answer = world.introspect(party, tokens["access_token"])
    assert answer.headers["Content-Type"] == "application/json"
    told = answer.json()
    assert set(told) == STANDARD | ACTING
    assert told["active"] is True
    assert (told["iss"], told["aud"], told["client_id"], told["scope"]) == (ISSUER, ISSUER, party.client.id, SCOPE)
    assert (told["sub"], told["token_type"]) == (person(story, "lazareva").user_id, "Bearer")
    assert (told["iat"], told["exp"]) == (now, now + 300)
    assert (told["company_id"], told["roles"]) == (story.companies["romashka"], ["content_manager"])
    id_token = claims_of(tokens["id_token"])
    assert {name: told[name] for name in ("sid", "auth_time", "acr", "amr", "account_id", "permissions")} == {
        name: id_token[name] for name in ("sid", "auth_time", "acr", "amr", "account_id", "permissions")
    }
    if format_ == "jwt":
        assert {name: value for name, value in told.items() if name not in {"active", "token_type"}} == claims_of(tokens["access_token"])


def test_a_person_alone(world: World, story) -> None:
    """Nothing stands there that the scopes did not ask for: no account, no name."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    assert set(world.introspect(party, tokens["access_token"]).json()) == STANDARD


def test_a_refresh_token(world: World, story) -> None:
    """RFC 7662 §2.1: as good as a refresh would find it, and untouched; RFC 8693 §2.2.1: `N_A`, so that nobody takes it for a Bearer."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        first = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid profile")["refresh_token"]
        told = world.introspect(party, first).json()
        assert set(told) == STANDARD
        assert (told["token_type"], told["scope"], told["sub"]) == ("N_A", "openid profile", person(story, "zimin").user_id)
        assert told["exp"] == clock.timestamp() + min(world.settings.oidc.refresh_token_idle, world.settings.oidc.refresh_token_lifetime)
        assert first.startswith(told["jti"] + ".")
        assert len(told["jti"]) < len(first) - 40, "the id is not the token"
        second = world.refresh(party, first).json()["refresh_token"]
        assert world.introspect(party, first).json()["active"], "within the grace the same refresh may be repeated"
        assert world.introspect(party, second).json()["jti"] != told["jti"]
        later(11)
        assert is_inactive(world.introspect(party, first))
        assert world.introspect(party, second).json()["active"], "asking about a spent one takes nobody for a thief"
        assert world.refresh(party, second).status_code == 200
        assert is_inactive(world.introspect(party, second[:-1] + ("A" if second[-1] != "A" else "B")))


def test_the_hint_is_a_hint(world: World, story) -> None:
    """RFC 7662 §2.1: wrong or unknown, the token is found."""
    party = world.party()
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    for hint in ("access_token", "refresh_token", "id_token", "x y", ""):
        for token in (tokens["access_token"], tokens["refresh_token"]):
            assert world.introspect(party, token, token_type_hint=hint).json()["active"], hint


def test_what_is_none(world: World, story) -> None:
    """Case 32, RFC 7662 §2.2: unknown, damaged, another kind, run out, another client's: the same bytes."""
    party, other, browser = world.party(), world.party(), world.browser()
    tokens = world.tokens(browser, party, phone(story, "zimin"))
    theirs = world.redeem(other, answer_of(browser.authorize(other))["code"]).json()
    code = answer_of(browser.authorize(party))["code"]
    wrong = ["x", "a.b.c", "A" * 43, "A" * 8192, code, tokens["id_token"], tokens["access_token"][:-2], party.secret]
    wrong += [theirs["access_token"], theirs["refresh_token"], party.client.id, claims_of(tokens["access_token"])["jti"]]
    for token in wrong:
        assert is_inactive(world.introspect(party, token)), token
    for token in ("é", "A" * 20000):
        assert token_error(world.introspect(party, token)) == "invalid_request"
    with clock.freeze(clock.now() + timedelta(seconds=301)):
        assert is_inactive(world.introspect(party, tokens["access_token"]))
        assert world.introspect(party, tokens["refresh_token"]).json()["active"]
    assert world.introspect(other, theirs["access_token"]).json()["active"]


def test_who_may_ask(world: World, story) -> None:
    """Cases 25 and 32, RFC 7662 §2.1: a client that proves itself, by the one method it is registered for; else 401."""
    party, app = world.party(), world.party(kind="single_page")
    token = world.tokens(world.browser(), party, phone(story, "zimin"))["access_token"]
    theirs = world.tokens(world.browser(address="203.0.113.8"), app, phone(story, "lazareva"))["access_token"]
    http, form, client_id = world.browser(), {"token": token}, party.client.id
    refused = [
        http.post("/introspect", data=form),
        http.post("/introspect", data=form | {"client_id": client_id}),
        http.post("/introspect", data=form | {"client_id": client_id, "client_secret": ""}),
        http.post("/introspect", data=form | {"client_id": client_id, "client_secret": "x" * 43}),
        http.post("/introspect", data=form, headers=basic(client_id)),
        http.post("/introspect", data=form, headers=basic("nobody", party.secret)),
        http.post("/introspect", data=form, headers=basic(b"%zz:%zz")),
        http.post("/introspect", data=form, headers={"Authorization": f"Bearer {token}"}),
        http.post("/introspect", data=form | {"client_secret": party.secret}, headers=basic(client_id, party.secret)),
        http.post("/introspect", data={"token": theirs, "client_id": app.client.id}),
        http.post("/introspect", data={"token": theirs}, headers=basic(app.client.id)),
        http.post("/introspect", data={"client_id": client_id}),
    ]
    assert {token_error(answer, 401) for answer in refused} == {"invalid_client"}
    change(world, ClientRow, ClientRow.id == client_id, token_endpoint_auth_method="client_secret_post")
    clients.forget_cached()
    assert token_error(world.introspect(party, token), 401) == "invalid_client"
    assert http.post("/introspect", data=form | {"client_id": client_id, "client_secret": party.secret}).json()["active"]


def test_only_in_the_body_of_a_post(world: World, story) -> None:
    """Case 24: nothing in an address, where logs would keep it; no GET, no other origin, no second token."""
    party = world.party()
    token = world.tokens(world.browser(), party, phone(story, "zimin"))["access_token"]
    http, right = world.browser(), basic(party.client.id, party.secret)
    assert http.get("/introspect", params={"token": token}, headers=right).status_code == 405
    for params in ({"token": token}, {"client_id": party.client.id}, {"x": "y"}):
        assert token_error(http.post("/introspect", params=params, data={"token": token}, headers=right)) == "invalid_request"
    assert token_error(http.post("/introspect", data={"token": ""}, headers=right)) == "invalid_request"
    twice = {"Content-Type": "application/x-www-form-urlencoded"} | right
    assert token_error(http.post("/introspect", content=f"token={token}&token={token}", headers=twice)) == "invalid_request"
    assert http.post("/introspect", json={"token": token}, headers=right).status_code == 400
    answer = http.post("/introspect", data={"token": token}, headers=right | {"Origin": "https://rp.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert http.options("/introspect", headers={"Origin": "https://rp.example"}).status_code == 405


@pytest.mark.parametrize("what", ["block", "remove", "suspend", "user", "client", "signed out"])
def test_what_ended_is_inactive_at_once(world: World, story, what: str) -> None:
    """Cases 30 and 88: person, membership, company, session are looked at as they are now, for every kind of token."""
    romashka = story.companies["romashka"]
    asked = []
    for format_ in ("jwt", "opaque"):
        party = world.party(access_token_format=format_)
        browser = world.browser(address=f"203.0.113.{len(asked) + 1}")
        tokens = world.tokens(browser, party, phone(story, "anna"), scope=SCOPE, company=romashka)
        asked += [(party, browser, tokens["access_token"]), (party, browser, tokens["refresh_token"])]
    assert all(world.introspect(party, token).json()["active"] for party, _, token in asked)
    if what == "signed out":
        for _, browser, _ in asked[::2]:
            browser.press(browser.get("/end_session"), "/confirm")
    with world.writes():
        if what == "suspend":
            companies.suspend(romashka, "test")
        elif what == "user":
            users.block(person(story, "anna").user_id, "test")
        elif what == "client":
            session.execute(sa.update(table(ClientRow)).values(disabled_at=clock.now()))
        elif what in {"block", "remove"}:
            getattr(employees, what)(employee_of(story, "anna", "romashka"))
    if what == "client":
        clients.forget_cached()
        other = world.party()
        assert {token_error(world.introspect(party, token), 401) for party, _, token in asked} == {"invalid_client"}
        assert all(is_inactive(world.introspect(other, token)) for _, _, token in asked)
        return
    assert all(is_inactive(world.introspect(party, token)) for party, _, token in asked)


def test_offline_access_outlives_the_session(world: World, story) -> None:
    """claims.md: and only while the client is registered for it."""
    party, browser = world.party(), world.browser()
    tokens = world.tokens(browser, party, phone(story, "zimin"), scope="openid offline_access")
    browser.press(browser.get("/end_session"), "/confirm")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert world.introspect(party, token).json()["active"]
    register_for(world, party, "openid", "profile")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert is_inactive(world.introspect(party, token))
    assert token_error(world.refresh(party, tokens["refresh_token"])) == "invalid_grant"


@FORMATS
def test_a_role_that_changed(world: World, story, format_: str) -> None:
    """Case 88: the roles are those of this moment, whatever the token was made with."""
    party, tokens = at_romashka(world, story, access_token_format=format_)
    employee = None
    with world.writes():
        employee = employee_of(story, "lazareva", "romashka")
        employees.change_roles(employee, [roles.built_in("accountant")])
    for token in (tokens["access_token"], tokens["refresh_token"]):
        told = world.introspect(party, token).json()
        assert (told["roles"], told["permissions"]) == (["accountant"], ["documents:read", "finance:read"])
    with world.writes():
        employees.restrict(employee, ["finance:read"])
    assert world.introspect(party, tokens["access_token"]).json()["permissions"] == ["documents:read"]


@FORMATS
def test_after_a_switch_of_company(world: World, story, format_: str) -> None:
    """claims.md: a token says one company; once the family is in another one, the token of before is none."""
    party = world.party(access_token_format=format_)
    first = world.tokens(world.browser(), party, phone(story, "anna"), scope=SCOPE, company=story.companies["romashka"])
    second = world.refresh(party, first["refresh_token"], company=story.companies["smirnova"]).json()
    assert is_inactive(world.introspect(party, first["access_token"]))
    assert world.introspect(party, second["access_token"]).json()["company_id"] == story.companies["smirnova"]


def register_for(world: World, party: Party, *scopes: str) -> None:
    """The operator narrows (or widens) what the client may ask for."""
    change(world, ClientRow, ClientRow.id == party.client.id, scopes=list(scopes))
    clients.forget_cached()


@FORMATS
def test_scopes_that_were_taken_away(world: World, story, format_: str) -> None:
    """Case 13: a narrowed client's living tokens give no more than it may ask for now: here, at userinfo, at a refresh."""
    party = world.party(account_types=["employee"], access_token_format=format_)
    scope = "openid phone account company"
    tokens = world.tokens(world.browser(), party, phone(story, "lazareva"), scope=scope)
    assert {"phone_number", "company_id", "account_id"} <= set(world.userinfo(tokens["access_token"]).json())
    register_for(world, party, "openid", "phone")
    told = world.introspect(party, tokens["access_token"]).json()
    assert (told["scope"], set(told) & ACTING) == ("openid phone", set())
    assert set(world.userinfo(tokens["access_token"]).json()) == {"sub", "phone_number", "phone_number_verified"}
    refused = world.refresh(party, tokens["refresh_token"], company=story.companies["romashka"])
    assert token_error(refused) == "invalid_request"
    refreshed = world.refresh(party, tokens["refresh_token"], scope=scope).json()
    assert refreshed["scope"] == "openid phone"
    assert not ACTING & set(claims_of(refreshed["id_token"]))
    assert world.introspect(party, refreshed["access_token"]).json()["scope"] == "openid phone"
    register_for(world, party, "phone")
    assert token_error(world.userinfo(refreshed["access_token"]), 403) == "insufficient_scope"
    register_for(world, party, "profile")
    assert is_inactive(world.introspect(party, refreshed["access_token"]))
    assert token_error(world.refresh(party, refreshed["refresh_token"])) == "invalid_scope"
    register_for(world, party, *scope.split())
    assert world.refresh(party, refreshed["refresh_token"]).json()["scope"] == scope, "the refusal spent nothing"


def test_a_code_of_before_it_was_narrowed(world: World, story) -> None:
    """Case 13: between code and redemption as well."""
    party, browser = world.party(), world.browser()
    code = answer_of(world.sign_in(browser, party, phone(story, "zimin"), scope="openid phone"))["code"]
    register_for(world, party, "openid")
    assert world.redeem(party, code).json()["scope"] == "openid"


@FORMATS
def test_a_machine(world: World, format_: str) -> None:
    """RFC 7662 of a token by client_credentials: `sub` is the client, there is no session; other machines see nothing."""
    robot, other = world.machine(access_token_format=format_), world.machine()
    token = world.token(robot, grant_type="client_credentials").json()["access_token"]
    told = world.introspect(robot, token).json()
    assert set(told) == STANDARD - {"sid", "auth_time", "acr", "amr"}
    assert (told["sub"], told["client_id"], told["scope"]) == (robot.client.id, robot.client.id, "orders:read orders:write")
    assert told["exp"] - told["iat"] == 300
    assert is_inactive(world.introspect(other, token))
    assert is_inactive(world.introspect(world.party(), token))
    register_for(world, robot, "orders:read")
    assert world.introspect(robot, token).json()["scope"] == "orders:read"
    register_for(world, robot, "stock:read")
    assert is_inactive(world.introspect(robot, token))


def test_tokens_whose_claims_do_not_fit(world: World, story) -> None:
    """Case 34: under our own key, what belongs to a machine is no person's, and the other way round."""
    party, robot = world.party(), world.machine()
    mine = claims_of(world.tokens(world.browser(), party, phone(story, "zimin"))["access_token"])
    its = claims_of(world.token(robot, grant_type="client_credentials").json()["access_token"])
    wrong = [its | {"sub": mine["sub"]}, its | {"client_id": party.client.id, "sub": party.client.id}, mine | {"jti": its["jti"]}]
    wrong += [mine | {"sub": party.client.id}, mine | {"jti": "fam_x.y"}, its | {"scope": 1}, its | {"jti": ["tok"]}]
    for claims in wrong:
        for asking in (party, robot):
            assert is_inactive(world.introspect(asking, made(world, "at+jwt", **claims))), claims
    assert world.introspect(robot, made(world, "at+jwt", **its)).json()["active"]


def test_a_client_that_signs(world: World) -> None:
    """private_key_jwt (RFC 7523 §3): at both endpoints as at the token endpoint, each assertion once."""
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    robot = world.machine(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [key.as_dict(private=False)]})

    def asserted(jti: str) -> dict[str, str]:
        now = clock.timestamp()
        claims = {"iss": robot.client.id, "sub": robot.client.id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti}
        return {"client_assertion": jwt.encode({"alg": "ES256", "kid": "k1"}, claims, key), "client_assertion_type": ASSERTION}

    http = world.browser()
    token = http.post("/token", data={"grant_type": "client_credentials", **asserted("1")}).json()["access_token"]
    assert http.post("/introspect", data={"token": token, **asserted("2")}).json()["active"]
    assert token_error(http.post("/introspect", data={"token": token, **asserted("2")}), 401) == "invalid_client"
    assert token_error(http.post("/revoke", data={"token": token, **asserted("2")}), 401) == "invalid_client"
    assert http.post("/revoke", data={"token": token, **asserted("3")}).status_code == 200
    assert http.post("/introspect", data={"token": token, **asserted("4")}).json() == {"active": False}


def test_keys_that_are_rotated(world: World, story) -> None:
    """Case 38: while the key that signed it is retiring a token stands; once the key is gone, or revoked, never."""
    party = world.party()
    with clock.freeze(clock.now()) as later:
        tokens = world.tokens(world.browser(), party, phone(story, "zimin"), scope="openid offline_access")
        claims = claims_of(tokens["access_token"])
        lasting = made(world, "at+jwt", **claims | {"exp": claims["exp"] + 30 * 86400})
        with world.writes():
            keyring.rotate(at_once=True)
        for token in (tokens["access_token"], lasting):
            assert world.introspect(party, token).json()["active"]
            assert world.userinfo(token).status_code == 200
        newer = world.refresh(party, tokens["refresh_token"]).json()
        assert world.introspect(party, newer["access_token"]).json()["active"]
        kept = world.settings.oidc.access_token_lifetime + world.settings.oidc.id_token_lifetime + 301
        later(kept)
        with world.writes():
            keyring.look()
        assert is_inactive(world.introspect(party, lasting)), "the key has retired"
        assert world.userinfo(lasting).status_code == 401
        newest = world.refresh(party, newer["refresh_token"]).json()["access_token"]
        with world.reads():
            active = session.scalars(sa.select(SigningKey.kid).where(SigningKey.state == "active", SigningKey.algorithm == "ES256")).one()
        with world.writes():
            keyring.rotate(at_once=True)
        assert world.introspect(party, newest).json()["active"]
        with world.writes():
            keyring.revoke(active)
        assert is_inactive(world.introspect(party, newest))
        assert world.userinfo(newest).status_code == 401


@FORMATS
def test_it_is_one_statement(world: World, story, format_: str) -> None:
    """speed.md §2: one round trip for the person alone, one more for the account; the same at userinfo."""
    party = world.party(account_types=["employee"], access_token_format=format_)
    alone = world.tokens(world.browser(), party, phone(story, "zimin"))
    employed = world.tokens(world.browser(address="203.0.113.8"), party, phone(story, "lazareva"), scope=SCOPE)
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        sent.append(statement)

    def fewest(ask: Callable[[], httpx2.Response]) -> int:
        """Of three times: client and keys are in memory for a second, which may be over just now."""
        counts = []
        for _ in range(3):
            sent.clear()
            assert ask().status_code == 200
            counts.append(len([statement for statement in sent if "signing_keys" not in statement]))
        return min(counts)

    with world.app.app_context():
        source = engine()
    sa.event.listen(source, "before_cursor_execute", note)
    try:
        for tokens, most in ((alone, 1), (employed, 2)):
            for token in (tokens["access_token"], tokens["refresh_token"]):
                assert world.introspect(party, token).json()["active"]
                assert fewest(partial(world.introspect, party, token)) == most
            assert fewest(partial(world.userinfo, tokens["access_token"])) == most
    finally:
        sa.event.remove(source, "before_cursor_execute", note)
