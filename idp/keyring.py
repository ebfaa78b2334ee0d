"""Signing keys: made, published, signing, retiring, gone; and the tokens of our own that they sign and open (RFC 7515, 7517, 7519, 9864).

    next      in /jwks, does not sign yet: relying parties have time to fetch it
    active    in /jwks, signs; one of each algorithm
    retiring  in /jwks until the last token that it signed has expired
    retired   out of /jwks; still opens an `id_token_hint`, so that a sign-out goes on working after a rotation
    revoked   out of everything, at once

Keys that others encrypt to (`use: enc`) are active as soon as they are made, since whoever encrypts looks them up; /jwks shows the active
ones only, and the others open what was encrypted to them for KEPT seconds more (OpenID Connect Core §10.2.1). Then they are deleted.

Every process holds the parsed keys in memory and looks once a second whether the table has changed. That look has a connection of its
own, so it disturbs no unit of work, and when the database is away the keys in memory go on.

The verbs that change keys run in a `writes()` unit, as its first thing: they make the keys (slow) before their first statement.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
import weakref
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock, crypto, events, jws
from idp.config import settings
from idp.db.columns import Base, Instant, Json, table
from idp.db.session import changed, insert_or_ignore, reading_engine, session
from idp.errors import N_, Conflict, NotFound
from idp.jws import ALGORITHMS, ENCRYPTION, Claims, Pair

STATES = ("next", "active", "retiring", "retired", "revoked")
PUBLISHED = ("next", "active", "retiring")
SKEW = 10  # seconds that this machine's clock may be behind the one that signed
LOOK_AGAIN = 1.0  # seconds
LOOK_AT_MOST = 0.1  # seconds that a request waits for it
LOOK_AGAIN_UNKNOWN = 0.1  # seconds; so seldom can a stranger's kid make us look
PURPOSE = "signing key"
KEPT = 7 * 86400  # seconds that somebody may go on encrypting to a key that is no longer in /jwks

NOT_PUBLISHED = N_(
    "The next key has not been published for long enough. Wait, or rotate at once: relying parties then have to fetch it anew."
)
ROTATED_MEANWHILE = N_("Somebody else has just rotated this key.")

_log = logging.getLogger("idp.keyring")


class SigningKey(Base):
    """A key pair. NOTE: the private half is here only while it may sign, or open; it is wiped when the key retires or is revoked."""

    __tablename__ = "signing_keys"
    __table_args__ = (
        sa.CheckConstraint(sa.column("state").in_(STATES), name="state"),
        sa.CheckConstraint(sa.column("algorithm").in_((*ALGORITHMS, *ENCRYPTION)), name="algorithm"),
        # Two processes that make or rotate keys at once: the index decides which of them did.
        sa.Index(
            "uq_signing_keys_algorithm_state",
            "algorithm",
            "state",
            unique=True,
            sqlite_where=sa.text("state IN ('next', 'active')"),
            postgresql_where=sa.text("state IN ('next', 'active')"),
        ),
    )

    kid: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    algorithm: Mapped[str] = mapped_column(sa.String(16))
    state: Mapped[str] = mapped_column(sa.String(16))
    public_jwk: Mapped[dict[str, str]] = mapped_column(Json)
    private_sealed: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    active_at: Mapped[datetime | None] = mapped_column(Instant)
    retiring_at: Mapped[datetime | None] = mapped_column(Instant)
    remove_at: Mapped[datetime | None] = mapped_column(Instant)


class NoSigningKey(RuntimeError):  # noqa: N818 - it says what is missing, as KeysMissing does
    """There is no active key of the algorithm asked for."""


def generate(algorithm: str) -> dict[str, Any]:
    """The columns of a new key pair, its private half sealed. Slow (RSA: 100 ms and more): never within a transaction or a request."""
    kid = crypto.new_id("key")
    pem, members = jws.generate(algorithm)
    purpose = {"use": "enc"} if algorithm in ENCRYPTION else {"use": "sig", "alg": algorithm}  # one key is for all algorithms of its kind
    public = {**members, "kid": kid, **purpose}
    return {"kid": kid, "algorithm": algorithm, "public_jwk": public, "private_sealed": crypto.seal(PURPOSE, pem)}


# ---------------------------------------------------------------- the life of a key


class _Row(NamedTuple):
    kid: str
    algorithm: str
    state: str
    created_at: datetime
    active_at: datetime | None


def listing() -> Sequence[SigningKey]:
    """Every key that is in the table, the newest first."""
    return session.scalars(sa.select(SigningKey).order_by(SigningKey.created_at.desc(), SigningKey.kid)).all()


def ensure() -> int:
    """Make what is missing: an active and a next key of each algorithm that signs, an active one of each that opens. Answers how many were
    made. In a `writes()` unit, first.
    """
    have = {(row.algorithm, row.state) for row in _rows()}
    wanted = [(algorithm, state) for algorithm in ALGORITHMS for state in ("active", "next")]
    wanted += [(algorithm, "active") for algorithm in ENCRYPTION]
    made = [(generate(algorithm), state) for algorithm, state in wanted if (algorithm, state) not in have]
    count = sum(_add(key, state) for key, state in made)
    _changed_here()
    return count


def rotate(algorithm: str | None = None, *, at_once: bool = False) -> int:
    """Let the next key sign and the active one retire; make a new next one. Answers how many algorithms were rotated.

    `algorithm`: only this one; None: all. Raises Conflict while the next key has not been published for `keys.published_before` seconds,
    unless `at_once` (relying parties that cached /jwks fail until they fetch it again), and when somebody else has just rotated. In a
    `writes()` unit, first.
    """
    algorithms = (algorithm,) if algorithm else (*ALGORITHMS, *ENCRYPTION)
    rows = _rows()
    if not at_once and not all(_ready(rows, a) for a in algorithms):
        raise Conflict(NOT_PUBLISHED, detail="rotate: the next key is younger than keys.published_before")
    spares = {a: _spares(rows, a) for a in algorithms}
    for a in algorithms:
        if not _activate(a, spares[a], *_in_turn(rows, a)):
            raise Conflict(ROTATED_MEANWHILE, detail=f"another process is rotating {a}")
    _changed_here()
    return len(algorithms)


def revoke(kid: str) -> None:
    """Emergency: the key `kid` is out at once, for signing, verifying and /jwks. An active one is followed by the next, however young.

    Raises NotFound. Every process notices within about a second, relying parties when they fetch /jwks. In a `writes()` unit, first.
    """
    rows = _rows()
    row = next((row for row in rows if row.kid == kid), None)
    if row is None:
        raise NotFound(detail=f"there is no signing key {kid} in use")
    spares = _spares(rows, row.algorithm)
    # Locked: a rotation that is under way is waited for, and what it made of the key is what is revoked.
    state = session.scalar(sa.select(SigningKey.state).where(SigningKey.kid == kid).with_for_update())
    values = {"state": "revoked", "private_sealed": None, "retiring_at": clock.now(), "remove_at": None}
    if changed(sa.update(SigningKey).where(SigningKey.kid == kid, SigningKey.state != "revoked").values(**values)) == 0:
        return
    events.record("key.revoked", details={"kid": kid, "algorithm": row.algorithm, "state": state})
    if state == "active":
        following = session.scalar(sa.select(SigningKey.kid).where(SigningKey.algorithm == row.algorithm, SigningKey.state == "next"))
        _activate(row.algorithm, spares, None, following)
    elif state == "next":
        _add(spares[0], "next")
    _changed_here()


def look() -> int:
    """The schedule's look: make missing keys, activate what is due, take out what has retired. Answers how much changed.

    In a `writes()` unit, first.
    """
    now, rows = clock.now(), _rows()
    old = now - timedelta(seconds=settings().keys.lifetime)
    signing = {row.algorithm: row for row in rows if row.state == "active"}
    # In the order of `rotate`, or the two would wait for each other.
    every = (*ALGORITHMS, *ENCRYPTION)
    due = [a for a in every if a in signing and (signing[a].active_at or signing[a].created_at) <= old and _ready(rows, a)]
    spares = {a: _spares(rows, a) for a in due}
    count = ensure()
    count += sum(_activate(a, spares[a], *_in_turn(rows, a)) for a in due)
    gone = sa.or_(SigningKey.state == "retired", sa.and_(SigningKey.state == "retiring", SigningKey.algorithm.in_(ENCRYPTION)))
    count += changed(sa.delete(SigningKey).where(gone, SigningKey.remove_at <= now))
    values = {"state": "retired", "remove_at": now + timedelta(seconds=settings().login.session_lifetime)}  # hints are opened until then
    count += changed(sa.update(SigningKey).where(SigningKey.state == "retiring", SigningKey.remove_at <= now).values(**values))
    _changed_here()
    return count


def _rows() -> list[_Row]:
    statement = sa.select(*(table(SigningKey).c[name] for name in _Row._fields)).where(SigningKey.state != "revoked")
    with reading_engine().connect() as connection:
        return [_Row(*row) for row in connection.execute(statement)]


def _ready(rows: list[_Row], algorithm: str) -> bool:
    """Whether the next key of `algorithm` has stood in /jwks for long enough to sign."""
    if algorithm in ENCRYPTION:
        return True
    published = clock.now() - timedelta(seconds=settings().keys.published_before)
    return any(row.algorithm == algorithm and row.state == "next" and row.created_at <= published for row in rows)


def _spares(rows: list[_Row], algorithm: str) -> list[dict[str, Any]]:
    """New keys for a rotation: the one after the next, and the next where there is none. Keys that only open have none after them."""
    has_next = algorithm in ENCRYPTION or any(row.algorithm == algorithm and row.state == "next" for row in rows)
    return [generate(algorithm) for _ in range(1 if has_next else 2)]


def _add(key: dict[str, Any], state: str) -> bool:
    now = clock.now()
    added = insert_or_ignore(SigningKey, **key, state=state, created_at=now, active_at=now if state == "active" else None)
    if added:
        events.record("key.made", details={"kid": key["kid"], "algorithm": key["algorithm"], "state": state})
    return added


def _in_turn(rows: list[_Row], algorithm: str) -> tuple[str | None, str | None]:
    """The kids of the active key and of the next one, as they were read."""
    kids = {row.state: row.kid for row in rows if row.algorithm == algorithm}
    return kids.get("active"), kids.get("next")


def _activate(algorithm: str, spares: list[dict[str, Any]], active: str | None, following: str | None) -> bool:
    """Retire the key `active` and let `following` sign. False, before any effect, when `active` is not the active one any more.

    NOTE: both are as they were when it was decided: who decided at the same time and comes second must not go on to a key nobody has seen.
    """
    now = clock.now()
    if active is not None:
        longest = max(settings().oidc.access_token_lifetime, settings().oidc.id_token_lifetime) + 300
        values: dict[str, Any] = {"state": "retiring", "retiring_at": now, "remove_at": now + timedelta(seconds=longest)}
        values |= {"remove_at": now + timedelta(seconds=KEPT)} if algorithm in ENCRYPTION else {"private_sealed": None}
        if changed(sa.update(SigningKey).where(SigningKey.kid == active, SigningKey.state == "active").values(**values)) == 0:
            return False
    left = list(spares)
    # Only a next key: one that was revoked in this very moment must not come back to life.
    signs = sa.update(SigningKey).where(SigningKey.kid == following, SigningKey.state == "next").values(state="active", active_at=now)
    if following is None or changed(signs) == 0:
        following = left[0]["kid"]
        _add(left.pop(0), "active")
    if left:
        _add(left[0], "next")
    events.record("key.activated", details={"kid": following, "algorithm": algorithm, "before": active})
    return True


# ---------------------------------------------------------------- the keys in memory


class _Ring(NamedTuple):
    """All keys as they were at the last look. Never changed: a new look makes a new ring."""

    version: frozenset[tuple[str, str]]
    pairs: dict[str, Pair]
    states: dict[str, str]
    signers: dict[str, Pair]
    sealed: dict[str, str]
    openers: dict[str, tuple[str, str]]  # kid -> algorithm, and the private half, sealed; the newest first
    jwks: bytes


class _Store:
    """The ring of one database, and when it was last looked at."""

    def __init__(self) -> None:
        self.ring: _Ring | None = None
        self.looked = -math.inf
        self.lock = threading.Lock()

    def look(self, source: sa.Engine, after: float) -> _Ring | None:
        """The ring, read anew `after` seconds after the last look, or what there is when that takes long: /jwks never hangs."""
        if not self.lock.acquire(blocking=self.ring is None):
            return self.ring
        if self.ring is None:
            self._look(source)
        elif time.monotonic() - self.looked < after:  # somebody has just looked
            self.lock.release()
        else:
            looking = threading.Thread(target=self._look, args=(source,), daemon=True)
            looking.start()
            looking.join(LOOK_AT_MOST)
        return self.ring

    def _look(self, source: sa.Engine) -> None:
        try:
            self.ring = self._read(source)
        except sa.exc.SQLAlchemyError as e:
            if self.ring is None:
                raise
            _log.warning("the signing keys cannot be looked at, going on with those in memory: %s", type(e).__name__)
        finally:
            self.looked = time.monotonic()
            self.lock.release()

    def _read(self, source: sa.Engine) -> _Ring:
        keys, old = table(SigningKey).c, self.ring
        in_use = keys.state != "revoked"
        with source.connect() as connection:
            version = frozenset((row.kid, row.state) for row in connection.execute(sa.select(keys.kid, keys.state).where(in_use)))
            if old is not None and old.version == version:
                return old
            every = connection.execute(sa.select(table(SigningKey)).where(in_use).order_by(keys.created_at, keys.kid)).all()
        rows = [row for row in every if row.algorithm not in ENCRYPTION]
        openers = [row for row in reversed(every) if row.algorithm in ENCRYPTION]
        known = old.pairs if old else {}
        pairs = {row.kid: known.get(row.kid) or Pair(row.kid, row.algorithm, row.public_jwk) for row in rows}
        published = [row.public_jwk for row in rows if row.state in PUBLISHED]
        published += [row.public_jwk for row in openers if row.state == "active"]
        public = [_shown(jwk) for jwk in published]
        signers = {row.algorithm: pairs[row.kid] for row in rows if row.state == "active"}
        return _Ring(
            frozenset((row.kid, row.state) for row in every),
            pairs,
            {row.kid: row.state for row in rows},
            signers | {older: signers[name] for older, name in jws.OLDER_NAMES.items() if name in signers},
            {row.kid: row.private_sealed for row in rows if row.state == "active"},
            {row.kid: (row.algorithm, row.private_sealed) for row in openers},
            json.dumps({"keys": public}, separators=(",", ":")).encode(),
        )


def _shown(jwk: dict[str, str]) -> dict[str, str]:
    """A key as /jwks shows it. One that goes by two names says neither (`alg` is optional, RFC 7517 §4.4): libraries that look for the one
    pass over a key that bears the other (npm's jose and openid-client, joserfc).
    """
    without = ("alg",) if jwk.get("alg") in jws.OLDER_NAMES.values() else ()
    return {name: jwk[name] for name in jws.PUBLIC_MEMBERS if name in jwk and name not in without}


_stores: weakref.WeakKeyDictionary[sa.Engine, _Store] = weakref.WeakKeyDictionary()


def _ring(after: float = LOOK_AGAIN) -> _Ring:
    source = reading_engine()
    store = _stores.get(source)
    if store is None:
        store = _stores.setdefault(source, _Store())
    ring = store.ring
    if ring is None or time.monotonic() - store.looked >= after:
        ring = store.look(source, after)
    return cast("_Ring", ring)


def _changed_here() -> None:
    store = _stores.get(reading_engine())
    if store is not None:
        store.looked = -math.inf


# ---------------------------------------------------------------- tokens


def jwks() -> bytes:
    """The body of /jwks (RFC 7517 §5), public members only; the same bytes until a key changes."""
    return _ring().jwks


def sign(claims: Claims, *, typ: str, algorithm: str) -> str:
    """A compact JWS over `claims`, as they are, with the active key of `algorithm`, by either of its names. `typ`: `JWT`, `at+jwt` …

    Raises NoSigningKey when there is none. An RSA signature takes 250 µs: not within a transaction.
    """
    ring = _ring()
    pair = ring.signers.get(algorithm)
    if pair is None:
        raise NoSigningKey(f"There is no active {algorithm} key. Run `idp init` (or `idp keys rotate`).")
    if pair.private is None:
        pair.unlock(crypto.unseal(PURPOSE, ring.sealed[pair.kid]))
    return pair.token(claims, typ, algorithm)


def private_keys(algorithm: str, kid: str | None) -> list[tuple[str, str]]:
    """What may open what was encrypted to the key `kid`, or to any key of `algorithm`: kid and private half, sealed; the newest first."""
    ring = _ring()
    if kid is not None and kid not in ring.openers:  # perhaps another process has just made it
        ring = _ring(LOOK_AGAIN_UNKNOWN)
    return [(each, sealed) for each, (of, sealed) in ring.openers.items() if of == algorithm and kid in {None, each}]


def verify(token: str, *, typ: str, audience: str | Collection[str] | None = None) -> Claims | None:
    """The claims of a token that we signed, or None: for whatever reason, so that no answer tells which.

    `typ` must be the token's, exactly; `audience`: the one (or one of those) that `aud` must be, None: any. All of `iss`, `aud`, `exp` and
    `iat` must be there, of the right type; a list is no audience and `true` is no time.
    """
    claims = _opened(token, typ, PUBLISHED)
    if claims is None or not _is_ours(claims, audience):
        return None
    exp = claims.get("exp")
    return claims if type(exp) is int and exp > clock.timestamp() else None


def verify_hint(token: str, *, audience: str | Collection[str] | None = None) -> Claims | None:
    """The claims of an ID token of ours that came as `id_token_hint`: it may have expired (OpenID Connect RP-Initiated Logout §2).

    It says whom the asker means, and proves nobody.
    """
    claims = _opened(token, "JWT", (*PUBLISHED, "retired"))
    return claims if claims is not None and is_hint(claims, audience) else None


def is_hint(claims: Claims, audience: str | Collection[str] | None) -> bool:
    """Whether what we signed, with a key or a client's secret, is an ID token."""
    return _is_ours(claims, audience) and type(claims.get("exp")) is int


def _opened(token: str, typ: str, states: tuple[str, ...]) -> Claims | None:
    parts = jws.take_apart(token)
    if parts is None or parts.header.typ != typ:
        return None
    kid, ring = parts.header.kid, _ring()
    if kid not in ring.pairs:  # perhaps another process has just made it
        ring = _ring(LOOK_AGAIN_UNKNOWN)
    if ring.states.get(kid) not in states:
        return None
    return jws.open_with(ring.pairs[kid], parts)


def _is_ours(claims: Claims, audience: str | Collection[str] | None) -> bool:
    now = clock.timestamp()
    aud, iat, nbf = claims.get("aud"), claims.get("iat"), claims.get("nbf", 0)
    if claims.get("iss") != settings().server.issuer or type(aud) is not str or not aud:
        return False
    if type(claims.get("sub", "")) is not str or type(iat) is not int or type(nbf) is not int or max(iat, nbf) > now + SKEW:
        return False
    if audience is None:
        return True
    return aud == audience if isinstance(audience, str) else aud in audience
