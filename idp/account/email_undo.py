"""The former address takes it back: 72 hours long the link that was sent there undoes that it was changed or removed (case 97).

Nobody need be signed in: whoever took the ID over may have signed its owner out. The link's token is in the address of one request only,
which moves it into a cookie (case 93); a button of ours then uses it up.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from idp import clock, crypto, languages
from idp.account.tables import EmailUndo
from idp.config import settings
from idp.credentials import passkey, password, recovery_codes, social, totp, trusted_device
from idp.db.columns import table
from idp.db.session import changed, delete_some, insert_or_ignore
from idp.db.session import session as database
from idp.directory import users
from idp.directory.tables import User
from idp.errors import N_, Gone
from idp.languages import negotiate
from idp.login import session
from idp.messages import channels
from idp.oidc.sign_out_everywhere import sign_out_everywhere
from idp.web.http import Answer, Page, Request, see_other

ADDRESS = "/account/email/undo"
SEAL = "former e-mail"
REASON = "email_undone"
LIFETIME = timedelta(hours=72)  # also in the words of the mail and the pages
KEPT = timedelta(days=30)
COOKIE_LIFETIME = 900  # seconds in which the button is pressed
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

OVER_TITLE = N_("This link works no more")
OVER = N_("It was used, or it is older than 72 hours. If you did not change the address yourself, write to support.")

_rows = table(EmailUndo)


def offer(user: User, former: str) -> None:
    """Tell `former` that it was changed or removed, with the link that undoes it; in the transaction of the change. `user`: as before it.

    The token goes into the sealed mail and nowhere else; of it only the digest is kept.
    """
    now, token = clock.now(), crypto.new_secret()
    until = now + LIFETIME
    values = {"user_id": user.id, "former_email": crypto.seal(SEAL, former), "created_at": now, "expires_at": until}
    insert_or_ignore(EmailUndo, id=crypto.new_id("und"), token_digest=crypto.digest(token), **values)
    if channels.is_carried("email"):
        language = negotiate([user.locale or ""]) or settings().languages.default
        link = f"{settings().server.issuer}{ADDRESS}/{token}"
        channels.send("email", former, "email_changed", language, link=link, expires_at=until, person_note=user.id)


def follow(request: Request, token: str) -> Answer:
    """`GET /account/email/undo/<token>`: the token leaves the address, whatever it is."""
    del request
    answer = see_other(ADDRESS)
    if _TOKEN.fullmatch(token):
        answer.set_cookie("undo", token, COOKIE_LIFETIME)
    return answer


def show(request: Request) -> Answer:
    """`GET /account/email/undo`: what the button will do."""
    row = _find(request.cookie("undo"))
    if row is None:
        raise Gone(OVER, title=OVER_TITLE, detail="no such link")
    user = users.get(row.user_id)
    former = crypto.unseal(SEAL, row.former_email)
    request.ui_locales = (user.locale,) if user.locale else ()
    return Page("account/email_undo.html", former=former, present=languages.mask_email(user.email) if user.email else "", at=row.created_at)


def answer(request: Request) -> Answer:
    """`POST /account/email/undo`: once."""
    restored = undo(request.cookie("undo"))
    page = Page("account/email_undone.html", restored=restored)
    page.delete_cookie("undo")
    page.delete_cookie("session")
    return page


def undo(token: str) -> bool:
    """Give the ID its former address back, and end what has happened since: everybody is signed out, what was pending dies with that, and
    what was set up since then opens nothing any more (case 111).

    False: the address is another ID's by now, so this one has none. Raises Gone for a token that is none, was used, or has run out.
    """
    now = clock.now()
    claim = (
        sa.update(_rows)
        .where(_rows.c.token_digest == crypto.digest(token), _rows.c.used_at.is_(None), _rows.c.expires_at > now)
        .values(used_at=now)
        .returning(_rows.c.user_id, _rows.c.former_email, _rows.c.created_at)
    )
    row = database.execute(claim).one_or_none()
    if row is None:
        raise Gone(OVER, title=OVER_TITLE, detail="no such link, or it was used")
    users.get(row.user_id, alone=True)
    trusted_device.hold_all(row.user_id)
    session.hold_all(row.user_id)
    restored = users.restore_email(row.user_id, crypto.unseal(SEAL, row.former_email))
    later = (_rows.c.user_id == row.user_id, _rows.c.created_at >= row.created_at, _rows.c.used_at.is_(None))
    changed(sa.update(_rows).where(*later).values(used_at=now))
    _remove_since(row.user_id, row.created_at)
    sign_out_everywhere(row.user_id, reason=REASON)
    return restored


def _remove_since(user_id: str, at: datetime) -> None:
    """Passkeys, passwords, an authenticator, recovery codes and links to other providers that are younger than the change.

    NOTE: whoever has taken the ID over sets up a way back in first; what its owner set up in those hours they set up again.
    """
    for key in passkey.of_person(user_id):
        if key.created_at >= at:
            passkey.remove(user_id, key.id)
    for identity in social.of_person(user_id):
        if identity.created_at >= at:
            social.unlink(user_id, identity.id)
    app, codes, password_at = totp.find(user_id), recovery_codes.left(user_id), password.set_at(user_id)
    if app is not None and app.confirmed_at >= at:
        totp.remove(user_id)
    if codes is not None and codes.made_at >= at:
        recovery_codes.remove(user_id)
    if password_at is not None and password_at >= at:
        password.remove(user_id, user_id=user_id)


def sweep(now: datetime) -> int:
    """Delete links that ran out a month ago."""
    return delete_some(EmailUndo, _rows.c.expires_at < now - KEPT)


def _find(token: str) -> Any | None:
    open_ = (_rows.c.token_digest == crypto.digest(token), _rows.c.used_at.is_(None), _rows.c.expires_at > clock.now())
    return database.execute(sa.select(_rows.c.user_id, _rows.c.former_email, _rows.c.created_at).where(*open_)).one_or_none()
