"""`idp users update`: what an ID says of its person (OpenID Connect Core §5.1), by an operator: each claim of `profile` and `address`."""

from __future__ import annotations

from typing import Any

import click

from idp.cli.operator import by_operator, require_user
from idp.cli.output import FORMAT, done
from idp.cli.setting import at_work
from idp.directory import users as people
from idp.directory.tables import User

HELP = {
    "name": "How people call them.",
    "profile": "A page about them: an address.",
    "picture": "A picture of them: an address.",
    "website": "Their own site: an address.",
    "birthdate": "YYYY-MM-DD, or the year alone.",
    "zoneinfo": "As in Europe/Moscow.",
    "locale": "As in ru-RU.",
    "formatted": "The whole address as it is written on a letter [default: put together from its parts]",
}
ADDRESS = tuple(name for name in people.ADDRESS if name != "formatted")


@click.command()
@click.argument("who", metavar="ID|PHONE|EMAIL")
@FORMAT
def update(who: str, form: str, **given: str | None) -> None:
    """Change what the ID of a person says of them. What is not named stays; an empty value takes it out.

    Phone and e-mail are not among it: they are proved by their owner (`idp users change-phone`).
    """
    said = {name: value for name, value in given.items() if value is not None}
    if not said:
        raise click.UsageError("Say what to change. `idp users update --help` names what can be.")
    if said.get("name") == "":
        raise click.UsageError("A person has a name: --name cannot be empty.")
    with at_work(), by_operator():
        user = require_user(who)
        people.change_profile(user.id, _claims(user, said))
        shown = _shown(people.get(user.id))
    done(shown, form, f"{user.id}: {', '.join(sorted(said))} changed.")


for _name in reversed((*people.PROFILE, *people.ADDRESS)):
    update = click.option(f"--{_name.replace('_', '-')}", _name, metavar="TEXT", help=HELP.get(_name))(update)


def _claims(user: User, said: dict[str, str]) -> dict[str, Any]:
    """What was said, as claims; the address as one line of it again, unless that was said too."""
    claims: dict[str, Any] = {name: said[name] for name in people.PROFILE if name in said}
    address = {name: said[name] for name in people.ADDRESS if name in said}
    if address and "formatted" not in address:
        parts = (said.get(name, getattr(user, people.ADDRESS[name])) for name in ADDRESS)
        address["formatted"] = ", ".join(part for part in parts if part)[:300]
    return claims | ({"address": address} if address else {})


def _shown(user: User) -> dict[str, Any]:
    return {"user_id": user.id, **people.standard_claims(user, {"profile", "address"})}
