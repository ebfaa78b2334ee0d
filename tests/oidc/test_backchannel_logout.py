"""Relying parties' servers are told that a session has ended (OpenID Connect Back-Channel Logout 1.0). Cases 52, 84 and 85 of threats.md.

Official plan: oidcc-backchannel-rp-initiated-logout.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa

from idp import clock, events, outbox
from idp.account import erasing
from idp.cli import worker
from idp.credentials import trusted_device
from idp.db.session import session
from idp.delegation import apps, clients, tokens
from idp.delegation.tables import FetchedDocument
from idp.directory import deletion, users
from idp.directory.tables import User
from idp.errors import BadInput
from idp.events import Event
from idp.login import session as sessions
from idp.login.tables import Session
from idp.oidc.logout import backchannel
from idp.oidc.sign_out_browser import sign_out_browser
from idp.oidc.sign_out_everywhere import sign_out_everywhere
from idp.outbox import Outbox
from tests.oidc.asking import error_at, person, phone, rows
from tests.oidc.client_site import site
from tests.oidc.receiver import Receiver, receiver
from tests.oidc.receiving import decrypted, published, verified
from tests.world import CALLBACK, ISSUER, SIGNED_OUT, Browser, Party, World, answer_of, claims_of


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """Loopback may be called back, as in a laboratory."""
    return {"outbound": {"allow_private_addresses": True, "timeout": 1.0}}


class Here:
    """A person who is signed in at a client that wants to be told."""

    def __init__(self, world: World, story, at: Receiver, **registration: object) -> None:
        self.world, self.at = world, at
        self.party = world.party(backchannel_logout_uri=at.address, **registration)
        self.browser = world.browser()
        self.user_id = person(story, "zimin").user_id
        self.tokens = world.tokens(self.browser, self.party, phone(story, "zimin"), scope="openid")
        self.claims = claims_of(self.tokens["id_token"])

    def leaves(self, **params: str):
        """GET /end_session with the hint."""
        return self.browser.get("/end_session", params={"id_token_hint": self.tokens["id_token"], **params})

    def told(self) -> list[dict[str, object]]:
        """The claims that have arrived, after a turn of the worker."""
        self.world.deliver()
        return self.at.claims(self.world)


def log_rows(world: World) -> list[Outbox]:
    """The outbox's rows of logouts."""
    return [row for row in rows(world, Outbox) if row.kind.startswith(f"{backchannel.KIND}:")]


def test_backchannel_logout_discovery_endpoint_verification(world: World) -> None:
    """Conformance: oidcc-backchannel-logout-discovery-endpoint-verification."""
    document = world.browser().get("/.well-known/openid-configuration").json()
    assert document["backchannel_logout_supported"] is True
    assert document["backchannel_logout_session_supported"] is True
    assert document["end_session_endpoint"] == f"{ISSUER}/end_session"


