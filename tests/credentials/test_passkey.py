"""Passkeys: what proves nothing, and why not; what an authenticator may and may not change; whose a credential is (threats H, 99-106)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from idp import clock, config, crypto
from idp.config import Settings
from idp.credentials import passkey, passkey_response
from idp.credentials.passkey import ADD, FURTHER_PROOF, SIGN_IN, Shown
from idp.credentials.passkey_response import Unsound
from idp.directory import users
from idp.errors import BadInput, Conflict, TooManyTries
from tests import machine
from tests.authenticator import BE, BOUND, BS, EDDSA, ES256, ES384, RS256, SYNCED, UP, UV, Authenticator, text
from tests.world import ISSUER, World

HERE, FLOW = "ses_1", "flw_1"
ANNA, ORLOV = "+79005553501", "+79005553502"


def user_id(world: World, phone: str = ANNA) -> str:
    """Whose number it is."""
    with world.reads():
        found = users.find_by_phone(phone)
    assert found is not None
    return found.id


def asked_for_key(world: World, owner: str) -> dict[str, Any]:
    """The options of a registration."""
    with world.writes():
        return passkey.ask_for_key(HERE, owner, name="+7", shown_name="Anna")


def asked(world: World, owner: str | None = None) -> dict[str, Any]:
    """The options of a sign-in."""
    with world.writes():
        return passkey.ask_for_proof(FLOW, user_id=owner)


def add(world: World, device: Authenticator, owner: str, **lies: Any) -> str:
    """The whole of a registration; answers the id of what was kept."""
    response = passkey_response.read(device.create(asked_for_key(world, owner), **lies))
    with world.writes():
        assert passkey.take(response, ADD, HERE, user_id=owner)
    key = passkey_response.verify_new(response, origin=passkey.origin(), domain=passkey.domain())
    with world.writes():
        users.get(owner, alone=True)
        return passkey.add(owner, key, browser="Chrome, Linux", ip="203.0.113.7")


def judge(world: World, sent: str, owner: str | None = None) -> Shown:
    """An assertion up to where it counts; raises Unsound."""
    response = passkey_response.read(sent)
    with world.writes():
        if not passkey.take(response, FURTHER_PROOF if owner else SIGN_IN, FLOW, user_id=owner):
            raise Unsound("challenge")
        kept = passkey.find(response)
    return passkey.verify(response, kept, user_id=owner)


def sign_in(world: World, device: Authenticator, owner: str | None = None, **lies: Any) -> bool:
    """The whole of a proof; raises Unsound."""
    shown = judge(world, device.get(asked(world, owner), **lies), owner)
    with world.writes():
        return not passkey.use(shown)


def refused(world: World, device: Authenticator, owner: str | None = None, **lies: Any) -> str:
    """Why an assertion proves nothing."""
    with pytest.raises(Unsound) as why:
        sign_in(world, device, owner, **lies)
    return why.value.reason


def not_kept(world: World, device: Authenticator, **lies: Any) -> str:
    """Why a new key is not kept."""
    with pytest.raises(Unsound) as why:
        add(world, device, user_id(world), **lies)
    return why.value.reason


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_a_passkey_of_each_kind_that_is_offered(world: World, algorithm: int) -> None:
    """Added, named by its model, and then a proof: the whole of it, and what it says of the key (RFC 8176)."""
    anna = user_id(world)
    options = asked_for_key(world, anna)
    assert {each["alg"] for each in options["pubKeyCredParams"]} == {ES256, EDDSA, RS256}
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["attestation"] == "none"
    assert anna not in json.dumps(options), "the handle is not the id that relying parties know"
    device, other = Authenticator(algorithm), Authenticator(algorithm, flags=BOUND, aaguid="0" * 8 + "-0000-0000-0000-" + "0" * 12)
    add(world, device, anna)
    add(world, other, anna)
    assert device.handle == other.handle
    assert sign_in(world, device)
    with world.reads():
        names = {each.name: each for each in passkey.of_person(anna)}
    assert set(names) == {"Chromium Browser", "Chrome, Linux"}
    assert names["Chromium Browser"].last_used_at is not None
    assert names["Chromium Browser"].transports == ["hybrid", "internal"], "only words that are known"
    kept = [judge(world, each.get(asked(world))).kept for each in (device, other)]
    assert [each.amr for each in kept] == [("swk", "user", "mfa"), ("hwk", "user", "mfa")]


def test_a_challenge_is_good_for_one_answer(world: World) -> None:
    """Case 99: used, over, another ceremony's, another sign-in's, another person's, made up: refused each."""
    anna, orlov = user_id(world), user_id(world, ORLOV)
    device = Authenticator()
    add(world, device, anna)
    options = asked(world)
    assert len(options["challenge"]) == 43, "32 bytes"
    sent = device.get(options)
    judge(world, sent)
    for again in (sent, device.get(options), device.get({**options, "challenge": text(bytes(32))})):
        with pytest.raises(Unsound, match="challenge"):
            judge(world, again)
    with pytest.raises(Unsound, match="challenge"):
        judge(world, device.get(asked(world, anna)))  # of a further proof, where it would be the first
    with pytest.raises(Unsound, match="challenge"):
        judge(world, device.get(asked(world)), anna)
    with pytest.raises(Unsound, match="challenge"):
        judge(world, device.get(asked(world, orlov)), anna)
    with pytest.raises(Unsound, match="challenge"):
        judge(world, device.get(asked_for_key(world, anna) | {"rpId": "localhost"}))
    response = passkey_response.read(device.get(asked(world)))
    with world.writes():
        assert not passkey.take(response, SIGN_IN, "flw_2")
        assert passkey.take(response, SIGN_IN, FLOW)
    with clock.freeze(clock.now()) as later:
        sent = device.get(asked(world))
        later(300)
        with pytest.raises(Unsound, match="challenge"):
            judge(world, sent)


