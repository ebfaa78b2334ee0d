"""The browser that is known: one rotating cookie, and the people who trust the browser that holds it (`product.md` §3).

The cookie is `<browser id>.<counter>.<HMAC over both>`; each use raises the counter by one conditional UPDATE. The value before is honoured
for a minute from the same browser (two tabs, a lost answer) and gets the present one as its answer. Any older one was copied: whoever
is second notices, and the browser is out. A device helps only the person it belongs to (case 75), and never proves more than it remembers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import sqlalchemy as sa
from ua_parser import parse

from idp import clock, crypto, events
from idp.config import settings
from idp.credentials.tables import Browser, Device
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, delete_some, insert_or_ignore, session
from idp.directory import sign_in_rules
from idp.directory.tables import User

_browsers, _devices, _users = table(Browser), table(Device), table(User)
_COOKIE = re.compile(r"(brw_[0-9a-z]{26})\.(0|[1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})")
PURPOSE = "browser cookie"
_SYSTEMS = {"Mac OS X": "macOS"}
KEPT = timedelta(days=30)


_NOW = sa.bindparam("now", type_=_browsers.c.expires_at.type)
_BROWSER = Ready(sa.select(_browsers).where(_browsers.c.id == sa.bindparam("of_browser")))
_BROWSER_LOCKED = Ready(sa.select(_browsers.c.id).where(_browsers.c.id == sa.bindparam("of_browser")).with_for_update(key_share=True))
_ROTATE = Ready(
    sa.update(_browsers).where(
        _browsers.c.id == sa.bindparam("of_browser"),
        _browsers.c.counter == sa.bindparam("from_counter"),
        _browsers.c.ended_at.is_(None),
        _browsers.c.expires_at > _NOW,
    )
)
_USE = Ready(
    sa.update(_devices).where(
        _devices.c.id == sa.bindparam("device_id"),
        _devices.c.browser_id == sa.bindparam("of_browser"),
        _devices.c.removed_at.is_(None),
        _devices.c.expires_at > _NOW,
    )
)
_PROVE = Ready(
    sa.update(_devices).where(
        _devices.c.browser_id == sa.bindparam("of_browser"), _devices.c.user_id == sa.bindparam("of_user"), _devices.c.removed_at.is_(None)
    )
)
_PEOPLE = Ready(
    sa.select(
        *(_devices.c.id, _devices.c.user_id, _devices.c.auth_time, _devices.c.amr, _devices.c.last_used_at, _devices.c.password_at),
        *(_users.c.name, _users.c.phone, _users.c.rights_raised_at),
        sign_in_rules.browser_lifetime_of(_devices.c.user_id).label("browser_lifetime"),
        sign_in_rules.is_administrator(_devices.c.user_id).label("is_administrator"),
    )
    .join(_users, _users.c.id == _devices.c.user_id)
    .where(
        _devices.c.browser_id == sa.bindparam("of_browser"),
        _devices.c.removed_at.is_(None),
        _devices.c.expires_at > _NOW,
        _users.c.status == "active",
    )
    .order_by(_devices.c.last_used_at.desc(), _devices.c.id)
)


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """Somebody who trusts this browser, and the last real proof they gave in it.

    The last four are what `login/policy` looks at before it takes the browser's word.
    """

    device_id: str
    user_id: str
    name: str
    phone: str | None
    auth_time: datetime
    amr: tuple[str, ...]
    last_used_at: datetime
    rights_raised_at: datetime | None = None
    browser_lifetime: int | None = None
    is_administrator: bool = False
    password_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a cookie says. `stolen`: an old value came back; the caller ends the browser and its sessions (`report_theft`).

    `last_ip` and `language`: where the browser was the last time, and what it spoke.
    """

    verdict: Literal["unknown", "present", "former", "stolen"] = "unknown"
    browser_id: str | None = None
    counter: int = 0
    people: tuple[KnownPerson, ...] = ()
    last_ip: str = ""
    language: str | None = None

    def person(self, device_id: str) -> KnownPerson | None:
        """The person of this device, if it belongs to this browser."""
        return next((person for person in self.people if person.device_id == device_id), None)


