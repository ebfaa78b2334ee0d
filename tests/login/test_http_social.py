"""Signing in with another provider: an identity is issuer and subject, and is linked by a yes after a proof of ours.

`product.md` §7; OpenID Connect Core §3.1, RFC 6749 §4.1, RFC 9700 §4; threats: cases 10, 42, 107, 108, 111, 113. Tokens that lie
stand in `test_http_social_tokens`.
"""

from __future__ import annotations

import time
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from idp import clock
from idp.credentials import social
from idp.credentials.social import Claimed
from idp.delegation import clients
from idp.directory import users
from idp.login import upstream as said
from idp.login.tables import Session
from tests.canary import CANARY
from tests.conftest import Told
from tests.login.hostile import Upstream, sent_to
from tests.login.http_lab import base_of, cookies_set, copy_cookies, drop_cookies, phone_of, post, provider, text_of
from tests.login.lab import ANNA, how_many, id_token, where
from tests.login.social_lab import by_phone, changed_settings, come_back, linked, other, signed_up, upstream
from tests.world import Party, World, answer_of, new_phone

__all__ = ["changed_settings", "other", "upstream"]


def test_from_a_stranger_to_a_press_of_a_button(world: World, party: Party, upstream: Upstream) -> None:
    """Cases 107 and 113: nobody is linked to who comes first: the number is proved, the ID stands in sight, a yes links. From then on
    the button alone signs in. What the provider says of roles, `amr` and `acr` is not ours.
    """
    browser = world.browser()
    page = come_back(browser, party, upstream)
    assert where(page) == "identify"
    assert "Nobody here is linked to this account at Upstream yet" in text_of(page)
    assert how_many(world, Session) == 0
    phone = new_phone()
    page = by_phone(world, browser, page, phone)
    assert 'value="Vera Upstream"' in page.text  # the name is filled in, and can be changed
    page = browser.onward(browser.submit(page, name="Vera", terms="1"))
    assert where(page) == "social"
    assert ("Link Upstream to your ID?" in text_of(page), "Vera," in text_of(page), "Vera Upstream" in text_of(page)) == (True, True, True)
    claims = id_token(world, party, browser.onward(browser.submit(page, answer="link")))
    assert linked(world, str(claims["sub"])) == [(upstream.issuer, "vera-1")]
    assert [event.details["provider"] for event in world.events("social.linked")] == ["up"]
    later = id_token(world, party, come_back(world.browser(address="198.51.100.9"), party, upstream))
    assert (later["sub"], later["amr"], later["acr"]) == (claims["sub"], ["fed"], "urn:idp:acr:code")
    assert "roles" not in later
    done = world.events("login.succeeded")[-1].details
    assert (done["proof"], done["amr"]) == ("social", ["fed"])
    assert any("one more way to sign in" in message["text"] for message in world.inbox(phone))


def test_what_is_asked_of_the_provider(world: World, party: Party, upstream: Upstream) -> None:
    """RFC 9700 §2.1: an address of its own for each provider, state, nonce and S256 that differ each time."""
    browser = world.browser()
    page = browser.authorize(party)
    asked = [dict(pair.split("=") for pair in sent_to(browser, page).headers["Location"].partition("?")[2].split("&")) for _ in range(2)]
    for each in asked:
        assert each["redirect_uri"].endswith("login%2Fsocial%2Fcallback%2Fup")
        assert (each["response_type"], each["code_challenge_method"], each["scope"]) == ("code", "S256", "openid+profile")
        assert len({each["state"], each["nonce"], each["code_challenge"]}) == 3
    assert not {asked[0][name] for name in ("state", "nonce", "code_challenge")} & {
        asked[1][name] for name in ("state", "nonce", "code_challenge")
    }
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "form-action" not in page.headers["Content-Security-Policy"]  # Chromium would stop the redirect to the provider


