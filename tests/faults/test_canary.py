"""Cases 41 and 42, G-9: a whole journey with its errors against `idp serve` at DEBUG; nothing secret is in what it prints or keeps.

The canary of every other test (tests/canary.py) hears what is logged in the tests' own process; here it is what really stands in the log of
a server with several processes and its worker, and in a dump of the database as a thief would have it, on SQLite and PostgreSQL.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import httpx2

from tests.canary import CANARY, WORD, Canary, dump
from tests.conftest import Told
from tests.faults.secrets_walk import walk
from tests.faults.served import Served, Visitor, served
from tests.world import Party, answer_of, new_phone

TIMES = re.compile(r"datetime\.datetime\([^)]*\)|\d{4}-\d\d-\d\d[ T][\d:.]+(?:\+00:00)?")
SIX_DIGITS = re.compile(r"(?<![0-9A-Za-z_.])\d{6}(?![0-9A-Za-z_])")


def _sign_up(provider: Served, party: Party, phone: str) -> tuple[Visitor, str]:
    browser = provider.browser()
    page = browser.onward(browser.submit(browser.authorize(party), phone=phone))
    code = provider.code_for(phone)
    assert browser.submit(page, code=f"{(int(code) + 7) % 10**6:06}").status_code == 422
    form = browser.onward(browser.submit(page, code=code))
    answer = browser.onward(browser.submit(form, name="Тайна Секретова", terms="on"))
    return browser, answer_of(answer)["code"]


def _fail(provider: Served, party: Party, browser: Visitor, code: str, tokens: dict[str, str]) -> None:
    """Everything that can go wrong with what is secret: replays, strangers, broken forms, wrong addresses."""
    secret = str(party.secret)
    machine = provider.browser()
    basic = httpx2.BasicAuth(party.client.id, secret)
    assert provider.redeem(party, code).status_code == 400
    assert provider.redeem(party, code + "x", code_verifier=party.verifier + "y").status_code == 400
    assert provider.refresh(party, tokens["refresh_token"]).status_code == 400
    assert machine.post("/token", data={"client_id": party.client.id, "client_secret": secret + "z"}).status_code in {400, 401}
    assert machine.post(f"/token?client_secret={secret}&code={code}", data={"grant_type": "password"}).status_code == 400
    assert machine.post("/token", content=f"client_secret={secret}&client_secret={secret}", auth=basic).status_code == 400
    assert machine.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}).status_code == 401
    assert machine.get(f"/userinfo?access_token={tokens['access_token']}").status_code in {400, 401}
    assert machine.get(f"/no-such-page?code={code}&token={tokens['refresh_token']}").status_code == 404
    assert machine.get(f"/authorize?client_id={party.client.id}&code={code}&id_token_hint={tokens['id_token']}").status_code == 400
    assert browser.post("/end_session/confirm", data={"csrf_token": browser.cookies["idp_login"]}).status_code == 410
    stranger = provider.browser()
    stranger.cookies["idp_session"] = f"{browser.cookies['idp_session']}x"
    stranger.cookies["idp_browser"] = f"{browser.cookies['idp_browser']}x"
    assert stranger.authorize(party).status_code == 200
    browser.get("/end_session", params={"id_token_hint": tokens["id_token"]})


def test_the_canary_sings(tmp_path: Path) -> None:
    """G-9: a secret that is planted in a line, on an error page, in an address or in a database is found there; short ones as well."""
    canary, secret = Canary(), "Zx" + "0123456789" * 4 + "_"
    request = httpx2.Request("GET", "http://localhost:8000/authorize")
    where = {"Location": f"https://rp.example/callback?code={secret}&iss=x", "Set-Cookie": f"idp_session={secret[::-1]}; Path=/"}
    canary.notice(httpx2.Response(303, headers=where, request=request))
    assert set(canary.secrets.values()) == {"code", "cookie"}
    canary.look_at_lines([f'{{"event":"a line with {secret}."}}', "a line without"], "the log")
    page = httpx2.Response(400, html=f"<p>{secret[::-1]}</p>", request=request)
    canary.notice(page)
    path = tmp_path / "it.sqlite3"
    path.write_bytes(b"usr_1" + secret.encode() + b"2026")
    canary.look_at_database(f"sqlite:///{path}", canary.secrets)
    assert [found.partition(":")[0] for found in canary.found] == [
        "code in the log",
        "cookie in the page 400 of /authorize",
        "code in the database",
    ]
    canary = Canary()
    written = '<ol><li><span>7k3m-x9qd-4tfw</span></li></ol><h2 class="mono">5t0p-q8rz</h2><a href="/vouch/5t0pq8rz">'
    canary.notice(httpx2.Response(200, html=written, request=request))
    assert set(canary.secrets) == {"7k3m-x9qd-4tfw", "7k3mx9qd4tfw", "5t0p-q8rz", "5t0pq8rz"}
    canary.notice(
        httpx2.Response(200, json=[{"code": "123456", "link": "https://here/recovery/rec_1.0123456789abcdefghij"}], request=request)
    )
    assert (canary.codes, canary.secrets["0123456789abcdefghij"]) == ({"123456"}, "shown link")
    canary.look_at_lines(['{"code":"7k3mx9qd4tfw"}'], "the log")
    canary.notice(httpx2.Response(303, headers={"Location": "/login/7k3m-x9qd-4tfw"}, request=request))
    for typed in ("7k3m-x9qd-4tfw", "7k3m-x9qd-4tfv"):  # in its field again, for whoever typed it; or not
        sent = httpx2.Request("POST", "http://localhost:8000/authorize", data={"code": typed})
        canary.notice(httpx2.Response(422, html="<p>7k3m-x9qd-4tfw</p>", request=sent))
    assert [found.partition(":")[0] for found in canary.found] == [
        "vouch code in a link on /authorize",
        "recovery code in the log",
        "recovery code in the redirect from /authorize",
        "recovery code in the page 422 of /authorize",
    ]


def test_nothing_secret_is_logged_or_kept(told_on_both: Told, tmp_path: Path) -> None:
    """Cases 41 and 42: 0 hits for every code, one-time code, token, client secret, verifier and cookie that was issued, and for what a
    person has besides: passwords, the secret of an app, recovery codes, the code for a colleague, the link that stops a lost phone.
    """
    before, codes_before = set(CANARY.secrets), set(CANARY.codes)
    with served(told_on_both, tmp_path, workers=2, telemetry={"log_level": "DEBUG"}) as provider:
        party, phone = provider.party(), new_phone()
        browser, code = _sign_up(provider, party, phone)
        tokens = provider.redeem(party, code).json()
        tokens = provider.refresh(party, tokens["refresh_token"]).json()
        assert provider.userinfo(tokens["access_token"]).status_code == 200
        _fail(provider, party, browser, code, tokens)
        again = provider.browser()
        answer_of(provider.sign_in(again, party, phone))
        again.onward(again.press(again.authorize(party, prompt="select_account"), "/people"))
        theirs = walk(provider, party, phone)
        provider.inbox()
        known, codes = set(CANARY.secrets) - before, CANARY.codes - codes_before
        kept = list(dump(provider.settings.database.url))
        CANARY.look_at_database(provider.settings.database.url, known)
        provider.stop()
        said = provider.said()
    kinds = {CANARY.secrets[secret].removeprefix("shown ") for secret in known}
    expected = {"access_token", "client secret", "code", "code_verifier", "cookie", "csrf token", "id_token", "refresh_token"}
    assert kinds >= expected | set(theirs)
    for kind, secrets in theirs.items():
        assert {CANARY.secrets[secret].removeprefix("shown ") for secret in secrets} == {kind}
        for what, text in (("the log", said), ("the database", "\n".join(kept))):
            assert not [secret for secret in secrets if secret in text], f"{kind} in {what}"
    assert len(codes) >= 5
    assert '"level":"debug"' in said or '"level":"info"' in said
    assert sum(line.startswith("events:") for line in kept) > 10
    assert not known & set(WORD.findall(said)), "a secret was logged"
    assert not CANARY.found
    for what, text in (("the log", said), ("the database", "\n".join(kept))):
        plain = TIMES.sub("", text)
        assert not codes & set(SIX_DIGITS.findall(plain)), f"a one-time code stands in {what}"
        for one_time in codes:  # a digest of six digits without a key is as good as the digits (case 42)
            for algorithm in ("md5", "sha1", "sha256", "sha512"):
                assert hashlib.new(algorithm, one_time.encode()).hexdigest() not in plain
    assert phone not in TIMES.sub("", said), "a phone number stands in the log"
