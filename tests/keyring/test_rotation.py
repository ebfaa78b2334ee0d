"""The life of a signing key: published before it signs, kept until its last token has expired, out at once when it is revoked.

OpenID Connect Core §10.1.1 (rotation), RFC 7517 (the key set). Threats: case 38, promise R7.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from idp import clock, jws, keyring
from idp.db.session import engine, session, writes
from idp.errors import Conflict, NotFound
from idp.events import Event
from tests.ground import Ground, parallel
from tests.keyring.forge import claims

# Making an RSA key takes 100 ms; for its life any key will do.
ALGORITHMS = ("ES256", "Ed25519")
PUBLIC = {
    "RSA": {"kty", "kid", "use", "alg", "n", "e"},
    "EC": {"kty", "kid", "use", "alg", "crv", "x", "y"},
    "OKP": {"kty", "kid", "use", "alg", "crv", "x"},
}


@pytest.fixture
def keys(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A ground with keys of two kinds, its context pushed."""
    monkeypatch.setattr(keyring, "ALGORITHMS", ALGORITHMS)
    monkeypatch.setattr(keyring, "ENCRYPTION", ())
    monkeypatch.setattr(keyring, "LOOK_AT_MOST", 30)  # a request goes on with what it knows; here what stands in the database is wanted
    with ground.writes():
        assert keyring.ensure() == 4
    with ground.app.app_context():
        yield ground


def states(ground: Ground, algorithm: str = "ES256") -> dict[str, str]:
    """kid -> state."""
    return {row.kid: row.state for row in ground.rows(keyring.SigningKey) if row.algorithm == algorithm}


def kid_of(token: str) -> str:
    """Which key signed it."""
    kid: str = json.loads(jws.decode(token.split(".", maxsplit=1)[0]))["kid"]
    return kid


def published() -> list[dict[str, Any]]:
    """What stands in /jwks."""
    found: list[dict[str, Any]] = json.loads(keyring.jwks())["keys"]
    return found


def sign() -> str:
    """A token."""
    return keyring.sign(claims(), typ="at+jwt", algorithm="ES256")


def test_only_public_members_are_published(ground: Ground) -> None:
    """Case 38: of each key the members that its kind has in public, and no other; no symmetric key; no kid twice."""
    with ground.writes():
        assert keyring.ensure() == 10
    with ground.app.app_context():
        found = published()
    signs = [("RS256", "RSA"), ("ES256", "EC"), ("PS256", "RSA"), (None, "OKP")]  # one that goes by two names says neither
    for use, expected in (("sig", signs * 2), ("enc", [(None, "RSA"), (None, "EC")])):
        assert sorted((key.get("alg") or "", key["kty"]) for key in found if key["use"] == use) == sorted(
            (alg or "", kty) for alg, kty in expected
        )
    assert all(set(key) | {"alg"} == PUBLIC[key["kty"]] for key in found)
    assert len({key["kid"] for key in found}) == 10
    KeySet.import_key_set({"keys": found})
    with ground.writes():
        assert keyring.ensure() == 0


def test_what_is_stored_is_sealed(keys: Ground) -> None:
    """Case 42: a dump of the database holds no private key; a key that signs no more has none at all."""
    assert "PRIVATE" not in keys.dump()
    with writes():
        keyring.rotate(at_once=True)
    rows = keys.rows(keyring.SigningKey)
    assert {row.state for row in rows if row.private_sealed is None} == {"retiring"}
    assert {row.state for row in rows if row.private_sealed is not None} == {"active", "next"}


