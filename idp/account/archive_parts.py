"""What stands in the copy of a person's data, part by part: only columns that are named here, only rows of this person."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from idp import events, languages
from idp.account.activity import words
from idp.account.activity_words import SAID
from idp.config import settings
from idp.credentials.tables import Authenticator, Browser, Device, Identity, Passkey, Password, RecoveryCode, RecoveryCodeSet
from idp.db.columns import Base, table
from idp.db.session import session
from idp.delegation import clients
from idp.delegation.tables import Consent, TokenFamily
from idp.directory import accounts as places
from idp.directory import users
from idp.directory.tables import Account, FamilyMember
from idp.errors import N_
from idp.login.tables import Session
from idp.messages import receipts, wording
from idp.oidc.endpoints.consent import DONE, SEEN

Rows = list[dict[str, Any]]
# What a claim is called where people read it.
CLAIMS = {
    "sub": N_("ID"),
    "name": N_("Name"),
    "family_name": N_("Family name"),
    "given_name": N_("Given name"),
    "middle_name": N_("Middle name"),
    "nickname": N_("Nickname"),
    "preferred_username": N_("User name"),
    "profile": N_("Profile page"),
    "picture": N_("Picture"),
    "website": N_("Website"),
    "gender": N_("Gender"),
    "birthdate": N_("Birthday"),
    "zoneinfo": N_("Time zone"),
    "locale": N_("Language"),
    "formatted": N_("Postal address"),
    "street_address": N_("Street"),
    "locality": N_("Town"),
    "region": N_("Region"),
    "postal_code": N_("Postal code"),
    "country": N_("Country"),
    "created_at": N_("ID created"),
    "last_sign_in_at": N_("Last sign-in"),
    "terms_accepted_at": N_("Terms accepted"),
    "terms_version": N_("Version of the terms"),
    "deletion_due_at": N_("To be deleted"),
}
EMPLOYEE = N_("Employee")
MOST = 10_001  # one more than is packed: so it is known that there are more
# Of an event that somebody else's doing was, only what names the person themselves; place and browser are that other's.
OF_OTHERS = ("phone", "former_phone", "email")
OF_MINE = (*OF_OTHERS, "ip", "browser", "signed_out")


def brand(language: str) -> str:
    """What the product is called."""
    return settings().brand.names.get(language, settings().brand.name)


def profile(user_id: str, language: str) -> Rows:
    """The claims that are filled in, and when the ID began."""
    user = users.get(user_id)
    claims = users.standard_claims(user, {"profile", "address"})
    address = claims.pop("address", {})
    claims.pop("updated_at", None)
    values: dict[str, Any] = {"sub": user.id, **claims, **address}
    values |= {name: getattr(user, name) for name in ("created_at", "last_sign_in_at", "terms_accepted_at", "deletion_due_at")}
    values["terms_version"] = user.terms_version
    said = {name: languages.gettext(language, CLAIMS.get(name, name)) for name in values}
    return [{"name": name, "what": said[name], "value": value} for name, value in values.items() if value]


def contacts(user_id: str, language: str) -> Rows:
    """Phone and e-mail, in full: they are the person's own."""
    user = users.get(user_id)
    say = languages.gettext
    phone = {"what": say(language, N_("Phone")), "value": user.phone, "verified_at": user.phone_verified_at}
    email = {"what": say(language, N_("E-mail")), "value": user.email, "verified_at": user.email_verified_at}
    return [row for row in (phone, email) if row["value"]]


def accounts(user_id: str, language: str) -> Rows:
    """What the person signs in as, closed ones too, and in which roles."""
    rows = []
    for account in session.scalars(sa.select(Account).where(Account.user_id == user_id).order_by(Account.created_at).limit(MOST)):
        standing = places.standing(account.id)
        titles = standing.role_titles if standing else ()
        rows.append(
            {
                "kind": languages.gettext(language, places.TITLES.get(account.kind, EMPLOYEE)),
                "company": standing.company_name if standing else None,
                "inn": standing.company_inn if standing else None,
                "role": [languages.gettext(language, title) for title in titles],
                "login_email": account.login_email,
                "status": account.status,
                "since": account.linked_at,
                "closed_at": account.closed_at,
                "last_used_at": account.last_used_at,
            }
        )
    return rows


def family(user_id: str, language: str) -> Rows:
    """The person's own memberships; who else is in a family is those people's data."""
    mine = sa.select(Account.id).where(Account.user_id == user_id)
    found = sa.select(FamilyMember.joined_at, FamilyMember.left_at).where(FamilyMember.account_id.in_(mine)).limit(MOST)
    what = languages.gettext(language, N_("Member of a family"))
    return [{"what": what, "since": row.joined_at, "until": row.left_at} for row in session.execute(found.order_by(FamilyMember.joined_at))]


