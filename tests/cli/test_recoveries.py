"""`idp users recoveries`: support sees who has lost their phone, and stops what must not happen; `change-phone` beside it."""

from __future__ import annotations

from idp.credentials import recoveries
from tests.cli.terminal import answer, idp
from tests.login.http_lab import known
from tests.login.recovering import by_browser, person
from tests.world import World, new_phone

ZIMIN, MAIL = "+79005553510", "zimin@post.example"


def test_listed_and_stopped(world: World) -> None:
    """House rule 6: the operator stands in the event, and the person is told by every channel."""
    party, new = world.party(), new_phone()
    assert "Nobody has asked" in idp("users", "recoveries", "list").err
    case = by_browser(world, known(world, party, ZIMIN), party, ZIMIN, new)
    [row] = answer("users", "recoveries", "list", "--of", MAIL, "--state", "waiting")
    assert (row["recovery"], row["user_id"], row["phone"], row["way"]) == (case.id, case.user_id, new, "browser")
    assert "is stopped" in idp("users", "recoveries", "cancel", case.id).out
    assert answer("users", "recoveries", "cancel", case.id) == {"recovery": case.id, "cancelled": False}
    [event] = world.events(recoveries.ENDED)
    assert (event.actor_id, event.details["reason"]) == ("operator", recoveries.SUPPORT)
    assert {mail["to"] for mail in world.inbox() if "отменена" in mail["text"]} == {ZIMIN, MAIL}
    assert idp("users", "recoveries", "cancel", "rcv_none").code != 0


def test_another_number_by_support_ends_it(world: World) -> None:
    """`change-phone` is the way where nothing can be proved: what waits is over, and the number stays the one that support gave."""
    party, given = world.party(), new_phone()
    case = by_browser(world, known(world, party, ZIMIN), party, ZIMIN, new_phone())
    assert idp("users", "change-phone", ZIMIN, given).code == 0
    world.deliver()
    with world.reads():
        ended = recoveries.find(case.id)
    assert ended is not None
    assert (ended.state, ended.ended_reason) == (recoveries.CANCELLED, recoveries.CHANGED)
    after = person(world, case.user_id or "")
    assert (after.phone, after.phone_changes_at) == (given, None)
