"""The staff portal: what its page shows. Sign-in and sign-out are in `clients/portal.py`."""

import os
from collections.abc import Mapping

from flask import Flask, g, render_template

from clients import portal, settings, texts
from clients.texts import N_

STAFF = portal.Portal(
    name="staff",
    title=N_("Staff portal"),
    about=N_("Your own page as somebody who works for sellers at Bazar: your profile, and every company that has given you a role."),
    # Neither `account` nor `company`: nobody is asked for whom they come, the person alone signs in.
    scope="openid profile companies",
)
# Claims of the profile worth showing, in this order; each only when it is filled in.
PROFILE = {
    "given_name": N_("First name"),
    "middle_name": N_("Middle name"),
    "family_name": N_("Last name"),
    "nickname": N_("Nickname"),
    "birthdate": N_("Date of birth"),
    "locale": N_("Language"),
    "zoneinfo": N_("Time zone"),
    "sub": N_("ID"),
}


def create_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """The staff portal, configured by `environ` (see `clients/settings.py`)."""
    app = portal.create(STAFF, settings.read(STAFF.name, environ))
    signed_in = portal.signed_in(app.extensions["portal"])

    @app.get("/")
    def home() -> portal.Answer:
        if g.visit is None or g.visit.tokens is None:
            return render_template("pages/landing.html", about=STAFF.about)
        return signed_in(first_page)()

    def first_page() -> portal.Answer:
        facts = [(label, _shown(claim, str(g.person.claims[claim]))) for claim, label in PROFILE.items() if g.person.claims.get(claim)]
        return render_template("staff/home.html", facts=facts)

    return app


def _shown(claim: str, value: str) -> str:
    """A claim as the reader writes such things; what is no date or language tag is shown as it came."""
    if claim == "birthdate":
        return texts.long_day(g.language, value)
    return texts.language_name(g.language, value) if claim == "locale" else value
