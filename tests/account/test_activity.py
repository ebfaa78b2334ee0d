"""Activity: the person's own events, in words, and nothing else (`product.md` §12; cases 121, 124, 125)."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

import httpx2

from idp import events
from idp.account.activity_words import SAID, UNSAID
from idp.directory import users
from idp.languages import LANGUAGES
from tests.account.lab import ANNA, entered, prove
from tests.world import Browser, World

EVIL = "<script>alert(1)</script>\r\n2026 user.deleted \u202e"


def in_english(browser: Browser, path: str) -> httpx2.Response:
    """The page, whatever the ID's own language is."""
    return browser.go("/language?" + urlencode({"to": "en", "next": path}))


def the_id(world: World, phone: str = ANNA) -> str:
    """Whose number it is."""
    with world.reads():
        return users.find_by_phone(phone).id  # type: ignore[union-attr]


def test_what_happened_is_told_in_words(world: World) -> None:
    """A sign-in with its browser and place, in three languages; by kind; the way to say that it was somebody else's."""
    other, _ = entered(world, browser=world.browser(address="198.51.100.8"))
    del other
    me, page = entered(world, "/account/activity")
    assert page.text.count("Signed in with a code to the phone") == 2
    assert "198.51.100.8" in page.text
    assert "Chrome, Linux" in page.text
    assert in_english(me, "/account/activity?kind=sign_in").text.count(">Not me<") == 1, "only beside the other browser's sign-in"
    assert "device.trusted" not in page.text
    for language in LANGUAGES:
        assert f'lang="{language}"' in me.go(f"/language?to={language}&next=/account/activity").text
    assert "Вход по коду" not in me.go("/account/activity?kind=apps").text
    advice = me.go("/account/not_me")
    assert me.submit(advice, where="elsewhere").status_code == 303
    assert "Signed out everywhere" in in_english(me, "/account/activity?kind=sign_in").text
    assert in_english(me, "/account/activity?kind='OR(1=1)").text.count("Signed in with") == 2


def test_pages_by_a_cursor_that_is_ours(world: World) -> None:
    """Case 121: whatever else stands in the cursor, also another person's, the first page is shown; nothing is asked of the database."""
    me, _ = entered(world)
    user_id = the_id(world)
    with world.writes():
        for number in range(70):
            events.record("user.profile_changed", user_id=user_id, details={"number": number})
    pages, page = [], in_english(me, "/account/activity?kind=profile")
    while True:
        pages.append(page.text.count("The profile was changed"))
        link = re.search(r'href="(/account/activity\?before=[^"]+)">Earlier', page.text)
        if link is None:
            break
        page = me.go(link[1].replace("&amp;", "&"))
    assert pages[:2] == [30, 30]
    assert 10 <= pages[2] < 30
    assert "To the newest" in page.text
    first, cursor = me.go("/account/activity").text, re.search(r"before=(evt_[^\"&]+)", me.go("/account/activity").text)
    assert cursor is not None
    stranger, _ = entered(world, phone="+79005553510")
    own = stranger.go("/account/activity").text.count("<time")
    assert stranger.go(f"/account/activity?before={cursor[1]}").text.count("<time") == own
    for forged in ("evt_1", cursor[1][:-1] + "A", cursor[1].partition(".")[0], "' OR 1=1--", "%00", "a" * 5000, cursor[1] + "x"):
        answer = me.get("/account/activity", params={"before": forged})
        assert answer.status_code in {200, 400}
        assert answer.status_code == 400 or answer.text.count("<time") == first.count("<time")


def test_what_strangers_wrote_stays_text(world: World) -> None:
    """Cases 124 and 125: names of apps and browsers are text on the page, and one event is one line; support's own data is not shown."""
    app = world.party(name='"&amp; onload=alert(2)', first_party=False)
    me, _ = entered(world, browser=world.browser(user_agent=EVIL.replace("\r\n", " ").replace("\u202e", "")))
    me.allow(me.authorize(app))
    user_id = the_id(world)
    with world.writes(), events.acting("operator", details={}, personal={"operator": "root as ivanov", "ip": "10.0.0.1"}):
        events.record("user.unblocked", user_id=user_id, personal={"browser": EVIL})
    text = in_english(me, "/account/activity").text
    assert "<script>alert" not in text
    assert "&#34;&amp;amp; onload=alert(2)" in text
    assert "ivanov" not in text
    assert "10.0.0.1" not in text
    assert "not by you" in text
    assert all("\n" not in events.line(event) for event in world.events())


def test_nobody_reads_it_without_signing_in(world: World) -> None:
    """Whoever is not signed in is sent to sign in, and comes back to the page that was wanted."""
    browser = world.browser()
    assert prove(world, browser, browser.go("/account/activity"), ANNA).url.path == "/account/activity"


def test_every_event_of_a_person_has_words_or_a_reason() -> None:
    """What is recorded of a person is either told to them, or it stands in UNSAID why not; neither names what nobody records."""
    recorded = set()
    for path in Path(events.__file__).parent.rglob("*.py"):
        source = path.read_text()
        if "events" in source or "_record" in source:
            recorded |= {f"password.{reason}" for reason in ("set", "changed", "reset") if 'f"password.{reason}"' in source}
            recorded |= set(re.findall(r'"([a-z_]+\.[a-z_]+)"', source))
    assert set(SAID) | set(UNSAID) <= recorded
    assert not set(SAID) & set(UNSAID)
    of_people = ("login", "browser", "device", "session", "user", "consent", "app", "token", "code", "password", "passkey", "authenticator")
    of_people += ("recovery_code", "recovery_codes", "social", "recovery", "email", "phone", "account", "family", "data", "employee")
    elsewhere = {"code.sent", "code.wrong", "code.test_number_used"}
    missing = {name for name in recorded if name.partition(".")[0] in of_people} - set(SAID) - set(UNSAID) - elsewhere
    assert not missing, f"say them in idp/account/activity_words.py: {sorted(missing)}"