def test_no_is_an_answer(world: World, party: Party, upstream: Upstream) -> None:
    """Whoever does not want it linked is signed in all the same, is not asked again in this sign-in, and nothing is linked."""
    browser = world.browser()
    _, back = signed_up(world, browser, party, upstream, answer="skip")
    claims = id_token(world, party, back)
    assert linked(world, str(claims["sub"])) == []
    assert where(come_back(world.browser(), party, upstream)) == "identify"


@pytest.mark.parametrize("claim", ["email", "phone_number", "preferred_username"])
def test_what_a_provider_claims_takes_nothing_over(world: World, party: Party, upstream: Upstream, claim: str) -> None:
    """Cases 107 and 111 (a provider that verifies nothing; classic-federated merge): somebody comes with Anna's address, number or name as
    theirs, verified by the provider's word. No session, nothing linked, nothing changed; their own number makes their own ID.
    """
    anna = {"email": "anna@post.example", "phone_number": ANNA, "preferred_username": ANNA}[claim]
    upstream.claims = {claim: anna, "email_verified": True, "phone_number_verified": True, "name": "Анна Смирнова"}
    browser = world.browser()
    with world.reads():
        user = users.find_by_phone(ANNA)
        assert user is not None
        before = (user.id, user.email, user.phone, user.name)
    page = come_back(browser, party, upstream)
    assert (where(page), how_many(world, Session), anna in page.text) == ("identify", 0, False)
    page = browser.onward(browser.submit(by_phone(world, browser, page, new_phone()), name="Mallory", terms="1"))
    claims = id_token(world, party, browser.onward(browser.submit(page, answer="link")))
    assert claims["sub"] != before[0]
    assert linked(world, before[0]) == []
    with world.reads():
        user = users.get(before[0])
        assert (user.id, user.email, user.phone, user.name) == before


def test_the_address_may_change_the_subject_does_not(world: World, party: Party, upstream: Upstream) -> None:
    """Case 107 (nOAuth): the same subject with another address is the same person; the same address with another subject is a stranger."""
    upstream.claims = {"email": "vera@post.example", "email_verified": True}
    claims = id_token(world, party, signed_up(world, world.browser(), party, upstream)[1])
    upstream.claims = {"email": "other@post.example"}
    assert id_token(world, party, come_back(world.browser(), party, upstream))["sub"] == claims["sub"]
    upstream.claims, upstream.subject = {"email": "vera@post.example", "email_verified": True}, "Vera-1"
    assert where(come_back(world.browser(), party, upstream)) == "identify"


def test_another_browser_comes_back(world: World, party: Party, upstream: Upstream) -> None:
    """Case 108: the state is good in the browser that began it. A victim who is sent the attacker's way back is signed in to nothing, also
    with a sign-in of their own under way; and the attacker's own browser can still use it.
    """
    mallory, victim = world.browser(), world.browser(address="198.51.100.7")
    signed_up(world, mallory, party, upstream)
    drop_cookies(mallory, "idp_session", "idp_browser")
    back = upstream.agree(sent_to(mallory, mallory.authorize(party)))
    victim.authorize(party)
    for browser in (victim, world.browser()):
        refused = browser.get(back)
        assert refused.status_code == 410
        assert "idp_session" not in cookies_set(refused)
    assert "code" in answer_of(mallory.go(back))


def test_a_way_back_works_once(world: World, party: Party, upstream: Upstream) -> None:
    """Case 113: a callback that comes again is not used again, whoever holds the cookie: Back leads to the desk. Nor after ten minutes,
    nor at another provider's address.
    """
    browser = world.browser()
    with clock.freeze(clock.now()) as later:
        page = browser.authorize(party)
        back = upstream.agree(sent_to(browser, page))
        assert where(browser.go(back)) == "identify"
        tokens = len([path for path, _, _ in upstream.seen if path == "/token"])
        again = browser.get(back)
        assert (again.status_code, again.headers["Location"]) == (303, base_of(page))
        thief = world.browser()
        copy_cookies(browser, thief, "idp_login")
        assert thief.get(back).headers["Location"] == base_of(page)
        swapped = upstream.agree(sent_to(browser, page)).replace("/callback/up", "/callback/forum")
        assert browser.get(swapped).status_code == 410
        late = upstream.agree(sent_to(browser, page))
        later(timedelta(minutes=10))
        assert browser.get(late).status_code == 410
        for broken in (back.partition("&state=")[0], back.partition("?")[0], back + "&state=x", back + "&code=x"):
            assert browser.get(broken).status_code in {400, 410}
        assert len([path for path, _, _ in upstream.seen if path == "/token"]) == tokens
        assert how_many(world, Session) == 0


