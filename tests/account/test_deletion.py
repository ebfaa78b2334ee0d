"""Delete my ID: asked for after a fresh proof, awaited, taken back by one press, or done for good (`product.md` §12; house rule 6)."""

from __future__ import annotations

from datetime import timedelta

import httpx2
import sqlalchemy as sa

from idp import clock, events, schedule
from idp.account import erasing
from idp.account.erasing import ERASED, STAYS
from idp.clock import freeze
from idp.db.columns import Base
from idp.db.session import session as database
from idp.directory import accounts, deletion, employees, users
from idp.directory.tables import Account, Employee, User
from tests.account.lab import ANNA, entered, prove
from tests.world import Browser, World, answer_of

BELOVA, ZIMINA = "+79005553503", "+79005553509"
ZIMIN, ZIMIN_MAIL = "+79005553510", "zimin@post.example"
OFFLINE = "openid offline_access"


def the_user(world: World, phone: str) -> User:
    """Whose number it is."""
    with world.reads():
        found = users.find_by_phone(phone)
    assert found is not None
    return found


def row_of(world: World, user_id: str) -> dict[str, object]:
    """The row, whoever it was."""
    with world.reads():
        return dict(database.execute(sa.select(User.__table__).where(User.__table__.c.id == user_id)).one()._mapping)


def asked(world: World, phone: str = ZIMIN) -> tuple[Browser, httpx2.Response]:
    """A browser in which the person has just asked for the end of their ID."""
    me, page = entered(world, "/account/deletion", phone=phone)
    return me, me.onward(me.submit(page, sure="1"))


def is_told(world: World, to: str, words: str) -> int:
    """How many messages with these words went there."""
    return len([sent for sent in world.inbox(to) if words in sent["text"]])


def run_the_schedule(world: World) -> None:
    """What the worker does every few minutes."""
    with world.app.app_context():
        for job in schedule.due():
            if job.name in {"deleted_ids", "deletions_to_come"}:
                schedule.run(job)


def test_it_waits_and_can_be_taken_back(world: World) -> None:
    """Told by every way at once and again before its time; until then all works, each page says so, and one press keeps it."""
    began = clock.now()
    with freeze(began):
        me, page = entered(world, "/account/deletion", phone=ZIMIN)
        missed = me.submit(page, sure="")
        assert (missed.status_code, "Tick this" in missed.text) == (422, True)
        page = me.onward(me.submit(page, sure="1"))
        assert "Keep my ID" in page.text
        assert "Keep my ID" in me.go("/account/profile").text
        for to in (ZIMIN, ZIMIN_MAIL):
            assert is_told(world, to, "будет удалён") == 1
        assert the_user(world, ZIMIN).deletion_due_at == began + timedelta(days=14)
    with freeze(began + timedelta(days=12, hours=1)):
        run_the_schedule(world)
        run_the_schedule(world)
        assert len(world.events(deletion.DUE_SOON)) == 1
        assert is_told(world, ZIMIN, ": ваш ID будет удалён") == 2
        other, page = entered(world, "/account/data", phone=ZIMIN)
        page = other.go("/account/deletion")  # to keep it needs no fresh proof
        assert other.press(page, "/cancel").status_code == 303
        assert the_user(world, ZIMIN).deletion_due_at is None
        assert other.press(page, "/cancel").status_code == 303
        assert is_told(world, ZIMIN, "не будет удалён") == 1
    with freeze(began + timedelta(days=15)):
        run_the_schedule(world)
    assert the_user(world, ZIMIN).deleted_at is None
    assert len(world.events(deletion.CANCELLED)) == 1


def test_nobody_asks_for_it_by_a_stale_sign_in(world: World) -> None:
    """Case 102's like: neither an older proof nor another site's form. The notices of it cannot be used up beforehand (case 66)."""
    began = clock.now()
    with freeze(began):
        me, page = entered(world, "/account/deletion", phone=ZIMIN)
        assert me.post("/account/deletion", data={"sure": "1"}).status_code == 410
    with freeze(began + timedelta(minutes=6)):
        assert "/login/" in me.onward(me.submit(page, sure="1")).url.path
        assert the_user(world, ZIMIN).deletion_due_at is None
        for _ in range(7):
            me.submit(me.go("/account/security"), where="elsewhere")
        world.deliver()
        page = prove(world, me, me.go("/account/deletion"), ZIMIN)
        me.submit(page, sure="1")
        assert is_told(world, ZIMIN, "будет удалён") == 1


