"""Other providers in a person's own pages: linked and unlinked right after a proof, in the session that asked for it.

`product.md` §7, §12; threats: cases 102 (a fresh proof), 106 (the last way in), 107, 112 (linking that another browser finishes), 113.
"""

from __future__ import annotations

from datetime import timedelta

import httpx2
import sqlalchemy as sa

from idp import clock
from idp.credentials import social
from idp.credentials.social import Claimed
from idp.db.session import session as database
from idp.directory import numbers, users
from idp.directory.tables import User
from tests.account.lab import ANNA, doubted, entered, prove
from tests.account.test_password import known_by_heart
from tests.conftest import Told
from tests.login.hostile import Upstream
from tests.login.http_lab import copy_cookies, provider, text_of, token_of
from tests.login.lab import id_token, where
from tests.login.password_lab import SECRET, give
from tests.login.social_lab import changed_settings, come_back, linked, other, signed_up, upstream
from tests.world import Browser, World

__all__ = ["changed_settings", "other", "upstream"]
HERE = "/account/providers"
ZIMIN = "+79005553510"


def id_of(world: World, phone: str) -> str:
    """Whose number it is."""
    with world.reads():
        user = users.find_by_phone(phone)
        assert user is not None
        return user.id


def linking(browser: Browser, page: httpx2.Response, upstream: Upstream) -> str:
    """Press `Link`; the way back that the provider would send the browser on."""
    sent = browser.press(page, "/link/up")
    assert sent.status_code == 303
    return upstream.agree(sent)


def test_linked_and_unlinked(world: World, upstream: Upstream) -> None:
    """A button, the provider's yes, and it stands in the list; then it signs in. Unlinked, it signs nobody in any more."""
    browser, page = entered(world, HERE)
    anna, party = id_of(world, ANNA), world.party()
    assert "None yet" in text_of(page)
    page = browser.go(linking(browser, page, upstream))
    assert ("Upstream is linked" in text_of(page), "Vera Upstream" in text_of(page)) == (True, True)
    assert "/link/up" not in page.text
    assert "Upstream" in browser.go("/account/security").text
    elsewhere = world.browser()
    assert id_token(world, party, come_back(elsewhere, party, upstream))["sub"] == anna
    assert "/login/" in elsewhere.go(HERE).url.path  # nothing of this moment was proved: the provider may have asked nobody anything
    assert "last used" in text_of(browser.go(HERE))
    assert browser.press(browser.go(HERE), "/unlink").status_code == 303
    assert linked(world, anna) == []
    assert come_back(world.browser(), party, upstream).status_code == 200  # to the phone page
    assert [event.name for event in world.events("social.unlinked")] == ["social.unlinked"]
    assert len(world.events("social.linked")) == 1
    for to, words in (
        ("anna@post.example", ("привязана запись в другом сервисе", "отвязана запись в другом сервисе")),
        (ANNA, ("добавлен ещё один способ входа", "убран один из способов входа")),
    ):
        told = [message["text"] for message in world.inbox(to) if not message["code"]]
        assert [sum(each in text for text in told) for each in words] == [1, 1], "on every channel"


def test_where_there_are_none(told: Told) -> None:
    """No button, no row; what was linked to one that is configured no more is shown by its host, and can be taken off."""
    with provider(told) as world:
        assert "/social/" not in world.browser().authorize(world.party()).text
        browser, page = entered(world, "/account/security")
        assert HERE not in page.text
        with world.writes():
            social.link(id_of(world, ANNA), "gone", Claimed("https://gone.example/a", "1"))
        page = browser.go(HERE)
        assert ("gone.example" in text_of(page), "Can be linked" in text_of(page)) == (True, False)
        assert browser.press(page, "/unlink").headers["Location"] == HERE
        assert linked(world, id_of(world, ANNA)) == []


def test_only_right_after_a_proof(world: World, upstream: Upstream) -> None:
    """Case 102: the list with its forms, linking and unlinking want a proof of the last five minutes; another provider's is none."""
    with clock.freeze(clock.now()) as later:
        browser, page = entered(world, HERE)
        browser.go(linking(browser, page, upstream))
        page = browser.go(HERE)
        identity = page.text.partition('name="identity" value="')[2].partition('"')[0]
        later(timedelta(minutes=6))
        for action, fields in (("/link/up", {}), ("/unlink", {"identity": identity})):
            answer = browser.post(HERE + action, data={"csrf_token": token_of(page)} | fields)
            assert answer.headers["Location"].startswith("/login/")
        asked = browser.go(HERE)
        assert "/login/" in asked.url.path
        assert "/social/up" not in browser.get(str(asked.url).rpartition("/")[0] + "/identify").text
        assert prove(world, browser, asked, ANNA).url.path == HERE
        assert len(linked(world, id_of(world, ANNA))) == 1