def recognise(cookie: str, user_agent: str) -> Recognition:
    """Who is known in the browser with this cookie. Only reads. What we did not make, or what has run out, is nobody's and no event."""
    match = _COOKIE.fullmatch(cookie)
    if match is None or not crypto.is_derived(match[3], PURPOSE, match[1], int(match[2])):
        return Recognition()
    row = session.execute(_BROWSER, {"of_browser": match[1]}).one_or_none()
    now, counter = clock.now(), int(match[2])
    # Ahead of the row: the database was restored from a backup. That is our loss, not a theft.
    if row is None or row.ended_at or row.expires_at <= now or counter > row.counter:
        return Recognition()
    verdict = _verdict(row, counter, user_agent, now)
    if verdict == "stolen":
        return Recognition("stolen", row.id, counter)
    return Recognition(verdict, row.id, counter, _people(row.id, now), row.last_ip, row.language)


def use(recognition: Recognition, device_id: str, *, user_agent: str, ip: str, language: str = "") -> str | None:
    """The person pressed their name: the device lives on, the cookie rotates. Answers the new cookie; None when it is not trusted now."""
    now = clock.now()
    person = recognition.person(device_id)
    # First the browser, then its devices, as everywhere: two tabs never wait for each other.
    session.execute(_BROWSER_LOCKED, {"of_browser": recognition.browser_id})
    of = {"device_id": device_id, "of_browser": recognition.browser_id, "now": now}
    if person is None or not changed(_USE, **of, last_used_at=now, expires_at=_until(now)):
        return None
    return rotate(recognition, user_agent=user_agent, ip=ip, language=language)


def trust(
    recognition: Recognition,
    user_id: str,
    *,
    amr: tuple[str, ...],
    auth_time: datetime,
    user_agent: str,
    ip: str,
    language: str = "",
    password_at: datetime | None = None,
) -> tuple[str, str]:
    """The person has just proved who they are here and wants the browser remembered. Answers its id and its new cookie.

    `password_at`: when a password or a passkey was last given here; None leaves what is known of it.

    NOTE: call it only in the transaction of the finished sign-in (case 79).
    """
    now = clock.now()
    cookie = rotate(recognition, user_agent=user_agent, ip=ip, language=language)
    browser_id = recognition.browser_id
    if browser_id is None or cookie is None:
        browser_id, cookie = _begin(now, user_agent, ip, language)
    proof: dict[str, Any] = {"amr": list(amr), "auth_time": auth_time, "last_used_at": now, "expires_at": _until(now)}
    if password_at is not None:
        proof["password_at"] = password_at
    if browser_id != recognition.browser_id or not changed(_PROVE, of_browser=browser_id, of_user=user_id, **proof):
        device_id = crypto.new_id("dev")
        if insert_or_ignore(Device, id=device_id, browser_id=browser_id, user_id=user_id, trusted_at=now, **proof):
            personal = {"browser": name_of(user_agent), "ip": ip}
            events.record("device.trusted", user_id=user_id, details={"device": device_id, "browser": browser_id}, personal=personal)
    return browser_id, cookie


def rotate(recognition: Recognition, *, user_agent: str, ip: str, language: str = "") -> str | None:
    """The cookie that the browser gets for this use; None when it is not known, or what it holds turned out to be stolen."""
    if recognition.browser_id is None or recognition.verdict == "stolen":
        return None
    now = clock.now()
    of = {"of_browser": recognition.browser_id, "from_counter": recognition.counter, "now": now}
    after = {"counter": recognition.counter + 1, "rotated_at": now, "rotated_by": _whose(user_agent), "last_ip": ip}
    after["language"] = language or recognition.language
    if changed(_ROTATE, **of, **after, expires_at=_until(now)):
        return _cookie(recognition.browser_id, recognition.counter + 1)
    # Another tab was first. Within the minute it gets what that one got; the value is derived, so it is the same.
    row = session.execute(_BROWSER, {"of_browser": recognition.browser_id}).one()
    if row.ended_at or _verdict(row, recognition.counter, user_agent, now) == "stolen":
        return None
    return _cookie(row.id, row.counter)


