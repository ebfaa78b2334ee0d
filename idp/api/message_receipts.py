"""`POST /api/messages/receipts/<gateway>`: a gateway reports what became of a message, in the form that the settings describe."""

from __future__ import annotations

from typing import Any

from idp import crypto, telemetry
from idp.config import settings
from idp.config_gateways import Reports, WebhookGateway
from idp.errors import BadInput, NotAuthenticated, NotFound
from idp.messages import receipts
from idp.messages.gateway import read, value_at
from idp.web.http import FORM, Request, Response

NOBODY = "no such gateway takes a report: at least 32 characters"  # compared with all the same, so that the answer takes as long


def report(request: Request, gateway: str) -> Response:
    """204 for every report that we understood, also for one that changes nothing: a second one, or a state on the way.

    404 for a message that we do not know: a report can be quicker than the worker, and the gateway tries again. Who has not the secret
    learns nothing: 401, whether there is such a gateway or not.
    """
    table = _reports_of(gateway)
    scheme, _, given = request.header("Authorization").partition(" ")
    is_theirs = crypto.equal(given.strip(), table.secret if table else NOBODY)
    if table is None or not is_theirs or scheme.lower() != "bearer":
        raise NotAuthenticated(detail="a delivery report without the gateway's secret")
    said = _read(request)
    known_as, state = value_at(said, table.id), value_at(said, table.state)
    if not known_as or not known_as.isprintable() or not state:
        raise BadInput(detail=f"a delivery report of {gateway} without id or state")
    if state not in (*table.delivered, *table.failed):
        return Response(status=204)
    changed = receipts.reported(gateway, known_as[:200], delivered=state in table.delivered, reason=state)
    if changed is None:
        raise NotFound(detail=f"a delivery report of {gateway} about a message that is not known")
    if changed:
        telemetry.log.info("message_reported", gateway=gateway, result="delivered" if state in table.delivered else "failed")
    return Response(status=204)


def _reports_of(name: str) -> Reports | None:
    gateway = settings().messages.gateways.get(name)
    return gateway.reports if isinstance(gateway, WebhookGateway) else None


def _read(request: Request) -> Any:
    return dict(request.form.pairs) if request.content_type == FORM else read(request.body)