def test_a_new_key_waits_until_it_is_known(keys: Ground) -> None:
    """R7: the next key signs only when it has stood in /jwks for `keys.published_before`."""
    with clock.freeze(clock.now()) as shift:
        before = sign()
        with pytest.raises(Conflict), writes():
            keyring.rotate("ES256")
        assert states(keys) == {kid_of(before): "active", next(k for k, s in states(keys).items() if s == "next"): "next"}
        shift(keys.settings.keys.published_before)
        before = sign()
        following = next(kid for kid, state in states(keys).items() if state == "next")
        with writes():
            assert keyring.rotate("ES256") == 1
        after = sign()
        assert kid_of(after) == following
        assert sorted(states(keys).values()) == ["active", "next", "retiring"]
        assert sorted(states(keys, "Ed25519").values()) == ["active", "next"]
        assert keyring.verify(before, typ="at+jwt") is not None
        assert {kid_of(before), following} < {key["kid"] for key in published()}


def test_a_retired_key_goes_when_its_tokens_have_gone(keys: Ground) -> None:
    """R7: it stays for the longest token's life and five minutes; hints are opened until the sessions of its time are over."""
    with clock.freeze(clock.now()) as shift:
        hint = keyring.sign(claims(), typ="JWT", algorithm="ES256")
        old = kid_of(hint)
        with writes():
            keyring.rotate("ES256", at_once=True)
        shift(599)
        with writes():
            keyring.look()
        assert states(keys)[old] == "retiring"
        shift(1)
        with writes():
            assert keyring.look() == 1
        assert states(keys)[old] == "retired"
        assert old not in {key["kid"] for key in published()}
        assert keyring.verify_hint(hint) is not None
        shift(keys.settings.login.session_lifetime)
        with writes():
            keyring.look()
        assert old not in states(keys)
        assert keyring.verify_hint(hint) is None


def test_the_schedule_rotates_by_itself(keys: Ground) -> None:
    """A key signs for `keys.lifetime`; then the next one does, and another next one is made. A second look changes nothing."""
    with clock.freeze(clock.now()) as shift:
        first = kid_of(sign())
        shift(keys.settings.keys.lifetime - 1)
        with writes():
            assert keyring.look() == 0
        shift(1)
        with writes():
            assert keyring.look() == len(ALGORITHMS)
        with writes():
            assert keyring.look() == 0
        assert kid_of(sign()) != first
        assert sorted(states(keys).values()) == ["active", "next", "retiring"]


def test_an_idle_deployment_catches_up(keys: Ground) -> None:
    """When the schedule slept past the life of a key, one look makes it right; what is missing is made, and young keys do not sign."""
    with clock.freeze(clock.now()) as shift:
        with writes():
            session.execute(sa.delete(keyring.SigningKey).where(keyring.SigningKey.state == "next"))
        active = kid_of(sign())
        shift(10 * keys.settings.keys.lifetime)
        with writes():
            assert keyring.look() == len(ALGORITHMS)
        assert kid_of(sign()) == active
        shift(keys.settings.keys.published_before)
        with writes():
            keyring.look()
        assert kid_of(sign()) != active


def test_a_revoked_key_is_out_at_once(keys: Ground) -> None:
    """R7, the emergency: no new token, no old one, not in /jwks; the next key signs. It is an event."""
    token = sign()
    kid = kid_of(token)
    with writes():
        keyring.revoke(kid)
    assert keyring.verify(token, typ="at+jwt") is None
    assert keyring.verify_hint(token) is None
    assert kid not in {key["kid"] for key in published()}
    assert kid_of(sign()) != kid
    assert states(keys)[kid] == "revoked"
    assert sorted(states(keys).values()) == ["active", "next", "revoked"]
    row = next(row for row in keys.rows(keyring.SigningKey) if row.kid == kid)
    assert row.private_sealed is None
    assert [event.details["kid"] for event in keys.rows(Event) if event.name == "key.revoked"] == [kid]
    with pytest.raises(NotFound), writes():
        keyring.revoke("key_of_nobody")


def test_a_revoked_next_key_is_replaced(keys: Ground) -> None:
    """Revoking a key that does not sign yet leaves the one that does alone."""
    active = kid_of(sign())
    following = next(kid for kid, state in states(keys).items() if state == "next")
    with writes():
        keyring.revoke(following)
    assert kid_of(sign()) == active
    assert sorted(states(keys).values()) == ["active", "next", "revoked"]


