"""Three languages on every page and refusal, and a switch at the foot that loses nothing: `pages.md` §2.20."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

import httpx2
import pytest

from idp import clock
from idp.cli.demo_story import Story
from idp.directory import users
from tests.login.http_lab import cookie, flow_of, post, right_code, text_of, token_of
from tests.login.lab import ANNA, at_code, where
from tests.login.test_http_page_headers import pages
from tests.world import Browser, Party, World, answer_of, new_phone

HEADINGS = {"ru": "Введите код из СМС", "en": "Enter the code from the text message", "zh": "输入短信验证码"}
# What stays as it is in every language: names, and what a developer wants to read.
NAMES = re.compile(r"Bazar ID|rp\.example|application/x-www-form-urlencoded|Test portal|English|SMS|MSK|example|seller|REQ")


def foot(page: httpx2.Response) -> dict[str, str]:
    """Where the languages at the foot of a page lead."""
    return {code: html.unescape(address) for address, code in re.findall(r'<a href="([^"]+)" lang="(\w\w)"', page.text)}


def switch(browser: Browser, page: httpx2.Response, to: str) -> httpx2.Response:
    """Press a language at the foot."""
    return browser.onward(browser.get(foot(page)[to]))


def language(page: httpx2.Response) -> str:
    """What the page says it is in."""
    found = re.search(r'<html lang="(\w\w)">', page.text)
    assert found is not None
    return found[1]


def reader_in(world: World, monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """From here on every browser of this world says that its reader reads `lang`."""
    made = world.browser

    def browser(**given: str) -> Browser:
        new = made(**given)
        new.headers["Accept-Language"] = lang
        return new

    monkeypatch.setattr(world, "browser", browser)


@pytest.mark.parametrize("lang", ["ru", "zh"])
def test_nothing_is_left_in_english(world: World, party: Party, story: Story, monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """Every page and every refusal of a sign-in, as they come out: no English words in a Russian or Chinese page."""
    reader_in(world, monkeypatch, lang)
    for what, _, page in pages(world, party, story):
        if what == "inbox":
            continue  # a desk's page, full of messages in each reader's own language
        body = re.sub(r'<(dd|span)[^>]*(?:class="mono"|lang="en")[^>]*>.*?</\1>|class="mono">[^<]*<|<dd lang="en">[^<]*<', "", page.text)
        words = re.findall(r"[A-Za-z]{2,}", NAMES.sub("", text_of(httpx2.Response(200, text=body))))
        assert language(page) in {lang, "ru"}, what
        assert [word for word in words if word not in {"ID", "INN"} and word.casefold() != "cookie"] == [], (what, words)
        assert language(page) == lang or what in RUSSIAN, what


# Pages of the request that asked for Russian (`ui_locales`), whatever the browser says.
RUSSIAN = {"identify", "no number", "phone_code", "no code", "wrong code", "all tried", "new code"}


@pytest.mark.parametrize("lang", ["ru", "en", "zh"])
def test_refusals_of_the_number_and_the_code(world: World, party: Party, lang: str) -> None:
    """Each reason at a field is said in the reader's language: three languages, three texts, none of them the other's."""
    texts: dict[str, list[str]] = {}
    for each in ("en", lang):
        browser = world.browser(address=f"198.51.{len(texts)}.7")
        browser.headers["Accept-Language"] = each
        page = browser.authorize(party)
        answers = [browser.submit(page, phone=typed) for typed in ("x", "+74951234567", "+4915112345678")]
        page = browser.onward(browser.submit(page, phone=new_phone(len(texts))))
        answers += [browser.submit(page, code=typed) for typed in ("x", "1", "1234567")]
        wrong = f"{(int(right_code(world, page)) + 1) % 10**6:06}"
        answers += [browser.submit(page, code=wrong) for _ in range(6)]
        texts.setdefault(each, [re.findall(r'class="error"[^>]*>.*?<span>([^<]*)</span>', answer.text)[0] for answer in answers])
        assert [answer.status_code for answer in answers] == [422] * 12
    assert len(set(texts[lang])) >= 9
    if lang != "en":
        assert not set(texts[lang]) & set(texts["en"])


class TestTheSwitch:
    """At the foot of each page."""

    def test_it_keeps_the_sign_in(self, world: World, party: Party) -> None:
        """Pressed on the code page: the same page in the other language, the same code, no message, and on it goes to the end."""
        browser = world.browser()
        page = at_code(world, browser, party, ANNA)
        for to in ("ru", "zh", "en", "zh"):
            switched = switch(browser, page, to)
            assert (language(switched), where(switched), flow_of(switched)) == (to, "phone_code", flow_of(page))
            assert HEADINGS[to] in text_of(switched)
            page = switched
        assert len(world.events("code.sent")) == 1
        assert "code" in answer_of(browser.onward(browser.submit(page, code=right_code(world, page))))

    def test_stronger_than_the_relying_party(self, world: World, party: Party) -> None:
        """What was pressed beats `ui_locales` until the next request; there the relying party's wish counts again, and ours after it."""
        browser = world.browser()
        page = browser.authorize(party, ui_locales="ru")
        assert language(page) == "ru"
        page = switch(browser, page, "zh")
        assert language(page) == "zh"
        page = browser.onward(browser.submit(page, phone=ANNA))
        assert language(page) == "zh"
        assert "验证码" in world.inbox(ANNA)[0]["text"], "the message speaks the page's language"
        assert language(browser.authorize(party, ui_locales="ru")) == "ru"
        assert language(browser.authorize(party)) == "zh", "it is remembered where nobody asks for another"
        assert language(browser.authorize(party, ui_locales="xx-YY en")) == "en"

    def test_in_every_form_that_was_refused(self, world: World, party: Party) -> None:
        """Under a page that answers a POST it leads to a page that can be opened: never to `cannot be opened this way`."""
        browser = world.browser()
        identify = browser.authorize(party)
        refused = [browser.submit(identify, phone="x")]
        for n in range(9):
            other = world.browser(address=f"198.51.{n}.7")
            at_code(world, other, party, ANNA)
        page = browser.onward(browser.submit(identify, phone=ANNA))
        refused.append(browser.submit(page, code="x"))
        refused += [browser.post(f"{page.url}{tail}", data={"channel": "sms"}) for tail in ("", "/resend")]
        base = str(page.url).removesuffix("/phone_code")
        refused += [browser.post(base + tail, data={}) for tail in ("/people", "/people/forget", "/register", "/identify")]
        request = identify.text.partition('action="/authorize/')[2].partition("/")[0]
        refused += [browser.post(f"/authorize/{request}/{tail}", data={}) for tail in ("cancel", "account", "consent")]
        for each in refused:
            assert each.status_code in {410, 422, 429}, each.url
            for to in ("ru", "zh"):
                there = switch(browser, each, to)
                assert there.status_code in {200, 410}, (each.url, there.status_code)
                assert language(there) == to

    def test_after_a_limit(self, world: World, party: Party) -> None:
        """The page that says that no message can be sent can be read in another language too, and reloaded."""
        browser = world.browser()
        with clock.freeze(clock.now()) as later:
            for n in range(9):
                at_code(world, world.browser(address=f"198.51.{n}.7"), party, ANNA)
            page = at_code(world, browser, party, ANNA)
            later(30)
            refused = browser.submit(page, channel="sms")
            assert refused.status_code == 429
            there = switch(browser, refused, "ru")
            assert (there.status_code, where(there)) == (200, "phone_code")
            again = browser.onward(browser.get(str(refused.url)))
            assert (again.status_code, where(again)) == (200, "phone_code")

    @pytest.mark.parametrize(
        "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil", "/%0d%0aX: y", "javascript:alert(1)", "", "/a b"]
    )
    def test_it_stays_here(self, world: World, to: str) -> None:
        """Case 2, CWE-601: `next` never leads to another site, nor into a header."""
        answer = world.browser().get("/language", params={"to": "ru", "next": to})
        there = urlsplit(answer.headers["Location"])
        assert answer.status_code == 303
        assert (there.scheme, there.netloc) == ("", "")
        assert there.path.startswith("/")
        assert "X" not in answer.headers

    def test_unknown(self, world: World) -> None:
        """A language that is not spoken here: said so, nothing kept."""
        for to in ("xx", "", "RU", "ru.here", "en\u0000"):
            answer = world.browser().get("/language", params={"to": to, "next": "/signed-out"})
            assert answer.status_code == 400
            assert "Set-Cookie" not in answer.headers

    def test_a_cookie_that_is_none_of_ours(self, world: World, party: Party) -> None:
        """Whatever stands in the cookie, the page has a language of ours."""
        for planted in ("xx", "ru.here.here", "../../ru", "zh.", ".here", "x" * 4000):
            browser = world.browser()
            browser.cookies.set("idp_language", planted, domain="localhost.local")
            page = browser.authorize(party)
            assert page.status_code == 200
            assert language(page) in {"ru", "en", "zh"}
            assert token_of(page)
            assert cookie(browser, "idp_login")


def test_who_is_blocked_reads_it(world: World, party: Party) -> None:
    """The refusal after the right code, in each language, without the operator's reason."""
    phone = new_phone(70)
    with world.writes():
        users.block(users.register(phone, "Blocked", "ru", "1").id, "fraud")
    texts = {}
    for n, lang in enumerate(("ru", "en", "zh")):
        browser = world.browser(address=f"198.51.{n}.7")
        browser.headers["Accept-Language"] = lang
        page = at_code(world, browser, party, phone)
        refused = post(browser, page, code=right_code(world, page))
        assert refused.status_code == 403
        assert "fraud" not in refused.text
        found = re.search(r"<h1>([^<]*)</h1>", refused.text)
        assert found is not None
        texts[lang] = html.unescape(found[1]).replace("\u00a0", " ")
    assert len(set(texts.values())) == 3
    assert texts["en"] == "This ID is blocked"
