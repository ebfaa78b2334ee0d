"""Case 111: the five attacks on an account before its owner comes (Sudhodanan and Paverd, USENIX Security 2022), each in its own journey.

Here a contact is somebody's only once they have proved it, so there is little to squat: an ID that had the number before, a store's account
with somebody's address, another provider that claims one. Whoever proves the contact first gets none of what a squatter prepared.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from idp import clock
from idp.cli.demo_story import Story
from idp.clock import freeze
from idp.directory import users
from tests.account.test_email import asked
from tests.login.hostile import Upstream, sent_to
from tests.login.http_lab import base_of, cookies_set, drop_cookies, people_on, signed_in
from tests.login.lab import at_code, id_token, where
from tests.login.password_lab import SECRET, SHOP, enter, linked_to, shop
from tests.login.social_lab import by_phone, come_back, linked, other, signed_up, upstream
from tests.login.social_lab import changed_settings as with_upstream
from tests.world import Browser, Party, World, answer_of, claims_of, new_phone

__all__ = ["other", "upstream", "with_upstream"]

MAIL = "victim@post.example"
OFFLINE = "openid phone email offline_access"
SILENCE = timedelta(days=1)  # the settings of this file: what a squatter keeps is alive when the number's next holder comes
LATER = SILENCE + timedelta(minutes=10)


@pytest.fixture
def changed_settings(with_upstream: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """A number is silent after a day."""
    return with_upstream | {"login": {"recycled_after": int(SILENCE.total_seconds())}}


@pytest.fixture
def party(world: World) -> Party:
    """A portal."""
    return world.party()


def sign_up(world: World, browser: Browser, party: Party, phone: str, name: str, **asked: str) -> dict[str, object]:
    """Somebody new, by number and code: the claims of their ID token."""
    page = by_phone(world, browser, browser.authorize(party, **asked), phone)
    return id_token(world, party, browser.onward(browser.submit(page, name=name, terms="1")))


def come_anew(world: World, browser: Browser, party: Party, phone: str) -> dict[str, object]:
    """Whoever holds the number now begins a fresh ID with it."""
    page = browser.onward(browser.submit(at_code(world, browser, party, phone), code=world.code_for(phone)))
    assert where(page) == "further_proof"
    form = browser.onward(browser.submit(page, answer="anew"))
    return id_token(world, party, browser.onward(browser.submit(form, name="Victim", terms="1")))


def test_classic_federated_merge(world: World, party: Party, upstream: Upstream, story: Story) -> None:
    """A squatter makes a store's account with the victim's address and a password; the victim comes by another provider that has verified
    the very same address. Nothing is merged: the password opens neither the account nor the victim's ID.
    """
    account_id = shop(world, story, verified=False)
    upstream.claims = {"email": SHOP, "email_verified": True}
    victim = world.browser()
    _, back = signed_up(world, victim, party, upstream)
    sub = str(id_token(world, party, back)["sub"])
    assert linked_to(world, account_id) is None
    squatter = world.browser(address="198.51.100.66")
    page = enter(squatter, party, SHOP, SECRET)
    assert where(page) == "code"  # that goes to the victim's mailbox
    assert "idp_session" not in cookies_set(page)
    for there in ("", "/identify", "/link", "/further_proof"):
        assert "Victim" not in squatter.go(f"{base_of(page)}{there}").text
    with world.reads():
        assert users.get(sub).email is None  # what a provider claims is not held, either


def lives_on(world: World, party: Party, tokens: dict[str, str], sub: str) -> dict[str, object]:
    """What these tokens say: they work, are the former ID's, and know no number."""
    assert claims_of(tokens["id_token"])["sub"] == sub
    told: dict[str, object] = world.userinfo(tokens["access_token"]).json()
    assert told["sub"] == sub
    assert not {"phone_number", "phone_number_verified"} & {*told, *claims_of(tokens["id_token"]), *claims_of(tokens["access_token"])}
    return told


def test_unexpired_session(world: World, party: Party) -> None:
    """A squatter had the number first, and keeps a session, a known browser, a sign-in under way and a refresh token, all of them alive.
    The number's next holder begins afresh: all of that stays with the former ID, which has no number any more.
    """
    phone, began, squatter = new_phone(), clock.now(), world.browser(address="198.51.100.66")
    with freeze(began) as later:
        former = str(sign_up(world, squatter, party, phone, "Squatter", scope=OFFLINE)["sub"])
        kept = world.redeem(party, answer_of(squatter.authorize(party, scope=OFFLINE))["code"]).json()
        for _ in range(2):
            later(11 * 3600)
            assert signed_in(world, squatter, party)  # so that it does not end for want of use
    with freeze(began + LATER) as later:
        half = squatter.authorize(party, prompt="login")
        half = squatter.onward(squatter.submit(squatter.get(f"{base_of(half)}/identify"), phone=phone))
        assert where(half) == "phone_code"
        code, victim = world.code_for(phone), world.browser()  # it goes to the number's present holder
        later(61)
        fresh = str(come_anew(world, victim, party, phone)["sub"])
        assert fresh != former
        assert squatter.submit(half, code="000000" if code != "000000" else "111111").status_code == 422
        halfway = [squatter.go(f"{base_of(half)}{there}") for there in ("", "/register", "/further_proof", "/people")]
        own = [squatter.go(f"/account/{page}") for page in ("profile", "phone", "security", "activity", "data")]
        assert "Squatter" in own[0].text, "the session is alive"
        assert phone[-4:] not in own[1].text
        for page in (*halfway, *own):
            assert not [word for word in ("Victim", fresh) if word in page.text], page.url
        by_session = world.redeem(party, answer_of(squatter.authorize(party, scope=OFFLINE, prompt="none"))["code"]).json()
        by_refresh = world.refresh(party, kept["refresh_token"])
        assert by_refresh.status_code == 200, by_refresh.text
        for tokens in (by_session, by_refresh.json()):
            assert lives_on(world, party, tokens, former)["sub"] != fresh
        drop_cookies(squatter, "idp_session")
        pressed = people_on(squatter.authorize(party))
        assert set(pressed) == {"Squatter"}, "what the browser knows"
        tokens = world.redeem(party, answer_of(victim.authorize(party, scope=OFFLINE))["code"]).json()
        assert world.userinfo(tokens["access_token"]).json()["phone_number"] == phone
    with world.reads():
        assert users.get(former).phone is None
        assert users.get(fresh).name == "Victim"


