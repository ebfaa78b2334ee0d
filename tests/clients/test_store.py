"""What lies in a portal's store is sealed, bound to its place, and ends when it is ended."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import time_machine

from clients.store import SESSION_LIFETIME, SIGN_IN_LIFETIME, Store

TOKENS = {"sub": "usr_anna", "access_token": "secret-access", "refresh_token": "secret-refresh", "expires_at": 2_000_000_000}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "store.sqlite3"


def execute(path: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(statement, values).fetchall()


def test_file_and_key_are_for_their_owner_only(path: Path) -> None:
    Store(path)
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_what_is_kept_is_neither_readable_nor_the_cookie(path: Path) -> None:
    store = Store(path)
    secret, _ = store.sign_in(store.begin()[1], TOKENS)
    found = store.find(secret)
    assert found is not None
    assert found.tokens == TOKENS
    kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"secret-" not in kept
    assert secret.encode() not in kept


def test_a_sealed_value_moved_to_another_row_does_not_open(path: Path) -> None:
    """Who can write to the file but has no key must not be able to give one person's tokens to another's cookie."""
    store = Store(path)
    mine, my_session = store.sign_in(store.begin()[1], TOKENS | {"sub": "usr_mallory"})
    _, other = store.sign_in(store.begin()[1], TOKENS)
    execute(
        path,
        "UPDATE sessions SET sealed = (SELECT sealed FROM sessions WHERE digest = ?) WHERE digest = ?",
        other.digest,
        my_session.digest,
    )
    assert store.find(mine) is None


def test_another_key_opens_nothing(path: Path) -> None:
    store = Store(path)
    secret, _ = store.sign_in(store.begin()[1], TOKENS)
    path.with_name(path.name + ".key").unlink()
    assert Store(path).find(secret) is None


def test_the_key_stays_through_a_restart(path: Path) -> None:
    store = Store(path)
    secret, _ = store.sign_in(store.begin()[1], TOKENS)
    assert Store(path).find(secret) is not None


def test_starts_at_the_same_moment_agree_on_one_key(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(Store, [path] * 8))
    secret, _ = stores[0].sign_in(stores[0].begin()[1], TOKENS)
    assert all(store.find(secret) for store in stores)
    assert sorted(file.name for file in path.parent.glob("*.key*")) == ["store.sqlite3.key"]


def test_a_session_that_was_dropped_is_not_written_again(path: Path) -> None:
    store = Store(path)
    secret, session = store.sign_in(store.begin()[1], TOKENS)
    store.drop(session.digest)
    assert store.replace(session.digest, TOKENS) is False
    assert store.find(secret) is None


def test_a_browser_that_never_signed_in_cannot_be_given_tokens_by_a_refresh(path: Path) -> None:
    store = Store(path)
    _, session = store.begin()
    assert store.replace(session.digest, TOKENS) is False


def test_a_state_is_for_one_browser_and_one_callback(path: Path) -> None:
    store = Store(path)
    _, mine = store.begin()
    _, other = store.begin()
    store.remember(mine, "state", {"nonce": "n"})
    assert store.recall(other, "state") is None
    store.forget(other, "state")
    assert store.recall(mine, "state") == {"nonce": "n"}
    store.forget(mine, "state")
    assert store.recall(mine, "state") is None


def test_everything_ends(path: Path) -> None:
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        store = Store(path)
        waiting, session = store.begin()
        store.remember(session, "state", {})
        signed_in, _ = store.sign_in(store.begin()[1], TOKENS)
        clock.shift(SIGN_IN_LIFETIME)
        assert store.find(waiting) is None
        assert store.recall(session, "state") is None
        assert store.find(signed_in) is not None
        clock.shift(SESSION_LIFETIME)
        assert store.find(signed_in) is None
        store.begin()
    assert execute(path, "SELECT count(*) FROM sessions") == [(1,)]
    assert execute(path, "SELECT count(*) FROM sign_ins") == [(0,)]
