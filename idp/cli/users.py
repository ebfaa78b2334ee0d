"""`idp users`: people, found and shown, kept out and let in, signed out; numbers freed after too many wrong codes, factors taken off."""

from __future__ import annotations

from typing import Any

import click

from idp.cli.explain import explain_login
from idp.cli.failures import Failure
from idp.cli.operator import by_operator, paged, read_phone, require_user, tell_of_more, words
from idp.cli.output import FORMAT, as_json, done, record, table, tell
from idp.cli.profile import update
from idp.cli.recoveries import recoveries
from idp.cli.setting import at_work
from idp.credentials import password, password_limits, phone_limits, trusted_device
from idp.credentials.password import Login, Owner
from idp.db.session import reads
from idp.directory import accounts, deletion, search
from idp.directory import users as people
from idp.directory.tables import User
from idp.errors import BadInput, Conflict
from idp.login import session
from idp.oidc.change_phone import change_phone as change
from idp.oidc.reset_factors import factors_of, forget_wrong_codes, reset_factors
from idp.oidc.sign_out_everywhere import sign_out_everywhere

WHO = click.argument("who", metavar="ID|PHONE|EMAIL")
KINDS = ("personal", "business", "employee")


@click.group()
def users() -> None:
    """People and their IDs. Everything holds from the next request on, in every process."""


@users.command(name="list")
@paged(search.USER_STATES, "id, phone, e-mail or name")
@FORMAT
def list_some(text: str, status: str | None, limit: int, after: str | None, form: str) -> None:
    """List people, the newest first."""
    with at_work(), reads():
        found = search.people(text, status=status, limit=limit, after=after)
    if form == "json":
        as_json([_row(user) for user in found])
    else:
        rows = [(u.id, u.phone, u.email, u.name, _row(u)["status"], u.created_at, u.last_sign_in_at) for u in found]
        columns = ("id", "phone", "e-mail", "name", "status", "registered", "last sign-in")
        table(columns, rows, empty="Nobody fits." if text or status or after else "Nobody has registered yet.")
    tell_of_more([user.id for user in found], limit)


@users.command()
@WHO
@FORMAT
def show(who: str, form: str) -> None:
    """Show a person: accounts and companies, sessions, the browsers that know them."""
    with at_work(), reads():
        shown = _shown(require_user(who))
    if form == "json":
        as_json(shown)
        return
    record({name: value for name, value in shown.items() if value is not None and not isinstance(value, list)})
    _part(
        "Accounts",
        ("account", "kind", "company", "roles", "may enter"),
        [
            (a["account_id"], a["kind"], a["company_name"], a["roles"], "yes" if a["may_enter"] else f"no: {a['reason']}")
            for a in shown["accounts"]
        ],
    )
    _part(
        "Sessions",
        ("session", "browser", "address", "level", "proved", "last seen", "ends"),
        [(s["id"], s["browser"], s["ip"], s["acr"], s["auth_time"], s["last_seen_at"], s["expires_at"]) for s in shown["sessions"]],
    )
    _part(
        "Trusted browsers",
        ("device", "browser", "address", "trusted", "last used", "until"),
        [(b["device_id"], b["name"], b["last_ip"], b["trusted_at"], b["last_used_at"], b["expires_at"]) for b in shown["browsers"]],
    )


@users.command()
@WHO
@click.option(
    "--reason", type=words(500), metavar="TEXT", required=True, help="Kept with the person; relying parties and other people never see it."
)
@FORMAT
def block(who: str, reason: str, form: str) -> None:
    """Keep a person out of everything: sessions, tokens, sign-ins."""
    with at_work(), by_operator():
        user_id = require_user(who).id
        new = people.block(user_id, reason)
        shown = _row(people.get(user_id))
    done(shown, form, f"{user_id} is blocked." if new else f"{user_id} was blocked already: the first reason stays.")


@users.command()
@WHO
@FORMAT
def unblock(who: str, form: str) -> None:
    """Let a person in again. Sessions that have not run out go on; `idp users sign-out` ends them."""
    with at_work(), by_operator():
        user = require_user(who)
        if user.deleted_at is not None:
            raise Failure(f"{user.id} was deleted by its owner: nothing of it is left to be unblocked.")
        user_id = user.id
        new = people.unblock(user_id)
        shown = _row(people.get(user_id))
    done(shown, form, f"{user_id} may enter again." if new else f"{user_id} was not blocked.")