def test_an_owner_hands_over_first(world: World) -> None:
    """A company is never left without its owner: not when it is asked for, and not when one was made the owner meanwhile."""
    me, page = entered(world, "/account/deletion", phone=ANNA)
    assert "ИП Смирнова" in page.text
    assert 'name="sure"' not in page.text
    token = page.text.split('csrf_token" value="')[1][:43]
    assert me.post("/account/deletion", data={"sure": "1", "csrf_token": token}).status_code == 409
    began = clock.now()
    asked(world, BELOVA)
    with world.writes():
        works = next(each for each in accounts.candidates(users.find_by_phone(BELOVA).id, ["employee"]) if each.kind == "employee")  # type: ignore[union-attr]
        employees.replace_owner(str(works.company_id), str(works.employee_id))
    with freeze(began + timedelta(days=15)):
        run_the_schedule(world)
    assert the_user(world, BELOVA).deletion_due_at is None
    assert world.events(deletion.CANCELLED)[0].details == {"reason": "owns_company"}


def test_nothing_is_left(world: World) -> None:
    """All that let in and all that named the person is gone; tokens are dead; the company keeps its record and lost its employee; the chain
    of events still holds; the number begins a fresh ID that knows nothing, and nobody gets the former `sub` again.
    """
    app, began = world.party(first_party=False), clock.now()
    with freeze(began):
        me, _ = asked(world, BELOVA)
        given = world.redeem(app, answer_of(me.allow(me.authorize(app, scope=OFFLINE)))["code"]).json()
        user_id = the_user(world, BELOVA).id
        world.deliver()
    with freeze(began + timedelta(days=14, seconds=1)):
        run_the_schedule(world)
        run_the_schedule(world)
        assert is_told(world, BELOVA, "ваш ID удалён") == 1
        row = row_of(world, user_id)
        assert (row["status"], row["deleted_at"], row["phone"], row["email"], row["name"]) == ("blocked", clock.now(), None, None, None)
        assert {name for name, value in row.items() if value is not None} == deletion.KEPT
        with world.reads():
            assert not [
                each.model
                for each in ERASED
                if database.scalar(sa.select(sa.func.count()).where(each.theirs(user_id)).select_from(each.model))
            ]
            assert set(database.scalars(sa.select(Account.status).where(Account.user_id == user_id))) == {"closed"}
            ours = sa.select(Employee.status).join(Account, Account.id == Employee.account_id).where(Account.user_id == user_id)
            assert set(database.scalars(ours)) == {"removed"}
            assert not [event for event in events.search(user_id=user_id, limit=1000) if event.personal]
        with world.writes():
            while events.link():
                pass
        with world.reads():
            assert events.verify_chain().broken is None
        assert world.userinfo(given["access_token"]).status_code == 401
        assert world.refresh(app, given["refresh_token"]).status_code == 400
        assert "/login/" in me.go("/account/profile").url.path
        fresh = world.browser()
        page = fresh.onward(fresh.submit(fresh.authorize(world.party()), phone=BELOVA))
        page = fresh.onward(fresh.submit(page, code=world.code_for(BELOVA)))
        fresh.onward(fresh.submit(page, name="Новая Владелица", terms="1"))
        assert the_user(world, BELOVA).id != user_id
        assert len(world.events(deletion.DELETED)) == 1
        with world.writes():
            assert not users.unblock(user_id)
            assert not deletion.cancel(user_id)
            assert not erasing.erase(user_id)


def test_a_family_ends_with_its_owner(world: World) -> None:
    """Its members are out of it and can join another; they keep their own IDs."""
    began = clock.now()
    with freeze(began):
        me, page = entered(world, "/account/deletion", phone=ZIMINA)
        assert "ends for everybody" in page.text
        me.submit(page, sure="1")
    with freeze(began + timedelta(days=15)):
        run_the_schedule(world)
        with world.reads():
            assert deletion.lost(the_user(world, ZIMIN).id).family is None
    assert the_user(world, ZIMIN).status == "active"


def test_no_table_of_a_person_is_forgotten() -> None:
    """Whatever holds rows of a person is erased, or stays for a reason that is written down."""
    theirs = {"user_id", "person_id", "account_id", "owner_id", "owner_account_id"}
    tables = {each.name: {column.name for column in each.columns} for each in Base.metadata.sorted_tables}
    named = {name for name, columns in tables.items() if columns & theirs}
    gone = {each.model.__tablename__ for each in ERASED}
    assert named - gone - set(STAYS) == set(), "say in idp/account/erasing.py what becomes of these"
    assert not gone & set(STAYS)
    assert (gone | set(STAYS)) - set(tables) == set()
