"""A technology partner's app: what its page shows. Sign-in and sign-out are in `clients/portal.py`."""

import os
from collections.abc import Mapping

from flask import Flask, g, render_template

from clients import portal, settings
from clients.texts import N_

PARTNER = portal.Portal(
    name="partner",
    title=N_("Partner's app"),
    about=N_("An app of another firm that works for sellers at Bazar. You sign in with your ID and say for which company."),
    scope="openid profile account company",
)


def create_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """The partner's app, configured by `environ` (see `clients/settings.py`)."""
    app = portal.create(PARTNER, settings.read(PARTNER.name, environ))
    signed_in = portal.signed_in(app.extensions["portal"])

    @app.get("/")
    def home() -> portal.Answer:
        if g.visit is None or g.visit.tokens is None:
            return render_template("pages/landing.html", about=PARTNER.about)
        return signed_in(first_page)()

    def first_page() -> portal.Answer:
        return render_template("partner/home.html")

    return app
