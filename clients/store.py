"""Sessions of a portal, kept on the server in one SQLite file.

The browser holds only a random id. The file holds the id's SHA-256 and, sealed with AES-256-GCM, what belongs to it: the
tokens, and the sign-ins that have begun and not come back yet. The key lies beside the file, readable by its owner only. So
neither a copied cookie jar nor a copied database alone gives anybody a token.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# Seconds. The provider decides how long a person stays signed in; these only bound what lies here unused.
SIGN_IN_LIFETIME = 60 * 60
SESSION_LIFETIME = 24 * 60 * 60

# How much later the provider's clock may say it, a logout token is remembered after it has expired.
REPLAYS_KEPT = 5 * 60

# NOTE: `sub` and `sid` are digests, like everything else that leads to a session. `ended`: by the provider; the browser is told once.
SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    digest TEXT PRIMARY KEY, sealed BLOB, expires_at INTEGER NOT NULL, sub TEXT, sid TEXT, ended INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS sign_ins (
    digest TEXT PRIMARY KEY, session_digest TEXT NOT NULL, sealed BLOB NOT NULL, expires_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS logout_tokens (
    digest TEXT PRIMARY KEY, expires_at INTEGER NOT NULL);
"""
# What a file of an earlier version lacks.
ADDED = {"sub": "TEXT", "sid": "TEXT", "ended": "INTEGER NOT NULL DEFAULT 0"}

Tokens = dict[str, Any]


@dataclass(frozen=True)
class Session:
    """A browser that this portal knows. `tokens` is None until it has signed in, and when the provider `ended` what it had."""

    digest: str
    tokens: Tokens | None
    ended: bool = False


