"""What a database needs before anybody signs in: its tables, signing keys, the built-in roles. Run by whoever finds it wanting."""

from __future__ import annotations

from idp import crypto, keyring
from idp.cli.setting import at_work
from idp.config import Settings
from idp.db import schema
from idp.db.session import writes
from idp.directory import roles


def furnish(settings: Settings, revision: str = "head") -> tuple[list[str], int]:
    """Bring the tables up to `revision` and put in what is missing; answers the revisions applied and how many keys were made.

    May run twice, or in two places at once. Below the newest revision, and before `idp init` has made the root key, only the tables are
    touched.
    """
    applied = schema.upgrade(settings.database.url, revision)
    if schema.pending(settings.database.url) or not (settings.keys.folder / crypto.ROOT_KEY).exists():
        return applied, 0
    with at_work(settings), writes():
        made = keyring.ensure()
    with at_work(settings), writes():
        roles.install()
    return applied, made
