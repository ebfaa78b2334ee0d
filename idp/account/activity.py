"""Activity: what happened to the person's ID, day by day, in plain words. What has no words here is nobody's business but the operator's.

The page after this one is named by a cursor that only we can have made, for this person (case 121): anything else shows the first page.
"""

from __future__ import annotations

import re
from typing import Any

from idp import clock, crypto, events, languages
from idp.account import entry, shell
from idp.account.activity_words import KINDS, NOBODY, SAID, SOME_APP, SOME_BROWSER, SOME_COMPANY
from idp.account.entry import Me
from idp.delegation import clients
from idp.directory import companies
from idp.events import Event
from idp.web.http import Answer, Request
from idp.web.pages import language_of

PAGE = 30
CURSOR = re.compile(r"(evt_[0-9a-z]{26})\.([A-Za-z0-9_-]{43})")
PURPOSE = "activity page"


def show(request: Request) -> Answer:
    """`GET /account/activity`, of one kind or of all."""
    me = entry.enter(request)
    language, kind = language_of(request), request.query.get("kind")
    kind = kind if kind in KINDS else ""
    before = _opened(me, request.query.get("before"))
    names = [name for name, said in SAID.items() if kind in {"", said.kind}]
    found = events.search(user_id=me.id, names=names, before=before, limit=PAGE + 1)
    rows = [_row(event, me, language) for event in found[:PAGE]]
    return shell.page(
        me,
        "account/activity.html",
        section="activity",
        days=_by_day(rows, language),
        kinds=[{"name": name, "title": title, "current": name == kind} for name, title in KINDS.items()],
        kind=kind,
        newer=before is not None,
        older=_cursor(me, found[PAGE - 1].id) if len(found) > PAGE else "",
    )


def show_advice(request: Request) -> Answer:
    """`GET /account/not_me`: what to do when somebody else was here, the quickest thing first."""
    me = entry.enter(request)
    return shell.page(me, "account/not_me.html", section="activity")


def _cursor(me: Me, event_id: str) -> str:
    return f"{event_id}.{crypto.derive_text(PURPOSE, me.id, event_id)}"


def _opened(me: Me, given: str) -> str | None:
    match = CURSOR.fullmatch(given)
    return match[1] if match and crypto.is_derived(match[2], PURPOSE, me.id, match[1]) else None


def _row(event: Event, me: Me, language: str) -> dict[str, Any]:
    said, personal, mine = SAID[event.name], event.personal or {}, event.actor_id in {None, me.id}
    looks_bad = said.is_bad or event.outcome != "ok"
    return {
        "at": event.at,
        "text": words(event, language),
        "is_bad": looks_bad,
        "browser": personal.get("browser") if mine else None,
        "place": personal.get("ip") if mine else None,
        "by": None if mine else languages.gettext(language, NOBODY),
        # Whoever is looking knows that this browser is theirs.
        "may_be_another": said.may_be_another and event.session_id != me.session.id,
    }


def words(event: Event, language: str) -> str:
    """What an event says to the person whom it befell."""

    def say(text: str, **params: object) -> str:
        return languages.gettext(language, text, **params)

    said, personal = SAID[event.name], event.personal or {}
    text = next((said.by[word] for name in ("proof", "reason") if (word := str(event.details.get(name))) in said.by), said.text)
    client = clients.find(event.client_id) if event.client_id else None
    company = companies.find(event.company_id) if event.company_id else None
    return say(
        text,
        app=client.title(language) if client else say(SOME_APP),
        company=company.short_name if company else say(SOME_COMPANY),
        browser=personal.get("signed_out") or say(SOME_BROWSER),
    )


def _by_day(rows: list[dict[str, Any]], language: str) -> list[dict[str, Any]]:
    days: list[dict[str, Any]] = []
    today = languages.format_date(language, clock.now())
    for row in rows:
        day = languages.format_date(language, row["at"])
        if not days or days[-1]["day"] != day:
            days.append({"day": day, "today": day == today, "rows": []})
        days[-1]["rows"].append(row)
    return days
