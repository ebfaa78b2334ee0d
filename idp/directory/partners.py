"""Technology partners' published apps, and what companies let them do. The company asks, the partner confirms, the company ends it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, events
from idp.db.columns import table
from idp.db.session import changed, insert_or_ignore, session
from idp.directory import accounts
from idp.directory.accounts import Standing
from idp.directory.names import clean_name, require_link
from idp.directory.tables import Company, Connection, Partner
from idp.errors import N_, BadInput, Conflict, Gone, NotFound

_KEY = re.compile(r"[a-z][a-z0-9-]{1,39}")
_connections, _partners, _companies = table(Connection), table(Partner), table(Company)

NO_PARTNER = N_("There is no such partner.")
NO_CONNECTION = N_("There is no such connection.")
ENDED = N_("This connection has ended.")


@dataclass(frozen=True)
class ActiveConnection:
    """A connection that holds now: the partner may do `scopes` for the company, and nothing more."""

    id: str
    company_id: str
    partner_id: str
    scopes: tuple[str, ...]
    confirmed_at: datetime


_ACTIVE = (
    sa.select(_connections.c.id, _connections.c.company_id, _connections.c.partner_id, _connections.c.scopes, _connections.c.confirmed_at)
    .select_from(
        _connections.join(_partners, _partners.c.id == _connections.c.partner_id).join(
            _companies, _companies.c.id == _connections.c.company_id
        )
    )
    .where(
        _partners.c.client_id == sa.bindparam("client_id"),
        _connections.c.company_id == sa.bindparam("company_id"),
        _connections.c.status == "active",
        _companies.c.status != "suspended",
    )
)


def active_connection(client_id: str, company_id: str) -> ActiveConnection | None:
    """The connection by which this client may act for this company now, in one statement; None also while the company is suspended."""
    row = session.execute(_ACTIVE, {"client_id": client_id, "company_id": company_id}).one_or_none()
    return None if row is None else ActiveConnection(row.id, row.company_id, row.partner_id, tuple(row.scopes), row.confirmed_at)


def note_use(connection_id: str) -> None:
    """Remember that the connection was used just now: an unused one is pointed out to the company."""
    changed(sa.update(_connections).where(_connections.c.id == connection_id).values(last_used_at=clock.now()))


def publish(
    key: str,
    name: str,
    developer: str,
    scopes: Collection[str],
    *,
    description: str | None = None,
    website: str | None = None,
    logo: str | None = None,
    client_id: str | None = None,
    actor_id: str | None = None,
) -> str:
    """Put a partner into the catalogue; answers its id. `scopes` is the most it may do. Raises BadInput, Conflict for a known key."""
    if not _KEY.fullmatch(key):
        raise BadInput(N_("Choose a short name of small Latin letters, digits and hyphens."))
    partner_id, shown = crypto.new_id("prt"), clean_name(name)
    inserted = insert_or_ignore(
        Partner,
        id=partner_id,
        key=key,
        name=shown,
        search_name=shown.casefold(),
        developer=clean_name(developer),
        description=clean_name(description, longest=500) if description else None,
        website=require_link(website) if website else None,
        logo=require_link(logo) if logo else None,
        client_id=client_id,
        scopes=sorted(set(scopes)),
        created_at=clock.now(),
    )
    if not inserted:
        raise Conflict(N_("There is a partner with this short name."))
    events.record(
        "partner.published", actor_id=actor_id, client_id=client_id, details={"partner_id": partner_id, "scopes": sorted(set(scopes))}
    )
    return partner_id


def assign_client(partner_id: str, client_id: str, *, actor_id: str | None = None) -> None:
    """Name the client that the partner speaks as. Raises NotFound."""
    if not changed(sa.update(_partners).where(_partners.c.id == partner_id).values(client_id=client_id)):
        raise NotFound(NO_PARTNER, detail=f"no partner {partner_id}")
    events.record("partner.client_assigned", actor_id=actor_id, client_id=client_id, details={"partner_id": partner_id})


def find_by_key(key: str) -> Partner | None:
    """The partner with this short name, hidden ones too."""
    return session.scalar(sa.select(Partner).where(Partner.key == key))


def find_by_client(client_id: str) -> Partner | None:
    """The partner that speaks as this client."""
    return session.scalar(sa.select(Partner).where(Partner.client_id == client_id))


def search(words: str = "", *, limit: int = 50) -> list[Partner]:
    """Published partners whose name contains `words`, by name; all of them for ""."""
    wanted = sa.select(Partner).where(
        Partner.status == "published", Partner.search_name.contains(words.strip().casefold(), autoescape=True)
    )
    return list(session.scalars(wanted.order_by(Partner.search_name).limit(limit)))


def request(partner_id: str, scopes: Collection[str], *, by: Standing) -> str:
    """A company asks for a connection; answers its id. Raises Forbidden, NotFound, Conflict, BadInput for more than may be."""
    partner = session.get(Partner, partner_id)
    if partner is None or partner.status != "published":
        raise NotFound(NO_PARTNER, detail=f"no published partner {partner_id}")
    company_id = by.company_id or ""
    accounts.require_may(by, "partners:write", company_id=company_id)
    if not scopes or not set(scopes) <= set(partner.scopes):
        raise BadInput(detail=f"{sorted(scopes)} is not within {partner.scopes}")
    connection_id = crypto.new_id("con")
    row = {"id": connection_id, "company_id": company_id, "partner_id": partner_id, "scopes": sorted(set(scopes))}
    if not insert_or_ignore(Connection, **row, requested_at=clock.now(), requested_by_account_id=by.account_id):
        raise Conflict(N_("The company is connected to this partner, or waits for their answer."))
    _record("connection.requested", connection_id, company_id, partner, by.user_id, scopes=sorted(set(scopes)))
    return connection_id


def confirm(connection_id: str, *, partner_id: str) -> None:
    """The partner agrees: the connection is active. Raises NotFound for another partner's, Gone when it is no longer open."""
    _answer(connection_id, partner_id, {"status": "active", "confirmed_at": clock.now()}, "connection.confirmed")