def test_one_answer_of_many_at_once(world: World) -> None:
    """Case 99: the same answer from many tabs at the same moment is looked at once."""
    device = Authenticator()
    add(world, device, user_id(world))
    for _ in range(machine.count(1, 50)):
        response = passkey_response.read(device.get(asked(world)))

        def take(_: int, response: Any = response) -> bool:
            with world.writes():
                return passkey.take(response, SIGN_IN, FLOW)

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(take, range(6))) == 1


def test_challenges_do_not_pile_up(world: World) -> None:
    """One sign-in has so many open at once, and no more; the sweep takes what is over."""
    with clock.freeze(clock.now()) as later:
        for _ in range(passkey.OPEN_AT_ONCE):
            asked(world)
        with pytest.raises(TooManyTries):
            asked(world)
        later(passkey.LIFETIME.total_seconds())
        asked(world)
        later(timedelta(days=2).total_seconds())
        with world.writes():
            assert passkey.sweep(clock.now()) == passkey.OPEN_AT_ONCE + 1


def test_whoever_was_not_verified(world: World) -> None:
    """Case 100: a finger on the key is not enough, neither when it is made nor when it signs in."""
    device = Authenticator()
    assert not_kept(world, device, flags=UP | BE | BS) == "InvalidRegistrationResponse"
    add(world, device, user_id(world))
    assert refused(world, device, flags=UP | BE | BS) == "not_verified"
    assert refused(world, device, flags=UV | BE | BS) == "not_verified", "nor without presence"


def test_whose_it_is(world: World) -> None:
    """Case 101: another one's handle, none at all, somebody else's credential where a person is known, one that a second person brings."""
    anna, orlov = user_id(world), user_id(world, ORLOV)
    hers, his = Authenticator(), Authenticator()
    kept = add(world, hers, anna)
    add(world, his, orlov)
    assert refused(world, hers, handle=his.handle) == "unknown"
    assert refused(world, hers, handle=None) == "unknown", "it may be left out only where the browser was told which"
    assert [each["id"] for each in asked(world, anna)["allowCredentials"]] == [hers.credential_id]
    assert asked(world)["allowCredentials"] == []
    assert sign_in(world, hers, anna)
    assert sign_in(world, hers, anna, handle=None)
    assert refused(world, hers, anna, handle=his.handle) == "unknown"
    assert refused(world, his, anna) == "another_person"
    assert refused(world, his, signature=bytes(70)) == "unknown"
    assert refused(world, his, credential_id=hers.credential_id, handle=hers.handle) == "unknown", "signed with his own key"
    assert refused(world, Authenticator(handle=hers.handle)) == "unknown"
    for owner in (orlov, anna):
        with pytest.raises(Conflict):
            add(world, Authenticator(credential=hers.credential), owner)
    with world.reads():
        assert [each.id for each in passkey.of_person(anna)] == [kept]
    assert sign_in(world, hers), "and it is still hers"


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"origin": "https://localhost.evil"}, "origin"),
        ({"origin": "http://localhost:8001"}, "origin"),
        ({"origin": "https://localhost:8000"}, "origin"),
        ({"domain": "id.localhost"}, "domain"),
        ({"client": {"crossOrigin": True}}, "cross_origin"),
        ({"client": {"crossOrigin": "false"}}, "cross_origin"),
        ({"client": {"topOrigin": ISSUER}}, "cross_origin"),
        ({"type": "webauthn.create"}, "type"),
        ({"type": "payment.get"}, "type"),
    ],
)
def test_said_elsewhere(world: World, lie: dict[str, Any], reason: str) -> None:
    """Case 103: another origin, a subdomain, a frame of somebody else's page, the other ceremony."""
    device = Authenticator()
    if lie.get("type") != "webauthn.create":
        assert not_kept(world, device, **lie) in {reason, "InvalidRegistrationResponse"}
    assert not_kept(world, device, type="webauthn.get") == "type"
    add(world, device, user_id(world))
    assert refused(world, device, **lie) == reason
    assert sign_in(world, device)


