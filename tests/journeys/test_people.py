"""What people do at a sign-in besides signing in: allow and refuse, sign up, share a browser, lose a cookie to a thief."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.stage import Stage
from tests.journeys.visitor import ROMASHKA, Visitor, Visitors
from tests.world import new_phone

pytestmark = pytest.mark.browser

ANNA, ORLOV, ZIMINA, ZIMIN = (f"+790055535{number}" for number in ("01", "02", "09", "10"))


def test_consent_is_asked_once(visitors: Visitors) -> None:
    """A partner's app: refused, the way back says so plainly; allowed, the person is in; the next time nothing is asked."""
    orlov = visitors.come("en")
    page = orlov.begin("partner")
    orlov.enter(orlov.ask_for_code(ORLOV))
    orlov.choose(ROMASHKA)
    asks = orlov.idp("%(app)s asks for access to %(company)s", app="Полка", company=ROMASHKA)
    expect(orlov.heading).to_have_text(asks)
    assert page.locator("main li b").all_inner_texts() == [
        "Алексей Орлов",
        orlov.idp("Your name and profile"),
        orlov.idp("Which account you came in as"),
        orlov.idp("The company"),
    ]
    refuse, allow = (orlov.button(orlov.idp(word)).bounding_box() for word in ("Refuse", "Allow"))
    assert refuse is not None
    assert allow is not None
    assert (refuse["width"], refuse["height"], refuse["y"]) == (allow["width"], allow["height"], allow["y"])
    orlov.button(orlov.idp("Refuse")).click()
    expect(orlov.heading).to_have_text(orlov.portal("You were not let in"))
    assert page.url.startswith(orlov.stage.portals["partner"] + "/callback?error=access_denied")
    expect(page.locator(".facts code")).to_have_text("access_denied")

    orlov.link(orlov.portal("Sign in again")).click()
    orlov.choose(ROMASHKA)  # nothing of a refused request is remembered
    expect(orlov.heading).to_have_text(asks)
    orlov.button(orlov.idp("Allow")).click()
    orlov.arrived("partner")
    expect(orlov.heading).to_have_text(orlov.portal("Working for %(company)s", company=ROMASHKA))

    orlov.context.clear_cookies(name="partner_session")
    orlov.begin("partner")
    orlov.arrived("partner")
    assert orlov.saw_nothing_of_the_provider()


def test_one_account_and_no_company(visitors: Visitors) -> None:
    """With a single account nothing is to be chosen; a buyer is not asked for a company that there is not."""
    zimin = visitors.come("ru")
    page = zimin.begin("partner")
    zimin.enter(zimin.ask_for_code(ZIMIN))
    expect(zimin.heading).to_have_text(zimin.idp("%(app)s asks for access to your ID", app="Полка"))
    assert page.locator("main .list b").all_inner_texts() == [zimin.idp("Your name and profile"), zimin.idp("Which account you came in as")]
    zimin.button(zimin.idp("Allow")).click()
    expect(zimin.heading).to_have_text("Павел Зимин")


def test_a_way_back_without_signing_in(visitors: Visitors) -> None:
    """`Back to …` on the first page leads to the portal, which says what happened."""
    zimin = visitors.come("zh")
    zimin.begin("staff")
    zimin.button(zimin.idp("Back to %(app)s", app=zimin.name_of("staff"))).click()
    expect(zimin.heading).to_have_text(zimin.portal("You were not let in"))


