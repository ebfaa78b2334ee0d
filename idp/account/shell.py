"""The frame of a person's pages: the sections of the menu, and who is signed in."""

from __future__ import annotations

from typing import Any, NamedTuple

from idp import languages
from idp.account.entry import Me
from idp.directory import pictures
from idp.errors import N_
from idp.login.people import initials
from idp.web.http import Answer, Page, Request, see_other


class Section(NamedTuple):
    """One line of the menu. `name`: of the file, and of what `page` is told."""

    name: str
    title: str
    address: str


# In the order of the menu. To add one: a file, its addresses on the page of routes, and a line here.
SECTIONS = (
    Section("profile", N_("Profile"), "/account/profile"),
    Section("security", N_("Sign-in and security"), "/account/security"),
    Section("apps", N_("Apps"), "/account/apps"),
    Section("activity", N_("Activity"), "/account/activity"),
    Section("data", N_("My data"), "/account/data"),
)


# What was just done, by the word in the address that a form leads to.
DONE = {
    "profile": N_("Saved."),
    "avatar": N_("Your picture was changed. Apps see it when they ask next."),
    "language": N_("Saved. Our messages follow too."),
    "phone": N_("Your number was changed. Everywhere but here you were signed out."),
    "email": N_("Your address is confirmed."),
    "email_removed": N_("Your address was removed."),
}


def done(request: Request) -> str:
    """What the page says of what was just done (`?done=<word>`, after a form's 303); nothing for any other word."""
    return DONE.get(request.query.get("done"), "")


def view(request: Request) -> Answer:
    """`GET /account`: the first section."""
    del request
    return see_other(SECTIONS[0].address)


def page(me: Me, template: str, *, section: str, status: int = 200, said: str = "", **context: Any) -> Page:
    """One of the person's pages, in `section` of the menu; the template extends `layout/shell.html`. `said`: of `done`."""
    name = me.user.name or ""
    person = {
        "name": name,
        "initials": initials(name),
        "phone": languages.mask_phone(me.user.phone or ""),
        "picture": pictures.small_path(me.user.picture),
        "deletion_due_at": me.user.deletion_due_at,
    }
    sections = [{"title": each.title, "address": each.address, "current": each.name == section} for each in SECTIONS]
    return Page(template, status=status, person=person, sections=sections, said=said, **context)
