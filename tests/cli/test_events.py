"""`idp events`: the audit trail followed and exported (OWASP ASVS 5.0 §16.2). Threats: cases 41, 125."""

from __future__ import annotations

import json
import stat
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from idp import clock, events
from idp.db.session import session as database
from idp.events import Event
from tests.cli.terminal import idp
from tests.oidc.asking import person, phone, signed_in
from tests.world import World


def tail(*words: str) -> list[dict[str, object]]:
    """What `idp events tail` says to a program."""
    done = idp("events", "tail", *words, "--format", "json")
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def export(*words: str) -> list[dict[str, object]]:
    """The lines of an export."""
    done = idp("events", "export", *words)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def link(world: World) -> None:
    """What the worker does each second."""
    more = 1
    while more:
        with world.writes():
            more = events.link()


def test_the_last_ones(world: World, story) -> None:
    """The newest at the end; by name or its beginning, person, company, client and time."""
    party = world.party()
    everything = [event.id for event in world.events()]
    assert [each["id"] for each in tail("-n", "3")] == everything[-3:]
    assert len(tail()) == 10
    with clock.freeze(clock.now() + timedelta(hours=1)) as later:
        signed_in(world, story, "zimin", party)
        later(60)
        zimin = person(story, "zimin").user_id
        whole = tail("--name", "login.succeeded")
        assert whole == tail("--name", "login.") == tail("--user", phone(story, "zimin"), "--name", "login.")
        assert whole[0] in tail("--since", "2m")
        assert whole[0]["user_id"] == zimin
        assert {each["user_id"] for each in tail("--user", zimin, "-n", "100")} == {zimin}
        assert tail("--since", "10s") == []
    companies = {each["company_id"] for each in tail("--company", "7800935510")}
    assert companies == {story.companies["veter"]} == {each["company_id"] for each in tail("--company", story.companies["veter"])}
    assert "No event fits" in idp("events", "tail", "--client", "nobody").err
    assert idp("events", "tail", "-n", "0").out == ""


@pytest.mark.parametrize("form", ["table", "json"])
def test_nobody_is_named_unasked(world: World, story, form: str) -> None:
    """What names a person (address, browser, phone) is shown only with --personal."""
    signed_in(world, story, "zimin")
    shown = idp("events", "tail", "-n", "100", "--format", form).out
    named = idp("events", "tail", "-n", "100", "--format", form, "--personal").out
    for words in ("203.0.113.7", "Chrome, Linux"):
        assert words not in shown
        assert words in named
    assert phone(story, "zimin") not in shown


def test_one_event_is_one_line(world: World) -> None:
    """Case 125: whatever was recorded, a row is a row and orders no terminal about."""
    nasty = "a\nb\x1b[2J\u202e\u2028 x=y"
    before = len(tail("-n", "10000"))
    with world.writes():
        events.record("code.wrong", client_id=nasty, details={nasty: nasty}, personal={"browser": nasty})
        database.execute(sa.update(Event).where(Event.name == "code.wrong").values(client_id=nasty))  # past the rule
    for form in ("table", "json"):
        assert len(idp("events", "tail", "-n", "10000", "--personal", "--format", form).out.splitlines()) == before + 1


def test_exported(world: World, story) -> None:
    """Oldest first, between two instants, with the chain verified before; without what names a person unless that is asked for."""
    signed_in(world, story, "zimin")
    link(world)
    done = idp("events", "export", "--verify")
    everything = world.events()
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == [event.id for event in everything]
    assert f"The chain is in order: {len(everything)} events" in done.err
    assert "personal" not in json.loads(done.out.splitlines()[0])
    assert "203.0.113.7" not in done.out
    named = export("--personal")
    assert any("203.0.113.7" in str(each["personal"]) for each in named)
    cut = everything[len(everything) // 2].at.isoformat()
    first, second = export("--until", cut), export("--since", cut)
    assert [each["id"] for each in first + second] == [event.id for event in everything]
    assert all(str(each["at"]) < str(second[0]["at"]) for each in first)


def test_a_broken_chain(world: World) -> None:
    """It is said, with exit code 1, and nothing is exported; without --verify it still can be."""
    link(world)
    with world.writes():
        database.execute(sa.update(Event).where(Event.position == 7).values(outcome="refused"))
    done = idp("events", "export", "--verify")
    assert (done.code, done.out) == (1, "")
    assert "broken after 6 events" in done.err
    assert len(export()) == len(world.events())


def test_into_a_file(world: World, tmp_path: Path) -> None:
    """Only its owner can read it; one that is there stays as it is; one that could not be finished is not there."""
    path = tmp_path / "events.jsonl"
    assert idp("events", "export", "-o", str(path)).out == ""
    assert len(path.read_text().splitlines()) == len(world.events())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    again = idp("events", "export", "-o", str(path))
    assert again.code == 1
    assert "is there already" in again.err
    assert path.read_bytes() == before
    none = idp("events", "export", "-o", str(tmp_path / "none" / "events.jsonl"))
    assert none.code == 1
    assert "cannot be written" in none.err
    if sys.platform == "linux":
        full = idp("events", "export", "-o", "/dev/full")
        assert full.code == 1


def test_page_by_page(world: World) -> None:
    """More than fits into one look: none twice, none left out."""
    with world.writes():
        for number in range(2300):
            events.record("login.succeeded", details={"n": number})
    numbers = [json.dumps(each["details"]) for each in export() if each["name"] == "login.succeeded"]
    assert numbers == [json.dumps({"n": number}) for number in range(2300)]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("export", "--since", "yesterday"), 2, "no instant"),
        (("tail", "--since", "-5m"), 2, "no instant"),
        (("tail", "-n", "-1"), 2, "-n"),
        (("export", "--since", "2026-01-02", "--until", "2026-01-01"), 1, "--since must be before"),
        (("tail", "--user", "+79001234567"), 1, "idp users list"),
        (("tail", "--company", "12"), 1, "idp companies list"),
    ],
)
def test_wrong_usage(world: World, words: tuple[str, ...], code: int, said: str) -> None:
    """What to do instead."""
    done = idp("events", *words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
