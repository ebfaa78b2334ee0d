"""The headers of every page of a sign-in, whatever its status: goal G-11, cases 6 and 86, ASVS 5.0 §3.4."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import sqlalchemy as sa

from idp import clock
from idp.cli.demo_story import Story
from idp.db.session import engine
from tests.login.http_lab import ORLOV, base_of, guess_wrong, phone_of, post, request_of, right_code
from tests.login.lab import ANNA, at_code
from tests.world import Party, World, new_phone

PARKED = "a request waits behind it"
FREE = "none does"


Shown = Iterator[tuple[str, str, httpx2.Response]]


def pages(world: World, party: Party, story: Story) -> Shown:
    """Every page and every refusal that a person can meet on the way: what it is, whether a request waits behind it, the answer."""
    yield from by_code(world, party)
    yield from signed_in(world, party, story)
    yield from sign_up(world, party)
    yield from elsewhere(world, party)


def by_code(world: World, party: Party) -> Shown:
    """Number and code."""
    browser = world.browser()
    identify = browser.authorize(party, ui_locales="ru")
    yield "identify", PARKED, identify
    yield "no number", PARKED, browser.submit(identify, phone="x")
    page = browser.onward(browser.submit(identify, phone=ANNA))
    yield "phone_code", PARKED, page
    yield "no code", PARKED, browser.submit(page, code="x")
    yield "wrong code", PARKED, guess_wrong(world, browser, page)[0]
    yield "all tried", PARKED, guess_wrong(world, browser, page, 4)[-1]
    page = browser.onward(browser.submit(page, channel="sms"))
    yield "new code", PARKED, page
    yield "without our token", FREE, browser.post(str(page.url), data={"code": "1"})
    yield "control character", FREE, post(browser, page, code="\x00")
    yield "no form", FREE, browser.post(str(page.url), json={})
    yield "too large", FREE, browser.post(str(page.url), content=b"x" * 70000)
    yield "wrong method", FREE, browser.put(str(page.url))
    yield "another browser", FREE, world.browser().get(str(page.url))
    yield "another browser posts", FREE, world.browser().post(str(page.url), data={"code": "1"})
    request = request_of(browser, page)
    browser.onward(browser.submit(page, code=right_code(world, page)))
    yield "finished", FREE, browser.get(request)


def signed_in(world: World, party: Party, story: Story) -> Shown:
    """What a signed-in person sees."""
    browser = world.browser()
    chooser_party = world.party(first_party=False)
    page = at_code(world, browser, party, ANNA)
    browser.onward(browser.submit(page, code=right_code(world, page)))
    yield "people", PARKED, browser.authorize(party, prompt="login")
    people = browser.authorize(party, prompt="select_account")
    yield "removing", PARKED, browser.get(f"{people.url}?removing=1")
    chooser = browser.authorize(chooser_party, scope="openid company account")
    yield "chooser", PARKED, chooser
    yield "nobody's account", FREE, browser.submit(chooser, account="acc_x")
    yield "consent", PARKED, world.choose(browser, chooser, "Ромашка")
    yield (
        "no account",
        PARKED,
        world.sign_in(world.browser(), world.party(account_types=["employee"]), phone_of(story, "zimin"), scope="openid company"),
    )
    yield "sign out?", PARKED, browser.get("/end_session")


def sign_up(world: World, party: Party) -> Shown:
    """A new number, and somebody else's."""
    new = world.browser(address="198.51.100.1")
    register = at_code(world, new, party, new_phone(1))
    register = new.onward(new.submit(register, code=right_code(world, register)))
    yield "register", PARKED, register
    yield "no name", PARKED, post(new, register)
    hint = world.tokens(world.browser(address="198.51.100.2"), party, ORLOV)["id_token"]
    other = at_code(world, new, party, ANNA, id_token_hint=hint)
    yield "another ID", FREE, new.submit(other, code=right_code(world, other))


def elsewhere(world: World, party: Party) -> Shown:
    """Limits, nothing, nobody, too late, broken."""
    browser = world.browser()
    crowd = world.browser(address="198.51.100.3")
    for n in range(21):
        refused = crowd.submit(crowd.authorize(party), phone=new_phone(n))
    yield "too many messages", PARKED, refused
    yield "signed out", FREE, browser.get("/signed-out")
    yield "unknown client", FREE, browser.get("/authorize?client_id=x")
    yield "no such page", FREE, browser.get("/nothing")
    yield "no such language", FREE, browser.get("/language?to=xx")
    yield "inbox", FREE, world.browser(address="127.0.0.1").get("/dev/inbox")
    yield "inbox from afar", FREE, world.browser().get("/dev/inbox")
    with clock.freeze(clock.now()) as later:
        old = world.browser(address="198.51.100.5")
        late = old.authorize(party)
        later(3600)
        yield "expired", FREE, old.get(str(late.url))
    yield "broken", FREE, _broken(world, party)


