"""The seller portal: what its pages show. Sign-in, switching and sign-out are in `clients/portal.py`."""

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from flask import Flask, abort, g, render_template
from markupsafe import Markup, escape

from clients import portal, settings, texts
from clients.seller.demo import Day, Figure, Money, State, Verbatim
from clients.seller.sections import SECTIONS, Section
from clients.texts import N_

SELLER = portal.Portal(
    name="seller",
    title=N_("Seller portal"),
    about=N_("Orders, products, warehouse and money of your shop at Bazar, for everybody who works for a seller."),
    scope="openid profile account company companies",
)


def create_app(environ: Mapping[str, str] = os.environ) -> Flask:
    """The seller portal, configured by `environ` (see `clients/settings.py`)."""
    app = portal.create(SELLER, settings.read(SELLER.name, environ))
    signed_in = portal.signed_in(app.extensions["portal"])

    @app.get("/")
    def overview() -> portal.Answer:
        if g.visit is None or g.visit.tokens is None:
            return render_template("pages/landing.html", about=SELLER.about)
        return signed_in(first_page)()

    def first_page() -> portal.Answer:
        if g.person.company_id is None:
            return render_template("seller/no_company.html")
        return render_template("seller/overview.html", sections=_open_to_person())

    @app.get("/<any({}):key>".format(",".join(SECTIONS)))
    @signed_in
    def section(key: str) -> portal.Answer:
        if g.person.company_id is None:
            return render_template("seller/no_company.html")
        found = SECTIONS.get(key) or abort(404)
        common = {"section": found, "here": key, "sections": _open_to_person()}
        # NOTE: the menu only hides; this line is what keeps the section shut.
        if not g.person.may(found.needs):
            return render_template("seller/forbidden.html", **common), 403
        parts = [part for part in found.parts if g.person.may(part.needs)]
        return render_template("seller/section.html", parts=parts, show=_show, **common)

    return app


def _open_to_person() -> list[Section]:
    return [section for section in SECTIONS.values() if g.person.may(section.needs)]


def _show(cell: object) -> Markup | str:
    """One cell of a table in the reader's language."""
    match cell:
        case Money(amount):
            return texts.money(g.language, Decimal(amount))
        case Figure(value):
            return texts.number(g.language, value)
        case Day(ago):
            return texts.day(g.language, _today() - timedelta(days=ago))
        case State(look, word):
            return Markup('<span class="state {}">{}</span>').format(look, texts.translate(g.language, word))
        case Verbatim(text):
            return escape(text)
    return texts.translate(g.language, str(cell))


def _today() -> date:
    return datetime.now(UTC).date()
