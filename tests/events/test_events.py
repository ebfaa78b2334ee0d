"""The audit trail: what is written, what is found, what can be blanked, and that nothing can be changed unnoticed.

OWASP ASVS 5.0 §16.2, §16.3. Threats: cases 41, 42, 125.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp import clock, crypto, events, telemetry
from idp.db.session import session
from idp.errors import Refusal
from idp.events import Event, EventChain
from tests.ground import Ground, one_over, parallel, refuse

AT = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)


def record(ground: Ground, name: str = "login.succeeded", **what: Any) -> str:
    """One event in a unit of its own."""
    with ground.writes():
        return events.record(name, **what)


def linked(ground: Ground) -> int:
    """Take everything into the chain."""
    count = 0
    while True:
        with ground.writes():
            more = events.link()
        if not more:
            return count
        count += more


def verdict(ground: Ground) -> events.Verdict:
    """What a reader of the chain finds."""
    with ground.reads():
        return events.verify_chain()


def test_what_is_recorded_comes_back(ground: Ground) -> None:
    """All columns, to the microsecond, with the request's id."""
    telemetry.bind(request_id="req_1")
    with clock.freeze(AT):
        row_id = record(
            ground,
            outcome="refused",
            actor_id="usr_2",
            user_id="usr_1",
            company_id="cmp_1",
            client_id="seller",
            session_id="ses_1",
            details={"why": "expired", "n": 3, "list": ["a", None, True]},
            personal={"phone": "+79005550001", "ip": "203.0.113.7"},
        )
    telemetry.forget()
    [event] = ground.rows(Event)
    assert (event.id, event.at, event.name, event.outcome) == (row_id, AT, "login.succeeded", "refused")
    assert (event.actor_id, event.user_id, event.company_id, event.client_id, event.session_id) == (
        "usr_2",
        "usr_1",
        "cmp_1",
        "seller",
        "ses_1",
    )
    assert event.request_id == "req_1"
    assert event.details == {"why": "expired", "n": 3, "list": ["a", None, True]}
    assert event.personal == {"phone": "+79005550001", "ip": "203.0.113.7"}
    assert event.position is None


def test_it_is_written_with_the_change_itself(ground: Ground) -> None:
    """House rule 6: a unit that fails leaves no event; one that is refused does, as everything written before the refusal."""
    with pytest.raises(ZeroDivisionError), ground.writes():
        one_over(events.record("user.registered", user_id="usr_1"))
    assert ground.rows(Event) == []
    with pytest.raises(Refusal), ground.writes():
        refuse(events.record("code.wrong", user_id="usr_1"))
    assert [event.name for event in ground.rows(Event)] == ["code.wrong"]


def test_search(ground: Ground) -> None:
    """By person, company, client, session, name or its beginning, outcome and time; newest first, page by page."""
    ids = []
    with clock.freeze(AT) as shift:
        for number in range(6):
            shift(60)
            ids.append(
                record(ground, "login.succeeded" if number % 2 else "login_flow.begun", user_id=f"usr_{number % 3}", client_id=f"c{number}")
            )
        shift(60)
        record(ground, "code.wrong", outcome="refused", company_id="cmp_1", session_id="ses_1")

    def found(**what: Any) -> list[str]:
        with ground.reads():
            return [event.id for event in events.search(**what)]

    assert found(user_id="usr_1") == [ids[4], ids[1]]
    assert found(name="login.") == [ids[5], ids[3], ids[1]]
    assert found(name="login") == []
    assert found(name="login_flow.begun") == [ids[4], ids[2], ids[0]]
    assert found(client_id="c2") == [ids[2]]
    assert len(found(company_id="cmp_1", session_id="ses_1", outcome="refused")) == 1
    assert found(since=AT.replace(minute=32), until=AT.replace(minute=34)) == [ids[2], ids[1]]
    first = found(limit=3)
    assert first[1:] == [ids[5], ids[4]]
    assert found(limit=3, before=first[-1]) == [ids[3], ids[2], ids[1]]


