"""Who gets into a person's own pages: the one who is signed in, by the same sign-in as into any app (`product.md` §12, ASVS 5.0 §7.5.1)."""

from __future__ import annotations

from datetime import timedelta

from idp import clock
from idp.account import entry
from idp.clock import freeze
from idp.directory import deletion, users
from idp.errors import Refusal
from idp.web.http import Elsewhere, Request
from tests.account.lab import ANNA, entered, prove
from tests.login.http_lab import token_of
from tests.login.lab import where
from tests.login.password_lab import give, id_of
from tests.world import ISSUER, Browser, World, new_phone

# Pages with a form of the same address, that change what opens the ID, or give all of it away.
SENSITIVE = (
    *("/account/passkeys/add", "/account/password", "/account/authenticator/set_up", "/account/email", "/account/phone"),
    *("/account/deletion", "/account/data/archive"),
)


def request_of(browser: Browser, path: str, *, query: str = "", method: str = "GET") -> Request:
    """A request as this browser would send it, for the rules that pages stand on."""
    cookies = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
    return Request(
        {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "HTTP_COOKIE": cookies, "REMOTE_ADDR": "203.0.113.7"}
    )


def fresh_proof_leads_to(world: World, browser: Browser, path: str, **how: str) -> str | None:
    """Where whoever asks for a fresh proof at `path` is sent first; None: nowhere."""
    request = request_of(browser, path, **how)
    try:
        with world.writes():
            entry.fresh(request, entry.enter(request))
    except Elsewhere as first:
        return dict(first.answer.headers)["Location"]
    except Refusal as refusal:
        raise AssertionError from refusal
    return None


def test_signing_in_leads_to_the_page_that_was_wanted(world: World) -> None:
    """`/account` is the profile; nobody signed in: a sign-in that returns there. The pages are not cached, and forms only go to us."""
    browser, page = entered(world, "/account/security")
    assert "Sign-in and security" in page.text
    assert "+7\N{NO-BREAK SPACE}•••" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    policy = page.headers["Content-Security-Policy"]
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert browser.go("/account").url.path == "/account/profile"


def test_the_way_back_is_a_path_of_ours(world: World) -> None:
    """Whatever stood in the address, the sign-in returns here; and the query, which may hold anything, is not kept with it (case 41)."""
    browser = world.browser()
    assert str(prove(world, browser, browser.go("/account/security?a=1"), ANNA).url) == f"{ISSUER}/account/security"
    for odd in ("/account/\xd1\x8f", "//evil.example/account", "/account/ x\\y"):
        to = fresh_proof_leads_to(world, world.browser(), odd, query="q=%00\"'")
        assert to is not None
        assert to.startswith("/login/flw_")


def test_a_proof_is_fresh_for_five_minutes(world: World) -> None:
    """Case 78: neither a known browser's word nor an older proof will do; the new one returns to the page, and is the same person's."""
    began = clock.now()
    with freeze(began) as pass_by:
        browser, _ = entered(world)
        pass_by(299)
        assert fresh_proof_leads_to(world, browser, "/account/security") is None
    with freeze(began + timedelta(minutes=6)):
        first = fresh_proof_leads_to(world, browser, "/account/security", query="a=1")
        assert first is not None
        assert browser.go("/account/security").status_code == 200  # to look needs no fresh proof
        back = prove(world, browser, browser.get(ISSUER + first.rpartition("/")[0] + "/people"), ANNA)
        assert str(back.url) == f"{ISSUER}/account/security"
        assert fresh_proof_leads_to(world, browser, "/account/security") is None


def test_what_is_sensitive_wants_all_that_somebody_can_prove(world: World) -> None:
    """Case 102, ASVS 5.0 §7.5.1: with a password set, a code to the number alone opens neither the page nor its form."""
    browser, page = entered(world)
    give(world, id_of(world))
    token = {"csrf_token": token_of(page)}
    for path in SENSITIVE:
        for answer in (browser.get(path), browser.post(path, data=token | {"sure": "1", "email": "thief@example.org"})):
            assert where(browser.onward(answer)) == "further_proof", path
    assert not world.events(deletion.REQUESTED)
    assert not world.events("data.downloaded")


def test_another_person_is_no_fresh_proof(world: World) -> None:
    """Whoever proves another number while a fresh proof of one person is wanted is refused."""
    browser, _ = entered(world)
    with freeze(clock.now() + timedelta(minutes=6)):
        first = fresh_proof_leads_to(world, browser, "/account/security")
        assert first is not None
        refused = prove(world, browser, browser.get(ISSUER + first.rpartition("/")[0] + "/people"), new_phone())
        assert refused.status_code == 403


def test_signing_out_ends_this_session_and_no_other(world: World) -> None:
    """Case 80: the copied cookie opens nothing; the other browser stays in."""
    browser, page = entered(world)
    other, _ = entered(world)
    copied = dict(browser.cookies)
    assert "You are signed out" in browser.press(page, "/account/sign_out").text
    thief = world.browser()
    for name, value in copied.items():
        if "session" in name:
            thief.cookies.set(name, value)
    assert "/login/" in thief.go("/account/profile").url.path
    assert "/login/" in browser.go("/account/profile").url.path
    assert other.go("/account/profile").url.path == "/account/profile"
    assert browser.go("/account/sign_out").status_code == 200  # reloaded: leads to the pages, not into an error


def test_the_page_speaks_the_persons_language(world: World) -> None:
    """The language of the ID comes before the browser's, and after what the reader pressed here."""
    browser, _ = entered(world)
    browser.cookies.delete("idp_language")
    with world.writes():
        users.change_profile(users.find_by_phone(ANNA).id, {"locale": "zh"})  # type: ignore[union-attr]
    assert 'lang="zh"' in browser.go("/account/profile").text
    assert 'lang="ru"' in browser.go("/language?to=ru&next=/account/profile").text
