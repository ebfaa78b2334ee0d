"""R20: `idp init` dies anywhere; run again, it ends where it would have ended. Files as well as tables: keys, configuration, revisions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from idp import config, crypto
from idp.cli.init import init
from idp.jws import ALGORITHMS, ENCRYPTION
from tests import servers
from tests.faults.conftest import BOTH, BOTH_AT_TIMES
from tests.faults.crash import Died, Points, in_another_process
from tests.machine import count

FILES = 12  # so many points at the beginning are about files: each is tried every day, once for both databases


def _init(folder: Path, url: str) -> None:
    """In a forked process: as `idp init` in an empty folder."""
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith("IDP_")]:
        del os.environ[name]
    os.environ["IDP_DATABASE__URL"] = url
    config._Current.settings = None
    init.callback()  # type: ignore[misc] # click's command has one


def _state(folder: Path, url: str) -> dict[str, Any]:
    """What there is: files with their rights and lengths, tables with how many rows, the keys, whether they open with the root key."""
    crypto.load_keys(folder / "keys")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        tables = {
            name: connection.scalar(sa.text(f'SELECT count(*) FROM "{name}"'))  # noqa: S608 - our own tables
            for name in sorted(sa.inspect(connection).get_table_names())
        }
        keys = connection.execute(sa.text("SELECT algorithm, state, private_sealed FROM signing_keys ORDER BY algorithm, state")).all()
        revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    files = {
        str(path.relative_to(folder)): (oct(path.stat().st_mode), path.stat().st_size if path.is_file() else 0)
        for path in sorted(folder.rglob("*"))
        if "sqlite3" not in path.name and not path.name.startswith(".")  # a temporary file of the run that died harms nobody
    }
    opened = [crypto.unseal("signing key", key.private_sealed)[:10] for key in keys]
    return {"files": files, "tables": tables, "keys": [tuple(key[:2]) for key in keys], "revision": revision, "opened": opened}


@pytest.mark.parametrize("kind", BOTH_AT_TIMES)
def test_init_dies_and_is_run_again(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """R20: at every point; what is left of a file never keeps the next run from making it whole."""
    cluster: servers.Cluster | None = request.getfixturevalue("cluster") if kind == "postgresql" else None

    def fresh(number: int) -> tuple[Path, str]:
        folder = tmp_path / str(number)
        folder.mkdir()
        if cluster is None:
            return folder, f"sqlite:///{folder / 'idp.sqlite3'}"
        cluster.drop("init")
        return folder, cluster.create("init")

    def run(folder: Path, url: str) -> dict[str, Any]:
        def work(_tell: Callable[[Any], None]) -> dict[str, Any]:
            _init(folder, url)
            return _state(folder, url)

        _, found = in_another_process(work)
        answer: dict[str, Any] = found
        return answer

    wanted = run(*fresh(0))
    point, stride, files = 1, count(60, 1), FILES if cluster is None else count(0, FILES)
    while True:
        folder, url = fresh(point)

        def work(tell: Callable[[Any], None], place: tuple[Path, str] = (folder, url), at: int = point) -> None:
            Points(at, tell).watch()
            _init(*place)

        _, died = in_another_process(work)
        if died is None:
            break
        where: Died = died
        assert run(folder, url) == wanted, where
        point += 1 if point < files else stride
    assert point > FILES


@pytest.mark.parametrize("kind", BOTH)
def test_several_inits_at_once_make_one_deployment(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """R5: three first set-ups in one instant: each ends well, and there is one root key, one configuration, its keys."""
    cluster: servers.Cluster | None = request.getfixturevalue("cluster") if kind == "postgresql" else None
    ours = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    for run in range(count(1, 20)):
        folder = tmp_path / str(run)
        folder.mkdir()
        if cluster is not None:
            cluster.drop("inits")
        url = cluster.create("inits") if cluster else f"sqlite:///{folder / 'idp.sqlite3'}"
        command = [sys.executable, "-m", "idp.cli.main", "init"]
        env = {**ours, "IDP_DATABASE__URL": url, "PYTHONPATH": str(Path(config.__file__).parents[1])}
        running = [subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(3)]
        said = [process.communicate(timeout=60)[0].decode() for process in running]
        assert [process.returncode for process in running] == [0, 0, 0], said
        assert sum("made   " in text and "root.key" in text.partition("made   keys")[2] for text in said) == 1, said
        _, state = in_another_process(lambda _, place=(folder, url): _state(*place))
        sign = [(name, kind) for name in ALGORITHMS for kind in ("active", "next")]
        assert sorted(state["keys"]) == sorted([*sign, *((name, "active") for name in ENCRYPTION)])
        assert sorted(path.name for path in (folder / "keys").iterdir()) == ["root.key"]