NASTY = [
    "a\nb",
    "a\r\nb",
    '","outcome":"ok","x":"',
    "\x1b[2Jcleared",
    "\u202egnp.exe",
    "line\u2028sep\u2029arator",
    "next\x85line",
    "nul\0byte",
    "half \ud800 of a pair",
    "’; DROP TABLE events; --",
    "\\u000a",
    "=cmd|' /C calc'!A0",
    "я" * 5000,
]


@pytest.mark.parametrize("nasty", NASTY)
def test_one_event_is_one_line(ground: Ground, nasty: str) -> None:
    """Case 125: whatever is put into phone, browser, client or details, an export has one line, and reading it gives the row back."""
    record(
        ground, client_id=nasty, user_id=nasty, details={nasty: nasty, "deep": [{"x": nasty}]}, personal={"phone": nasty, "browser": nasty}
    )
    linked(ground)
    [event] = ground.rows(Event)
    line = events.line(event)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert all(character.isprintable() for character in line)
    said = json.loads(line)
    assert said["details"] == event.details
    assert said["personal"] == event.personal
    assert said["client_id"] == event.client_id
    assert said["outcome"] == "ok"
    assert all(character.isprintable() for character in event.client_id or "")
    assert verdict(ground) == (1, None)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    details=st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
    )
)
def test_any_details_survive_the_database(ground: Ground, details: dict[str, Any]) -> None:
    """Case 125: what the database gives back is what the digest was made of."""
    record(ground, details=details, personal=details)
    linked(ground)
    assert verdict(ground).broken is None


def test_what_names_a_person_can_be_blanked(ground: Ground) -> None:
    """The phone is gone from the database, its salt too (numbers are few enough to try them all), and the chain holds."""
    record(ground, user_id="usr_1", personal={"phone": "+79005550001"})
    record(ground, user_id="usr_3", actor_id="usr_1", personal={"ip": "203.0.113.77"})
    record(ground, user_id="usr_2", personal={"phone": "+79005550002"})
    linked(ground)
    with ground.writes():
        assert events.blank("usr_1") == 2
    assert "+79005550001" not in ground.dump()
    assert "203.0.113.77" not in ground.dump()
    assert "+79005550002" in ground.dump()
    assert {event.user_id for event in ground.rows(Event) if event.personal_salt} == {"usr_2"}
    assert verdict(ground) == (3, None)


