"""Devices that wait for a person at another screen (RFC 8628): asked for, answered once, redeemed once.

The device keeps the long code, by which it asks for its tokens; the person reads the short one and types it where they are signed in. Of
the long one the digest is stored, of the short one an HMAC: eight letters could be tried out on a copy of the database.

    waiting -> allowed -> used
            -> denied

Each arrow is one conditional UPDATE whose row count decides. Whoever asks too soon has to leave five seconds more (§3.5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.config import settings
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.delegation import requests, tokens
from idp.delegation.requests import Asked, Device
from idp.delegation.tables import DeviceAuthorization
from idp.errors import N_, BadInput, OAuthRefusal

_T = table(DeviceAuthorization)
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"  # §6.1: no vowels, so no words; no digits; nothing that reads like something else
LENGTH = 8  # 20^8: one guess in 25 billion
USER_CODE = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
# Letters of a Russian keyboard that look the same: whoever forgot to switch typed what the device shows.
LOOKALIKES = str.maketrans("ВСНКМРТХ", "BCHKMPTX")
SLOWER = 5  # seconds more after each question that came too soon (§3.5)
TRIES = 5  # to find a short code that nobody waits with; the second one is hardly ever needed
WAITING, ALLOWED, DENIED, USED = "waiting", "allowed", "denied", "used"
PURPOSE = "user code"
DENIED_EVENT, REFUSED_EVENT = "device_authorization.denied", "device_authorization.refused"
LONGEST_TYPED = 60


@dataclass(frozen=True, slots=True)
class Begun:
    """What the device is told. `pause`: seconds between two of its questions."""

    device_code: str
    user_code: str
    lifetime: int
    pause: int


def begin(asked: Asked, *, network: str, device_name: str) -> Begun:
    """Keep what a device asks for until a person has answered. For them: from which `network`, and what it calls itself."""
    now, oidc = clock.now(), settings().oidc
    device_code = crypto.new_secret()
    for _ in range(TRIES):
        user_code = crypto.random_text(LENGTH, ALPHABET)
        device: Device = {
            "digest": crypto.digest(device_code),
            "user_code": written(user_code),
            "network": network,
            "name": device_name,
            "asked_at": now.isoformat(),
        }
        kept = insert_or_ignore(
            DeviceAuthorization,
            digest=device["digest"],
            user_code_digest=_digest(user_code),
            client_id=asked.client_id,
            sealed=requests.write(replace(asked, device=device)),
            state=WAITING,
            pause=oidc.device_pause,
            created_at=now,
            expires_at=now + timedelta(seconds=oidc.device_code_lifetime),
        )
        if kept:
            return Begun(device_code, device["user_code"], oidc.device_code_lifetime, oidc.device_pause)
    raise RuntimeError("no user code is free")


def read_user_code(typed: str) -> str:
    """The code as it is compared: letter case, spaces and hyphens do not matter (§6.1). Raises BadInput for what cannot be one."""
    code = "".join(c for c in typed[:LONGEST_TYPED].upper().translate(LOOKALIKES) if c.isalnum())
    if not USER_CODE.fullmatch(code):
        raise BadInput(N_("The code has eight letters, as in BCDF-GHJK. Type it as the device shows it."))
    return code


def written(user_code: str) -> str:
    """A code as people read it."""
    return f"{user_code[: LENGTH // 2]}-{user_code[LENGTH // 2 :]}"


def find(user_code: str) -> Asked | None:
    """What the device asked for that waits with this code (as `read_user_code` gives it); None: none does."""
    row = session.execute(sa.select(_T).where(_T.c.user_code_digest == _digest(user_code))).first()
    return requests.read(row.sealed) if row is not None and row.state == WAITING and row.expires_at > clock.now() else None


def is_waiting(device: Device) -> bool:
    """Whether the device still waits for an answer."""
    waits = (_T.c.digest == device["digest"], _T.c.state == WAITING, _T.c.expires_at > clock.now())
    return session.execute(sa.select(_T.c.digest).where(*waits)).first() is not None


def allow(
    device: Device,
    asked: Asked,
    *,
    user_id: str,
    session_id: str,
    account_id: str | None,
    company_id: str | None,
    auth_time: datetime,
    amr: tuple[str, ...],
    acr: str,
) -> bool:
    """The person allowed it; False when the device does not wait any more, or had its answer before."""
    issued = {
        "user_id": user_id,
        "session_id": session_id,
        "account_id": account_id,
        "company_id": company_id,
        "scopes": list(asked.scopes),
        "auth_time": auth_time.isoformat(),
        "amr": list(amr),
        "acr": acr,
        "claims": asked.claims,
        "resources": list(asked.resources) or None,
    }
    return changed(_answer(device).values(state=ALLOWED, issued=issued)) == 1


def deny(device: Device, client_id: str, *, user_id: str | None = None) -> bool:
    """The person refused, or may not; False as above."""
    if changed(_answer(device).values(state=DENIED)) != 1:
        return False
    events.record(DENIED_EVENT, outcome="refused", user_id=user_id, client_id=client_id)
    return True


def _answer(device: Device) -> sa.Update:
    return sa.update(_T).where(_T.c.digest == device["digest"], _T.c.state == WAITING, _T.c.expires_at > clock.now())


_NOW = sa.bindparam("b_now", type_=_T.c.expires_at.type)
_REDEEM = Ready(
    sa.update(_T)
    .where(
        _T.c.digest == sa.bindparam("b_digest"),
        _T.c.client_id == sa.bindparam("b_client"),
        _T.c.state == ALLOWED,
        _T.c.expires_at > _NOW,
    )
    .values(state=USED, family_id=sa.bindparam("b_family"))
    .returning(_T)
)
_FIND = Ready(sa.select(_T).where(_T.c.digest == sa.bindparam("b_digest")))
_POLL = Ready(
    sa.update(_T)
    .where(
        _T.c.digest == sa.bindparam("b_digest"),
        _T.c.state == WAITING,
        _T.c.pause == sa.bindparam("b_pause"),
        sa.or_(_T.c.polled_at.is_(None), _T.c.polled_at <= sa.bindparam("b_before", type_=_T.c.polled_at.type)),
    )
    .values(polled_at=_NOW)
)
_TOO_SOON = Ready(
    sa.update(_T)
    .where(_T.c.digest == sa.bindparam("b_digest"), _T.c.state == WAITING)
    .values(polled_at=_NOW, pause=_T.c.pause + SLOWER)
    .returning(_T.c.pause)
)


def redeem(device_code: str, *, client_id: str, refreshable: bool) -> tokens.Family:
    """Spend a code that was allowed; answers the token family that it begins.

    Only its own client spends it: that stands in the UPDATE's WHERE, so another client's try leaves it untouched. Raises OAuthRefusal with
    one of the errors of §3.5: `authorization_pending`, `slow_down`, `access_denied`, `expired_token`; `invalid_grant` for what is not this
    client's to redeem. NOTE: a second use revokes nothing, unlike that of an authorization code: a device asks again whenever an answer is
    lost on the way, and nobody but itself was ever told this code.
    """
    digest, now, family_id = crypto.digest(device_code), clock.now(), crypto.new_id("fam")
    row = session.execute(_REDEEM, {"b_digest": digest, "b_client": client_id, "b_now": now, "b_family": family_id}).first()
    if row is None:
        raise _not_yet(digest, client_id, now)
    issued: dict[str, Any] = row.issued | {"client_id": client_id, "auth_time": datetime.fromisoformat(row.issued["auth_time"])}
    return tokens.begin(family_id, issued, refreshable=refreshable)


def _not_yet(digest: str, client_id: str, now: datetime) -> OAuthRefusal:
    row = session.execute(_FIND, {"b_digest": digest}).first()
    if row is None:
        return OAuthRefusal("invalid_grant", "This device_code is not known. Begin again at the device authorization endpoint.")
    if row.client_id != client_id:
        events.record(REFUSED_EVENT, outcome="refused", client_id=client_id, details={"why": "another client"})
        return OAuthRefusal("invalid_grant", "This device_code was given to another client.")
    if row.state == USED:
        return OAuthRefusal("invalid_grant", "This device_code was used before. A code is used once.")
    if row.state == DENIED:
        return OAuthRefusal("access_denied", "The person refused.")
    if row.expires_at <= now:
        return OAuthRefusal("expired_token", "Nobody answered in time. Begin again at the device authorization endpoint.")
    pending = OAuthRefusal("authorization_pending", f"The person has not answered yet. Ask again in {row.pause} seconds.")
    before = now - timedelta(seconds=row.pause)
    if row.state == ALLOWED or changed(_POLL, b_digest=digest, b_pause=row.pause, b_before=before, b_now=now) == 1:
        return pending
    slower = session.execute(_TOO_SOON, {"b_digest": digest, "b_now": now}).first()
    if slower is None:  # answered in this very moment
        return pending
    return OAuthRefusal("slow_down", f"That was too soon. From now on leave {slower.pause} seconds between two questions.")


def end(user_id: str, client_id: str, *, before: datetime | None = None) -> int:
    """What the person allowed and no device has fetched yet is void; `before`: what was asked for until then. Answers how many."""
    theirs = (_T.c.client_id == client_id, _T.c.state == ALLOWED, _T.c.issued["user_id"].as_string() == user_id)
    older = _T.c.created_at < before if before is not None else sa.true()
    return changed(sa.update(_T).where(*theirs, older).values(state=DENIED))


def sweep(now: datetime) -> int:
    """Delete what has been over for a day (until then a device is told what became of it); answers how many."""
    return delete_some(DeviceAuthorization, _T.c.expires_at < now - timedelta(days=1))


def _digest(user_code: str) -> str:
    return crypto.derive(PURPOSE, user_code).hex()
