"""Who a person is at other providers: issuer and subject, one ID each; and a journey that comes back once, to the browser that began it.

Cases 107 (identity), 108 and 112 (state and browser), 113 (once).
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock, crypto
from idp.credentials import social
from idp.credentials.social import Claimed
from idp.credentials.tables import SocialRequest
from idp.directory import users
from idp.errors import Conflict, NotFound
from tests import machine
from tests.ground import Ground, parallel

GOOGLE = Claimed("https://accounts.google.com", "108", "Anna S.")


def person(ground: Ground, phone: str) -> str:
    """Somebody with an ID."""
    with ground.writes():
        return users.register(phone, "Anna", "en", "1").id


def test_an_identity_is_issuer_and_subject(ground: Ground) -> None:
    """Case 107: another subject, another issuer, another case of a letter is somebody else; the name says nothing."""
    anna = person(ground, "+79012223344")
    with ground.writes():
        assert social.link(anna, "google", GOOGLE)
        assert not social.link(anna, "google", GOOGLE)
        for other in (
            Claimed(GOOGLE.issuer, "109", "Anna S."),
            Claimed(GOOGLE.issuer + "/", "108"),
            Claimed("https://accounts.GOOGLE.com", "108"),
        ):
            assert social.owner(other) is None
        assert social.owner(Claimed(GOOGLE.issuer, "108", "Somebody else")) == anna
        assert [(each.provider, each.label, each.last_used_at) for each in social.of_person(anna)] == [("google", "Anna S.", None)]
        found = social.find(GOOGLE)
        assert found is not None
        assert social.note_use(found.id)
        assert social.of_person(anna)[0].last_used_at is not None


def test_it_belongs_to_one_id(ground: Ground) -> None:
    """Two people link the same account at the same moment: one of them has it, the other is told."""
    people = [person(ground, f"+790122233{number:02}") for number in range(machine.count(4, 20))]

    def work(number: int) -> bool:
        with ground.writes():
            return social.link(people[number], "google", GOOGLE)

    done = parallel(len(people), work)
    assert sorted(type(each).__name__ for each in done) == ["Conflict"] * (len(people) - 1) + ["bool"]
    with ground.reads():
        assert social.owner(GOOGLE) == people[done.index(True)]


def test_unlinking(ground: Ground) -> None:
    """Only one's own; what is unlinked can be linked again, also to another ID."""
    anna, boris = person(ground, "+79012223344"), person(ground, "+79012223345")
    with ground.writes():
        social.link(anna, "google", GOOGLE)
        social.link(anna, "vk", Claimed("https://id.vk.com", "1"))
        made = social.of_person(anna)[0].id
    for whose, which in ((boris, made), (anna, "idt_none")):
        with pytest.raises(NotFound), ground.writes():
            social.unlink(whose, which)
    with ground.writes():
        social.unlink(anna, made)
        assert not social.note_use(made)
        social.link(boris, "google", GOOGLE)
        assert [each.provider for each in social.of_person(anna)] == ["vk"]
    with pytest.raises(Conflict), ground.writes():
        social.link(anna, "google", GOOGLE, title="Google")


def test_a_journey_comes_back_once(ground: Ground) -> None:
    """Cases 108 and 113: not in another browser, not from another provider, not twice (also not at once), not after ten minutes."""
    mine, other = crypto.new_secret(), crypto.new_secret()
    with clock.freeze(clock.now()) as later:
        with ground.writes():
            asked, late = social.begin("google", mine, flow_id="flw_1"), social.begin("google", mine, flow_id="flw_1")
        for state, provider, browser in (
            (asked.state, "google", other),
            (asked.state, "google", ""),
            (asked.state, "vk", mine),
            (crypto.new_secret(), "google", mine),
            ("", "google", mine),
            (asked.state + "x", "google", mine),
        ):
            with ground.writes():
                assert social.redeem(state, provider, browser) is None

        def work(_: int) -> bool:
            with ground.writes():
                return social.redeem(asked.state, "google", mine) is not None

        assert parallel(machine.count(4, 20), work).count(True) == 1
        with ground.reads():
            again = social.find_redeemed(asked.state, "google", mine)
            assert again is not None
            assert again.flow_id == "flw_1"
            assert social.find_redeemed(asked.state, "google", other) is None
        later(social.LIFETIME)
        with ground.writes():
            assert social.redeem(late.state, "google", mine) is None
        later(timedelta(days=2))
        with ground.writes():
            assert social.sweep(clock.now()) == 2


def test_what_a_thief_of_the_database_reads(ground: Ground) -> None:
    """Case 42: neither state, nonce nor verifier, and not who came back; nonce and verifier differ with each journey."""
    with ground.writes():
        asked = social.begin("google", "browser", flow_id="flw_1")
        social.keep_found(asked.id, GOOGLE)
    dump = ground.dump()
    for secret in (asked.state, asked.nonce, social.verifier_of(asked.state), asked.challenge, "Anna S."):
        assert secret not in dump
    assert len({asked.state, asked.nonce, social.verifier_of(asked.state), asked.challenge}) == 4
    with ground.writes():
        assert social.found(asked.id) is not None
        assert social.settle(asked.id)
        assert not social.settle(asked.id)
        assert social.found(asked.id) is None
        assert social.found(None) is None
    assert [row.found for row in ground.rows(SocialRequest)] == [None]