def report_theft(browser_id: str) -> bool:
    """An old value came back: the browser is out, for everybody who trusted it, and each of them is told (by the event). Once."""
    return end(browser_id, "stolen", event="browser.stolen")


def end(browser_id: str, reason: str, *, event: str = "browser.ended") -> bool:
    """Nobody is known in this browser any more. Answers whether it was so until now."""
    now = clock.now()
    row = session.execute(
        sa.update(_browsers)
        .where(_browsers.c.id == browser_id, _browsers.c.ended_at.is_(None))
        .values(ended_at=now, ended_reason=reason)
        .returning(_browsers.c.name, _browsers.c.last_ip)
    ).one_or_none()
    if row is None:
        return False
    removed = sa.update(_devices).where(_devices.c.browser_id == browser_id, _devices.c.removed_at.is_(None)).values(removed_at=now)
    for user_id in session.scalars(removed.returning(_devices.c.user_id)).all() or [None]:
        personal = {"browser": row.name, "ip": row.last_ip}
        events.record(event, user_id=user_id, details={"browser": browser_id, "reason": reason}, personal=personal)
    return True


def forget(browser_id: str, *, device_id: str | None = None, user_id: str | None = None, reason: str = "forgotten") -> str | None:
    """One person is not known in this browser any more, named by device or by id; answers whose device it was, None when there was none."""
    which = _devices.c.id == device_id if device_id else _devices.c.user_id == user_id
    return next(iter(_remove(which & (_devices.c.browser_id == browser_id), reason)), None)


def forget_all(user_id: str, reason: str, *, proved_before: datetime | None = None, but_browser: str | None = None) -> int:
    """The person is known in no browser any more; with `proved_before`, in none that vouches for an older proof; `but_browser`: but in this
    one. Answers how many it were.

    The one place for whatever makes a browser's word worthless (case 76): signed out everywhere, number or password changed, access
    restored, rights raised.
    """
    older = _devices.c.auth_time < proved_before if proved_before is not None else sa.true()
    return len(_remove((_devices.c.user_id == user_id) & (_devices.c.browser_id != (but_browser or "")) & older, reason))


def renew(recognition: Recognition, user_id: str, *, user_agent: str, ip: str, language: str = "") -> tuple[str, str] | None:
    """The browser goes on under another id, with everybody whom it knows: a copy of its former cookie is worth nothing from now on, not
    even for the minute in which the value before is honoured. Answers the new id and cookie; None: it does not know this person now.
    """
    if recognition.browser_id is None or all(person.user_id != user_id for person in recognition.people):
        return None
    session.execute(_BROWSER_LOCKED, {"of_browser": recognition.browser_id})
    now, row = clock.now(), session.execute(_BROWSER, {"of_browser": recognition.browser_id}).one()
    live = (_devices.c.browser_id == row.id) & _devices.c.removed_at.is_(None)
    theirs = sa.select(_devices.c.id).where(live, _devices.c.user_id == user_id, _devices.c.expires_at > now)
    if row.ended_at or session.execute(theirs).first() is None:  # forgotten in another tab a moment ago
        return None
    browser_id, cookie = _begin(now, user_agent, ip, language or row.language or "")
    changed(sa.update(_devices).where(live).values(browser_id=browser_id))
    changed(sa.update(_browsers).where(_browsers.c.id == row.id).values(ended_at=now, ended_reason="renewed"))
    return browser_id, cookie


def hold_all(user_id: str) -> None:
    """Until the commit nobody else uses or ends a browser's trust in this person (the order: `db/session`)."""
    theirs = sa.select(_devices.c.id).where(_devices.c.user_id == user_id, _devices.c.removed_at.is_(None))
    session.execute(theirs.order_by(_devices.c.id).with_for_update())


