"""A code stands in its message and nowhere else, whichever way the sign-in takes: goal G-9, cases 42 and 62.

The ways that `test_http_event_lines` does not walk: work for a code, a flash call, a spoken call, help with the right code typed already,
what became of the code, the further proof by e-mail.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from datetime import timedelta

import httpx2
import pytest
import sqlalchemy as sa

from idp import clock, telemetry
from idp.db.columns import table
from idp.db.session import session
from idp.directory.tables import User
from tests.login.http_lab import base_of, cookie, dump
from tests.login.lab import where, wrong
from tests.login.rungs import ALL, ask, says, values
from tests.login.test_http_help import back, look
from tests.messages.pumping import solve
from tests.plenty import PLENTY
from tests.world import Party, World, answer_of

SILENT, MAIL = "+79005553510", "zimin@post.example"
TIMES = re.compile(r"datetime\.datetime\([^)]*\)|\d{4}-\d\d-\d\d[ T][\d:.]+(?:\+00:00)?|\d{2}:\d{2}:\d{2}\.\d{6}")


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """All rungs; and whoever asks for a second message works for it."""
    return {"messages": {"ladder": {"default": list(ALL)}}, "spend": PLENTY | {"work_from_network": 1}}


def test_on_every_way(world: World, party: Party) -> None:
    """Neither the code of the call, nor that of text and voice, nor that of the e-mail: not in the log at DEBUG, not in an answer, an
    address, an event, or any row of the database, nor as a digest that anybody could make.
    """
    log, browser = io.StringIO(), world.browser()
    telemetry.set_up(world.settings.telemetry, stream=log)
    answers: list[httpx2.Response] = []
    with world.writes():
        ago = {name: clock.now() - timedelta(days=365) for name in ("created_at", "last_sign_in_at", "phone_verified_at")}
        session.execute(sa.update(table(User)).where(table(User).c.phone == SILENT).values(ago))
    with clock.freeze(clock.now()) as later:

        def keep(answer: httpx2.Response) -> httpx2.Response:
            answers.append(answer)
            return answer

        page = keep(browser.onward(browser.submit(browser.authorize(party), phone=SILENT)))
        codes = set(values(world, page))
        says(world, page, "failed", "no_answer")
        keep(browser.get(f"{page.url}/state"))
        later(30)
        work = keep(ask(browser, page, "voice"))
        assert where(work) == "proof_of_work"
        keep(browser.submit(work, altcha="not solved"))
        page = keep(browser.onward(browser.submit(work, altcha=solve(work))))
        [repeated, _] = values(world, page)
        keep(browser.submit(page, code=wrong(repeated)))
        there = keep(look(browser, page, "/help", code=repeated))
        page = back(browser, there)  # the one page that shows what was typed
        assert f'value="{repeated}"' in page.text
        keep(browser.get(f"{base_of(page)}/phone_code/receipts"))
        keep(world.browser().get(str(page.url)))
        page = keep(browser.onward(browser.submit(page, code=repeated)))
        assert where(page) == "further_proof"
        page = keep(browser.onward(browser.submit(page, answer="email")))
        by_mail = world.code_for(MAIL)
        codes.add(by_mail)
        keep(browser.submit(page, code=wrong(by_mail)))
        keep(look(browser, page, "/help", code=by_mail))
        later(31)
        keep(browser.onward(browser.press(page, "/resend")))
        done = keep(browser.submit(page, code=by_mail))
        answer_of(browser.onward(done))
        world.deliver()
    assert len(codes) == 3
    telemetry.set_up(world.settings.telemetry)
    written = {
        "the log": log.getvalue(),
        "an answer": "\n".join(f"{answer.url} {answer.headers} {answer.text}" for answer in answers),
        "an event": "\n".join(json.dumps([event.details, event.personal]) for event in world.events()),
        "the database": "\n".join(row for rows in dump(world).values() for row in rows),
    }
    for where_it_is, text in written.items():
        assert text
        plain = TIMES.sub("", text)
        for code in codes:
            assert not re.search(rf"(?<![\w.-]){code}(?![\w-])", plain), f"a code stands in {where_it_is}"
            for algorithm in ("md5", "sha1", "sha256", "sha512"):
                assert hashlib.new(algorithm, code.encode()).hexdigest() not in plain, f"a digest of a code stands in {where_it_is}"
    for secret in (SILENT, SILENT[1:], MAIL, cookie(browser, "idp_login") or "-"):
        assert secret not in written["the log"]
