"""Language and time zone: how these pages, the pages of signing in and our messages speak to the person."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import available_timezones

from babel.core import get_global
from babel.dates import get_timezone_location
from wtforms import StringField

from idp.account import entry, shell
from idp.account.entry import Me
from idp.directory import users
from idp.errors import N_
from idp.languages import LANGUAGES, NAMES
from idp.web.forms import Form
from idp.web.http import Answer, Page, Request, see_other
from idp.web.language import KEPT
from idp.web.pages import language_of

NOT_LISTED = N_("Choose one of the list.")


class LanguageForm(Form):
    """Two choices from lists."""

    locale = StringField()
    zoneinfo = StringField()


@lru_cache(maxsize=len(LANGUAGES))
def zones(language: str) -> list[tuple[str, str]]:
    """The time zones of places that people live in: IANA name, and what the place is called in `language`, in the order of the latter."""
    here = available_timezones()
    named = {
        zone: get_timezone_location(zone, locale=language, return_city=True) for zone in get_global("zone_territories") if zone in here
    }
    return sorted(((zone, f"{city} ({zone})") for zone, city in named.items() if "/" in zone), key=lambda each: each[1])


def show(request: Request) -> Answer:
    """`GET /account/language`."""
    me = entry.enter(request)
    language = language_of(request)
    return _page(me, LanguageForm(request, locale=language, zoneinfo=me.user.zoneinfo or ""), language)


def answer(request: Request) -> Answer:
    """`POST /account/language`, `locale`, `zoneinfo`. This browser follows at once, whatever was pressed in it before."""
    me = entry.enter(request)
    form = LanguageForm(request)
    locale, zone = form.locale.data, form.zoneinfo.data or ""
    if locale not in LANGUAGES:
        form.refuse_with("locale", form.translate(NOT_LISTED))
    if zone and zone not in available_timezones():
        form.refuse_with("zoneinfo", form.translate(NOT_LISTED))
    if form.errors:
        return _page(me, form, language_of(request), status=422)
    wanted = {"locale": locale, "zoneinfo": zone}
    if changes := {name: value for name, value in wanted.items() if value != (getattr(me.user, name) or "")}:
        users.change_profile(me.id, changes, actor_id=me.id)
    answered = see_other("/account/profile?done=language")
    answered.set_cookie("language", f"{locale}.here", KEPT)
    return answered


def _page(me: Me, form: LanguageForm, language: str, *, status: int = 200) -> Page:
    chosen = form.zoneinfo.data or ""
    listed = zones(language)
    if chosen and all(zone != chosen for zone, _ in listed):
        listed = [(chosen, chosen), *listed]
    languages = [(code, NAMES[code]) for code in LANGUAGES]
    return shell.page(me, "account/language.html", section="profile", status=status, form=form, locales=languages, zones=listed)