def _broken(world: World, party: Party) -> httpx2.Response:
    """A page while something of ours is broken."""
    browser = world.browser()
    page = browser.authorize(party)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("the secret reason")

    with world.app.app_context():
        listened = engine()
    sa.event.listen(listened, "before_cursor_execute", fail)
    try:
        return browser.get(base_of(page))
    finally:
        sa.event.remove(listened, "before_cursor_execute", fail)


def test_every_page(world: World, party: Party, story: Story) -> None:
    """G-11, cases 6 and 86: all of the HTML: no frame, a nonce of its own, no sniffing, no referrer, no store, a Vary, a window apart.

    A page behind which a request waits has no `form-action` (it would stop the person on the way back); every other one has it.
    """
    nonces, statuses = [], set()
    for what, kind, page in pages(world, party, story):
        headers = page.headers
        statuses.add(page.status_code)
        assert headers["Content-Type"] == "text/html; charset=utf-8", (what, page.status_code)
        policy = dict(part.partition(" ")[::2] for part in headers["Content-Security-Policy"].split("; "))
        nonce = re.fullmatch(r"'nonce-([A-Za-z0-9_-]{22,})'", policy["script-src"])
        assert nonce is not None, what
        nonces.append(nonce[1])
        expected = {
            "default-src": "'none'",
            "style-src": "'self'",
            "script-src": nonce[0],
            "font-src": "'self'",
            "img-src": "'self' data:",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
        assert policy == expected | ({} if kind == PARKED else {"form-action": "'self'"}), what
        assert headers["X-Frame-Options"] == "DENY", what
        assert headers["X-Content-Type-Options"] == "nosniff", what
        assert headers["Referrer-Policy"] == "no-referrer", what
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", what
        assert headers["Cache-Control"] == "no-store", what
        assert headers["Vary"] == "Cookie, Accept-Language", what
        assert headers["X-Request-Id"].startswith("req_"), what
        assert int(headers["Content-Length"]) == len(page.content), what
        for name in headers:
            assert len(headers.get_list(name)) == 1, (what, name)
        for script in re.findall("<script[^>]*>", page.text):
            assert f'nonce="{nonce[1]}"' in script, what
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<base|<iframe|<object|http-equiv", page.text), what
    assert len(set(nonces)) == len(nonces)
    assert statuses >= {200, 400, 403, 404, 405, 410, 413, 422, 429, 500}


def test_redirects(world: World, party: Party) -> None:
    """Cases 14 and 86: on the way every redirect is a 303 that no cache keeps, with nothing in it but where to go."""
    browser = world.browser()
    answer = browser.get("/authorize", params=party.asks())
    seen = [answer]
    while answer.status_code == 303:
        answer = browser.get(answer.headers["Location"])
        seen.append(answer)
    page = answer
    seen += [browser.submit(page, phone=ANNA)]
    page = browser.onward(seen[-1])
    seen += [post(browser, page, "people"), browser.submit(page, channel="sms"), browser.submit(page, code=right_code(world, page))]
    seen += [browser.get(seen[-1].headers["Location"]), browser.get("/language?to=ru&next=/signed-out")]
    redirects = [each for each in seen if "Location" in each.headers]
    assert len(redirects) >= 7
    for each in redirects:
        assert each.status_code == 303
        assert each.content == b""
        assert each.headers["Cache-Control"] == "no-store"
        assert each.headers["Referrer-Policy"] == "no-referrer"
        assert each.headers["X-Content-Type-Options"] == "nosniff"


def test_what_may_be_kept(world: World) -> None:
    """Stylesheet, script, fonts: kept for ever where the address names what is in them; no cookie, never a page."""
    page = world.browser().get("/signed-out")
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
        answer = world.browser().get(address)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
        assert "text/html" not in answer.headers["Content-Type"]
    for address in ("/static/..%2fpages.py", "/static/../pages.py", "/static/.hidden", "/static/nothing.css", "/static/look.css%00"):
        assert world.browser().get(address).status_code == 404


def test_cookies(world: World, party: Party) -> None:
    """ASVS 5.0 §3.3: each cookie of a sign-in is HttpOnly, Lax, for this host and every path; values are not to be read.

    One is for scripts, and opens nothing (`tests/oidc/test_session_management.py`).
    """
    browser = world.browser()
    lines = browser.get("/authorize", params=party.asks()).headers.get_list("Set-Cookie")
    page = at_code(world, browser, party, ANNA)
    lines += browser.submit(page, code=right_code(world, page)).headers.get_list("Set-Cookie")
    lines += browser.get("/language?to=ru&next=/").headers.get_list("Set-Cookie")
    assert [line.partition("=")[0] for line in lines] == ["idp_login", "idp_session", "idp_session_state", "idp_browser", "idp_language"]
    for line in lines:
        for_scripts = line.startswith("idp_session_state=")
        assert {"Path=/", "SameSite=Lax"} <= set(line.split("; "))
        assert ("HttpOnly" in line.split("; ")) is not for_scripts
        assert "Domain" not in line
        assert "usr_" not in line
        assert "ses_" not in line