def test_every_process_sees_a_rotation_in_a_second(keys: Ground) -> None:
    """R7: another process signs with the new key, and no longer honours a revoked one, about a second later."""
    other = keys.connect()
    with other.app_context():
        old = kid_of(sign())
    with writes():
        keyring.revoke(old)
    with other.app_context():
        until = time.monotonic() + 1.5
        while kid_of(sign()) == old and time.monotonic() < until:
            time.sleep(0.05)
        assert kid_of(sign()) != old
        assert old not in {key["kid"] for key in published()}
    keys.close(other)


def test_a_token_of_a_newer_key_is_known_at_once(keys: Ground) -> None:
    """Another process rotated and signed: an unknown kid is looked for, at most ten times a second."""
    other = keys.connect()
    with other.app_context():
        sign()
    with writes():
        keyring.rotate("ES256", at_once=True)
    with writes():  # now even the next key is one that the other process has never seen
        keyring.rotate("ES256", at_once=True)
    token = sign()
    with other.app_context():
        time.sleep(0.1)
        assert keyring.verify(token, typ="at+jwt") is not None
        statements = _count(other)
        for number in range(1000):
            assert keyring.verify(_with_kid(token, f"key_{number}"), typ="at+jwt") is None
        assert len(statements) < 20
    keys.close(other)


def _with_kid(token: str, kid: str) -> str:
    _, payload, signature = token.split(".")
    return f"{jws.encode(json.dumps({'alg': 'ES256', 'typ': 'at+jwt', 'kid': kid}).encode())}.{payload}.{signature}"


def _count(app: Flask) -> list[str]:
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    with app.app_context():
        sa.event.listen(engine(), "before_cursor_execute", note)
    return statements


def test_reading_keys_disturbs_no_unit(keys: Ground) -> None:
    """Loading keys in the middle of a unit neither ends it nor waits for it; a warm process asks nothing at all."""
    other = keys.connect()
    with other.app_context():
        with writes():
            session.execute(sa.update(keyring.SigningKey).values(created_at=clock.now()))  # the write lock is ours now
            assert keyring.verify(sign(), typ="at+jwt") is not None
            assert session().in_transaction()
        statements = _count(other)
        for _ in range(100):
            keyring.verify(sign(), typ="at+jwt")
            keyring.jwks()
        assert len(statements) <= 1
    keys.close(other)


def test_keys_outlive_the_database(keys: Ground) -> None:
    """R9: with the database away, a process that has the keys goes on signing, verifying and publishing."""
    token, jwks = sign(), keyring.jwks()
    with writes():
        session.execute(sa.text("ALTER TABLE signing_keys RENAME TO gone"))
    time.sleep(keyring.LOOK_AGAIN)
    assert keyring.jwks() == jwks
    assert keyring.verify(token, typ="at+jwt") is not None
    assert keyring.verify(sign(), typ="at+jwt") is not None


def test_without_keys_nothing_is_signed(ground: Ground) -> None:
    """An empty table: a plain error that says what to do, and an empty key set."""
    with ground.app.app_context():
        with pytest.raises(keyring.NoSigningKey, match="idp init"):
            sign()
        assert published() == []
        assert keyring.verify("a.b.c", typ="at+jwt") is None


