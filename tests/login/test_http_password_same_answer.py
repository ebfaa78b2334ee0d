"""Neither the page of the password nor a forgotten one tells whether a login is anybody's. Cases 70, 96, goal G-7.

Status, headers, cookies and their lengths, the body; the SQL, statement by statement; and the hashing, which is most of the time.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from idp import clock
from idp.cli.demo_story import Story
from idp.credentials import password_hashing
from idp.directory import users
from tests.login.http_lab import base_of, statements
from tests.login.lab import where
from tests.login.password_lab import SHOP, at_password, give, id_of, shop
from tests.login.test_http_same_answer import CACHED, MADE_UP, Seen
from tests.world import Party, World

UNKNOWN, WITHOUT, WITH, BLOCKED = "u1@post.example", "orlov@post.example", "anna@post.example", "b1@post.example"
ADDRESSES = (UNKNOWN, WITHOUT, WITH, BLOCKED, SHOP)
NUMBERS = ("+79015553501", "+79005553502", "+79005553501", "+79025553501")


@pytest.fixture
def prepared(world: World, story: Story) -> Iterator[World]:
    """People with and without a password, one who is blocked, a store that is linked to nobody; all at one instant."""
    with world.writes():
        blocked = users.register(NUMBERS[-1], "Blocked", "ru", "1")
        users.confirm_email(blocked.id, BLOCKED)
        users.block(blocked.id, "fraud")
    for owner in (blocked.id, id_of(world)):
        give(world, owner)
    shop(world, story, verified=False)
    with clock.freeze(clock.now()):
        world.deliver()
        yield world


def walk(world: World, party: Party, login: str, n: int) -> tuple[list[Seen], list[str]]:
    """What a stranger can do with a login: wrong passwords, then the way of a forgotten one. And what was hashed."""
    browser = world.browser(address=f"192.0.{n}.7")
    seen: list[Seen] = []
    hashed: list[str] = []
    judge = password_hashing._hasher

    class Watched:
        def verify(self, digest: str, given: bytes) -> bool:
            hashed.append(digest.rpartition("$")[0].rpartition("$")[0])
            return judge.verify(digest, given)

    def see(request: httpx2.Request) -> httpx2.Response:
        with statements(world) as ran:
            answer = browser.send(request)
        names = [(name, MADE_UP.sub("…", value)) for name, value in answer.headers.multi_items() if name != "x-request-id"]
        cookies = [len(line) for line in answer.headers.get_list("Set-Cookie")]
        body = MADE_UP.sub("…", answer.text).replace(login, "LOGIN").replace(login[-5:-2] + "-" + login[-2:], "LOGIN")
        body = body.replace(f"-{login[-4:-2]}-{login[-2:]}", "-LOGIN")
        work = [one for one in ran if not CACHED.search(one)]
        length = [("content-length", value) for name, value in names if name.lower() == "content-length"]
        names = [each for each in names if each[0].lower() != "content-length"]
        seen.append(Seen(answer.status_code, names, cookies, len(length), body, work))
        return answer

    password_hashing._hasher = Watched()  # type: ignore[assignment]
    try:
        page = at_password(browser, party)
        for _ in range(2):
            see(browser.filled(page, login=login, password="not it at all"))
        asked = see(browser.filled(browser.get(f"{base_of(page)}/reset"), login=login))
        assert asked.status_code == 303
        code = see(browser.build_request("GET", asked.headers["Location"]))
        assert where(code) == "code"
        see(browser.filled(code, code="000000"))
        see(browser.pressed(code, "/resend"))
        see(browser.build_request("GET", f"{base_of(page)}/reset/password"))
        see(browser.filled(browser.get(f"{base_of(page)}/reset"), login=login))
    finally:
        password_hashing._hasher = judge
    return seen, hashed


@pytest.mark.parametrize("logins", [ADDRESSES, NUMBERS], ids=["addresses", "numbers"])
def test_every_answer(prepared: World, party: Party, logins: tuple[str, ...]) -> None:
    """Whoever has no password, or does not exist, is answered as whoever has another one: in the same words, after the same work."""
    seen, hashed = all_alike(prepared, party, logins)
    assert len(hashed) == 2
    assert [each.status for each in seen[:2]] == [422] * 2


def test_every_answer_once_it_is_locked(prepared: World, party: Party) -> None:
    """Case 96: ten wrong passwords lock a login, whether it is anybody's or not; the answers tell no more than before, and nothing is
    hashed for any of them.
    """
    with clock.freeze(clock.now()) as later:
        for _ in range(10):
            for n, login in enumerate(ADDRESSES):
                browser = prepared.browser(address=f"192.0.{n}.9")
                assert browser.submit(at_password(browser, party), login=login, password="not it at all").status_code == 422
            later(121)
        seen, hashed = all_alike(prepared, party, ADDRESSES)
    assert hashed == []
    assert [each.status for each in seen[:2]] == [429] * 2
    assert ["retry-after" in {name.lower() for name, _ in each.headers} for each in seen[:2]] == [True] * 2


def all_alike(prepared: World, party: Party, logins: tuple[str, ...]) -> tuple[list[Seen], list[str]]:
    """The walk of each is as that of the first one, which is given back."""
    walk(prepared, party, logins[0].replace("1", "3"), 99)  # what a process looks up once a second is known from here on
    walks = {login: walk(prepared, party, login, n) for n, login in enumerate(logins)}
    seen, hashed = walks[logins[0]]
    for login in logins[1:]:
        for place, (one, other) in enumerate(zip(seen, walks[login][0], strict=True)):
            assert one == other, (login, place, set(one.work) ^ set(other.work), len(one.work), len(other.work))
        assert walks[login][1] == hashed, "as many, with the same parameters"
    return seen, hashed
