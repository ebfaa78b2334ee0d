"""A one-time code by mail: the rules of `phone_code` (threats E), and nothing that tells whose an address is (case 70, goal G-7)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
import sqlalchemy as sa

from idp import clock, crypto, outbox
from idp.cli.demo_story import Story
from idp.credentials import email_code, one_time_code, phone_code, phone_limits
from idp.credentials.email_code import Guess, Sent
from idp.credentials.phone_sendings import NotOpen
from idp.credentials.tables import EmailCode
from idp.db.columns import table
from idp.db.session import session
from idp.directory import users
from idp.errors import BadInput, Gone, TooManyTries
from tests.credentials.lab import Desk
from tests.world import World

ANNA = "Anna@Example.com"


def begin(world: World, address: str = ANNA, *, of: str = "flw_1", network: str = "203.0.113.0/24", send: bool = True) -> Sent:
    """A code goes out."""
    with world.writes():
        return email_code.begin(address, for_id=of, purpose="recover", language="en", network=network, send=send)


def count(world: World, sent: Sent, *, of: str = "flw_1", purpose: str = "recover") -> Guess | None:
    """A guess is counted."""
    with world.writes():
        return email_code.guess(sent.id, of, purpose=purpose)


def guess(world: World, sent: Sent, code: str, *, of: str = "flw_1") -> bool:
    """The whole of a guess."""
    counted = count(world, sent, of=of)
    if counted is None:
        return False
    with world.writes():
        return email_code.judge(counted, code) and email_code.redeem(counted)


def look(world: World, sent: Sent) -> Sent:
    """The transaction as it is now."""
    with world.reads():
        found = email_code.find(sent.id, "flw_1")
        assert found == email_code.find_last("flw_1", purpose="recover")
    assert found is not None
    return found


def wrong(sent: Sent, nth: int = 1) -> str:
    """A code that is not the right one."""
    return f"{(int(one_time_code.derive_code(sent.id)) + nth) % 10**6:06}"


def test_arrives_and_wins_once(desk: Desk) -> None:
    """Cases 42, 54, 62, 65: derived, in the mail and nowhere else, the same when sent again; of two right ones at once one wins."""
    world = desk.world
    with clock.freeze(clock.now()) as later:
        sent = begin(world)
        later(30)
        with world.writes():
            email_code.resend(sent.id, "flw_1")
        codes = [mail["code"] for mail in world.inbox(ANNA)]
        assert codes == [one_time_code.derive_code(sent.id)] * 2
        assert look(world, sent).sends == 2
        with world.reads():
            row = session.execute(sa.select(table(EmailCode))).mappings().one()
        written = " ".join(str(value) for value in row.values())
        assert ANNA not in written
        assert ANNA.lower() not in written
        assert codes[0] not in written
        assert crypto.unseal(email_code.SEAL, row["address"]) == ANNA
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(lambda _: guess(world, sent, str(codes[0])), range(4))) == 1
        assert look(world, sent).used_at
        assert not look(world, sent).is_open
        assert not guess(world, sent, str(codes[0]))


def test_five_guesses_of_a_hundred(desk: Desk) -> None:
    """Case 53: of many at once five are counted; the right one after them does not win."""
    world = desk.world
    sent = begin(world)
    with ThreadPoolExecutor(8) as pool:
        counted = [each for each in pool.map(lambda _: count(world, sent), range(30)) if each]
    assert sorted(each.tries_left for each in counted) == [0, 1, 2, 3, 4]
    assert not guess(world, sent, one_time_code.derive_code(sent.id))
    assert look(world, sent).tries_left == 0
    with pytest.raises(Gone), world.writes():
        email_code.resend(sent.id, "flw_1")


def test_bound(desk: Desk) -> None:
    """Cases 58, 61 and 63: another's, another purpose's, a phone's desk, an invented id: nothing is counted."""
    world = desk.world
    sent = begin(world)
    assert count(world, sent, of="flw_2") is None
    assert count(world, sent, purpose="sign_in") is None
    with world.writes():
        assert phone_code.guess(sent.id, "flw_1", purpose="recover") is None
        assert email_code.guess("otp_none", "flw_1", purpose="recover") is None
        assert email_code.find(sent.id, "flw_2") is None
        assert email_code.find_last("flw_1", purpose="sign_in") is None
        with pytest.raises(Gone):
            email_code.resend(sent.id, "flw_2")
    assert look(world, sent).tries_left == 5
    for typed in ("", "12345", "1234567", "١٢٣٤٥٦", "abcdef"):
        with pytest.raises(BadInput):
            one_time_code.read_code(typed, sent.id)


