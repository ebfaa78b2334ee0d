"""Download my data: all of it, only one's own, no secrets; after a fresh proof, a few a day (`product.md` §12; goal G-9; case 124)."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta

import html5lib
import pytest
import sqlalchemy as sa

from idp import clock, events
from idp.account import archive, archive_parts
from idp.clock import freeze
from idp.db.session import session as database
from idp.directory import pictures, users
from idp.directory.tables import User
from idp.languages import LANGUAGES
from tests.account.lab import ANNA, entered, prove
from tests.world import World, answer_of

SECRET = re.compile(r"[0-9a-f]{64}|\$argon2|[A-Za-z0-9_-]{43}")
OTHERS = ("79005553502", "Орлов", "orlov", "root as ivanov", "10.0.0.1")


def unpacked(answer: object) -> dict[str, bytes]:
    """File -> what is in it."""
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:  # type: ignore[attr-defined]
        assert packed.testzip() is None
        return {name: packed.read(name) for name in packed.namelist()}


def test_all_of_it_and_nobody_elses(world: World) -> None:
    """What the pages show, and more; nothing of other people or operators, no secret, no digest; an event and a notice."""
    app = world.party(first_party=False, name="Reports")
    me, page = entered(world, "/account/data/archive")
    world.redeem(app, answer_of(me.allow(me.authorize(app, scope="openid profile")))["code"])
    with world.writes(), events.acting("operator", details={"uid": 0}, personal={"operator": "root as ivanov", "ip": "10.0.0.1"}):
        events.record("user.unblocked", user_id=users.find_by_phone(ANNA).id)  # type: ignore[union-attr]
    with world.writes():
        pictures.keep(users.find_by_phone(ANNA).id, pictures.Drawn(b"large", b"small"))  # type: ignore[union-attr]
    answer = me.press(page, "/data/archive")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="my-data-')
    files = unpacked(answer)
    assert set(files) == {"data.json", "index.html", "look.css", "picture.jpg"}
    assert files["picture.jpg"] == b"large"
    found = json.loads(files["data.json"])
    assert found["contacts"][0]["value"] == ANNA
    assert {row["company"] for row in found["accounts"]} >= {"ИП Смирнова А. В."}
    assert [row["app"] for row in found["consents"]] == ["Reports"]
    assert any(row["browser"] == "Chrome, Linux" for row in found["browsers"])
    assert {row["name"] for row in found["activity"]} >= {"login.succeeded", "consent.granted", "data.downloaded"}
    assert found["messages"]
    text = (files["data.json"] + files["index.html"]).decode()
    assert not [other for other in OTHERS if other in text]
    assert not SECRET.search(text)
    assert world.code_for(ANNA) not in text
    assert len(world.events("data.downloaded")) == 1
    assert any("скачана копия" in sent["text"] for sent in world.inbox(ANNA))


def test_it_wants_a_fresh_proof_and_comes_a_few_times_a_day(world: World) -> None:
    """ASVS 5.0 §7.5.1's like; the fourth of a day is refused, with the time, and is no event."""
    began = clock.now()
    with freeze(began) as later:
        me, page = entered(world, "/account/data/archive")
        for _ in range(3):
            assert me.press(page, "/data/archive").status_code == 200
        refused = me.press(page, "/data/archive")
        assert (refused.status_code, int(refused.headers["Retry-After"]) > 86000) == (429, True)
        assert "as many copies" in me.go("/account/data/archive").text
        assert len(world.events("data.downloaded")) == 3
        later(timedelta(days=1, seconds=1))
        stale = me.press(page, "/data/archive")
        assert stale.status_code == 303
        back = prove(world, me, me.onward(stale), ANNA)
        assert back.url.path == "/account/data/archive"
        assert me.press(back, "/data/archive").status_code == 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_one_people_can_read(world: World, language: str) -> None:
    """Valid HTML in three languages that asks nobody for anything; what strangers wrote is text; what is left out is said."""
    with world.writes():
        user_id = users.find_by_phone(ANNA).id  # type: ignore[union-attr]
        users.change_profile(user_id, {"nickname": "<script>alert(1)</script>=cmd|' /C calc'!A0"})
    with world.reads():
        found = archive.collect(user_id, language)
        found[0] = found[0]._replace(left_out=1)
        page = archive.as_page(found, clock.now(), language)
    html5lib.HTMLParser(strict=True).parse(page)
    assert "<script" not in page
    assert f'lang="{language}"' in page
    assert not re.search(r"(src|href)=\"(?!look\.css)", page)
    assert json.loads(archive.as_json(found, clock.now()))["profile_left_out"] == 1


def test_messages_before_the_number_was_mine_are_not_mine(world: World) -> None:
    """A number has had other holders: what went to it before this person proved it stands in no copy of theirs."""
    began = clock.now()
    with freeze(began - timedelta(days=2)):
        entered(world)
    with world.writes():
        user = users.find_by_phone(ANNA)
        assert user is not None
    with world.writes():
        database.execute(sa.update(User).where(User.id == user.id).values(phone_verified_at=began))
    with world.reads():
        assert not [row for row in archive_parts.messages(user.id, "en") if row["channel"] == "sms"]
