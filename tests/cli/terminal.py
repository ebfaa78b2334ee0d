"""A command in this process, on the database and the clock of a test: what an operator types, and what they read."""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import Any

from click.testing import CliRunner

from idp.cli import main
from tests.cli.running import Done


def idp(*words: str) -> Done:
    """`idp words…`, with nobody at the terminal. What no command may ever do is looked at here."""
    with CliRunner().isolation() as (out, err, _both):
        code = main.run(list(words))
        sys.stdout.flush()
    done = Done(code, out.getvalue().decode(), err.getvalue().decode())
    said = done.out + done.err
    assert "Traceback" not in said, said
    # Case 125: what strangers (or the operator) typed is text here, whatever orders to a terminal it holds.
    assert not [c for c in said if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}], ascii(said)
    return done


def answer(*words: str) -> Any:
    """What the command answers to a program."""
    done = idp(*words, "--format", "json")
    assert done.code == 0, done.err
    return json.loads(done.out)
