"""What people are told, by which of their channels, and how often: warnings cost a text each. Cases 28, 66, 74, 77 of threats.md."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from idp import clock, events
from idp.config_spend import units
from idp.directory import users
from idp.directory.tables import User
from idp.reactions import NOTICES
from tests.conftest import Told
from tests.messages.pumping import counted, spending, told_of
from tests.oidc.asking import phone
from tests.world import World, answer_of, new_phone

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def somebody(world: World, email: str | None = None, locale: str = "ru") -> User:
    """A person who has never signed in, with an address of their own or without."""
    with world.writes():
        user = users.register(new_phone(), "Ева", locale, "1")
        if email:
            users.confirm_email(user.id, email)
        return users.get(user.id)


def notices(world: World, *addresses: str | None) -> list[tuple[str, str]]:
    """Channel and text of what was sent beside codes, oldest first."""
    found: list[dict[str, Any]] = [message for to in addresses if to for message in world.inbox(to) if message["code"] is None]
    for message in found:
        assert not re.search(r"https?:|www\.|@|\d{5,}", message["text"])
        assert message["link"] is None
    return [(message["channel"], message["text"]) for message in reversed(found)]


def test_a_new_browser(world: World) -> None:
    """Not at the very first sign-in, nor where the person is known; in a new browser once, with its name, in their language."""
    party, user = world.party(), somebody(world)
    first, other = world.browser(), world.browser(user_agent=FIREFOX)
    with clock.freeze(clock.now()) as later:
        answer_of(world.sign_in(first, party, str(user.phone)))
        later(3600)
        answer_of(world.sign_in(first, party, str(user.phone), prompt="create"))
        assert notices(world, user.phone) == []
        later(3600)
        answer_of(world.sign_in(other, party, str(user.phone)))
        assert notices(world, user.phone) == [("sms", "Базар ID: новый вход, Firefox, Windows. Не вы? Напишите в поддержку.")]
        later(3600)
        answer_of(world.sign_in(other, party, str(user.phone), prompt="create"))
        assert len(notices(world, user.phone)) == 1
    [event] = world.events("browser.new")
    assert (event.user_id, event.session_id is not None) == (user.id, True)


def test_a_browser_that_was_not_to_be_remembered(world: World) -> None:
    """Taking the tick off hides nothing from the owner of the number."""
    party, user = world.party(), somebody(world, locale="en")
    answer_of(world.sign_in(world.browser(), party, str(user.phone)))
    thief = world.browser(user_agent="")
    page = thief.onward(thief.submit(thief.authorize(party), phone=str(user.phone)))
    request = thief.filled(page, code=world.code_for(str(user.phone)))
    body = re.sub(r"&?remember=[^&]*", "", request.read().decode())
    sent = thief.post(str(request.url), content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    answer_of(thief.onward(sent))
    assert thief.cookies.get("idp_browser") is None
    assert notices(world, user.phone) == [("sms", "Bazar ID: new sign-in, an unknown browser. Not you? Write to support.")]


def test_a_new_browser_by_mail(world: World) -> None:
    """Who has proved an address is written to there: whoever got the number reads its texts."""
    party, user = world.party(), somebody(world, "eva@post.example", "zh")
    for agent in ("", FIREFOX):
        answer_of(world.sign_in(world.browser(user_agent=agent), party, str(user.phone)))
    [(channel, text)] = notices(world, user.phone, user.email)
    assert channel == "email"
    assert "Firefox, Windows" in text


def test_theft_and_sign_out_by_every_channel(world: World) -> None:
    """Cases 28 and 77: what needs the person now goes by text, and by mail too where there is an address."""
    user, other = somebody(world, "eva@post.example", "en"), somebody(world)
    with world.writes():
        for name in ("browser.stolen", "token.reused", "user.signed_out_everywhere"):
            for whom in (user, other):
                events.record(name, user_id=whom.id)
    assert [channel for channel, _ in notices(world, user.phone, user.email)] == ["email"] * 3 + ["sms"] * 3
    assert [channel for channel, _ in notices(world, other.phone)] == ["sms"] * 3
    texts = [text for _, text in notices(world, user.phone)]
    assert any("signed out everywhere" in text for text in texts)


def test_five_a_day_of_all_kinds(world: World) -> None:
    """Case 66: a notice by text and mail counts as one; the day after they go out again."""
    user = somebody(world, "eva@post.example")
    with clock.freeze(clock.now()) as later:
        for day in (1, 2):
            with world.writes():
                for _ in range(NOTICES + 2):
                    events.record("user.signed_out_everywhere", user_id=user.id)
            assert len(notices(world, user.phone, user.email)) == 2 * NOTICES * day
            assert [event.details["reason"] for event in world.events("notice.withheld")] == ["notices_of_a_person"] * 2 * day
            later(timedelta(days=1, seconds=1))


def test_what_all_notices_may_cost(told: Told) -> None:
    """Case 66: many people's texts have a budget of their own. Once it is spent there is mail alone; a text that is not sent is an event,
    the alarm one; the codes have lost nothing; tomorrow there are texts again.
    """
    with spending(told, notice_budget="20") as world, clock.freeze(clock.now()) as later:
        people = [somebody(world, "eva@post.example" if n == 3 else None, "zh") for n in range(5)]
        with world.writes():
            for user in people:
                events.record("user.signed_out_everywhere", user_id=user.id)
        sent = [[channel for channel, _ in notices(world, user.phone, user.email)] for user in people]
        assert sorted(sent) == [[], [], ["email"], ["sms"], ["sms"]]
        assert counted(world, "notices") == (units("20"), 2, 0)
        assert counted(world) == (0, 0, 0)
        withheld = world.events("notice.withheld")
        assert {event.user_id for event in withheld} == {user.id for user, kinds in zip(people, sent, strict=True) if "sms" not in kinds}
        assert all((event.details["channels"], event.details["reason"]) == (["sms"], "notice_budget") for event in withheld)
        assert told_of(world, "spend.exhausted") == [("notices", "", "notice_budget")]
        later(timedelta(days=1))
        with world.writes():
            events.record("user.signed_out_everywhere", user_id=people[0].id)
        assert [channel for channel, _ in notices(world, people[0].phone)][-1:] == ["sms"]


def test_no_money_for_notices(told: Told) -> None:
    """Nothing is nothing, also for the first; a text of two parts needs the money for two."""
    for budget, locale in (("0", "zh"), ("10", "ru")):
        with spending(told, notice_budget=budget) as world:
            user = somebody(world, locale=locale)
            with world.writes():
                events.record("browser.stolen", user_id=user.id)
            assert notices(world, user.phone) == []
            assert counted(world, "notices") == (0, 0, 0)
            assert [event.user_id for event in world.events("notice.withheld")] == [user.id]


def test_reused_on_purpose(world: World, story) -> None:
    """Case 66: whoever holds a public client's tokens reuses one after the other: the family ends each time, the texts stop."""
    party, browser, number = world.party(kind="single_page"), world.browser(), phone(story, "zimin")
    with clock.freeze(clock.now()) as later:
        tokens = world.tokens(browser, party, number)
        for _ in range(NOTICES + 3):
            first = world.refresh(party, tokens["refresh_token"]).json()
            world.refresh(party, first["refresh_token"])
            assert world.refresh(party, tokens["refresh_token"]).status_code == 400
            tokens = world.redeem(party, answer_of(browser.authorize(party))["code"]).json()
        texts = [message for message in world.inbox(number) if message["code"] is None]
        assert len(texts) == NOTICES
        assert len(world.events("token.reused")) == NOTICES + 3
        later(86400)
        world.refresh(party, world.refresh(party, tokens["refresh_token"]).json()["refresh_token"])
        world.refresh(party, tokens["refresh_token"])
        assert len([message for message in world.inbox(number) if message["code"] is None]) >= 1
