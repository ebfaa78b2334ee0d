"""What is installed is what is in the checkout: the wheel, in an empty environment and far from here, serves the same pages.

A template, a catalogue or a migration that is not packed shows only at the first person who installs it; here it shows before.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests import machine

ROOT = Path(__file__).parents[2]
PAGES = ("/signed-out", "/login/flw_of_yesterday", "/no-such-page", "/.well-known/openid-configuration", "/health/live", "/static/no.css")
LANGUAGES = ("ru", "en", "zh")

PROGRAM = """
import json, sys
from werkzeug.test import Client
import idp
from idp import app, config

told = {"file": idp.__file__, "pages": {}}
client = Client(app.create_wsgi(config.load()))
for page in json.loads(sys.argv[1]):
    for language in json.loads(sys.argv[2]):
        answer = client.get(page, headers={"Accept-Language": language}, base_url="http://localhost:8000")
        told["pages"][f"{page} {language}"] = [answer.status_code, answer.headers.get("Content-Type"), answer.get_data(as_text=True)]
print("told:" + json.dumps(told))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built by the build tool that constraints.txt names."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with nothing but the wheel; its dependencies are lent by this one, this checkout is not."""
    home = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    python = home / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(command, check=True)
    (site,) = home.glob("lib/python3*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, Any]:
    """An empty working directory, and variables that know nothing of the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IDP_", "PYTHON", "PROMETHEUS"))}
    return {"cwd": tmp_path, "env": kept}


def ask(python: Path | str, where: dict[str, Any]) -> dict[str, Any]:
    command = [python, "-c", PROGRAM, json.dumps(PAGES), json.dumps(LANGUAGES)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, **where)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("told:"))
    told: dict[str, Any] = json.loads(line.removeprefix("told:"))
    return told


def alike(page: list[Any]) -> list[Any]:
    """A page without what is new each time: nonces, request ids, times of day, the values of hidden fields."""
    status, kind, body = page
    body = re.sub(r'nonce="[^"]*"|nonce-[\w+/=-]+|req_\w+', "", body)
    body = re.sub(r'(<input[^>]*type="hidden"[^>]*value=)"[^"]*"', r"\1", body)
    return [status, kind, re.sub(r"\d{1,2}:\d\d(:\d\d)?|datetime=\"[^\"]*\"", "", body)]


def test_the_wheel_holds_what_the_checkout_holds(wheel: Path) -> None:
    """Every file of the package and of the templates that git knows, and nothing else."""
    tracked = subprocess.run(["git", "ls-files", "-z", "idp", "templates"], cwd=ROOT, check=False, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("this is no checkout of git, so nothing says which files belong to it")
    known = {path for path in tracked.stdout.split("\0") if path and (ROOT / path).exists()}
    expected = {f"idp/{path}" if path.startswith("templates/") else path for path in known} | {"idp/config.example.toml"}
    with zipfile.ZipFile(wheel) as packed:
        found = {name for name in packed.namelist() if ".dist-info/" not in name}
        config = packed.read("idp/config.example.toml")
    assert expected - found == set(), "not packed"
    strangers = {path for path in found - expected if not (ROOT / path).exists() and not (ROOT / path.removeprefix("idp/")).exists()}
    assert strangers == set(), "packed, and nobody knows from where"
    assert not [path for path in found if path.endswith((".pyc", ".sqlite3", ".log", ".key"))]
    assert config == (ROOT / "config.example.toml").read_bytes()


def test_the_wheel_serves_the_same_pages(installed: Path, elsewhere: dict[str, Any]) -> None:
    """Pages, their languages and the protocol's metadata, from an empty folder that `idp init` has made ready."""
    done = subprocess.run([installed / "idp", "init"], check=False, capture_output=True, text=True, **elsewhere)
    assert done.returncode == 0, done.stderr
    ours = elsewhere | {"env": elsewhere["env"] | {"PYTHONPATH": str(ROOT)}}
    theirs, here = ask(installed / "python", elsewhere), ask(sys.executable, ours)
    assert Path(theirs["file"]).is_relative_to(installed.parent)
    assert Path(here["file"]).is_relative_to(ROOT)
    assert theirs["pages"].keys() == here["pages"].keys()
    for name, page in theirs["pages"].items():
        assert alike(page) == alike(here["pages"][name]), name
    assert "<html" in theirs["pages"]["/signed-out ru"][2]
    texts = {theirs["pages"][f"/signed-out {language}"][2].partition("<title>")[2].partition("<")[0] for language in LANGUAGES}
    assert len(texts) == len(LANGUAGES), f"catalogues are missing: {texts}"


def test_the_static_files_are_the_same(installed: Path, elsewhere: dict[str, Any]) -> None:
    """Stylesheet, scripts and fonts, byte by byte, where the package looks for them."""
    program = "import idp, pathlib; print(pathlib.Path(idp.__file__).parent)"
    done = subprocess.run([installed / "python", "-c", program], check=True, capture_output=True, text=True, **elsewhere)
    package = Path(done.stdout.strip())
    files = [path for path in (ROOT / "idp" / "web" / "static").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert (package / path.relative_to(ROOT / "idp")).read_bytes() == path.read_bytes()


def test_the_command_is_there(installed: Path, elsewhere: dict[str, Any]) -> None:
    """`idp`, with its configuration manual, and `idp serve` on a port."""
    port = machine.free_port()
    where = elsewhere | {"env": elsewhere["env"] | {"IDP_SERVER__PORT": str(port), "IDP_SERVER__ISSUER": f"http://localhost:{port}"}}
    subprocess.run([installed / "idp", "init"], check=True, capture_output=True, **where)
    checked = subprocess.run([installed / "idp", "check", "--format", "json"], check=True, capture_output=True, text=True, **where)
    assert json.loads(checked.stdout)["server"]["port"] == port
    asked = subprocess.run([installed / "idp", "--help"], check=True, capture_output=True, text=True, **where)
    assert "serve" in asked.stdout
