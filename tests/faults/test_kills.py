"""R1: a worker process is killed (SIGKILL) in the middle of mixed work, again and again; what was answered stays, nothing is spent twice.

Each visitor keeps a book of what it was told: a code that was given, tokens for it, a successor, a session. An answer that never came is
asked for again, as a person or a relying party would. At the end the books are compared with the database.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx2
import sqlalchemy as sa

from idp import crypto
from idp.delegation.tables import Code, TokenFamily
from idp.directory.tables import User
from idp.login.tables import Session
from idp.messages.tables import InboxMessage
from idp.outbox import Outbox
from tests.conftest import Told
from tests.faults.race import allowed
from tests.faults.served import Served, Visitor, served
from tests.machine import count
from tests.world import Party, answer_of, new_phone

KILLS = count(5, 200)
BACK = 3.0  # seconds until the service answers again
PEOPLE = ["+79005553501", "+79005553502", "+79005553509"]
LOST = (httpx2.TransportError,)


class Book:
    """What one visitor was told."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.redeemed: Counter[str] = Counter()  # how often a code gave tokens
        self.families: dict[str, int] = {}  # family: the highest counter that was given
        self.sessions: list[str] = []
        self.people: list[str] = []
        self.lost = 0
        self.refused: list[str] = []


class Client:
    """Signs in, redeems, refreshes; asks again when an answer is lost."""

    def __init__(self, provider: Served, party: Party, phone: str) -> None:
        self.provider, self.party, self.book = provider, party, Book()
        self.browser: Visitor = provider.browser()
        answer_of(provider.sign_in(self.browser, party, phone))
        self.book.sessions.append(str(self.browser.cookies["idp_session"]))
        self.refresh_token = ""

    def until_answered(self, ask: Callable[[], httpx2.Response]) -> tuple[httpx2.Response, bool]:
        """Ask until there is an answer; whether one was lost on the way. 503 says to come again."""
        lost = False
        for _ in range(200):
            try:
                answer = ask()
            except LOST:
                lost = True
                self.book.lost += 1
                time.sleep(0.02)
                continue
            if answer.status_code == 503:
                time.sleep(0.1)
                continue
            return answer, lost
        raise AssertionError("no answer after two hundred tries")

    def turn(self) -> None:
        """One code and its tokens, then three refreshes."""
        asked = self.party.asks(scope="openid")
        answer, _ = self.until_answered(lambda: self.browser.get("/authorize", params=asked))
        code = answer_of(answer)["code"]
        self.book.codes.append(code)
        answer, lost = self.until_answered(lambda: self.provider.redeem(self.party, code))
        if answer.status_code != 200:
            if not lost:  # else it was spent for the answer that was lost: the person presses once more
                self.book.refused.append(f"redeem: {answer.status_code} {answer.text}")
            return
        self.book.redeemed[code] += 1
        self._keep(answer)
        for _ in range(3):
            token = self.refresh_token
            answer, _ = self.until_answered(lambda token=token: self.provider.refresh(self.party, token))
            if answer.status_code != 200:
                self.book.refused.append(f"refresh: {answer.status_code} {answer.text}")
                return
            self._keep(answer)

    def _keep(self, answer: httpx2.Response) -> None:
        self.refresh_token = answer.json()["refresh_token"]
        family, counter, _ = self.refresh_token.split(".")
        self.book.families[family] = int(counter)


class Newcomers(Client):
    """People who come for the first time, one after the other."""

    def turn(self) -> None:
        """A new number, from the first page to the session."""
        browser, phone = self.provider.browser(), new_phone()
        page, _ = self.until_answered(lambda: browser.authorize(self.party))
        page, _ = self.until_answered(lambda: browser.onward(browser.submit(page, phone=phone)))
        code = self.provider.code_for(phone)
        answer, lost = self.until_answered(lambda: browser.onward(browser.submit(page, code=code)))
        if 'name="terms"' not in answer.text:
            if not lost:
                self.book.refused.append(f"code: {answer.status_code} {answer.url}")
            return
        form = answer
        answer, lost = self.until_answered(lambda: browser.submit(form, name="Пришла Впервые", terms="on"))
        if "idp_session" in browser.cookies:
            self.book.sessions.append(str(browser.cookies["idp_session"]))
            self.book.people.append(phone)
        elif not lost:
            self.book.refused.append(f"register: {answer.status_code}")


def test_killed_workers_lose_and_double_nothing(told_on_both: Told, tmp_path: Path) -> None:
    """R1, R2: after each kill the service answers within 3 s; 0 codes spent twice, 0 answered writes lost, 0 messages left or doubled."""
    with served(told_on_both, tmp_path, sound=False) as provider:
        party = provider.party()
        clients: list[Client] = [Client(provider, party, phone) for phone in PEOPLE]
        clients.append(Newcomers(provider, party, PEOPLE[0]))
        over = threading.Event()
        broken: list[BaseException] = []

        def work(client: Client) -> None:
            try:
                while not over.is_set():
                    client.turn()
            except BaseException as e:
                broken.append(e)

        threads = [threading.Thread(target=work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        slowest = 0.0
        try:
            for _ in range(KILLS):
                time.sleep(random.uniform(0.2, 0.8))
                os.kill(random.choice(provider.processes()), signal.SIGKILL)
                slowest = max(slowest, provider.wait())
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert not broken, broken
        assert slowest <= allowed(BACK)
        provider.deliver()
        _compare(provider, [client.book for client in clients])
        assert len(provider.processes()) == 4


def _compare(provider: Served, books: list[Book]) -> None:
    refused = [line for book in books for line in book.refused]
    assert not refused, refused[:5]
    assert max((times for book in books for times in book.redeemed.values()), default=0) == 1
    codes = {crypto.digest(code) for book in books for code in book.codes}
    kept = dict(tuple(row) for row in provider.rows(sa.select(Code.digest, Code.used_at)))
    assert codes <= set(kept)
    assert all(kept[crypto.digest(code)] for book in books for code in book.redeemed)
    spent = provider.rows(sa.select(Code.family_id, sa.func.count()).where(Code.family_id.is_not(None)).group_by(Code.family_id))
    assert all(times == 1 for _, times in spent)
    families = {family_id: (counter, reason) for family_id, counter, reason in _families(provider)}
    for book in books:
        for family, counter in book.families.items():
            assert families[family] == (counter, None)
    sessions = {digest for (digest,) in provider.rows(sa.select(Session.secret_digest))}
    assert {crypto.digest(secret) for book in books for secret in book.sessions} <= sessions
    phones = [phone for (phone,) in provider.rows(sa.select(User.phone))]
    assert len(phones) == len(set(phones))
    assert {phone for book in books for phone in book.people} <= set(phones)
    done = {row_id for (row_id,) in provider.rows(sa.select(Outbox.id).where(Outbox.state == "done"))}
    assert done == {row_id for (row_id,) in provider.rows(sa.select(InboxMessage.id))}
    assert provider.rows(sa.select(Outbox.state).where(Outbox.state != "done")) == []


def _families(provider: Served) -> list[tuple[str, int, str | None]]:
    return [tuple(row) for row in provider.rows(sa.select(TokenFamily.id, TokenFamily.counter, TokenFamily.revoked_reason))]
