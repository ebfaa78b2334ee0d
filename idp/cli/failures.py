"""What went wrong, in a sentence that says what to do. Whatever is expected to fail never shows a traceback."""

from __future__ import annotations

import sys

from idp.config import ConfigurationError
from idp.crypto import KeysMissing
from idp.errors import Refusal

DATABASE = "The database"


class Failure(Exception):  # noqa: N818 - it is an answer of a command, not an accident
    """A command cannot go on; each line of `lines` is printed, and the exit code is 1."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        super().__init__("\n".join(lines))


def explain(error: BaseException) -> list[str] | None:
    """The lines to print for `error`; None when nobody expected it, and its traceback is the best there is to say."""
    if isinstance(error, Failure):
        return error.lines
    if isinstance(error, ConfigurationError):
        return error.problems
    if isinstance(error, KeysMissing):
        return [str(error)]
    if isinstance(error, Refusal):
        return [error.text(lambda text, **params: text % params if params else text)]
    if type(error).__module__ == "idp.db.schema" and type(error).__name__ == "SchemaError":
        return [str(error)]
    return _database(error)


def _database(error: BaseException) -> list[str] | None:
    """SQLAlchemy's errors, if it was loaded at all."""
    exc = sys.modules.get("sqlalchemy.exc")
    if exc is None or not isinstance(error, exc.SQLAlchemyError):
        return None
    cause = " ".join(str(getattr(error, "orig", None) or error).split())
    lower = cause.lower()
    if "no such table" in lower or ("relation" in lower and "does not exist" in lower):
        return [f"{DATABASE} has no tables yet ({cause}). Run `idp db upgrade`."]
    if "unable to open database file" in lower:
        return [f"{DATABASE}'s file cannot be opened. Look at [database] url: its folder must exist and be writable."]
    if "locked" in lower or "lock timeout" in lower or "lock_timeout" in lower:
        return [f"{DATABASE} is in use by another process ({cause}). Try again."]
    if isinstance(error, exc.NoSuchModuleError) or "No module named" in cause:
        return [f"{DATABASE}'s driver is missing ({cause})."]
    if isinstance(error, exc.OperationalError | exc.InterfaceError | exc.TimeoutError):
        return [f"{DATABASE} does not answer: {cause}", "Look at [database] url, or start the database."]
    return None