def decline(connection_id: str, *, partner_id: str) -> None:
    """The partner says no. Raises as `confirm` does."""
    _answer(connection_id, partner_id, {"status": "declined", "ended_at": clock.now()}, "connection.declined")


def _answer(connection_id: str, partner_id: str, values: dict[str, Any], event: str) -> None:
    connection = get_connection(connection_id)
    partner = session.get(Partner, partner_id)
    if partner is None or connection.partner_id != partner_id:
        raise NotFound(NO_CONNECTION, detail=f"{connection_id} is not of {partner_id}")
    if not changed(
        sa.update(_connections).where(_connections.c.id == connection_id, _connections.c.status == "requested").values(**values)
    ):
        raise Gone(ENDED)
    _record(event, connection_id, connection.company_id, partner, None)


def cancel(connection_id: str, *, by: Standing) -> None:
    """The company ends it: what the partner holds is dead at the next look. Raises Forbidden, NotFound, Gone."""
    connection = get_connection(connection_id)
    accounts.require_may(by, "partners:write", company_id=connection.company_id)
    current = sa.update(_connections).where(_connections.c.id == connection_id, _connections.c.status.in_(["requested", "active"]))
    if not changed(current.values(status="cancelled", ended_at=clock.now(), ended_by_account_id=by.account_id)):
        raise Gone(ENDED)
    partner = session.get(Partner, connection.partner_id)
    _record("connection.cancelled", connection_id, connection.company_id, partner, by.user_id)


def get_connection(connection_id: str) -> Connection:
    """The connection, ended ones too; raises NotFound."""
    connection = session.get(Connection, connection_id, populate_existing=True)
    if connection is None:
        raise NotFound(NO_CONNECTION, detail=f"no connection {connection_id}")
    return connection


def connections_of(company_id: str) -> list[tuple[Connection, Partner]]:
    """The company's open and active connections with their partners, newest first."""
    wanted = sa.select(Connection, Partner).join(Partner, Partner.id == Connection.partner_id)
    rows = session.execute(
        wanted.where(Connection.company_id == company_id, Connection.status.in_(["requested", "active"])).order_by(
            Connection.requested_at.desc()
        )
    )
    return [(connection, partner) for connection, partner in rows]


def _record(event: str, connection_id: str, company_id: str, partner: Partner | None, actor_id: str | None, **details: Any) -> None:
    who = {"connection_id": connection_id, "partner_id": partner.id if partner else None, **details}
    events.record(event, actor_id=actor_id, company_id=company_id, client_id=partner.client_id if partner else None, details=who)