def test_what_must_not_change(world: World) -> None:
    """Case 105: a counter that goes back, or stands, is an alarm and opens nothing; so is a bound key that may be copied all at once."""
    anna = user_id(world)
    counting, synced, bound = Authenticator(counter=7), Authenticator(), Authenticator(flags=BOUND)
    for device in (counting, synced, bound):
        add(world, device, anna)
    assert sign_in(world, counting)
    assert not sign_in(world, counting, counter=8), "not higher than the last"
    assert not sign_in(world, counting, counter=3)
    assert not sign_in(world, counting, counter=0)
    assert refused(world, counting, counter=1, signature=bytes(70)) == "unknown", "who has not the key raises no alarm"
    counting.counter = 2**32 - 2
    assert sign_in(world, counting)
    assert sign_in(world, synced)
    assert sign_in(world, synced, flags=UP | UV | BE), "backed up no more: that may be"
    assert refused(world, synced, flags=UP | UV | BS) == "backup"
    assert not sign_in(world, synced, flags=BOUND)
    assert not sign_in(world, bound, flags=SYNCED)
    assert not_kept(world, Authenticator(), flags=UP | UV | BS) == "InvalidBackupFlags"
    alarms = world.events(passkey.DOUBTED)
    assert [event.details["reason"] for event in alarms] == ["counter"] * 3 + ["eligible"] * 2
    assert {event.user_id for event in alarms} == {anna}


def test_keys_that_are_not_kept(world: World) -> None:
    """Case 105: an algorithm that was not offered, a key on another curve, too small, no key at all; an attestation that is none."""
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    assert not_kept(world, Authenticator(ES384)) == "InvalidRegistrationResponse"
    assert not_kept(world, Authenticator(ES384), algorithm=ES256) == "key"
    assert not_kept(world, Authenticator(RS256, key=small)) in {"key", "ValueError"}
    assert not_kept(world, Authenticator(), cose=b"\x04") in {"ValueError", "key"}
    assert not_kept(world, Authenticator(), cose=cbor2.dumps({1: 2})) == "KeyError"
    assert not_kept(world, Authenticator(), cose=cbor2.dumps({1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)})) == "ValueError"
    assert not_kept(world, Authenticator(), fmt="none", statement={"sig": b"1"}) != ""
    assert not_kept(world, Authenticator(), fmt="packed", statement={"alg": -7, "sig": bytes(70)}) != ""
    assert not_kept(world, Authenticator(), fmt="fido-u2f", statement={"x5c": [b"1"], "sig": b"1"}) != ""
    assert not_kept(world, Authenticator(credential=bytes(1024))) == "credential_id"
    assert not_kept(world, Authenticator(), credential_id=Authenticator().credential_id) == "credential_id"


@pytest.mark.parametrize(
    "sent",
    [
        *("", "{", "[]", "null", "1", '"x"', "{}", '{"response": null}', '{"response": {"clientDataJSON": 1}}', "[" * 5000),
        '{"id": 1, "rawId": 1, "response": {"clientDataJSON": "e30"}}',
        '{"id": "AA", "rawId": "AA", "response": {"clientDataJSON": "eyJjaGFsbGVuZ2UiOjF9"}}',
        '{"id": "AA", "rawId": "AB", "response": {"clientDataJSON": "eyJjaGFsbGVuZ2UiOiJBQSJ9"}}',
        '{"id": "AA", "rawId": "AA", "response": {"clientDataJSON": "_____w"}}',
        '{"id": "AA", "rawId": "AA", "response": {"clientDataJSON": "eyJjaGFsbGVuZ2UiOiJBQSJ9", "userHandle": 7}}',
    ],
)
def test_what_is_no_answer(sent: str) -> None:
    """Anything may be sent: it is unreadable, and nothing worse."""
    with pytest.raises(Unsound, match="unreadable"):
        passkey_response.read(sent)


