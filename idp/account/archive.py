"""The copy of a person's data: one ZIP with `data.json` for programs and `index.html` for its owner to read, in their language.

PARTS says what stands in it. Every column is named, so nothing new slips in: no password, no key, no secret of any kind, not even a digest;
of other people and of operators nothing. Each part is bounded, and says how much was left out.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from idp import clock, languages
from idp.account import archive_parts as of
from idp.errors import N_
from idp.web.languages import texts
from idp.web.pages import STATIC, environment

MOST = 10_000  # rows of one part: some megabytes of text at the most
Rows = list[dict[str, Any]]


class Part(NamedTuple):
    """One chapter. `columns`: what the page shows of a row, name and title; `data.json` has all of it."""

    name: str
    title: str
    columns: dict[str, str]
    rows: Callable[[str, str], Rows]


WHEN, WHAT, BROWSER, ADDRESS, APP = N_("When"), N_("What"), N_("Browser"), N_("Address"), N_("App")
UNTIL, SINCE, COMPANY, ROLE, NAME, LAST_USED = N_("Until"), N_("Since"), N_("Company"), N_("Role"), N_("Name"), N_("Last used")

PARTS: tuple[Part, ...] = (
    Part("profile", N_("Profile"), {"what": WHAT, "value": N_("Value")}, of.profile),
    Part("contacts", N_("Phone and e-mail"), {"what": WHAT, "value": N_("Value"), "verified_at": N_("Confirmed")}, of.contacts),
    Part("accounts", N_("Accounts and companies"), {"kind": WHAT, "company": COMPANY, "role": ROLE, "since": SINCE}, of.accounts),
    Part("family", N_("Family"), {"what": WHAT, "since": SINCE, "until": UNTIL}, of.family),
    Part("sign_in", N_("Ways to sign in"), {"what": WHAT, "name": NAME, "since": SINCE, "last_used_at": LAST_USED}, of.ways_to_sign_in),
    Part("browsers", N_("Remembered browsers"), {"browser": BROWSER, "address": ADDRESS, "since": SINCE, "until": UNTIL}, of.browsers),
    Part("sessions", N_("Sign-ins in browsers"), {"browser": BROWSER, "address": ADDRESS, "since": SINCE, "ended_at": UNTIL}, of.sessions),
    Part("consents", N_("What apps were allowed"), {"app": APP, "scopes": WHAT, "since": SINCE, "withdrawn_at": UNTIL}, of.consents),
    Part("apps", N_("Where you entered"), {"app": APP, "since": SINCE, "last_used_at": LAST_USED}, of.apps),
    Part("messages", N_("Messages we sent you"), {"at": WHEN, "what": WHAT, "to": ADDRESS, "state": N_("State")}, of.messages),
    Part("activity", N_("Activity"), {"at": WHEN, "text": WHAT, "browser": BROWSER, "address": ADDRESS}, of.activity),
)


class Found(NamedTuple):
    """What was read for one part, and how many rows more there are (at least)."""

    part: Part
    rows: Rows
    left_out: int


def titles() -> list[str]:
    """What the archive holds, for the page that offers it."""
    return [part.title for part in PARTS]


def collect(user_id: str, language: str) -> list[Found]:
    """Read it all, in one reading unit."""
    found = []
    for part in PARTS:
        rows = part.rows(user_id, language)
        found.append(Found(part, rows[:MOST], max(0, len(rows) - MOST)))
    return found


def pack(found: list[Found], language: str, picture: bytes | None = None) -> bytes:
    """The archive; `picture`: the person's own. Needs no database."""
    body, now = io.BytesIO(), clock.now()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("data.json", as_json(found, now))
        packed.writestr("index.html", as_page(found, now, language))
        packed.writestr("look.css", (STATIC / "look.css").read_bytes())
        if picture is not None:
            packed.writestr("picture.jpg", picture)
    return body.getvalue()


def as_json(found: list[Found], now: datetime) -> str:
    """For programs: each part by its name, instants in ISO 8601."""
    whole: dict[str, Any] = {"made_at": now.isoformat()}
    for each in found:
        whole[each.part.name] = each.rows
        if each.left_out:
            whole[f"{each.part.name}_left_out"] = each.left_out
    return json.dumps(whole, ensure_ascii=False, indent=1, default=_plain)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def as_page(found: list[Found], now: datetime, language: str) -> str:
    """For people: one page without a script, that asks nobody for anything."""

    def cell(value: Any) -> str:
        if isinstance(value, datetime):
            return languages.format_datetime(language, value)
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")

    parts = [
        {
            "title": each.part.title,
            "columns": list(each.part.columns.values()),
            "rows": [[cell(row.get(name)) for name in each.part.columns] for row in each.rows],
            "left_out": each.left_out,
        }
        for each in found
    ]
    context = {"lang": language, "parts": parts, "made_at": now, **texts(language), "brand_name": of.brand(language)}
    return environment().get_template("account/archive.html").render(context)