def digest_of(secret: str) -> str:
    """What is stored of a secret: its SHA-256 in hex. Enough for 256 random bits; nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _digest_of(name: str | None) -> str | None:
    return digest_of(name) if name else None


class Store:
    """The sessions in `path`; file and key are made when they are not there."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._cipher = AESGCM(_key(path.with_name(path.name + ".key")))
        path.touch(mode=0o600)
        with self._open() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(SCHEMA)
            known = {row[1] for row in db.execute("PRAGMA table_info(sessions)")}
            for column in ADDED.keys() - known:
                db.execute(f"ALTER TABLE sessions ADD COLUMN {column} {ADDED[column]}")
            db.executescript("CREATE INDEX IF NOT EXISTS by_sub ON sessions (sub); CREATE INDEX IF NOT EXISTS by_sid ON sessions (sid)")

    def begin(self) -> tuple[str, Session]:
        """A new browser, not signed in: (the secret for its cookie, its session)."""
        secret = secrets.token_urlsafe(32)
        session = Session(digest_of(secret), None)
        with self._open() as db:
            self._sweep(db)
            db.execute("INSERT INTO sessions (digest, expires_at) VALUES (?, ?)", (session.digest, _now() + SIGN_IN_LIFETIME))
        return secret, session

    def find(self, secret: str) -> Session | None:
        """The living session of a cookie. An id that was not given out here is nobody's, whoever planted it."""
        return self.get(digest_of(secret))

    def get(self, digest: str) -> Session | None:
        """The living session with this digest, as it is now."""
        with self._open() as db:
            row = db.execute("SELECT sealed, ended FROM sessions WHERE digest = ? AND expires_at > ?", (digest, _now())).fetchone()
        if row is None:
            return None
        if row[0] is None:
            return Session(digest, None, ended=bool(row[1]))
        tokens = self._unseal("sessions", digest, row[0])
        return Session(digest, tokens) if tokens is not None else None

    def sign_in(self, session: Session, tokens: Tokens) -> tuple[str, Session]:
        """Put the tokens under a new id and end the old one: whoever knew the id before sign-in has nothing after it."""
        secret = secrets.token_urlsafe(32)
        digest = digest_of(secret)
        with self._open() as db:
            self._sweep(db)
            db.execute("DELETE FROM sign_ins WHERE session_digest = ?", (session.digest,))
            db.execute("DELETE FROM sessions WHERE digest = ?", (session.digest,))
            sealed = self._seal("sessions", digest, tokens)
            told = (digest, sealed, _now() + SESSION_LIFETIME, _digest_of(tokens.get("sub")), _digest_of(tokens.get("sid")))
            db.execute("INSERT INTO sessions (digest, sealed, expires_at, sub, sid) VALUES (?, ?, ?, ?, ?)", told)
        return secret, Session(digest, tokens)

    def replace(self, digest: str, tokens: Tokens) -> bool:
        """Store refreshed tokens. False when the session was signed out meanwhile: it must not come back."""
        sealed = self._seal("sessions", digest, tokens)
        with self._open() as db:
            done = db.execute(
                "UPDATE sessions SET sealed = ?, expires_at = ? WHERE digest = ? AND sealed IS NOT NULL",
                (sealed, _now() + SESSION_LIFETIME, digest),
            )
            return done.rowcount == 1

    def drop(self, digest: str) -> None:
        """End the session and all it began."""
        with self._open() as db:
            db.execute("DELETE FROM sign_ins WHERE session_digest = ?", (digest,))
            db.execute("DELETE FROM sessions WHERE digest = ?", (digest,))

    def end(self, *, sub: str | None, sid: str | None) -> int:
        """End what the provider says is over: the session `sid`, or without one all of the person `sub`; how many there were.

        The row stays without its tokens, so that the browser can be told; a refresh under way finds nothing to write to.
        """
        named = {name: digest_of(value) for name, value in (("sub", sub), ("sid", sid)) if value}
        if not named:
            return 0
        which = " AND ".join(f"{name} = ?" for name in named)
        with self._open() as db:
            over = f"UPDATE sessions SET sealed = NULL, ended = 1 WHERE {which} AND sealed IS NOT NULL"  # noqa: S608 - our own names
            return db.execute(over, tuple(named.values())).rowcount

    def is_first(self, jti: str, expires_at: int) -> bool:
        """Take note of a logout token by its `jti`; False when it was here before."""
        with self._open() as db:
            db.execute("DELETE FROM logout_tokens WHERE expires_at <= ?", (_now(),))
            row = (digest_of(jti), expires_at + REPLAYS_KEPT)
            return db.execute("INSERT OR IGNORE INTO logout_tokens VALUES (?, ?)", row).rowcount == 1

    def remember(self, session: Session, state: str, data: dict[str, Any]) -> None:
        """Keep what the callback will need for this `state`, for this browser only."""
        digest = digest_of(state)
        sealed = self._seal("sign_ins", digest, data)
        with self._open() as db:
            db.execute("INSERT INTO sign_ins VALUES (?, ?, ?, ?)", (digest, session.digest, sealed, _now() + SIGN_IN_LIFETIME))

    def recall(self, session: Session, state: str) -> dict[str, Any] | None:
        """What was kept for `state`, when it was kept for this browser and not yet forgotten."""
        digest = digest_of(state)
        with self._open() as db:
            row = db.execute(
                "SELECT sealed FROM sign_ins WHERE digest = ? AND session_digest = ? AND expires_at > ?", (digest, session.digest, _now())
            ).fetchone()
        return self._unseal("sign_ins", digest, row[0]) if row else None

    def forget(self, session: Session, state: str) -> None:
        """A state is good for one callback."""
        with self._open() as db:
            db.execute("DELETE FROM sign_ins WHERE digest = ? AND session_digest = ?", (digest_of(state), session.digest))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=5)
        try:
            with db:
                yield db
        finally:
            db.close()

    def _sweep(self, db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM sessions WHERE expires_at <= ?", (_now(),))
        db.execute("DELETE FROM sign_ins WHERE expires_at <= ?", (_now(),))

    # NOTE: table and digest are part of what is sealed; a sealed value moved to another row does not open.
    def _seal(self, table: str, digest: str, value: dict[str, Any]) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, json.dumps(value).encode(), f"{table}:{digest}".encode())

    def _unseal(self, table: str, digest: str, sealed: bytes) -> dict[str, Any] | None:
        try:
            plain = self._cipher.decrypt(sealed[:12], sealed[12:], f"{table}:{digest}".encode())
        except InvalidTag:
            return None  # the key was changed, or somebody wrote here: nobody is signed in by that
        value: dict[str, Any] = json.loads(plain)
        return value


def _key(path: Path) -> bytes:
    """The 32 bytes in `path`; made at the first start. Written aside and linked, so that two starts agree on one key."""
    if not path.exists():
        aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(AESGCM.generate_key(256))
        try:
            path.hardlink_to(aside)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return path.read_bytes()


def _now() -> int:
    return int(time.time())