def test_a_code_of_somebody_else(world: World, party: Party, upstream: Upstream) -> None:
    """Case 108, code injection: the victim's code in the attacker's own journey fails, by the challenge there, by the nonce here."""
    victim, mallory = world.browser(), world.browser(address="198.51.100.7")
    signed_up(world, victim, party, upstream)
    drop_cookies(victim, "idp_session", "idp_browser")
    stolen = upstream.agree(sent_to(victim, victim.authorize(party))).partition("code=")[2].partition("&")[0]
    for checks_challenge in (True, False):
        sent = sent_to(mallory, mallory.authorize(party))
        upstream.agree(sent)
        asked = upstream.asked.setdefault(stolen, {"client_id": "us", "nonce": "victims", "scope": "openid", "code_challenge": "victims"})
        if not checks_challenge:
            del asked["code_challenge"]
        state = sent.headers["Location"].partition("state=")[2].partition("&")[0]
        page = mallory.go(f"/login/social/callback/up?code={stolen}&state={state}")
        assert "did not work" in text_of(page)
    assert [event.details["reason"] for event in world.events("social.failed")] == ["token_status_400", "token_nonce"]


@pytest.mark.parametrize(
    "how",
    [
        (True, "", False),
        (True, "https://evil.example", False),
        (False, "https://evil.example", False),
        (True, None, True),
        (False, "", True),
    ],
    ids=str,
)
def test_mix_up(world: World, party: Party, upstream: Upstream, how: tuple[bool, str | None, bool]) -> None:
    """Case 108 (RFC 9207 §2.4): where the provider says that it names itself, it must; a name that stands is right."""
    announced, iss, goes = how
    upstream.metadata = {"authorization_response_iss_parameter_supported": announced}
    browser = world.browser()
    sent = sent_to(browser, browser.authorize(party))
    page = browser.go(upstream.agree(sent, iss=upstream.issuer if iss is None else iss or None))
    assert ("linked to this account" in text_of(page)) == goes
    assert ("/token" in {path for path, _, _ in upstream.seen}) == goes


def test_it_says_no_or_nothing(world: World, party: Party, upstream: Upstream) -> None:
    """The person's no, a provider that is away, one that answers nonsense: a clear sentence on the phone page, and the number works."""
    browser = world.browser()
    for path, status, words in (
        (None, 0, "You have not signed in with Upstream"),
        ("/token", 503, "Upstream does not answer right now"),
        ("/token", 302, "Signing in with Upstream did not work"),
        ("/token", 400, "Signing in with Upstream did not work"),
        ("/jwks", 404, "Signing in with Upstream did not work"),
        ("/.well-known/openid-configuration", 500, "Upstream does not answer right now"),
        ("/.well-known/openid-configuration", 302, "Signing in with Upstream did not work"),
    ):
        upstream.reset()
        said.forget_known()
        sent = None if "well-known" in (path or "") else sent_to(browser, browser.authorize(party))
        if path:
            upstream.status = {path: status}
        if sent is None:
            page = browser.onward(browser.press(browser.authorize(party), "/social/up"))
        else:
            page = browser.go(
                upstream.agree(sent, **({} if path else {"code": None, "error": "access_denied", "error_description": "<b>x"}))
            )
        assert (where(page), words in text_of(page), "<b>x" in page.text) == ("identify", True, False), (path, status, text_of(page))
    assert "/elsewhere" not in {path for path, _, _ in upstream.seen}
    assert "name" in by_phone(world, browser, page, new_phone()).text


