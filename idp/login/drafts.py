"""What was typed on a page is not lost by looking at help: the form is sent to the help page, kept sealed, and filled in on the way back.

It works without a script. One draft for each sign-in; it goes with the sign-in, and only the browser that began that can read it.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from idp import crypto
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, insert_or_ignore, session
from idp.login.flow_row import Flow
from idp.login.tables import LoginDraft
from idp.web.http import Request

PURPOSE = "login draft"
FIELDS = ("phone", "code", "remember", "name", "terms", "login")  # never a password
LONGEST = 400

_rows = table(LoginDraft)
_FIND = Ready(sa.select(_rows.c.sealed).where(_rows.c.flow_id == sa.bindparam("of_flow")))
_WRITE = Ready(sa.update(_rows).where(_rows.c.flow_id == sa.bindparam("of_flow")))


def keep(request: Request, flow: Flow, page: str) -> None:
    """Keep what the form of `page` holds. In a writing unit."""
    typed = {name: request.form.get(name)[:LONGEST] for name in FIELDS if name in request.form}
    sealed = crypto.seal(PURPOSE, json.dumps({"page": page, "typed": typed}))
    if not insert_or_ignore(LoginDraft, flow_id=flow.id, sealed=sealed):
        changed(_WRITE, of_flow=flow.id, sealed=sealed)


def restored(request: Request, flow: Flow, page: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values with which the form of `page` begins: `values`, or on the way back from help what was typed. Ticks are truth values."""
    if request.is_post or request.query.get("back") != "1":
        return values
    sealed = session.execute(_FIND, {"of_flow": flow.id}).scalar_one_or_none()
    kept = json.loads(crypto.unseal(PURPOSE, sealed)) if sealed else {}
    if kept.get("page") != page:
        return values
    typed = kept["typed"]
    return {name: name in typed if isinstance(value, bool) else typed.get(name, value) for name, value in values.items()}