def test_time_over(desk: Desk) -> None:
    """Case 64: a second before its time it wins, at its time it does not; a guess that was counted in time is not used after it."""
    with clock.freeze(clock.now()) as later:
        sent, other = begin(desk.world), begin(desk.world, of="flw_2")
        later(299)
        assert guess(desk.world, sent, one_time_code.derive_code(sent.id))
        counted = count(desk.world, other, of="flw_2")
        assert counted is not None
        later(1)
        assert count(desk.world, other, of="flw_2") is None
        with desk.world.writes():
            assert email_code.judge(counted, one_time_code.derive_code(other.id))
            assert not email_code.redeem(counted)
        later(timedelta(days=2, seconds=1))
        with desk.world.writes():
            assert email_code.sweep(clock.now()) == 2


def test_nobodys_address(desk: Desk) -> None:
    """Case 70: the same rows, events and refusals; nothing is sent, and the right value itself does not win."""
    world = desk.world
    with clock.freeze(clock.now()) as later:
        sent = begin(world, send=False)
        known = begin(world, "boris@example.com", of="flw_2")
        assert (sent.expires_at, sent.next_send_at, sent.tries_left) == (known.expires_at, known.next_send_at, known.tries_left)
        later(30)
        with world.writes():
            email_code.resend(sent.id, "flw_1")
        with world.reads():
            waiting = session.scalar(sa.select(sa.func.count()).select_from(outbox.Outbox))
        assert waiting == 3
        assert world.inbox(ANNA) == []
        assert len(world.inbox("boris@example.com")) == 1
        for _ in range(5):
            assert not guess(world, sent, one_time_code.derive_code(sent.id))
        assert count(world, sent) is None
        assert [event.name for event in world.events("code.wrong")] == ["code.wrong"] * 5


def test_limits(desk: Desk) -> None:
    """Cases 55, 67, 98: pauses and three sendings for each; ten mails a day, ten wrong codes an hour for an address."""
    world = desk.world
    with clock.freeze(clock.now()) as later:
        sent = begin(world)
        with pytest.raises(NotOpen) as early, world.writes():
            email_code.resend(sent.id, "flw_1")
        assert early.value.retry_at == sent.next_send_at
        for pause in (30, 60):
            later(pause)
            with world.writes():
                email_code.resend(sent.id, "flw_1")
        later(120)
        assert not look(world, sent).has_sendings_left
        with pytest.raises(NotOpen) as spent, world.writes():
            email_code.resend(sent.id, "flw_1")
        assert spent.value.message == email_code.ALL_SENT
        more = [begin(world, "ANNA@example.COM", of=f"flw_{n}", network=f"10.{n}.0.0/24", send=bool(n % 2)) for n in range(7)]
        with pytest.raises(TooManyTries) as refused:
            begin(world, of="flw_9", network="10.9.0.0/24")
        assert refused.value.message == phone_limits.OF_AN_ADDRESS.messages
        judged = 0
        for n in range(3):
            for _ in range(5):
                with suppress(TooManyTries):
                    judged += not guess(world, more[n], wrong(more[n]), of=f"flw_{n}")
        assert judged == 10
        later(timedelta(days=1))
        assert begin(world, of="flw_9")


def test_network(desk: Desk) -> None:
    """ASVS 6.6.3: a network is counted over all addresses and numbers."""
    for n in range(20):
        begin(desk.world, f"p{n}@example.com", of=f"flw_{n}", send=False)
    with pytest.raises(TooManyTries):
        begin(desk.world, "other@example.com")
    with pytest.raises(TooManyTries):
        desk.begin()


def test_off_until_support_says_so(desk: Desk, story: Story) -> None:
    """NIST SP 800-63B-4 §3.2.2: off after a hundred in a row; what turns the number on turns on its owner's address."""
    owner, address = story.people[0], "owner@example.com"
    with desk.world.writes():
        users.confirm_email(owner.user_id, address)
    subject = phone_limits.address_digest(address)
    with clock.freeze(clock.now()) as later:
        for _ in range(100):
            later(5000)
            with desk.world.writes():
                phone_limits.count_guess(subject)
        later(timedelta(days=2))
        with pytest.raises(TooManyTries) as refused:
            begin(desk.world, address)
        assert refused.value.message == phone_limits.OF_AN_ADDRESS.off
        with desk.world.writes():
            assert phone_limits.turn_on(owner.phone)
        assert begin(desk.world, address)
