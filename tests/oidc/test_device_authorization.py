"""The device authorization grant (RFC 8628) and its warnings (RFC 10027, BCP 247): two codes, a page, a device that asks.

The machine's half and the errors of §3.5; what the person sees is in `test_device_page`. Cases 20, 25, 30 and 42 of threats.md.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from idp import clock, schedule
from idp.cli.demo_story import Story
from idp.clock import freeze
from idp.db.session import session
from idp.delegation import apps, clients, device_authorizations
from idp.delegation.tables import DeviceAuthorization, TokenFamily
from idp.directory import users
from idp.oidc import arrivals
from tests.oidc.asking import error_at, person, rows, signed_in, token_error
from tests.oidc.devices import DEVICE_CODE, allows, begins, begun, polls, television, types
from tests.world import ISSUER, World, claims_of

UNTOUCHED = ("waiting", None)


def state(world: World) -> tuple[str, object]:
    """The one row: its state, and when it was last asked about."""
    (row,) = rows(world, DeviceAuthorization)
    return row.state, row.polled_at


def test_the_answer(world: World) -> None:
    """§3.2: both codes, where to go, for how long; nothing that a copy of the database gives away (case 42)."""
    party = television(world)
    answer = begins(world, party, data="what some library sends besides")
    assert answer.status_code == 200
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("application/json", "no-store")
    codes = answer.json()
    assert re.fullmatch("[A-Za-z0-9_-]{43}", codes["device_code"])
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", codes["user_code"])
    assert codes["verification_uri"] == f"{ISSUER}/device"
    assert codes["verification_uri_complete"] == f"{ISSUER}/device?user_code={codes['user_code']}"
    assert (codes["expires_in"], codes["interval"]) == (600, 5)
    stored = str(rows(world, DeviceAuthorization))
    assert codes["device_code"] not in stored
    assert codes["user_code"] not in stored
    assert codes["user_code"].replace("-", "") not in stored


def test_a_whole_sign_in(world: World, story: Story) -> None:
    """§3.1 to §3.5: pending, allowed, tokens once; the ID token says how and when the person proved who they are; it refreshes."""
    party = television(world)
    codes = begun(world, party, scope="openid profile offline_access")
    assert token_error(polls(world, party, codes["device_code"])) == "authorization_pending"
    browser = signed_in(world, story)
    done = allows(browser, codes["user_code"])
    assert done.status_code == 200
    assert done.url.path == "/device/allowed"
    assert "<form" not in done.text.partition("<main>")[2].partition("</main>")[0]
    answer = polls(world, party, codes["device_code"])
    assert answer.status_code == 200, answer.text
    given = answer.json()
    assert (given["token_type"], given["expires_in"], given["scope"]) == ("Bearer", 300, "openid profile offline_access")
    said = claims_of(given["id_token"])
    assert (said["sub"], said["aud"], said["amr"]) == (person(story, "zimin").user_id, party.client.id, ["sms"])
    assert "nonce" not in said
    assert world.userinfo(given["access_token"]).json()["sub"] == said["sub"]
    assert world.refresh(party, given["refresh_token"]).status_code == 200
    assert token_error(polls(world, party, codes["device_code"])) == "invalid_grant"
    assert world.userinfo(given["access_token"]).status_code == 200  # a device that asks once more has lost an answer, and is no thief
    (granted,) = [event for event in world.events("authorization.granted") if event.client_id == party.client.id]
    assert granted.details == {"scopes": ["openid", "profile", "offline_access"], "device": True}


def test_a_refresh_token_only_where_it_is_registered(world: World, story: Story) -> None:
    """RFC 7591 §2 `grant_types`: without `refresh_token` there is none."""
    party = television(world, grant_types=[DEVICE_CODE])
    codes = begun(world, party, scope="openid")
    allows(signed_in(world, story), codes["user_code"])
    assert "refresh_token" not in polls(world, party, codes["device_code"]).json()


@pytest.mark.parametrize("method", ["secret", "client_secret_post"])
def test_with_a_secret(world: World, story: Story, method: str) -> None:
    """§3.1: a client that has a secret proves itself at both endpoints, as at the token endpoint (case 25)."""
    party = world.party(grant_types=["authorization_code", DEVICE_CODE], token_endpoint_auth_method=method)
    if method == "client_secret_post":
        answer = world.browser().post(
            "/device_authorization", data={"client_id": party.client.id, "client_secret": party.secret, "scope": "openid"}
        )
        assert answer.status_code == 200
        return
    bare = world.browser().post("/device_authorization", data={"client_id": party.client.id, "scope": "openid"})
    assert token_error(bare, 401) == "invalid_client"
    codes = begun(world, party)
    allows(signed_in(world, story), codes["user_code"])
    without = world.browser().post(
        "/token", data={"grant_type": DEVICE_CODE, "device_code": codes["device_code"], "client_id": party.client.id}
    )
    assert token_error(without, 401) == "invalid_client"
    assert polls(world, party, codes["device_code"]).status_code == 200


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"prompt": "none"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"company": "x"}, "invalid_request"),
        ({"company": "cmp_0123456789abcdefghjkmnpqrs"}, "invalid_request"),  # without a scope that has to do with one
        ({"request": "eyJ"}, "invalid_request"),
        ({"request_uri": "https://rp.example/r"}, "invalid_request"),
        ({"authorization_details": "[]"}, "invalid_request"),
        ({"id_token_hint": "x"}, "invalid_request"),
    ],
    ids=str,
)
def test_what_is_refused(world: World, sent: dict[str, str], error: str) -> None:
    """As at the authorization endpoint, as JSON; nothing is kept."""
    assert token_error(begins(world, television(world), **sent)) == error
    assert rows(world, DeviceAuthorization) == []


def test_who_may(world: World) -> None:
    """Only who is registered for it: a code that anybody can have shown on a screen is anybody's bait (RFC 10027 §6)."""
    assert token_error(begins(world, world.party())) == "unauthorized_client"
    assert token_error(polls(world, world.party(), "x" * 43)) == "unauthorized_client"
    assert token_error(world.browser().post("/device_authorization", data={"client_id": "nobody"}), 401) == "invalid_client"
    assert token_error(world.browser().post("/device_authorization?scope=openid", data={"client_id": "x"})) == "invalid_request"
    assert world.browser().get("/device_authorization").status_code == 405
    party = television(world)
    assert token_error(world.token(party, grant_type=DEVICE_CODE)) == "invalid_request"
    codes = begun(world, party)
    with world.writes():
        clients.update(party.client.id, grant_types=["authorization_code"], redirect_uris=["com.example.tv:/cb"])
    assert token_error(polls(world, party, codes["device_code"])) == "unauthorized_client"


