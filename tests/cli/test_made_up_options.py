"""Made-up values for every option and argument of every command: never a traceback, always a message that says what to do.

The commands are those of click's tree, so that a new one is tried without being named here (commands.md: errors are 1, wrong usage 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from idp import config
from idp.cli.main import cli
from tests.cli.terminal import answer, idp
from tests.conftest import Told
from tests.machine import count

pytestmark = pytest.mark.fuzz
EXCLUDED = {
    "serve": "serves until it is told to stop",
    "worker": "works until it is told to stop",
    "demo": "serves until it is told to stop",
    "db revision": "for developers: writes a file into the source",
}
ENDLESS = {("events tail", "follow"): "goes on until Ctrl-C"}
WORDS = [
    *"- -- -1 +1 0 99999999999999999999 1e9 nan null true [] {} * % %s %(x)s ' \" \\ @ a@b +7 +79990000000".split(),
    *"usr_ usr_nobody cmp_ cmp_nothing key_ emp_ emp_nobody cli_".split(),
    *("", " ", "\0", "a\0b", "\n", "\r\n", "\t", "\x1b[2J", "\x9b31m", "\x7f", "\u2028", "\ufeff", "\ud800", "\udcff", "e\u0301"),
    *(
        "\u202eevil",
        "\u2066x\u2069",
        "🙂",
        "👩\u200d👧",
        "卖家中心",
        "ООО «Ромашка»",
        "И" * 300,
        "x" * 70_000,
        "a@" + "b" * 300 + ".example",
    ),
    *("'; DROP TABLE users; --", "${HOME}", "[red]x[/red]", "--yes", "http://", "https://[", "//x", "head", "base", "openid profile"),
    *"2026-02-30 0001-01-01 9999-12-31T23:59:59-23:59 -5m 999999d 5y 2h 2026-01-01 2026-W01-1 24:00".split(),
]
PATHS = ["", ".", "..", "/", "none/such/folder/file", "/dev/null", "/proc/none", "~", "x" * 300, "a\0b", "\ud800", "🙂", "\u202e", "-"]
some = settings(
    max_examples=count(15, 400),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def tree(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from tree(command, *path, name)
        else:
            yield " ".join([*path, name]), command


COMMANDS = dict(tree(cli))


def values(parameter: click.Parameter, known: list[str]) -> st.SearchStrategy[str]:
    """What may be given for a parameter: things that are there, good choices, and above all made-up ones."""
    if isinstance(parameter.type, click.Path):
        return st.sampled_from(PATHS) | st.text(st.characters(exclude_characters="/"), max_size=40)
    made_up = st.sampled_from(known) | st.sampled_from(WORDS) | st.text(max_size=60) | st.sampled_from(known)
    return st.sampled_from(list(map(str, parameter.type.choices))) | made_up if isinstance(parameter.type, click.Choice) else made_up


@st.composite
def typed(draw: st.DrawFn, name: str, command: click.Command, known: list[str]) -> list[str]:
    """What somebody types after the command's name."""
    words: list[str] = []
    for parameter in command.params:
        if (name, parameter.name) in ENDLESS:
            continue
        often = 10 if parameter.required else 4
        times = sum(draw(st.lists(st.integers(0, 10).map(lambda drawn, often=often: drawn < often), min_size=1, max_size=2)))
        for _ in range(times if parameter.multiple or not parameter.required else min(times, 1)):
            if isinstance(parameter, click.Option):
                words.append(draw(st.sampled_from([*parameter.opts, *parameter.secondary_opts])))
                if parameter.is_flag:
                    continue
            words.append(draw(values(parameter, known)))
    return draw(st.sampled_from([words, words, words, [*words, draw(st.sampled_from(WORDS))]]))


@pytest.fixture
def known(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A folder with a provider's configuration, and names of things that its database holds."""
    url = told.copy()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(f'[database]\nurl = "{url}"\n[keys]\nfolder = "{told.folder / "keys"}"\n')
    config.use(config.load(environment={}))
    romashka = told.story.companies["romashka"]
    staff = [employee["id"] for employee in answer("employees", "list", romashka)]
    keys = [key["kid"] for key in answer("keys", "list")]
    yield [told.story.people[0].user_id, told.story.people[1].phone, "anna@post.example", romashka, *staff[:2], *keys[:2], "administrator"]
    told.drop(url)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in EXCLUDED])
def test_whatever_is_typed(name: str, known: list[str]) -> None:
    """Exit code 0, 1 or 2; whoever is refused reads why. `tests/cli/terminal.py` looks at what is printed (case 125)."""
    reasons: list[tuple[int, str]] = []

    @some
    @given(typed(name, COMMANDS[name], known))
    def tried(words: list[str]) -> None:
        done = idp(*name.split(), *words)
        assert done.code in {0, 1, 2}, (words, done)
        if done.code:
            assert done.err.strip(), words
            assert "Go back and" not in done.err, (words, done.err)  # the words of a page
        reasons.append((done.code, done.err))

    tried()
    assert reasons


def test_what_is_left_out_is_there() -> None:
    """An exclusion that names nothing would hide the next command of that name."""
    assert EXCLUDED.keys() <= COMMANDS.keys()
    for name, option in ENDLESS:
        assert option in {parameter.name for parameter in COMMANDS[name].params}