def test_trojan_identifier(world: World, party: Party, upstream: Upstream) -> None:
    """A squatter links another provider of theirs to an ID with the number. After its next holder has begun afresh that provider opens the
    former ID and no other; the fresh one has no way in but the number.
    """
    began = clock.now()
    with freeze(began):
        squatter = world.browser(address="198.51.100.66")
        phone, back = signed_up(world, squatter, party, upstream)
        former = id_token(world, party, back)["sub"]
    with freeze(began + LATER) as later:
        victim = world.browser()
        fresh = str(come_anew(world, victim, party, phone)["sub"])
        assert linked(world, fresh) == []
        trojan = come_back(world.browser(address="198.51.100.66"), party, upstream)
        assert id_token(world, party, trojan)["sub"] == former
        assert linked(world, str(former)) == [(upstream.issuer, "vera-1")]
        later(1)
        for browser in (world.browser(), victim):  # wherever it is pressed, in the victim's own browser too
            page = browser.authorize(party, prompt="select_account")
            trojan = browser.go(upstream.agree(sent_to(browser, browser.get(f"{base_of(page)}/identify"))))
            assert id_token(world, party, trojan)["sub"] == former
        assert linked(world, fresh) == []


def test_unexpired_change_of_address(world: World, party: Party) -> None:
    """A squatter asks for the victim's address on their own ID, and for a password by it, and leaves both open. Once the victim has proved
    the address neither comes to anything, even with the very code that went there: it is the victim's.
    """
    squatted, began = new_phone(), clock.now()
    with freeze(began) as later:
        squatter = world.browser(address="198.51.100.66")
        sign_up(world, squatter, party, squatted, "Squatter")
        later(30)
        squatter, change = asked(world, MAIL, phone=squatted, browser=world.browser(address="198.51.100.66"))
        code = world.code_for(MAIL)
        stranger = world.browser(address="198.51.100.66")
        reset = stranger.authorize(party)
        reset = stranger.onward(stranger.submit(stranger.get(f"{base_of(reset)}/reset"), login=MAIL))  # nobody's yet: no mail goes out
        later(30)
        phone, victim = new_phone(), world.browser()
        sub = str(sign_up(world, victim, party, phone, "Victim")["sub"])
        page = victim.onward(victim.submit(victim.go("/account/email"), email=MAIL))
        assert victim.submit(page, code=world.code_for(MAIL)).status_code == 303
        later(30)
        assert squatter.submit(change, code="000000" if code != "000000" else "111111").status_code == 422
        assert squatter.submit(change, code=code).status_code in {409, 422}
        assert stranger.submit(reset, code=code).status_code == 422
        assert 'name="password_again"' not in stranger.go(f"{base_of(reset)}/reset/password").text
    with world.reads():
        assert users.find_by_email(MAIL).id == sub  # type: ignore[union-attr]
        assert users.find_by_phone(squatted).email is None  # type: ignore[union-attr]


def test_provider_that_verifies_nothing(world: World, party: Party, upstream: Upstream) -> None:
    """A squatter's provider says that the victim's address and number are theirs, and verified. The squatter's ID holds neither; when their
    owner comes by number and proves the address, both are theirs, and apps are told so of nobody else.
    """
    phone = new_phone()
    upstream.claims = {"email": MAIL, "email_verified": True, "phone_number": phone, "phone_number_verified": True, "name": "Victim"}
    squatter = world.browser(address="198.51.100.66")
    _, back = signed_up(world, squatter, party, upstream)
    squatted = str(id_token(world, party, back)["sub"])
    victim = world.browser()
    sub = str(sign_up(world, victim, party, phone, "Victim")["sub"])
    assert sub != squatted
    with world.writes():
        users.confirm_email(sub, MAIL)
    tokens = world.redeem(party, answer_of(squatter.authorize(party, scope=OFFLINE))["code"]).json()
    told = world.userinfo(tokens["access_token"]).json()
    assert "email" not in told
    assert told["phone_number"] != phone
    assert id_token(world, party, come_back(world.browser(address="198.51.100.66"), party, upstream))["sub"] == squatted
