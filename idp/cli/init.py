"""`idp init`: makes what is missing and touches nothing that is there. It asks nothing, and may run twice or in two places at once."""

from __future__ import annotations

import os
from pathlib import Path

import click

from idp import config, crypto
from idp.cli.failures import Failure
from idp.cli.furnish import furnish
from idp.cli.output import tell

EXAMPLE = "config.example.toml"


@click.command()
def init() -> None:
    """Make what is missing: keys/root.key, config.toml, tables, signing keys."""
    file = Path(os.environ.get("IDP_CONFIG") or "config.toml")
    _say(_copy_example(file), f"{file}, from {EXAMPLE}: all defaults", f"{file}")
    settings = config.settings()
    folder = settings.keys.folder
    _say(crypto.make_keys(folder), f"{folder / crypto.ROOT_KEY}: back it up apart from the database", f"{folder / crypto.ROOT_KEY}")
    applied, made = furnish(settings)
    _say(bool(applied), f"tables, up to revision {applied[-1] if applied else ''}", "tables")
    _say(bool(made), f"{made} signing keys", "signing keys")
    tell(f"Ready. `idp serve` answers on {settings.server.issuer}; `idp clients create --help` shows how to add the first app.")


def _say(made: bool, what: str, kept: str) -> None:
    tell(f"made   {what}" if made else f"kept   {kept}")


def _copy_example(file: Path) -> bool:
    """Write `file` unless it is there; it appears whole or not at all. Answers whether it was made."""
    if file.exists():
        return False
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_text(_example().read_text("utf-8"), "utf-8")
        os.link(temporary, file)  # unlike a rename, it fails when another `idp init` was quicker
    except FileExistsError:
        return False
    except OSError as e:
        raise Failure(f"{file} cannot be written: {e.strerror}. Run this where you may write, or name another file in IDP_CONFIG.") from e
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _example() -> Path:
    """Beside the package in a checkout, inside it when installed."""
    package = Path(config.__file__).parent
    return next(path for path in (package.parent / EXAMPLE, package / EXAMPLE) if path.exists())