def test_only_on_devices(world: World, story: Story) -> None:
    """RFC 6749 §4.1.2.1: who is registered for devices alone gets no code at the authorization endpoint, which it could not redeem."""
    party = world.party(grant_types=[DEVICE_CODE])
    assert error_at(signed_in(world, story).authorize(party), party) == "unauthorized_client"


def test_how_fast_it_may_ask(world: World) -> None:
    """§3.5 `slow_down`: to the microsecond, and each time five seconds more, for this question and all that follow."""
    party = television(world)
    codes = begun(world, party)
    with freeze(clock.now()) as shift:

        def ask() -> str:
            return token_error(polls(world, party, codes["device_code"]))

        assert ask() == "authorization_pending"
        shift(5)
        assert ask() == "authorization_pending"
        shift(4.999999)
        assert ask() == "slow_down"
        assert rows(world, DeviceAuthorization)[0].pause == 10
        shift(9.999999)
        assert ask() == "slow_down"
        assert rows(world, DeviceAuthorization)[0].pause == 15
        shift(15)
        assert ask() == "authorization_pending"
        shift(14)
        assert ask() == "slow_down"
        shift(20)
        assert ask() == "authorization_pending"


def test_too_fast_is_not_too_late(world: World, story: Story) -> None:
    """§3.5: a device that asks too soon after its person has answered gets its tokens, or its no."""
    party = television(world)
    browser = signed_in(world, story)
    with freeze(clock.now()):
        codes = begun(world, party)
        assert token_error(polls(world, party, codes["device_code"])) == "authorization_pending"
        allows(browser, codes["user_code"])
        assert polls(world, party, codes["device_code"]).status_code == 200
        other = begun(world, party)
        assert token_error(polls(world, party, other["device_code"])) == "authorization_pending"
        browser.submit(types(browser, other["user_code"]), answer="deny")
        for _ in range(2):
            assert token_error(polls(world, party, other["device_code"])) == "access_denied"


