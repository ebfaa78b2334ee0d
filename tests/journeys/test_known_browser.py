"""The browser that is known, day by day: `product.md` §3. And the number that changed hands: §6.4. In a real browser, with the clock moved.

Two people, theft and removal are walked in `test_people`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Route, expect

from idp import clock
from idp.directory import users
from tests.conftest import Told
from tests.journeys.one_process import Guest, Site, opened
from tests.machine import count
from tests.world import new_phone

pytestmark = pytest.mark.browser

ZIMINA, MARIA = "+79005553509", "Мария Зимина"
ZIMIN, MAIL = "+79005553510", "zimin@post.example"
DAY, SILENCE = timedelta(days=1), timedelta(days=180)
Later = Callable[[timedelta | float], None]


@pytest.fixture(scope="module")
def site(chromium: Browser, told: Told) -> Iterator[Site]:
    """One for all; each test has its own people or its own browser."""
    del chromium  # skips what needs one, before anything is set up
    with opened(told) as made:
        yield made


@pytest.fixture
def later(site: Site) -> Iterator[Later]:
    """The time stands still, and is moved on; each test begins after the former one's end."""
    del site
    with clock.freeze(max(clock.now(), _ended[-1]) + timedelta(minutes=10)) as shift:
        yield shift
        _ended.append(clock.now())


_ended = [clock.now()]


@pytest.fixture
def come(chromium: Browser, site: Site) -> Iterator[Callable[..., Guest]]:
    """`come("ru")`: somebody at a browser of their own."""
    here: list[Guest] = []

    def arrive(language: str = "ru") -> Guest:
        here.append(Guest(chromium, site, language))
        return here[-1]

    yield arrive
    for guest in here:
        guest.context.close()


def person(site: Site) -> str:
    """The number of somebody of this test's own."""
    phone = new_phone()
    with site.world.writes():
        users.register(phone, "Ева Ким", "ru", "1")
    return phone


def test_sixty_days_without_a_code(site: Site, later: Later, come: Callable[..., Guest]) -> None:
    """One press each time, for longer than the sixty days that a browser is trusted: they count from its last use. Never a code.

    Every fifth day here, every day with the large counts.
    """
    phone, guest = person(site), come("ru")
    guest.come()
    guest.prove(phone)
    guest.is_in()
    sent = len(site.world.inbox(phone))
    visits = count(13, 65)
    for visit in range(visits):
        later(65 * DAY / visits)
        guest.come()
        assert guest.page.url.endswith("/people"), visit
        guest.choose("Ева Ким")
        guest.is_in()
    assert len(site.world.inbox(phone)) == sent
    later(60 * DAY)
    guest.come()
    expect(guest.page.locator("#phone")).to_be_visible()


def test_a_lost_answer(site: Site, later: Later, come: Callable[..., Guest]) -> None:
    """§3.1: the press arrives, its answer does not: the former cookie presses once more, and that is no theft."""
    phone, guest = person(site), come("en")
    guest.come()
    guest.prove(phone)
    guest.is_in()
    later(DAY)
    guest.come()

    before = guest.context.cookies()

    def lose(route: Route) -> None:
        route.fetch(max_redirects=0)
        route.abort("connectionreset")

    guest.page.route("**/people", lose, times=1)
    # The browser's own page that says so comes a moment after the failure, and would take the place of whatever is asked for in between.
    with guest.page.expect_event("framenavigated", lambda frame: frame.url.startswith("chrome-error:")):
        guest.choose("Ева Ким")
    guest.context.clear_cookies()
    guest.context.add_cookies(before)  # type: ignore[arg-type] # what the lost answer would have set
    later(20)
    guest.come()
    guest.choose("Ева Ким")
    guest.is_in()
    assert not [event for event in site.world.events("browser.stolen") if event.user_id]
    later(DAY)
    guest.come()
    guest.choose("Ева Ким")
    guest.is_in()


def test_two_tabs(site: Site, later: Later, come: Callable[..., Guest]) -> None:
    """Two tabs ask who is there, and the name is pressed in both: both are in, and the browser stays known."""
    phone, guest = person(site), come("zh")
    guest.come()
    guest.prove(phone)
    guest.is_in()
    later(DAY)
    other = guest.context.new_page()
    guest.come()
    guest.come(other)
    guest.choose("Ева Ким")
    guest.is_in()
    guest.choose("Ева Ким", other)
    guest.is_in(other)
    later(DAY)
    guest.come(other)
    guest.choose("Ева Ким", other)
    guest.is_in(other)


def test_a_shared_browser(site: Site, later: Later, come: Callable[..., Guest]) -> None:
    """§3.1: told once that others use it too, the browser knows nobody, and the tick is off beforehand until somebody sets it."""
    phone, guest = person(site), come("en")
    guest.come()
    guest.prove(phone)
    guest.is_in()
    later(DAY)
    guest.come()
    guest.press("Remove someone from the list")
    guest.press("Others use this browser too: remember nobody here")
    expect(guest.page.locator("#phone")).to_be_visible()
    for remember in (None, True):
        guest.page.locator("#phone").fill(phone)
        guest.press("Get a code")
        expect(guest.page.locator("#remember")).not_to_be_checked()
        guest.enter(phone, remember=remember)
        guest.is_in()
        later(DAY)
        guest.come()
    guest.choose("Ева Ким")
    guest.is_in()


@pytest.mark.parametrize("language", ["ru", "zh"])
def test_a_number_that_changed_hands(site: Site, later: Later, come: Callable[..., Guest], language: str) -> None:
    """A right code after half a year of silence: the page asks whose the ID is, and a fresh one begins, its holder's from then on."""
    phone, guest = person(site), come(language)
    later(SILENCE)
    guest.come()
    guest.prove(phone)
    guest.headed("Is this your ID?")
    assert "Ева" not in guest.page.content()
    expect(guest.page.locator("button[value=email]")).to_have_count(0)
    guest.press("Begin a fresh ID")
    guest.page.locator("#name").fill("Пётр Новый")
    guest.page.go_back()
    guest.headed("Is this your ID?")
    guest.press("Begin a fresh ID")
    guest.page.locator("#name").fill("Пётр Новый")
    guest.page.locator("#terms").check()
    guest.press("Create the ID and sign in")
    guest.is_in()
    later(DAY)
    guest.come()
    guest.choose("Пётр Новый")
    guest.is_in()
    stranger = come("en")
    stranger.come()
    stranger.prove(phone)
    stranger.is_in()  # not silent any more: a code is enough


def test_a_number_that_did_not(site: Site, later: Later, come: Callable[..., Guest]) -> None:
    """The same person after half a year: a code to the address that they know, a wrong one first, and all is as it was."""
    guest = come("en")
    later(SILENCE)
    guest.come()
    guest.prove(ZIMIN)
    guest.headed("Is this your ID?")
    expect(guest.page.locator("main")).to_contain_text("z•••@p•••.example")
    guest.press("Send a code by e-mail")
    guest.headed("Enter the code from the e-mail")
    right = site.world.code_for(MAIL)
    guest.page.locator("#code").press_sequentially(f"{(int(right) + 1) % 10**6:06}")
    guest.press("Sign in")
    expect(guest.page.locator("#code-error")).to_be_visible()
    expect(guest.page.locator("#code")).to_be_focused()
    guest.enter(MAIL)
    guest.is_in()
    later(DAY)
    guest.come()
    guest.choose("Павел Зимин")
    guest.is_in()
