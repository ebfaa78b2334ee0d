"""What only a real process shows: a question at a terminal, Ctrl-C, a pipe that nobody reads on, an export as it grows."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time

from tests.cli.running import PATIENCE, Place

IDP = [sys.executable, "-m", "idp.cli.main"]


def active(place: Place) -> str:
    """The key that signs with ES256."""
    listed = json.loads(place.idp("keys", "list", "--format", "json").out)
    return next(key["kid"] for key in listed if (key["algorithm"], key["state"]) == ("ES256", "active"))


def at_terminal(place: Place, words: list[str], typed: str) -> tuple[int, str]:
    """Exit code and standard error of a command with somebody at the keyboard."""
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [*IDP, *words],
        cwd=place.folder,
        env=place.environment,
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(terminal)
        os.write(keyboard, typed.encode())
        _, said = process.communicate(timeout=PATIENCE)
        os.close(keyboard)
        return process.returncode, said


def test_a_key_is_revoked_after_a_yes(place: Place) -> None:
    """The question names the key; anything but yes leaves it."""
    kid = active(place)
    code, said = at_terminal(place, ["keys", "revoke", kid], "n\n")
    assert code == 1
    assert f"Revoke {kid}" in said
    assert "Nothing was done" in said
    assert active(place) == kid
    assert at_terminal(place, ["keys", "revoke", kid], "y\n")[0] == 0
    assert active(place) != kid


def test_followed_until_ctrl_c(place: Place) -> None:
    """New events come within a second or two, each once; Ctrl-C ends it with 130 and no stack trace."""
    with subprocess.Popen(
        [*IDP, "events", "tail", "-f", "-n", "2", "--format", "json"],
        cwd=place.folder,
        env=place.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        first = [json.loads(process.stdout.readline())["name"] for _ in range(2)]
        assert first == ["key.made", "key.made"]
        assert place.idp("keys", "rotate", "--now", "--algorithm", "ES256").code == 0
        following = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert {event["name"] for event in following} == {"key.made", "key.activated"}
        assert {event["actor_id"] for event in following} == {"operator"}
        time.sleep(1.2)  # one more look, which must find nothing new
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert rest == ""
    assert said.strip() == ""


def test_a_pipe_that_nobody_reads_on(place: Place) -> None:
    """`idp events export | head -1` is silent."""
    for words in (["events", "export"], ["keys", "list"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [*IDP, *words], cwd=place.folder, env=place.environment, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writing)
        assert "rror" not in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def test_letters_that_the_terminal_does_not_have(place: Place) -> None:
    """A Chinese name in a terminal that knows only Latin letters: something is shown, nothing breaks."""
    variables = {**place.environment, "PYTHONIOENCODING": "ascii:strict"}
    words = ["clients", "create", "--name", "卖家中心", "--redirect-uri", "https://shop.example/callback", "--id", "shop"]
    assert place.idp(*words).code == 0
    done = subprocess.run([*IDP, "clients", "list"], cwd=place.folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "\\u5356" in done.stdout