def of_person(user_id: str) -> list[sa.Row[Any]]:
    """The browsers that know the person, the last used first: `device_id browser_id name last_ip trusted_at last_used_at expires_at`."""
    now = clock.now()
    theirs = (
        sa.select(
            _devices.c.id.label("device_id"),
            _devices.c.browser_id,
            _browsers.c.name,
            _browsers.c.last_ip,
            _devices.c.trusted_at,
            _devices.c.last_used_at,
            _devices.c.expires_at,
        )
        .join(_browsers, _browsers.c.id == _devices.c.browser_id)
        .where(_devices.c.user_id == user_id, _devices.c.removed_at.is_(None), _devices.c.expires_at > now)
        .where(_browsers.c.ended_at.is_(None), _browsers.c.expires_at > now)
        .order_by(_devices.c.last_used_at.desc(), _devices.c.id)
    )
    return list(session.execute(theirs))


@lru_cache(maxsize=256)
def name_of(user_agent: str) -> str:
    """What people call the browser: `Chrome, Windows`; empty when it does not say."""
    if not user_agent:
        return ""
    found = parse(user_agent)
    system = found.os.family if found.os else ""
    parts = [found.user_agent.family if found.user_agent else "", _SYSTEMS.get(system, system)]
    return ", ".join(part for part in parts if part)[:80]


def sweep(now: datetime) -> int:
    """Delete devices and browsers that have been out of use for a month; a browser stays while a session tells of it."""
    long_ago = now - KEPT
    gone = delete_some(Device, (_devices.c.removed_at < long_ago) | (_devices.c.expires_at < long_ago))
    named = sa.table("sessions", sa.column("browser_id"))
    told = sa.exists().where(named.c.browser_id == _browsers.c.id)
    trusted = sa.exists().where(_devices.c.browser_id == _browsers.c.id)
    over = (_browsers.c.ended_at < long_ago) | (_browsers.c.expires_at < long_ago)
    return gone + delete_some(Browser, over, ~told, ~trusted)


def _cookie(browser_id: str, counter: int) -> str:
    return f"{browser_id}.{counter}.{crypto.derive_text(PURPOSE, browser_id, counter)}"


def _whose(user_agent: str) -> str:
    return crypto.digest(user_agent)


def _until(now: datetime) -> datetime:
    return now + timedelta(seconds=settings().login.remember_browser)


def _verdict(row: sa.Row[tuple[object, ...]], counter: int, user_agent: str, now: datetime) -> Literal["present", "former", "stolen"]:
    if counter == row.counter:
        return "present"
    in_time = now <= row.rotated_at + timedelta(seconds=settings().login.browser_grace)
    return "former" if counter == row.counter - 1 and in_time and row.rotated_by == _whose(user_agent) else "stolen"


def _people(browser_id: str, now: datetime) -> tuple[KnownPerson, ...]:
    rows = session.execute(_PEOPLE, {"of_browser": browser_id, "now": now}).all()
    return tuple(
        KnownPerson(
            *(row.id, row.user_id, row.name or "", row.phone, row.auth_time, tuple(row.amr), row.last_used_at),
            *(row.rights_raised_at, row.browser_lifetime, row.is_administrator, row.password_at),
        )
        for row in rows
    )


def _begin(now: datetime, user_agent: str, ip: str, language: str) -> tuple[str, str]:
    browser_id = crypto.new_id("brw", ordered=False)
    values = {"id": browser_id, "counter": 1, "rotated_at": now, "rotated_by": _whose(user_agent), "name": name_of(user_agent)}
    insert_or_ignore(Browser, **values, first_ip=ip, last_ip=ip, language=language or None, created_at=now, expires_at=_until(now))
    return browser_id, _cookie(browser_id, 1)


def _remove(which: sa.ColumnElement[bool], reason: str) -> list[str]:
    removed = sa.update(_devices).where(which, _devices.c.removed_at.is_(None)).values(removed_at=clock.now())
    rows = session.execute(removed.returning(_devices.c.id, _devices.c.user_id, _devices.c.browser_id)).all()
    for row in rows:
        events.record("device.removed", user_id=row.user_id, details={"device": row.id, "browser": row.browser_id, "reason": reason})
    return [row.user_id for row in rows]