def test_two_processes_make_one_set_of_keys(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting or rotating at once: one active and one next key of each algorithm, whoever wins."""
    monkeypatch.setattr(keyring, "ALGORITHMS", ("ES256",))
    monkeypatch.setattr(keyring, "ENCRYPTION", ())

    def start(_: int) -> int:
        with ground.writes():
            return keyring.ensure()

    assert sum(parallel(6, start)) == 2
    assert sorted(states(ground).values()) == ["active", "next"]

    def rotate(_: int) -> int:
        with ground.writes():
            return keyring.rotate("ES256", at_once=True)

    answers = parallel(6, rotate)
    done = sum(1 for answer in answers if answer == 1)
    assert done >= 1
    assert all(answer == 1 or isinstance(answer, Conflict) for answer in answers), answers
    assert sorted(states(ground).values()) == ["active", "next"] + ["retiring"] * done


def test_no_validation_fails_during_rotations(keys: Ground) -> None:
    """R7, in small: rotations while relying parties verify by a cached /jwks and fetch it when `max-age` is over; 0 failures."""
    max_age, failures, verified = 0.2, [], 0
    keys.use(keys={"folder": keys.folder / "keys", "published_before": 1, "jwks_max_age": 0})
    stop = threading.Event()

    def rely() -> None:
        nonlocal verified
        fetched, key_set = 0.0, None
        with keys.app.app_context():
            while not stop.is_set():
                if time.monotonic() - fetched > max_age:
                    fetched, key_set = time.monotonic(), KeySet.import_key_set(json.loads(keyring.jwks()))
                token = sign()
                try:
                    assert key_set is not None
                    jwt.decode(token, key_set, algorithms=["ES256"])
                    verified += 1
                except (JoseError, ValueError) as e:
                    failures.append(repr(e))
                time.sleep(0.003)

    threads = [threading.Thread(target=rely) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        time.sleep(keyring.LOOK_AGAIN + 2 * max_age)  # a process may show a new key in /jwks a second late
        with writes():
            keyring.rotate("ES256")
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert verified > 300


def at_the_same_time(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """All decide before any acts: the first look at the table ends only when everybody has had it."""
    gate, look = threading.Barrier(times), keyring._rows

    def together() -> list[Any]:
        rows = look()
        gate.wait(10)
        return rows

    monkeypatch.setattr(keyring, "_rows", together)


def test_of_two_operators_one_rotates(keys: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both found the next key ready. The second must not go on to its successor, which no relying party has seen (R7)."""
    with clock.freeze(clock.now()) as shift:
        shift(keys.settings.keys.published_before)
        following = {kid for kid, state in states(keys).items() if state == "next"}
        at_the_same_time(monkeypatch, 3)

        def rotate(_: int) -> int:
            with keys.writes():
                return keyring.rotate("ES256")

        answers = parallel(3, rotate)
    assert [answer for answer in answers if not isinstance(answer, Conflict)] == [1], answers
    assert {kid for kid, state in states(keys).items() if state == "active"} == following
    assert sorted(states(keys).values()) == ["active", "next", "retiring"]


def test_rotating_beside_the_schedule(keys: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule's look finds that it has been done already, and breaks nothing."""
    with clock.freeze(clock.now()) as shift:
        shift(keys.settings.keys.lifetime)
        at_the_same_time(monkeypatch, 2)
        monkeypatch.setattr(keyring, "ensure", lambda: 0)  # it would look once more, alone

        def act(number: int) -> int:
            with keys.writes():
                return keyring.rotate() if number else keyring.look()

        answers = parallel(2, act)
    assert isinstance(answers[0], int), answers
    assert answers[1] == 2 or isinstance(answers[1], Conflict), answers
    for algorithm in ALGORITHMS:
        assert sorted(states(keys, algorithm).values()) == ["active", "next", "retiring"]


@pytest.mark.parametrize("which", ["active", "next"])
def test_revoking_beside_a_rotation(keys: Ground, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    """Whoever comes first: the revoked key stays out, and there is one that signs and one that comes after it."""
    kid = next(kid for kid, state in states(keys).items() if state == which)
    at_the_same_time(monkeypatch, 2)

    def act(number: int) -> object:
        with keys.writes():
            return keyring.rotate("ES256", at_once=True) if number else keyring.revoke(kid)

    answers = parallel(2, act)
    assert answers[0] is None
    assert answers[1] == 1 or isinstance(answers[1], Conflict), answers
    found = states(keys)
    assert found[kid] == "revoked"
    assert [list(found.values()).count(state) for state in ("active", "next")] == [1, 1]
    assert all(row.private_sealed for row in keys.rows(keyring.SigningKey) if row.state in {"active", "next"})
    monkeypatch.undo()
    assert kid_of(sign()) != kid
