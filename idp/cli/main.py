"""`idp`: every command on one page. The file that holds a command is imported when it is called, so that `idp --help` answers at once."""

from __future__ import annotations

import gc
import importlib
import os
import sys

import click

COMMANDS = {
    # command: where it is, and what `idp --help` says of it
    "serve": ("idp.cli.serve:serve", "Serve the provider, and run the worker beside it."),
    "worker": ("idp.cli.processes:worker", "Run the worker alone: messages, reactions, schedule."),
    "init": ("idp.cli.init:init", "Make what is missing: keys, config.toml, tables."),
    "check": ("idp.cli.check:check", "Print the configuration in force, secrets hidden."),
    "doctor": ("idp.cli.doctor:doctor", "Say whether everything is well, one line each."),
    "db": ("idp.cli.database:db", "Bring the tables up or down."),
    "clients": ("idp.cli.clients:clients", "Relying parties: create, list, show."),
    "messages": ("idp.cli.messages:messages", "Text messages and mail: send a test."),
    "demo": ("idp.cli.demo:demo", "Provider and portals on loopback, with a seeded story."),
}


class Lazy(click.Group):
    """A group that knows its commands by name and reads one when it is asked for."""

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


def main() -> None:
    """Run the command line; ends the process: 0 done, 1 refused or failed, 2 wrong usage."""
    os.umask(os.umask(0o077) | 0o007)  # what we write (SQLite's files above all, which name people) is not for every user of the machine
    gc.disable()  # importing makes hundreds of thousands of objects that stay: looking through them takes a quarter of the start
    try:
        code = cli(standalone_mode=False)  # what a command gave to `ctx.exit`
        sys.exit(code if isinstance(code, int) else 0)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
    except Exception as e:
        from idp.cli import failures  # noqa: PLC0415 - knows the configuration, which `--help` does without

        said = failures.explain(e)
        if said is None:
            raise
        for line in said:
            click.echo(line, err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