@users.command(name="keep")
@WHO
@FORMAT
def keep(who: str, form: str) -> None:
    """Cancel the deletion of an ID whose owner cannot sign in to do so. First make sure that it is the owner who asks."""
    with at_work(), by_operator():
        user_id = require_user(who).id
        kept = deletion.cancel(user_id, reason="support")
    said = f"{user_id} is kept." if kept else f"{user_id} was not to be deleted: nothing to cancel."
    done({"user_id": user_id, "kept": kept}, form, said)


@users.command(name="sign-out")
@WHO
@FORMAT
def sign_out(who: str, form: str) -> None:
    """Sign a person out everywhere: sessions, trusted browsers, and what apps were given, to work in their absence too."""
    with at_work(), by_operator():
        user_id = require_user(who).id
        ended = sign_out_everywhere(user_id)
    said = f"{user_id} is signed out everywhere: {ended.sessions} sessions, {ended.browsers} trusted browsers, {ended.apps} apps' tokens."
    done({"user_id": user_id, **ended._asdict()}, form, said)


@users.command(name="codes-on")
@WHO
@FORMAT
def codes_on(who: str, form: str) -> None:
    """Turn codes on again for a number that too many wrong ones were entered for, a person's or not yet anybody's; theirs of the
    authenticator app and the recovery codes too.

    First make sure that the number is with its owner: somebody has been guessing.
    """
    with at_work(), by_operator():
        phone = require_user(who).phone if who.startswith("usr_") or "@" in who else read_phone(who)
        if phone is None:
            raise Failure("This person has no phone: there are no codes to turn on.")
        forgotten = phone_limits.turn_on(phone)
        if (owner := people.find_by_phone(phone)) is not None:  # of the authenticator app and the recovery codes as well
            forgotten = forget_wrong_codes(owner.id) or forgotten
    said = f"Codes go out to {phone} again." if forgotten else f"Nothing was ever counted against {phone}: nothing to turn on."
    done({"phone": phone, "codes": "on", "changed": forgotten}, form, said)


@users.command(name="unlock-password")
@WHO
@FORMAT
def unlock_password(who: str, form: str) -> None:
    """Let passwords be entered again that were locked after too many wrong ones: a person's, or those of an account's login e-mail.

    First make sure that it is the person who asks: somebody has been guessing. It changes no password; a forgotten one is set anew by its
    owner on the sign-in page.
    """
    with at_work(), by_operator():
        owner, logins = _password_owner(who)
        forgotten = password.unlock(owner, logins)
    named = owner.address or owner.id
    said = (
        f"Passwords for {named} are looked at again." if forgotten else f"No wrong passwords were counted for {named}: nothing to unlock."
    )
    done({"owner": owner.id, "user_id": owner.user_id, "changed": forgotten}, form, said)


def _password_owner(who: str) -> tuple[Owner, list[Login]]:
    """Whose password it is, and the logins under which it is guessed at: of an account's login e-mail, else of the person."""
    try:
        login = None if who.startswith("usr_") else password.read_login(who)
    except BadInput:
        login = None
    owner = password.find_owner(login) if login is not None else None
    if login is not None and owner is not None and owner.account_id is not None:
        return owner, [login]
    user = require_user(who)
    logins = _logins_of(user)
    return Owner(user.id, None, user.id, user.email or user.phone, None, user.email_verified_at), logins


@users.command(name="change-phone")
@WHO
@click.argument("phone")
@FORMAT
def change_phone(who: str, phone: str, form: str) -> None:
    """Give a person another number. They are signed out everywhere, and told where the former one and their mail lead.

    First make sure that the number is theirs. With the number that they have: from now on a code to it opens their ID again, however long
    it was silent.
    """
    with at_work(), by_operator():
        user_id, wanted = require_user(who).id, read_phone(phone)
        try:
            ended = change(user_id, wanted)
        except Conflict as e:
            raise Failure(f"{wanted} is another person's. `idp users show {wanted}` says whose.") from e
    if ended is None:
        said = f"{wanted} was the number of {user_id} already, and is believed to be from now on."
    else:
        said = f"{user_id} has {wanted} now, and is signed out everywhere: {ended.sessions} sessions, {ended.browsers} trusted browsers."
    done({"user_id": user_id, "phone": wanted, "changed": ended is not None}, form, said)


