"""Other providers of a person: linked and unlinked, each right after a proof, of two kinds from whoever can give them: what is linked opens
the ID for good (ASVS 5.0 §7.5.1). The way to them and back is that of `login/social`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from idp.account import entry, shell
from idp.account.entry import Me
from idp.credentials import social as identities
from idp.credentials.tables import Identity
from idp.db.session import places, writes
from idp.directory import users
from idp.errors import N_, Conflict
from idp.login import policy, situation, social, upstream
from idp.web.http import Answer, Request, see_other

HERE = social.LINKING
LAST_TITLE = N_("It is your only way in")
LAST = N_("Without it nobody could sign in to your ID any more, neither could you. Add a phone number or a passkey first.")

SAYS = {
    "declined": N_("%(provider)s was not linked. Try again."),
    "away": N_("%(provider)s does not answer right now. Try again in a minute."),
    "failed": N_("Linking %(provider)s did not work. Try again."),
}
LINKED = N_("%(provider)s is linked. You can sign in with it from now on.")


def facts(me: Me) -> Mapping[str, Any]:
    """What the row of `/account/security` shows; nothing where there is no provider to link."""
    titles = [_title(each) for each in identities.of_person(me.id)]
    return {"titles": titles} if titles or upstream.titles() else {}


def show(request: Request) -> Answer:
    """`GET /account/providers`: those that are linked, and those that can be."""
    me = entry.enter(request)
    entry.require_proof(request, me, back_to=HERE)
    linked = identities.of_person(me.id)
    rows = [
        {"id": each.id, "title": _title(each), "label": each.label, "created_at": each.created_at, "used_at": each.last_used_at}
        for each in linked
    ]
    known = {each.issuer for each in linked}
    free = {key: title for key, title in upstream.titles().items() if upstream.configured(key).realm not in known}  # type: ignore[union-attr] # its keys
    # Its forms lead to other providers: the policy would stop them on the way (`web.headers`).
    page = shell.page(me, "account/providers.html", section="security", linked=rows, free=free, notice=_notice(request))
    page.parked = True
    return page


def link(request: Request, provider: str) -> Answer:
    """`POST /account/providers/link/<provider>`: to the provider; who comes back is linked to this ID. Outside of any unit."""
    with places(), writes():
        me = entry.enter(request, back_to=HERE)
        entry.require_proof(request, me, back_to=HERE)
    secret = request.cookie("login")
    return social.go(request, provider, HERE, lambda: identities.begin(provider, secret, session_id=me.session.id, user_id=me.id))


def unlink(request: Request) -> Answer:
    """`POST /account/providers/unlink`, `identity`: not the last way in. Raises Conflict, NotFound."""
    me = entry.enter(request, back_to=HERE)
    entry.require_proof(request, me, back_to=HERE)
    user = users.get(me.id, alone=True)
    realms = {each.realm for each in upstream.all_configured().values()}
    others = [each for each in identities.of_person(me.id) if each.id != request.form.get("identity") and each.issuer in realms]
    if not others and not situation.ways_in(user, but=policy.SOCIAL):
        raise Conflict(LAST, title=LAST_TITLE)
    identities.unlink(me.id, request.form.get("identity"), session_id=me.session.id)
    return see_other(HERE)


def view(request: Request, provider: str = "") -> Answer:
    """A form's address that was opened: the list."""
    del request, provider
    return see_other(HERE)


def _title(identity: Identity) -> str:
    """What its provider is called; one that is configured no more, by its host."""
    return next((each.title for each in upstream.all_configured().values() if each.realm == identity.issuer), _host(identity.issuer))


def _host(issuer: str) -> str:
    return urlsplit(issuer).hostname or issuer


def _notice(request: Request) -> tuple[str, str] | None:
    """What is said to who comes back: a msgid, and the provider's title."""
    titles, why = upstream.titles(), request.query.get("why")
    if (key := request.query.get("linked")) in titles:
        return LINKED, titles[key]
    key = request.query.get("provider")
    return (SAYS[why], titles[key]) if key in titles and why in SAYS else None
