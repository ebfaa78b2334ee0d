"""`idp`: every command on one page. The file that holds a command is imported when it is called, so that `idp --help` answers at once."""

from __future__ import annotations

import gc
import importlib
import io
import os
import sys
from typing import Any

import click

INTERRUPTED = 130  # as a shell reports SIGINT

COMMANDS = {
    # command: where it is, and what `idp --help` says of it
    "serve": ("idp.cli.serve:serve", "Serve the provider, and run the worker beside it."),
    "worker": ("idp.cli.processes:worker", "Run the worker alone: messages, reactions, schedule."),
    "init": ("idp.cli.init:init", "Make what is missing: keys, config.toml, tables."),
    "check": ("idp.cli.check:check", "Print the configuration in force, secrets hidden."),
    "doctor": ("idp.cli.doctor:doctor", "Say whether everything is well, one line each."),
    "db": ("idp.cli.database:db", "Bring the tables up or down."),
    "clients": ("idp.cli.clients:clients", "Relying parties: create, list, show."),
    "users": ("idp.cli.users:users", "People: find, show, block, sign out everywhere."),
    "companies": ("idp.cli.companies:companies", "Sellers: find, show, activate, suspend."),
    "employees": ("idp.cli.employees:employees", "People in a company: list, show, block, change roles."),
    "keys": ("idp.cli.keys:keys", "Signing keys: list, rotate, revoke."),
    "events": ("idp.cli.events:events", "What happened: follow it, export it."),
    "messages": ("idp.cli.messages:messages", "Text messages, calls and mail: what became of them, what they cost; send a test."),
    "demo": ("idp.cli.demo:demo", "Provider and portals on loopback, with a seeded story."),
}


class Lazy(click.Group):
    """A group that knows its commands by name and reads one when it is asked for."""

    def make_context(self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any) -> click.Context:
        """As click does it; but an argument that is no text is refused here, for all commands: no database could keep it."""
        for arg in args:
            if "\0" in arg or any("\ud800" <= c <= "\udfff" for c in arg):
                raise click.UsageError(f"{arg[:80]!a} is not readable as text. Give it in UTF-8, without NUL.")
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of the page above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, read from its file; None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The list of `--help`, for which no command needs to be read."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="idp", prog_name="idp")
def cli() -> None:
    """An identity provider: phone-first, company-aware, OpenID Connect.

    The configuration is read from config.toml here, or from the file named in IDP_CONFIG.
    """


def run(args: list[str] | None = None) -> int:
    """Run a command (by default the process's own) and answer its exit code; only what nobody expected is raised."""
    try:
        code = cli.main(args, prog_name="idp", standalone_mode=False)  # what a command gave to `ctx.exit`
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # `| head` has read enough. What is still in the buffer would be tried again at the end, and complained of.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except click.ClickException as e:
        said = io.StringIO()
        e.show(file=said)
        _say(said.getvalue().splitlines())
        return e.exit_code
    except Exception as e:
        from idp.cli import failures  # noqa: PLC0415 - knows the configuration, which `--help` does without

        lines = failures.explain(e)
        if lines is None:
            raise
        _say(lines)
        return 1


def _say(lines: list[str]) -> None:
    """To standard error, as text: what was typed or came from elsewhere may hold orders to the terminal."""
    from idp.cli.output import visible  # noqa: PLC0415 - `--help` does without

    for line in lines:
        click.echo(visible(line), err=True)


def main() -> None:
    """Run the command line; ends the process: 0 done, 1 refused or failed, 2 wrong usage, 130 Ctrl-C."""
    os.umask(os.umask(0o077) | 0o007)  # what we write (SQLite's files above all, which name people) is not for every user of the machine
    gc.disable()  # importing makes hundreds of thousands of objects that stay: looking through them takes a quarter of the start
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name in letters that the terminal does not have is no reason to stop
    sys.exit(run())


if __name__ == "__main__":
    main()