def test_its_time_is_over(world: World, story: Story) -> None:
    """§3.5 `expired_token`: after ten minutes, to the second; whoever types the code then is told, and what was allowed late is void."""
    party, browser = television(world), signed_in(world, story)
    with freeze(clock.now()) as shift:
        codes, allowed = begun(world, party), begun(world, party)
        allows(browser, allowed["user_code"])
        page = types(browser, codes["user_code"])
        shift(599)
        assert token_error(polls(world, party, codes["device_code"])) == "authorization_pending"
        shift(1)
        assert token_error(polls(world, party, codes["device_code"])) == "expired_token"
        assert token_error(polls(world, party, allowed["device_code"])) == "expired_token"
        assert types(browser, codes["user_code"]).status_code == 422
        late = browser.onward(browser.submit(page, answer="allow"))
        assert late.status_code == 410
        assert "run out" in late.text
        assert token_error(polls(world, party, codes["device_code"])) == "expired_token"
        shift(86401)
        job = next(job for job in schedule.SCHEDULE if job.name == "device_authorizations")
        with world.writes():
            job.run()
        assert rows(world, DeviceAuthorization) == []
        assert token_error(polls(world, party, codes["device_code"])) == "invalid_grant"


def test_another_clients_code(world: World, story: Story) -> None:
    """Case 20: refused, an event, and untouched: neither spent nor slowed down."""
    mine, theirs = television(world), television(world)
    codes = begun(world, mine)
    assert token_error(polls(world, theirs, codes["device_code"])) == "invalid_grant"
    assert state(world) == UNTOUCHED
    allows(signed_in(world, story), codes["user_code"])
    assert token_error(polls(world, theirs, codes["device_code"])) == "invalid_grant"
    assert state(world)[0] == "allowed"
    assert [event.client_id for event in world.events(device_authorizations.REFUSED_EVENT)] == [theirs.client.id] * 2
    assert polls(world, mine, codes["device_code"]).status_code == 200
    assert token_error(polls(world, mine, "never-given")) == "invalid_grant"


@pytest.mark.parametrize("what", ["signed out", "blocked", "withdrawn"])
def test_what_ends_between_allowing_and_fetching(world: World, story: Story, what: str) -> None:
    """Case 30: person, session and consent are looked at afresh when the device comes for its tokens, `offline_access` or not."""
    party, browser = television(world), signed_in(world, story)
    codes = begun(world, party, scope="openid offline_access")
    allows(browser, codes["user_code"])
    if what == "signed out":
        browser.press(browser.get("/end_session"), "/confirm")
    with world.writes():
        if what == "blocked":
            users.block(person(story, "zimin").user_id, "test")
        if what == "withdrawn":
            apps.withdraw(person(story, "zimin").user_id, party.client.id)
    assert token_error(polls(world, party, codes["device_code"])) == ("access_denied" if what == "withdrawn" else "invalid_grant")
    with world.reads():
        families = list(session.scalars(TokenFamily.__table__.select().with_only_columns(TokenFamily.client_id)))
    assert families.count(party.client.id) == (0 if what == "withdrawn" else 1)
    assert token_error(polls(world, party, codes["device_code"])) in {"invalid_grant", "access_denied"}


def test_for_a_company(world: World, story: Story) -> None:
    """claims.md: `company=` works as at the authorization endpoint: taken, or refused with a reason; the device hears a plain no."""
    party, browser = television(world), signed_in(world, story, "anna")
    company = story.companies["romashka"]
    codes = begun(world, party, scope="openid company", company=company)
    allows(browser, codes["user_code"])
    assert claims_of(polls(world, party, codes["device_code"]).json()["id_token"])["company_id"] == company
    stranger = signed_in(world, story)
    codes = begun(world, party, scope="openid company", company=company)
    page = types(stranger, codes["user_code"])
    assert page.status_code == 400
    assert "not a member of that company" in page.text
    assert token_error(polls(world, party, codes["device_code"])) == "access_denied"


def test_a_fresh_proof(world: World, story: Story) -> None:
    """claims.md: `prompt=login` and `max_age` want a proof that is younger than the typing of the code."""
    party, browser = television(world), signed_in(world, story)
    for wish in ({"prompt": "login"}, {"max_age": "0"}):
        with freeze(clock.now() + timedelta(seconds=30)):
            page = types(browser, begun(world, party, **wish)["user_code"])
            assert page.url.path.startswith("/login/"), wish


def test_a_flood(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public client proves nothing: one network may begin as many at once as a crowd does, and the next is asked to wait."""
    monkeypatch.setattr(arrivals, "CROWD", 3)
    monkeypatch.setattr(arrivals, "PACE", 600.0)
    party = television(world)
    assert [begins(world, party).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert begins(world, party, at="192.0.2.1").status_code == 200
    assert begins(world, world.party(grant_types=[DEVICE_CODE], redirect_uris=[])).status_code == 200  # it has a secret


def test_discovery(world: World) -> None:
    """RFC 8628 §4."""
    document = json.loads(world.browser().get("/.well-known/openid-configuration").text)
    assert document["device_authorization_endpoint"] == f"{ISSUER}/device_authorization"
    assert DEVICE_CODE in document["grant_types_supported"]
