"""`/authorize/<request>/account`: the chooser, where a person with several accounts says where to go."""

from __future__ import annotations

from typing import Any

from idp import languages
from idp.delegation import account_choices, requests
from idp.directory import accounts
from idp.directory.accounts import REASONS, Standing
from idp.errors import N_, BadInput
from idp.oidc.endpoints.authorization import find, go_on
from idp.oidc.steps import sign_in
from idp.oidc.steps.journey import Journey
from idp.web.http import Answer, Page, Request, see_other
from idp.web.pages import language_of

SEARCHED_FROM = 8  # with so many companies the page has a search field


def show(request: Request, request_id: str) -> Answer:
    """The accounts that may enter, the last choice first; those that may not, with the reason."""
    journey = find(request, request_id)
    if sign_in.check(journey) is not None:
        return go_on(journey)
    person = journey.person()
    there = accounts.candidates(person.user_id, journey.client.account_types)
    base: dict[str, Any] = {
        "parked": True,
        "ui_locales": journey.asked.ui_locales,
        "client_name": journey.client.title(language_of(request, journey.asked.ui_locales)),
        "person_name": person.name,
        "switch_url": f"/authorize/{request_id}/switch",
        "cancel_url": f"/authorize/{request_id}/cancel",
    }
    if not there:
        return Page("oidc/no_account.html", status=403, **base)
    last = account_choices.of_person(person.user_id, journey.client.id)
    there.sort(key=lambda standing: (not standing.may_enter, standing.account_id != last))
    language = language_of(request, journey.asked.ui_locales)
    words = request.query.get("query").strip()[:100]
    companies = [s for s in there if s.kind == "employee"]
    found = [s for s in companies if words.casefold() in f"{s.company_name} {s.company_inn}".casefold()] if words else companies
    return Page(
        "oidc/account.html",
        companies=[row(s, language, recent=s.account_id == last) for s in found],
        shopping=[] if words else [row(s, language, recent=s.account_id == last) for s in there if s.kind != "employee"],
        action=f"/authorize/{request_id}/account",
        query=words,
        searchable=len(companies) >= SEARCHED_FROM,
        **base,
    )


def choose(request: Request, request_id: str) -> Answer:
    """Take the account that was pressed, if it is this person's and may enter now."""
    journey = find(request, request_id)
    if sign_in.check(journey) is not None:
        return go_on(journey)
    person = journey.person()
    chosen = request.form.get("account")
    there = {s.account_id: s for s in accounts.candidates(person.user_id, journey.client.account_types)}
    standing = there.get(chosen)
    if standing is None:
        raise BadInput(N_("Choose one of the accounts on the page."), detail="an account that is not this person's")
    if not standing.may_enter:
        return see_other(f"/authorize/{request_id}/account")
    requests.decide(_parked(journey), user_id=person.user_id, account_id=standing.account_id)
    return see_other(f"/authorize/{request_id}")


def _parked(journey: Journey) -> requests.Parked:
    if journey.parked is None:
        raise RuntimeError("found journeys are parked")
    return journey.parked


def row(standing: Standing, language: str, *, recent: bool = False) -> dict[str, Any]:
    """What the chooser and the consent page show of an account."""

    def say(text: str, **params: object) -> str:
        return languages.gettext(language, text, **params)

    until = languages.format_date(language, standing.blocked_until) if standing.blocked_until else ""
    reason = say(REASONS[standing.reason], until=until) if standing.reason in REASONS else None
    title = standing.title if standing.kind == "employee" else say(standing.title)
    # The owner is an administrator in any case: one word says it.
    titles = standing.role_titles[:1] if standing.is_owner else standing.role_titles
    return {
        "account_id": standing.account_id,
        "title": title,
        "initials": initials(standing.title if standing.kind == "employee" else title),
        "square": standing.kind != "personal",
        "role": ("、" if language == "zh" else ", ").join(say(role) for role in titles) or None,
        "inn": standing.company_inn if standing.kind == "employee" else None,
        "recent": recent,
        "disabled": not standing.may_enter,
        "reason": reason,
    }


def initials(name: str) -> str:
    """Up to two letters that stand for a name; the legal form of a firm and quotes do not count."""
    words = [word.strip("«»\"'()") for word in name.split()]
    words = [word for word in words if word and word.upper() not in {"ООО", "АО", "ПАО", "ИП", "LLC"}]
    return "".join(word[0].upper() for word in words[:2]) or name[:1].upper()
