"""The project's own files: what is installed is pinned, nothing names a registry, and the commands that people type exist."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINS = {
    canonicalize_name(name): pinned
    for name, _, pinned in (line.partition("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[:1] != "#")
}
WANTED = [Requirement(line) for group in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()] for line in group]
TARGETS = "demo demo-reset test test-postgres faults fuzz mutants lint format bench screens help".split()


def test_every_line_of_the_constraints_is_one_exact_version() -> None:
    assert all(re.fullmatch(r"[0-9][0-9A-Za-z.]*", pinned) for pinned in PINS.values()), PINS


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_every_dependency_is_pinned_above_its_floor(wanted: Requirement) -> None:
    """threats.md 0.1: an older version of these has a known hole."""
    if wanted.name == PROJECT["name"]:
        return
    pinned = PINS[canonicalize_name(wanted.name)]
    assert wanted.specifier, "without a floor"
    assert wanted.specifier.contains(pinned)
    assert version(wanted.name) == pinned, "the tests run with another version: make test installs the right one"


def test_no_second_library_for_tokens() -> None:
    """threats.md 0.1: one JOSE library only; PyJWT alone had seven advisories this year."""
    assert not {"pyjwt", "python-jose", "jwcrypto"} & PINS.keys()


def test_nothing_names_a_registry() -> None:
    """Whoever installs this uses the registries of their own machine."""
    found = subprocess.run(
        [
            "git",
            "grep",
            "-nIE",
            r"--(extra-)?index-url|--find[-]links|\"resolved\": *\"http|https?://[a-z.]*(registry|pythonhosted|pypi)[a-z.]*/",
            "--",
            ":!tests/house",
        ],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert found.stdout == ""
    packages = json.loads((ROOT / "tests" / "package-lock.json").read_text("utf-8"))["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in packages.items() if name)


@pytest.mark.parametrize("target", TARGETS)
def test_the_commands_are_there_and_listed(target: str) -> None:
    """`make help` lists each; each can be made."""
    listed = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert re.search(rf"^  make {target} ", listed, re.M)
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_the_demo_moves_with_its_port() -> None:
    made = subprocess.run(["make", "--dry-run", "demo", "PORT=9000"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "--port 9000" in made
