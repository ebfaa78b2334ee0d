"""`/language`: the reader presses a language at the foot of a page and stays where they are."""

from __future__ import annotations

from idp.errors import N_, BadInput
from idp.languages import LANGUAGES
from idp.web.http import Answer, Request, see_other
from idp.web.languages import local_path

KEPT = 365 * 86400  # seconds


def change(request: Request) -> Answer:
    """Remember `to` in this browser and go back to `next`, a path of ours."""
    to = request.query.get("to")
    if to not in LANGUAGES:
        raise BadInput(N_("This language is not spoken here."), detail="an unknown language")
    answer = see_other(local_path(request.query.get("next")))
    answer.set_cookie("language", f"{to}.here", KEPT)
    return answer