def test_who_has_more_proves_it_first(world: World, upstream: Upstream) -> None:
    """Case 102: whoever holds the number alone links no provider of theirs to an ID that has a password, and takes none off: it would open
    the ID from then on.
    """
    zimin = id_of(world, ZIMIN)
    give(world, zimin)
    thief, page = entered(world, phone=ZIMIN)
    token = {"csrf_token": token_of(page), "identity": "idt_1"}
    for answer in (thief.get(HERE), *(thief.post(HERE + action, data=token) for action in ("/link/up", "/unlink"))):
        assert where(thief.onward(answer)) == "further_proof"
    page = known_by_heart(thief, thief.go(HERE), SECRET)
    thief.go(linking(thief, page, upstream))
    assert linked(world, zimin) == [(upstream.issuer, "vera-1")], "who knows it too is no thief"


def test_linking_that_another_browser_finishes(world: World, upstream: Upstream) -> None:
    """Case 112: the attacker's own way back in the victim's browser, with the victim signed in: nothing is linked to the victim. Nor with
    the attacker's cookie planted beside the victim's session; nor after the session that asked has ended.
    """
    mallory, page = entered(world, HERE, phone=ZIMIN)
    victim, _ = entered(world, HERE)
    back = linking(mallory, page, upstream)
    assert victim.get(back).status_code == 410
    planted = world.browser()
    copy_cookies(victim, planted, "idp_session", "idp_browser")
    copy_cookies(mallory, planted, "idp_login")
    assert planted.get(back).status_code == 410
    assert linked(world, id_of(world, ANNA)) == linked(world, id_of(world, ZIMIN)) == []
    # It was used up by that: not even the browser that began it can go on.
    assert mallory.get(back).headers["Location"] == HERE
    back = linking(mallory, mallory.go(HERE), upstream)
    mallory.post("/account/sign_out", data={"csrf_token": token_of(mallory.go(HERE))})
    assert mallory.get(back).status_code == 410
    assert linked(world, id_of(world, ZIMIN)) == []


def test_it_belongs_to_another_id(world: World, upstream: Upstream) -> None:
    """Said clearly to who holds both, and nothing moves; another account of the provider can be linked instead."""
    party = world.party()
    claims = id_token(world, party, signed_up(world, world.browser(), party, upstream)[1])
    browser, page = entered(world, HERE)
    refused = browser.get(linking(browser, page, upstream))
    assert (refused.status_code, "linked to another ID" in text_of(refused)) == (409, True)
    assert linked(world, str(claims["sub"])) == [(upstream.issuer, "vera-1")]
    for changes, words in (({"code": None, "error": "access_denied"}, "was not linked"), ({"code": "nonsense"}, "did not work")):
        back = upstream.agree(browser.press(browser.go(HERE), "/link/up"), **changes)
        page = browser.go(back)
        assert (page.url.path, words in text_of(page)) == (HERE, True)
    upstream.subject = "vera-2"
    browser.go(linking(browser, page, upstream))
    assert linked(world, id_of(world, ANNA)) == [(upstream.issuer, "vera-2")]


def test_the_last_way_in_stays(world: World, upstream: Upstream) -> None:
    """Case 106: an ID whose number went to somebody else keeps the provider that is its only way in; and nobody unlinks another's."""
    browser, page = entered(world, HERE, phone=ZIMIN)
    zimin = id_of(world, ZIMIN)
    browser.go(linking(browser, page, upstream))
    page = browser.go(HERE)
    stranger, theirs = entered(world, HERE)
    with world.reads():
        identity = social.of_person(zimin)[0].id
    assert stranger.post(f"{HERE}/unlink", data={"csrf_token": token_of(theirs), "identity": identity}).status_code == 404
    doubted(world, ZIMIN)
    assert browser.press(page, "/unlink").status_code == 409, "a code to a doubted number opens nothing by itself"
    with world.writes():
        assert numbers.give_up(zimin, ZIMIN)
        social.link(zimin, "gone", Claimed("https://gone.example/a", "1"))  # configured no more: it opens nothing
        database.execute(sa.update(User).where(User.id == zimin).values(email_verified_at=None))
    give(world, zimin)  # and there is no login that it belongs to
    known_by_heart(browser, browser.go(HERE), SECRET)
    refused = browser.press(page, "/unlink")
    assert (refused.status_code, "only way in" in text_of(refused)) == (409, True)
    assert (upstream.issuer, "vera-1") in linked(world, zimin)
