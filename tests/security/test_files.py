"""What is written to disk is nobody else's: the database names people. Case 42 of threats.md."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cli.running import Place


def test_other_users_of_the_machine(tmp_path: Path) -> None:
    """Case 42: whatever the caller's umask allows, other users read neither configuration, nor keys, nor the SQLite database."""
    before = os.umask(0o022)
    try:
        place = Place(tmp_path)
        assert place.idp("init").code == 0
        with place.serving():
            open_to_others = [
                path.name for path in tmp_path.rglob("*") if path.stat().st_mode & 0o007 and not path.name.startswith("serve-")
            ]
    finally:
        os.umask(before)
    assert open_to_others == []