def test_backchannel_rp_initiated_logout(world: World, story) -> None:
    """Conformance: oidcc-backchannel-rp-initiated-logout; §2.4, §2.5. Case 52: `typ` logout+jwt, no nonce."""
    with receiver() as at:
        here = Here(world, story, at, backchannel_logout_session_required=True)
        before = clock.timestamp()
        answer = here.leaves(post_logout_redirect_uri=SIGNED_OUT, state="x y")
        assert answer.headers["Location"] == SIGNED_OUT + "?state=x+y"
        assert error_at(here.browser.authorize(here.party, prompt="none"), here.party) == "login_required"
        assert at.sent == []  # nobody waited for it
        [told] = here.told()
        assert set(told) == {"iss", "sub", "aud", "iat", "exp", "jti", "sid", "events"}
        assert (told["iss"], told["aud"]) == (ISSUER, here.party.client.id)
        assert (told["sub"], told["sid"]) == (here.claims["sub"], here.claims["sid"])
        assert told["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
        assert isinstance(told["iat"], int)
        assert before <= told["iat"] <= clock.timestamp()
        assert told["exp"] == told["iat"] + 120
        assert here.at.header()["typ"] == "logout+jwt"
        assert here.at.header()["alg"] == "RS256"
        assert set(at.sent[0]) == {"logout_token"}
        assert at.heads[0].startswith("POST /logout?from=idp HTTP/1.1")
        assert "application/x-www-form-urlencoded" in at.heads[0]
        here.told()
        assert len(at.sent) == 1
        assert [(row.state, row.sealed, row.last_error) for row in log_rows(world)] == [("done", None, None)]


def test_the_clients_algorithm(world: World, story) -> None:
    """§2.4: signed as the client's ID tokens are."""
    with receiver() as at:
        here = Here(world, story, at, id_token_signed_response_alg="ES256")
        here.leaves()
        assert here.told()
        assert at.header()["alg"] == "ES256"


@pytest.mark.parametrize("site_has_keys", [False, True])
def test_encrypted_as_id_tokens_are(world: World, story, site_has_keys: bool) -> None:
    """§2.4: signed, then encrypted to the client's key, also one that has to be fetched first."""
    with ExitStack() as stack:
        at = stack.enter_context(receiver())
        keys: dict[str, object] = {"jwks": published("RSA")}
        if site_has_keys:
            served = stack.enter_context(site())
            keys = {"jwks_uri": served.put("/jwks", published("RSA"))}
        party = world.party(backchannel_logout_uri=at.address, id_token_encrypted_response_alg="RSA-OAEP-256", **keys)
        browser = world.browser()
        world.tokens(browser, party, phone(story, "zimin"), scope="openid")
        with world.writes():
            session.execute(sa.delete(FetchedDocument.__table__))
        _, hint = decrypted(str(world.redeem(party, answer_of(browser.authorize(party))["code"]).json()["id_token"]), "RSA-OAEP-256")
        browser.get("/end_session", params={"id_token_hint": hint})
        with world.writes():
            session.execute(sa.delete(FetchedDocument.__table__))
        world.deliver()
        header, inner = decrypted(at.sent[0]["logout_token"], "RSA-OAEP-256")
        assert header["cty"] == "JWT"
        header, claims = verified(world, inner)
        assert (header["typ"], claims["aud"]) == ("logout+jwt", party.client.id)


def test_pairwise(world: World, story) -> None:
    """OpenID Connect Core §8.1: whom and which session, in the client's own words; and its hint ends the session."""
    with receiver() as at:
        here = Here(world, story, at, subject_type="pairwise")
        assert here.claims["sub"] != here.user_id
        assert here.leaves(post_logout_redirect_uri=SIGNED_OUT).headers["Location"] == SIGNED_OUT
        assert [(each["sub"], each["sid"]) for each in here.told()] == [(here.claims["sub"], here.claims["sid"])]


def test_no_id_token_and_no_hint(world: World, story) -> None:
    """Case 34: a logout token is neither an access token nor a hint nor a proof."""
    with receiver() as at:
        here = Here(world, story, at)
        with world.writes():
            made = backchannel.logout_token(here.party.client, str(here.claims["sub"]), str(here.claims["sid"]))
        assert "/end_session/confirm" in here.browser.get("/end_session", params={"id_token_hint": made}).text
        assert world.userinfo(made).status_code == 401


ENDS: dict[str, Callable[[Here], object]] = {
    "the button of the account pages": lambda here: here.browser.press(here.browser.go("/account/security"), "/account/sign_out"),
    "everywhere, by the person or by support": lambda here: _unit(here, lambda: sign_out_everywhere(here.user_id, actor_id="operator")),
    "one browser, from another": lambda here: _unit(here, lambda: sign_out_browser(here.user_id, session_id=str(here.claims["sid"]))),
    "a stolen browser": lambda here: _unit(here, lambda: _stolen(here)),
    "a forgotten password, set anew": lambda here: _unit(
        here, lambda: sessions.end_all(here.user_id, "password_reset", proved_before=clock.now() + timedelta(seconds=1))
    ),
    "more rights": lambda here: _unit(here, lambda: sessions.end_all(here.user_id, "rights_raised")),
    "blocked": lambda here: _unit(here, lambda: users.block(here.user_id, "fraud", actor_id="operator")),
    "somebody else signs in": lambda here: _unit(here, lambda: sessions.end(str(here.claims["sid"]), "another_person")),
}


def _unit(here: Here, act: Callable[[], object]) -> None:
    with here.world.writes():
        act()


def _stolen(here: Here) -> None:
    [row] = session.execute(sa.select(Session.browser_id).where(Session.id == here.claims["sid"])).all()
    assert trusted_device.report_theft(row.browser_id)
    sessions.end_of_browser(row.browser_id, "browser_stolen")


@pytest.mark.parametrize("how", ENDS)
def test_every_end_of_a_session(world: World, story, how: str) -> None:
    """Case 85: whatever ended it, the relying party is told, once, whom and which session it is about."""
    with receiver() as at:
        here = Here(world, story, at)
        ENDS[how](here)
        told = here.told()
        assert [(each["sub"], each["sid"]) for each in told] == [(here.claims["sub"], here.claims["sid"])]


def test_somebody_else_signs_in_over_it(world: World, story) -> None:
    """Case 85: a browser has one person; the former one's relying parties are told."""
    with receiver() as at:
        here = Here(world, story, at)
        page = here.browser.authorize(here.party, prompt="login")
        page = here.browser.go(str(page.url).rpartition("/")[0] + "/identify")
        page = here.browser.onward(here.browser.submit(page, phone=phone(story, "zimina")))
        answer_of(here.browser.onward(here.browser.submit(page, code=world.code_for(phone(story, "zimina")))))
        assert [each["sub"] for each in here.told()] == [here.claims["sub"]]


def test_an_erased_id(world: World, story) -> None:
    """Case 85: nothing is left of the person; where they were signed in is told all the same."""
    with receiver() as at:
        here = Here(world, story, at)
        with world.writes():
            deletion.request(here.user_id, wait=timedelta(days=1))
        with world.writes():
            session.execute(sa.update(User).where(User.id == here.user_id).values(deletion_due_at=clock.now()))
        with world.writes():
            assert erasing.erase(here.user_id)
        assert [(each["sub"], each["sid"]) for each in here.told()] == [(here.claims["sub"], here.claims["sid"])]


def test_blocked_let_in_again_and_signed_out(world: World, story) -> None:
    """Each end is told: the second one is not taken for the first."""
    with receiver() as at:
        here = Here(world, story, at)
        with world.writes():
            users.block(here.user_id, "fraud")
        assert len(here.told()) == 1
        with world.writes():
            users.unblock(here.user_id)
        here.leaves()
        assert len(here.told()) == 2


def test_an_app_that_is_withdrawn(world: World, story) -> None:
    """The session goes on; at this one app, and no other, the person is signed out."""
    with receiver() as at, receiver() as other_at:
        here, other = Here(world, story, at), world.party(backchannel_logout_uri=other_at.address)
        assert world.redeem(other, answer_of(here.browser.authorize(other))["code"]).status_code == 200
        with world.writes():
            assert apps.withdraw(here.user_id, here.party.client.id)
        assert [each["sid"] for each in here.told()] == [here.claims["sid"]]
        assert other_at.sent == []
        assert "code=" in here.browser.authorize(other, prompt="none").headers["Location"]


def test_who_is_told(world: World, story) -> None:
    """Those the session has signed in to, each by its own name of the person; nobody of another session, nobody who did not ask to be."""
    with receiver() as at, receiver() as other_at, receiver() as never_at:
        here = Here(world, story, at)
        other = world.party(backchannel_logout_uri=other_at.address)
        silent, never = world.party(), world.party(backchannel_logout_uri=never_at.address)
        for each in (other, silent):
            assert world.redeem(each, answer_of(here.browser.authorize(each))["code"]).status_code == 200
        world.tokens(world.browser(), never, phone(story, "zimin"))
        here.leaves()
        assert len(here.told()) == 1
        assert [each["aud"] for each in other_at.claims(world)] == [other.client.id]
        assert never_at.sent == []


def test_a_code_that_was_never_redeemed(world: World, story) -> None:
    """Its client was told of nobody, so there is nothing to end."""
    with receiver() as at, receiver() as other_at:
        here, other = Here(world, story, at), world.party(backchannel_logout_uri=other_at.address)
        answer_of(here.browser.authorize(other))
        here.leaves()
        assert len(here.told()) == 1
        assert other_at.sent == []


def test_tokens_that_were_taken_back_meanwhile(world: World, story) -> None:
    """Case 85: its session at the relying party goes on without them, so it is told."""
    with receiver() as at:
        here = Here(world, story, at)
        assert world.revoke(here.party, here.tokens["refresh_token"]).status_code == 200
        here.leaves()
        assert len(here.told()) == 1


def test_what_outlives_the_session(world: World, story) -> None:
    """§2.7: refresh tokens of the session die; one that was given for `offline_access` lives on, though the client is told (case 85)."""
    with receiver() as at:
        here = Here(world, story, at)
        kept = world.redeem(here.party, answer_of(here.browser.authorize(here.party, scope="openid offline_access"))["code"]).json()
        here.leaves()
        assert len(here.told()) == 1
        assert world.refresh(here.party, here.tokens["refresh_token"]).json()["error"] == "invalid_grant"
        assert world.refresh(here.party, kept["refresh_token"]).status_code == 200


def test_the_same_end_is_told_once(world: World, story) -> None:
    """Ended twice, reacted to twice (a crash in between): one token for each client."""
    with receiver() as at:
        here = Here(world, story, at)
        here.leaves()
        with world.writes():
            assert not sessions.end(str(here.claims["sid"]), "again")
        assert len(here.told()) == 1
        with world.writes():
            session.execute(sa.update(Event).where(Event.name == sessions.ENDED).values(reacted_at=None))
        assert len(here.told()) == 1


def test_tried_again_until_it_answers(world: World, story) -> None:
    """Case 52: one policy for all: pauses that grow, a new `jti` and a fresh `iat` for each try."""
    with clock.freeze(clock.now()) as later, receiver(500, 302, 404, 204) as at:
        here = Here(world, story, at)
        here.leaves()
        for tries in (1, 2, 3):
            assert len(here.told()) == tries
            [row] = log_rows(world)
            assert (row.state, row.attempts) == ("waiting", tries)
            assert 0.75 * 2 ** (tries - 1) <= (row.due_at - clock.now()).total_seconds() <= 1.25 * 2 ** (tries - 1)
            here.told()
            assert len(at.sent) == tries
            later(2**tries)
        told = here.told()
        assert len({each["jti"] for each in told}) == len(told) == 4
        assert told[0]["iat"] < told[-1]["iat"]
        assert [row.state for row in log_rows(world)] == ["done"]


def test_400_is_an_answer(world: World, story) -> None:
    """§2.8: the relying party would not, or could not. Written down, and not asked again."""
    with clock.freeze(clock.now()) as later, receiver(400) as at:
        here = Here(world, story, at)
        here.leaves()
        here.told()
        later(3600)
        assert len(here.told()) == 1
        assert [(row.state, row.last_error) for row in log_rows(world)] == [("done", "refused")]
        [event] = world.events(backchannel.REFUSED)
        assert (event.client_id, event.session_id, event.outcome) == (here.party.client.id, here.claims["sid"], "refused")


def test_given_up_visibly(world: World, story) -> None:
    """R21: after the last try it is dead, counted, and an event says which client was never told."""
    with clock.freeze(clock.now()) as later, receiver(503) as at:
        here = Here(world, story, at)
        here.leaves()
        for _ in range(outbox.TRIES):
            here.told()
            later(600)
        assert len(at.sent) == outbox.TRIES
        assert [(row.state, row.last_error) for row in log_rows(world)] == [("dead", "status_503")]
        [event] = world.events(backchannel.UNDELIVERED)
        assert (event.client_id, event.details["reason"]) == (here.party.client.id, "status_503")
        with world.reads():
            assert outbox.backlog()["dead"] == 1


def test_nobody_listens(world: World, story) -> None:
    """A refused connection is a failed try like any other."""
    with receiver() as at:
        address = at.address
    with receiver() as at:
        here = Here(world, story, at)
        with world.writes():
            clients.update(here.party.client.id, backchannel_logout_uri=address)
        here.leaves()
        here.told()
        assert [(row.state, row.last_error) for row in log_rows(world)] == [("waiting", "connection")]


def test_the_address_of_the_moment(world: World, story) -> None:
    """An operator who puts a wrong address right is heard at the next try; a client that was deleted is not called any more."""
    with clock.freeze(clock.now()) as later, receiver(500) as wrong, receiver() as right:
        here = Here(world, story, wrong)
        here.leaves()
        here.told()
        with world.writes():
            clients.update(here.party.client.id, backchannel_logout_uri=right.address)
        later(5)
        here.told()
        assert (len(wrong.sent), len(right.sent)) == (1, 1)
    with clock.freeze(clock.now()) as later, receiver(500) as at:
        here = Here(world, story, at)
        here.leaves()
        here.told()
        with world.writes():
            clients.delete(here.party.client.id)
        later(5)
        here.told()
        assert len(at.sent) == 1


def test_only_public_addresses_outside_a_laboratory(told, world: World, story) -> None:
    """Case 43: by the one door; no connection leaves to what is not public, and it is given up in the end."""
    with receiver() as at:
        here = Here(world, story, at)
        here.leaves()
        told.settings(str(world.settings.database.url))
        world.deliver()
        assert at.sent == []
        assert [(row.state, row.last_error) for row in log_rows(world)] == [("waiting", "address")]


@pytest.mark.parametrize(
    "fields",
    [
        {"backchannel_logout_uri": "http://rp.example/logout"},
        {"backchannel_logout_uri": "https://rp.example/logout#x"},
        {"backchannel_logout_uri": "https://user@rp.example/logout"},
        {"backchannel_logout_uri": "rp.example"},
        {"backchannel_logout_uri": "javascript:alert(1)"},
        {"backchannel_logout_session_required": True},
        {"frontchannel_logout_session_required": True},
        {"frontchannel_logout_uri": "https://elsewhere.example/logout"},
        {"frontchannel_logout_uri": CALLBACK.replace("https", "http")},
        {"frontchannel_logout_uri": CALLBACK.replace("example", "example:8443")},
    ],
)
def test_addresses_that_cannot_be_registered(world: World, fields: dict[str, object]) -> None:
    """§2.2; Front-Channel Logout §2: https, no fragment, and for frames the origin of a redirect address (cases 43, 84)."""
    with pytest.raises(BadInput):
        world.party(**fields)


def test_nor_for_a_machine(world: World) -> None:
    """Nobody signs in there."""
    for way in ("backchannel", "frontchannel"):
        with pytest.raises(BadInput):
            world.machine(**{f"{way}_logout_uri": "https://rp.example/logout"})


def test_it_can_be_taken_out_again(world: World) -> None:
    """An operator changes it; an empty value takes it out."""
    party: Party = world.party(backchannel_logout_uri="https://rp.example/logout", backchannel_logout_session_required=True)
    with world.writes():
        changed = clients.update(party.client.id, backchannel_logout_uri="", backchannel_logout_session_required=None)
    assert (changed.backchannel_logout_uri, changed.backchannel_logout_session_required) == (None, None)


def test_nothing_for_browsers_without_a_client(world: World, story) -> None:
    """A session that signed in nowhere tells nobody, and leaves no row."""
    browser: Browser = world.browser()
    browser.go("/account/security")
    with world.writes():
        events.record(sessions.ENDED, user_id=person(story, "zimin").user_id, session_id="ses_" + "0" * 26, details={})
    worker.drain(world.app)
    assert log_rows(world) == []
    with world.writes():
        assert tokens.revoke(None, reason="x") is False


def test_an_id_token_that_came_without_a_code(told, world: World, story) -> None:
    """Of the implicit flow: its client never asked the token endpoint, and is told; its frame is loaded too."""
    told.settings(str(world.settings.database.url), oidc={"legacy_response_types": True}, outbound={"allow_private_addresses": True})
    with receiver() as at:
        both = {"backchannel_logout_uri": at.address, "frontchannel_logout_uri": "https://rp.example/front"}
        party, browser = world.party(response_types=["id_token"], pkce="optional", **both), world.browser()
        world.tokens(browser, world.party(), phone(story, "zimin"))
        without = {"code_challenge": None, "code_challenge_method": None}
        answer = browser.authorize(party, response_type="id_token", scope="openid", **without)
        hint = dict(parse_qsl(urlsplit(answer.headers["Location"]).fragment))["id_token"]
        assert 'src="https://rp.example/front?' in browser.get("/end_session", params={"id_token_hint": hint}).text
        world.deliver()
        assert [(each["aud"], each["sid"]) for each in at.claims(world)] == [(party.client.id, claims_of(hint)["sid"])]


IDPYOIDC = """
import json, sys
from cryptojwt import KeyJar
from idpyoidc.message.oidc.session import BackChannelLogoutRequest
given = json.load(sys.stdin)
jar = KeyJar()
jar.import_jwks(given["jwks"], given["iss"])
asked = BackChannelLogoutRequest(logout_token=given["logout_token"])
ok = asked.verify(keyjar=jar, iss=given["iss"], aud=given["aud"], sigalg="RS256")
print(json.dumps({"ok": ok, **asked["__verified_logout_token"].to_dict()}))
"""


def test_another_library_takes_it(world: World, story) -> None:
    """§2.6: PyPI's idpyoidc, which knows nothing of us but `/jwks`. In a process of its own: it imports with warnings."""
    with receiver() as at:
        here = Here(world, story, at)
        here.leaves()
        world.deliver()
        given = {"jwks": world.browser().get("/jwks").json(), "iss": ISSUER, "aud": here.party.client.id, **at.sent[0]}
        given["jwks"] = {"keys": [key for key in given["jwks"]["keys"] if key["kty"] == "RSA" and key.get("use") != "enc"]}
        done = subprocess.run(
            [sys.executable, "-c", IDPYOIDC], input=json.dumps(given), capture_output=True, check=False, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["ok"], told["sub"], told["sid"]) == (True, here.claims["sub"], here.claims["sid"])
