"""`python -m tests.cli.forks`: runs commands of `idp`, each in a fork of this process, which has everything imported already.

A command takes a second to start and a few milliseconds to run; the tests run hundreds. A line of JSON in: `words`, `folder`,
`environment`, and the files `out` and `err`; a line out: the exit code. A fork is a process of its own, so nothing leaks between commands.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer until the input ends."""
    from idp.cli import main as command
    from idp.cli import worker  # noqa: F401 - which the command reads late

    for name, (where, _) in command.COMMANDS.items():
        assert importlib.import_module(where.partition(":")[0]), name
    for line in sys.stdin:
        given = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(given)
            command.main()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become(given: dict[str, Any]) -> None:
    os.chdir(given["folder"])
    os.environ.clear()
    os.environ.update(given["environment"])
    for number, name, how in ((0, os.devnull, os.O_RDONLY), (1, given["out"], os.O_WRONLY), (2, given["err"], os.O_WRONLY)):
        handle = os.open(name, how | (os.O_CREAT if how else 0), 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.argv = [str(Path("idp")), *given["words"]]


if __name__ == "__main__":
    main()