CHANGES = {
    "a column": lambda row: sa.update(Event).where(Event.id == row).values(outcome="refused"),
    "details": lambda row: sa.update(Event).where(Event.id == row).values(details={"n": 99}),
    "the personal part": lambda row: sa.update(Event).where(Event.id == row).values(personal={"phone": "+79005559999"}),
    "the time": lambda row: sa.update(Event).where(Event.id == row).values(at=AT),
    "taken out": lambda row: sa.delete(Event).where(Event.id == row),
    "a position": lambda row: sa.update(Event).where(Event.id == row).values(position=1000),
    "its digest": lambda row: sa.update(Event).where(Event.id == row).values(digest="0" * 64),
    "unlinked": lambda row: sa.update(Event).where(Event.id == row).values(position=None, chain_digest=None),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("which", [0, 4, 9])
def test_a_change_is_noticed(ground: Ground, change: str, which: int) -> None:
    """Whatever is changed, taken out or moved, at the beginning, in the middle or at the end."""
    ids = [record(ground, details={"n": number}, personal={"phone": f"+7900555000{number}"}) for number in range(10)]
    assert linked(ground) == 10
    assert verdict(ground) == (10, None)
    with ground.writes():
        session.execute(CHANGES[change](ids[which]))
    assert verdict(ground).broken is not None


def test_a_chain_that_was_made_anew_is_noticed(ground: Ground) -> None:
    """Whoever writes to the database and reckons everything anew cannot seal the head: that key is not in the database."""
    ids = [record(ground, details={"n": number}) for number in range(3)]
    linked(ground)
    with ground.writes():
        session.execute(sa.delete(Event).where(Event.id == ids[2]))
        session.execute(
            sa.update(EventChain).values(position=2, digest=session.scalar(sa.select(Event.chain_digest).where(Event.position == 2)))
        )
    assert verdict(ground).broken == "the head of the chain was not sealed with the keys in keys/"
    with ground.writes():
        session.execute(sa.update(EventChain).values(sealed=crypto.seal("something else", "2 x")))
    assert verdict(ground).broken is not None
    with ground.writes():
        session.execute(sa.delete(EventChain))
    assert verdict(ground).broken == "the head of the chain is gone"


def test_one_chain_however_many_link(ground: Ground) -> None:
    """Ten workers at once: no gap, no position twice, every event once."""
    with ground.writes():
        for number in range(150):
            events.record("login.succeeded", details={"n": number})

    def work(_: int) -> int:
        count = 0
        for _turn in range(8):
            with ground.writes():
                count += events.link(7)
        return count

    answers = parallel(10, work)
    assert all(isinstance(answer, int) for answer in answers), answers
    linked(ground)
    assert sorted(event.position for event in ground.rows(Event)) == list(range(1, 151))
    assert verdict(ground) == (150, None)


def test_the_order_of_one_request_is_kept(ground: Ground) -> None:
    """What happens within a millisecond is found in the order in which it happened."""
    with ground.writes():
        written = [events.record("login.succeeded") for _ in range(200)]
    with ground.reads():
        assert [event.id for event in events.search(limit=200)] == written[::-1]


def test_an_empty_trail_is_in_order(ground: Ground) -> None:
    """Nothing to check is not an error."""
    assert verdict(ground) == (0, None)
    assert linked(ground) == 0
    assert verdict(ground) == (0, None)


def test_read_page_by_page_oldest_first(ground: Ground) -> None:
    """For an export: the same events as a search, in the order in which they happened; `count` says how many."""
    with clock.freeze(AT) as shift:
        for number in range(7):
            record(ground, "login.succeeded" if number % 2 else "code.wrong", details={"n": number})
            shift(60)
    with ground.reads():
        assert events.count() == 7
        assert events.count(name="code.wrong", since=AT.replace(minute=32)) == 3
        pages = [events.read(limit=4)]
        pages.append(events.read(limit=4, after=pages[0][-1].id))
        assert [[event.details["n"] for event in page] for page in pages] == [[0, 1, 2, 3], [4, 5, 6]]
        assert [event.details["n"] for event in events.read(since=AT.replace(minute=31), until=AT.replace(minute=33))] == [1, 2]
        assert events.count(since=datetime.min.replace(tzinfo=UTC), until=datetime.max.replace(tzinfo=UTC)) == 7


def test_a_line_without_what_names_a_person(ground: Ground) -> None:
    """It is left out, not emptied: `null` says that it was blanked."""
    record(ground, personal={"phone": "+79005550001"})
    [event] = ground.rows(Event)
    assert json.loads(events.line(event))["personal"] == {"phone": "+79005550001"}
    assert "personal" not in json.loads(events.line(event, personal=False))
    assert "+7900" not in events.line(event, personal=False)


def test_who_acts_without_an_id(ground: Ground) -> None:
    """Whatever rule records, the operator who ran the command stands in it; a rule that knows its actor is believed."""
    with ground.writes():
        with events.acting("operator", details={"uid": 1000}, personal={"operator": "ivanov"}):
            events.record("user.blocked", user_id="usr_1", details={"n": 1})
            events.record("employee.blocked", actor_id="usr_2", personal={"ip": "203.0.113.7"})
        events.record("login.succeeded", user_id="usr_1")
    first, second, third = sorted(ground.rows(Event), key=lambda event: event.id)
    assert (first.actor_id, first.details, first.personal) == ("operator", {"uid": 1000, "n": 1}, {"operator": "ivanov"})
    assert (second.actor_id, second.personal) == ("usr_2", {"operator": "ivanov", "ip": "203.0.113.7"})
    assert (third.actor_id, third.details, third.personal) == (None, {}, None)


def test_checking_the_chain_tells_how_far_it_is(ground: Ground) -> None:
    """Long work shows a progress bar."""
    with ground.writes():
        for number in range(2100):
            events.record("login.succeeded", details={"n": number})
    linked(ground)
    heard: list[tuple[int, int]] = []
    with ground.reads():
        assert events.verify_chain(lambda *far: heard.append(far)) == (2100, None)
    assert heard == [(1000, 2100), (2000, 2100)]