def test_a_new_number_signs_up(visitors: Visitors) -> None:
    """Name and terms after the code; what is missing is named; then the person is in, without a company."""
    newcomer = visitors.come("ru")
    page = newcomer.begin("staff")
    newcomer.enter(newcomer.ask_for_code(new_phone()))
    expect(newcomer.heading).to_have_text(newcomer.idp("Create your ID"))
    newcomer.button(newcomer.idp("Create the ID and sign in")).click()
    for field in ("name", "terms"):
        expect(page.locator(f"#{field}-error")).to_be_visible()
        expect(page.locator(f".notice a[href='#{field}']")).to_be_visible()
    page.locator("#name").fill("Вера Новикова")
    newcomer.button(newcomer.idp("Create the ID and sign in")).click()
    expect(page.locator("#name")).to_have_value("Вера Новикова")
    page.locator("#terms").check()
    newcomer.button(newcomer.idp("Create the ID and sign in")).click()
    newcomer.arrived("staff")
    expect(newcomer.heading).to_have_text("Вера Новикова")

    newcomer.begin("seller")
    expect(newcomer.heading).to_have_text(newcomer.idp("Your ID has no company yet"))
    newcomer.button(newcomer.idp("Back to %(app)s", app=newcomer.name_of("seller"))).click()
    expect(newcomer.heading).to_have_text(newcomer.portal("You were not let in"))


def test_two_people_share_a_browser(visitors: Visitors) -> None:
    """Each has a name to press; pressing one signs in that one; whoever is taken off the list needs a code again."""
    couple = visitors.come("en")
    page = couple.sign_in("staff", ZIMINA)
    couple.sign_out()
    couple.begin("staff")
    couple.link(couple.idp("Another number")).click()
    couple.enter(couple.ask_for_code(ZIMIN))
    couple.arrived("staff")
    expect(couple.heading).to_have_text("Павел Зимин")
    couple.sign_out()

    couple.begin("staff")
    assert sorted(page.locator(".row b").all_inner_texts()) == [couple.idp("Another number"), "Мария Зимина", "Павел Зимин"]
    page.locator("button.row", has_text="Мария Зимина").click()
    couple.arrived("staff")
    expect(couple.heading).to_have_text("Мария Зимина")
    couple.sign_out()

    couple.begin("staff")
    couple.link(couple.idp("Remove someone from the list")).click()
    page.locator("button.row", has_text="Мария Зимина").click()
    assert page.locator(".row b").all_inner_texts() == ["Павел Зимин", couple.idp("Another number")]
    couple.link(couple.idp("Another number")).click()
    couple.enter(couple.ask_for_code(ZIMINA))
    couple.arrived("staff")


def test_a_copied_browser_cookie(visitors: Visitors, stage: Stage) -> None:
    """Case 77: a stolen `idp_browser` is used elsewhere, then the owner comes: both are out, and the owner is told."""
    anna, thief = visitors.come("ru"), visitors.come("ru", user_agent="Mozilla/5.0 (Windows NT 10.0) Chrome/154.0 Safari/537.36")
    anna.sign_in("staff", ANNA)
    anna.sign_out()
    stolen = anna.cookies()["idp_browser"]["value"]
    thief.context.add_cookies([{"name": "idp_browser", "value": stolen, "url": stage.provider}])
    thief.begin("staff")
    thief.page.locator("button.row", has_text="Анна Смирнова").click()
    thief.arrived("staff")  # nobody can tell yet

    told = anna.messages(ANNA)
    anna.begin("staff")
    expect(anna.page.locator("#phone")).to_be_visible()  # her browser is not known any more
    assert "idp_browser" not in anna.cookies()
    warning = anna.idp("%(brand)s: your sign-in was used from another browser too. Both were signed out. Sign in again.", brand="Базар ID")
    expect(anna.wait_for_message(ANNA, told).locator(".sms").first).to_have_text(warning)

    answer = thief.page.goto(stage.portals["staff"] + "/")
    assert answer is not None
    assert answer.status == 401
    expect_signed_out(thief)
    thief.begin("staff")
    expect(thief.page.locator("#phone")).to_be_visible()


def expect_signed_out(visitor: Visitor) -> None:
    """The portal says that it is over, and shows nothing of the person."""
    expect(visitor.heading).to_have_text(visitor.portal("You have been signed out"))
    assert "Анна" not in visitor.page.content()