def test_a_name_of_ones_own_and_away_with_it(world: World) -> None:
    """Case 106: only the owner renames and removes; what is removed opens nothing from then on."""
    anna, orlov = user_id(world), user_id(world, ORLOV)
    device = Authenticator()
    kept = add(world, device, anna)
    with world.writes():
        assert not passkey.rename(orlov, kept, "Mine")
        assert passkey.rename(anna, kept, "  My\u202e phone ")
        assert [each.name for each in passkey.of_person(anna)] == ["My phone"]
        assert not passkey.remove(orlov, kept)
    with world.writes(), pytest.raises(BadInput):
        passkey.rename(anna, kept, " \u200e ")
    shown = judge(world, device.get(asked(world)))
    with world.writes():
        assert passkey.remove(anna, kept)
        assert not passkey.remove(anna, kept)
        assert not passkey.has_any(anna)
    with world.writes():
        assert passkey.use(shown) == "unknown", "removed between the look and the use"
    assert refused(world, device) == "unknown"
    assert world.events(passkey.DOUBTED) == []
    assert len(world.events(passkey.REMOVED)) == 1
    add(world, device, anna)
    with world.writes():
        assert passkey.remove_all(anna)
        assert not passkey.remove_all(anna)


def test_how_many_one_person_has(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an end to it."""
    monkeypatch.setattr(passkey, "MOST", 2)
    anna = user_id(world)
    add(world, Authenticator(), anna)
    add(world, Authenticator(), anna)
    with pytest.raises(Conflict):
        add(world, Authenticator(), anna)


def test_offered_once_a_month(world: World) -> None:
    """Offered to who has none, and not again for thirty days; never to who has one."""
    anna = user_id(world)
    with clock.freeze(clock.now()) as later:
        with world.writes():
            assert passkey.offer(anna)
            assert not passkey.offer(anna)
        later(passkey.OFFERED_EVERY.total_seconds())
        with world.writes():
            assert passkey.offer(anna)
        later(passkey.OFFERED_EVERY.total_seconds())
        add(world, Authenticator(), anna)
        with world.writes():
            assert not passkey.offer(anna)


def test_nothing_of_a_challenge_is_kept(world: World) -> None:
    """The database holds a digest of it."""
    challenge = asked(world)["challenge"]
    with world.reads():
        row = passkey.session.execute(passkey.sa.select(passkey._challenges)).one()
    assert row.digest == crypto.digest(challenge)
    assert challenge not in str(row)


@pytest.mark.parametrize(
    ("issuer", "domain", "origins", "problem"),
    [
        ("https://id.example.com", "", [], None),
        ("https://id.example.com", "example.com", [], None),
        ("https://id.example.com", "id.example.com", [], None),
        ("http://localhost:8000", "localhost", [], None),
        ("https://id.example.com", "com", [], "no domain"),
        ("https://id.example.com", "https://example.com", [], "no domain"),
        ("https://id.example.com", "example.org", [], "neither"),
        ("https://id.example.com", "ample.com", [], "neither"),
        ("https://id.example.com", "example.org", ["https://id.example.com", "https://example.org"], None),
        ("https://id.example.com", "example.org", ["https://example.org"], "itself"),
        ("https://id.example.com", "example.org", ["https://id.example.com/"], "no origin"),
    ],
)
def test_domains_that_browsers_take(issuer: str, domain: str, origins: list[str], problem: str | None) -> None:
    """`[login] passkey_domain` and `passkey_origins` fit the issuer, or the provider does not start."""
    tables: dict[str, Any] = {"server": {"issuer": issuer}, "login": {"passkey_domain": domain, "passkey_origins": origins}}
    if problem is None:
        before = config.settings()
        config.use(Settings(**tables))
        assert passkey.domain() == (domain or "id.example.com")
        assert passkey.origin() == issuer
        config.use(Settings(server={"issuer": "https://ID.Example.com:443"}))  # type: ignore[arg-type] # pydantic reads the table
        assert (passkey.origin(), passkey.domain()) == ("https://id.example.com", "id.example.com")
        config.use(before)
    else:
        with pytest.raises(ValueError, match=problem):
            Settings(**tables)