def test_it_holds_nobody_up(told: Told, upstream: Upstream, changed_settings: dict[str, dict[str, object]]) -> None:
    """Case 45: one that drips or floods is left after a moment, whichever of its addresses does it, and nothing was begun or changed."""
    changed_settings["outbound"]["timeout"] = 1.0
    with provider(told, **changed_settings) as world:
        party, browser = world.party(), world.browser()
        for path, how in (("/.well-known/openid-configuration", "huge"), ("/token", "dripping"), ("/jwks", "huge"), ("/token", "huge")):
            upstream.reset()
            said.forget_known()
            getattr(upstream, how).add(path)
            began = time.monotonic()
            answer = browser.press(browser.authorize(party), "/social/up")
            answer = browser.get(upstream.agree(answer)) if "127.0.0.1" in answer.headers["Location"] else answer
            page = browser.onward(answer)
            assert ("does not answer right now" in text_of(page), where(page)) == (True, "identify"), (path, how)
            assert time.monotonic() - began < 3
        assert how_many(world, Session) == 0


def test_a_provider_that_lies_about_itself(world: World, party: Party, upstream: Upstream) -> None:
    """Discovery §4.3: a document of another issuer is nothing. Case 43: endpoints that nobody should fetch are not fetched."""
    browser = world.browser()
    for wrong in (
        {"issuer": "https://accounts.google.com"},
        {"issuer": f"{upstream.issuer}/"},
        {"issuer": [upstream.issuer]},
        {"token_endpoint": "http://169.254.169.254/latest"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ):
        upstream.metadata = wrong
        said.forget_known()
        assert "did not work" in text_of(browser.onward(browser.press(browser.authorize(party), "/social/up"))), wrong


def test_only_what_is_offered(world: World, upstream: Upstream) -> None:
    """An app says which it offers. A button that is not there cannot be pressed; where a fresh proof is wanted, none is there (case 10)."""
    party, bare = world.party(providers=["forum"]), world.party(providers=[])
    page = (browser := world.browser()).authorize(party)
    assert ("/social/forum" in page.text, "/social/up" in page.text) == (True, False)
    assert post(browser, page, "social/up").status_code == 404
    assert post(browser, page, "social/nobody").status_code == 404
    assert "/social/" not in world.browser().authorize(bare).text
    page = (browser := world.browser()).authorize(party, prompt="login")
    assert "/social/" not in page.text
    assert post(browser, page, "social/forum").status_code == 404
    assert browser.get("/login/social/callback/nobody?code=x&state=y").status_code == 404
    with world.writes():
        assert clients.get(party.client.id).providers == ["forum"]


def test_whose_id_is_closed(world: World, party: Party, upstream: Upstream) -> None:
    """Another person than the app asks for, an identity that was unlinked while its owner was there, a blocked ID: none is signed in."""
    _, back = signed_up(world, world.browser(), party, upstream)
    vera = str(id_token(world, party, back)["sub"])
    anna = world.tokens(world.browser(), party, ANNA, scope="openid")["id_token"]
    sessions, browser = how_many(world, Session), world.browser()
    asked_for = sent_to(browser, browser.authorize(party, id_token_hint=anna))
    page = browser.go(upstream.agree(asked_for))
    assert "code" not in dict(parse_qsl(urlsplit(page.headers.get("Location", "")).query)), page.headers
    assert how_many(world, Session) == sessions, "the app asked for Anna"

    browser = world.browser()
    back_again = upstream.agree(sent_to(browser, browser.authorize(party)))
    with world.writes():
        social.unlink(vera, social.of_person(vera)[0].id)
    page = browser.go(back_again)
    assert (where(page), "linked to this account at Upstream yet" in text_of(page)) == ("identify", True)
    assert (how_many(world, Session), linked(world, vera)) == (sessions, [])

    with world.writes():
        social.link(vera, "up", Claimed(upstream.issuer, "vera-1"))
        users.block(vera, "test")
    refused = come_back(world.browser(), party, upstream)
    assert (refused.status_code, "idp_session" in cookies_set(refused)) == (403, False)
    assert how_many(world, Session) == sessions


def test_form_post(world: World, party: Party, upstream: Upstream) -> None:
    """A POST from the provider's site comes without our cookies: it is made a GET of our own, with what a callback may have and no more."""
    browser = world.browser()
    back = upstream.agree(sent_to(browser, browser.authorize(party)), user='{"name":"x"}', id_token="x.y.z")
    address, _, query = back.partition("?")
    answer = world.browser().post(address, content=query, headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": "null"})
    assert answer.status_code == 303
    assert not cookies_set(answer)
    assert {pair.partition("=")[0] for pair in answer.headers["Location"].partition("?")[2].split("&")} == {"state", "code"}
    assert "linked to this account" in text_of(browser.go(answer.headers["Location"]))
    assert (
        browser.post(address, content=query + "&code=x", headers={"Content-Type": "application/x-www-form-urlencoded"}).status_code == 400
    )


def test_the_question_is_only_for_who_proved(world: World, party: Party, upstream: Upstream, story) -> None:
    """Case 107: not by its address before the sign-in is over, not for who was signed in before or only pressed a name, not in another
    browser, not twice.
    """
    browser = world.browser()
    page = come_back(browser, party, upstream)
    assert where(browser.go(f"{base_of(page)}/social")) == "identify"
    assert where(browser.onward(post(browser, page, "social", answer="link"))) == "identify"
    question = by_phone(world, browser, page, phone_of(story, "zimin"))
    assert where(question) == "social"
    thief = world.browser()
    assert thief.get(f"{base_of(question)}/social").status_code == 410
    assert browser.submit(question, answer="perhaps").status_code == 422
    answer_of(browser.onward(browser.submit(question, answer="link")))
    assert browser.onward(browser.submit(question, answer="link")).status_code == 410  # the app's request is done
    assert len(world.events("social.linked")) == 1
    # In a browser that knows the person, a press is no proof: the sign-in goes on, and nothing is asked or linked.
    upstream.subject = "stranger"
    people = browser.authorize(party, prompt="select_account")
    assert where(people) == "people"
    browser.go(upstream.agree(sent_to(browser, browser.go(f"{base_of(people)}/identify"))))
    pressed = browser.onward(browser.press(browser.go(base_of(people)), "/people"))
    assert "code" in answer_of(pressed)
    assert len(world.events("social.linked")) == 1


def test_it_adds_no_passkey(world: World, party: Party, upstream: Upstream) -> None:
    """Case 102: another provider lets in whoever is still signed in there; by its word alone nobody makes a lasting way in, neither on the
    page that offers one after a code nor on the person's own.
    """
    signed_up(world, world.browser(), party, upstream)
    browser = world.browser(address="198.51.100.9")
    page = browser.authorize(party)
    answer_of(browser.go(upstream.agree(sent_to(browser, page))))
    assert browser.get(f"{base_of(page)}/passkey_offer").headers["Location"].startswith("/authorize/")
    assert post(browser, page, "passkey_offer/options").status_code == 410
    assert "/login/" in browser.get("/account/passkeys/add").headers["Location"]


def test_nothing_of_it_is_written_down(world: World, party: Party, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    """Cases 41 and 42: neither state, code, nonce, verifier nor access token stands in the database or the log."""
    browser = world.browser()
    sent = sent_to(browser, browser.authorize(party))
    back = upstream.agree(sent)
    browser.go(back)
    form = next(form for path, form, _ in upstream.seen if path == "/token")
    asked = dict(pair.split("=") for pair in sent.headers["Location"].partition("?")[2].split("&"))
    for kind, secret in {"state": asked["state"], "nonce": asked["nonce"], "verifier": form["code_verifier"], "code": form["code"]}.items():
        CANARY.add(f"social {kind}", secret)  # looked for in the log at the end of the run, and in this database at the end of the test
        assert secret not in caplog.text