@users.command(name="reset-factors")
@WHO
@click.option("--reason", type=words(500), metavar="TEXT", required=True, help="Kept with the event: how you made sure that it is them.")
@FORMAT
def reset(who: str, reason: str, form: str) -> None:
    """Take off authenticator app, passkeys and recovery codes of a person who has lost them. They are signed out everywhere, and told.

    First make sure that it is them: from now on a code to their number opens the ID.
    """
    with at_work(), by_operator():
        user_id = require_user(who).id
        removed, ended = reset_factors(user_id, reason)
    if ended is None:
        said = f"{user_id} has no further factors: nothing to take off."
    else:
        said = f"Taken off {user_id}: {', '.join(removed) or 'what was counted against them'}. They are signed out everywhere."
    done({"user_id": user_id, "removed": removed, "changed": ended is not None}, form, said)


@users.command(name="mark-test")
@WHO
@click.option("--off", is_flag=True, help="No longer.")
@FORMAT
def mark_test(who: str, off: bool, form: str) -> None:
    """Let a person sign in with a fixed code in production too, if their number stands in [login] test_numbers: an app-store's reviewer."""
    with at_work(), by_operator():
        user_id = require_user(who).id
        new = people.mark_test(user_id, is_test=not off)
    mark = "no test person any more" if off else "a test person"
    done({"user_id": user_id, "is_test": not off, "changed": new}, form, f"{user_id} is {mark}." if new else f"{user_id} was so already.")


users.add_command(explain_login)
users.add_command(update)
users.add_command(recoveries)


def _row(user: User) -> dict[str, Any]:
    columns = "id phone email name locale status blocked_at blocked_reason is_test created_at last_sign_in_at".split()
    columns += ["deletion_requested_at", "deletion_due_at", "deleted_at"]
    return {column: getattr(user, column) for column in columns} | {"status": "deleted" if user.deleted_at else user.status}


def _shown(user: User) -> dict[str, Any]:
    return {
        **_row(user),
        "factors": ", ".join(factors_of(user.id)) or "none",
        "password": password.set_at(user.id),
        "password_locked": _lock_of(user),
        "codes": "off" if user.phone and phone_limits.is_off(user.phone) else "on",
        "accounts": [
            {
                "account_id": it.account_id,
                "kind": it.kind,
                "company_id": it.company_id,
                "company_name": it.company_name,
                "employee_id": it.employee_id,
                "roles": list(it.role_titles),
                "may_enter": it.may_enter,
                "reason": it.reason,
                "last_used_at": it.last_used_at,
            }
            for it in accounts.candidates(user.id, KINDS)
        ],
        "sessions": [
            {
                "id": it.id,
                "browser": it.browser_name,
                "ip": it.ip,
                "acr": it.acr,
                "amr": it.amr,
                "auth_time": it.auth_time,
                "last_seen_at": it.last_seen_at,
                "expires_at": it.expires_at,
            }
            for it in session.of_person(user.id)
        ],
        "browsers": [dict(row._mapping) for row in trusted_device.of_person(user.id)],
    }


def _lock_of(user: User) -> str | None:
    """Until when no password of theirs is looked at, outside of their own browsers."""
    for login in _logins_of(user):
        of = password_limits.subject(login.canonical)
        if password_limits.is_shut(of):
            return "until somebody unlocks it"
        if until := password_limits.locked_until(of):
            return f"until {until:%Y-%m-%d %H:%M} UTC"
    return None


def _logins_of(user: User) -> list[Login]:
    return [Login(each, is_phone=each == user.phone) for each in (user.phone, user.email_canonical) if each]


def _part(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    if rows:
        tell(f"\n{title}")
        table(columns, rows, empty="")