def ways_to_sign_in(user_id: str, language: str) -> Rows:
    """What is set up, by name and time; nothing of what opens it."""

    def rows(what: str, model: type[Base], name: str | None, since: str, used: str | None) -> Rows:
        columns = table(model).c
        wanted = [columns[each] if each else sa.null().label(label) for each, label in ((name, "n"), (since, "s"), (used, "u"))]
        found = session.execute(sa.select(*wanted).where(columns.user_id == user_id).order_by(columns[since]).limit(MOST))
        return [{"what": languages.gettext(language, what), "name": n, "since": s, "last_used_at": u} for n, s, u in found]

    owned = sa.select(Account.id).where(Account.user_id == user_id).union(sa.select(sa.literal(user_id)))
    passwords = session.execute(sa.select(Password.set_at).where(Password.owner_id.in_(owned)).order_by(Password.set_at).limit(MOST))
    sets = sa.select(RecoveryCodeSet.made_at, sa.func.count(RecoveryCode.used_at).label("used")).where(RecoveryCodeSet.user_id == user_id)
    codes = session.execute(sets.join(RecoveryCode, RecoveryCode.set_id == RecoveryCodeSet.id).group_by(RecoveryCodeSet.made_at))
    return [
        *rows(N_("Passkey"), Passkey, "name", "created_at", "last_used_at"),
        *({"what": languages.gettext(language, N_("Password")), "since": row.set_at} for row in passwords),
        *rows(N_("Authenticator app"), Authenticator, None, "created_at", "last_used_at"),
        *({"what": languages.gettext(language, N_("Recovery codes")), "since": row.made_at, "used": row.used} for row in codes),
        *rows(N_("Another provider"), Identity, "provider", "created_at", "last_used_at"),
    ]


def browsers(user_id: str, _language: str) -> Rows:
    """Browsers that are or were remembered."""
    devices, kept = table(Device), table(Browser)
    columns = (kept.c.name, kept.c.last_ip, devices.c.trusted_at, devices.c.last_used_at, devices.c.expires_at, devices.c.removed_at)
    theirs = sa.select(*columns).join(kept, kept.c.id == devices.c.browser_id).where(devices.c.user_id == user_id)
    return [
        {"browser": name, "address": ip, "since": since, "last_used_at": used, "until": removed or until}
        for name, ip, since, used, until, removed in session.execute(theirs.order_by(devices.c.trusted_at.desc()).limit(MOST))
    ]


def sessions(user_id: str, _language: str) -> Rows:
    """Sign-ins in browsers, those that are over too, as long as they are kept."""
    theirs = sa.select(Session).where(Session.user_id == user_id).order_by(Session.created_at.desc()).limit(MOST)
    return [
        {
            "browser": row.browser_name,
            "address": row.ip,
            "since": row.created_at,
            "last_seen_at": row.last_seen_at,
            "proved_at": row.auth_time,
            "by": row.amr,
            "ended_at": row.ended_at or row.expires_at,
        }
        for row in session.scalars(theirs)
    ]


def _app(client_id: str, language: str) -> str:
    client = clients.find(client_id)
    return client.title(language) if client else client_id


def consents(user_id: str, language: str) -> Rows:
    """What apps were allowed, also what was withdrawn."""
    said = {scope: languages.gettext(language, title) for scope, title, _ in (*SEEN, *DONE)}
    said |= {scope: text for each in settings().resources.values() for scope, text in each.scopes.items() if text}
    theirs = sa.select(Consent).where(Consent.user_id == user_id).order_by(Consent.granted_at.desc()).limit(MOST)
    return [
        {
            "app": _app(row.client_id, language),
            "client_id": row.client_id,
            "scopes": [said.get(scope, scope) for scope in row.scopes],
            "since": row.granted_at,
            "withdrawn_at": row.withdrawn_at,
        }
        for row in session.scalars(theirs)
    ]


def apps(user_id: str, language: str) -> Rows:
    """When which app got something in the person's name."""
    families = table(TokenFamily)
    columns = (families.c.client_id, sa.func.min(families.c.created_at).label("since"), sa.func.max(families.c.rotated_at).label("used"))
    found = session.execute(sa.select(*columns).where(families.c.user_id == user_id).group_by(families.c.client_id).limit(MOST))
    return [{"app": _app(r.client_id, language), "client_id": r.client_id, "since": r.since, "last_used_at": r.used} for r in found]


def messages(user_id: str, language: str) -> Rows:
    """What was sent to the number and the address since they are the person's, and whether it arrived; never what it said.

    NOTE: a number has had other holders. What went to it before this person proved it is not theirs to read.
    """
    user, rows = users.get(user_id), []
    for to, since in ((user.phone, user.phone_verified_at), (user.email, user.email_verified_at)):
        for row in receipts.newest(MOST, to=to, since=since) if to and since else ():
            subject = wording.SUBJECTS.get(row.wording)
            what = languages.gettext(language, subject, brand=brand(language)) if subject else row.wording
            rows.append({"at": row.created_at, "what": what, "channel": row.channel, "to": row.recipient, "state": row.state})
    return sorted(rows, key=lambda row: row["at"], reverse=True)[:MOST]


def activity(user_id: str, language: str) -> Rows:
    """The person's events, also those that the page of activity leaves out; whose doing they were is not told, if it was not theirs."""
    rows = []
    for event in events.search(user_id=user_id, limit=MOST):
        personal = event.personal or {}
        mine = event.actor_id in {None, user_id}
        own = {name: personal[name] for name in (OF_MINE if mine else OF_OTHERS) if name in personal}
        text = words(event, language) if event.name in SAID else event.name
        row = {"at": event.at, "name": event.name, "text": text, "outcome": event.outcome, "by_you": mine, "client_id": event.client_id}
        rows.append(row | {"browser": own.pop("browser", None), "address": own.pop("ip", None)} | own)
    return rows
