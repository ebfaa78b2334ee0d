"""What is spent once is spent once, however many ask in one instant: codes and refresh tokens, against four worker processes.

RFC 6749 §4.1.2, §6; RFC 9700 §4.14.2. On SQLite and PostgreSQL; the counts are promises R4 and R6 of the threats, cases 17, 27 and 37.
"""

from __future__ import annotations

import base64

import httpx2
import pytest
import sqlalchemy as sa

from idp.delegation.tables import TokenFamily
from tests.faults.race import Answered, at_once, statuses
from tests.faults.served import Served, Visitor
from tests.machine import count
from tests.world import Party, answer_of, claims_of

RUNS = count(5, 50)
ANNA, ORLOV = "+79005553501", "+79005553502"


@pytest.fixture(scope="module")
def party(provider: Served) -> Party:
    """A relying party with a secret."""
    return provider.party()


@pytest.fixture(scope="module")
def anna(provider: Served, party: Party) -> Visitor:
    """Anna's browser, signed in: from here on each request gives a code at once."""
    browser = provider.browser()
    answer_of(provider.sign_in(browser, party, ANNA))
    return browser


def _token_request(provider: Served, party: Party, **form: str) -> httpx2.Request:
    return _posting(provider, party, "/token", **form)


def _posting(provider: Served, party: Party, path: str, **form: str) -> httpx2.Request:
    basic = base64.b64encode(f"{party.client.id}:{party.secret}".encode()).decode()
    return httpx2.Request("POST", f"{provider.issuer}{path}", data=form, headers={"Authorization": f"Basic {basic}"})


def _redeeming(provider: Served, party: Party, code: str) -> httpx2.Request:
    form = {"code": code, "redirect_uri": party.redirect_uri, "code_verifier": party.verifier}
    return _token_request(provider, party, grant_type="authorization_code", **form)


def _refreshing(provider: Served, party: Party, refresh_token: str, **more: str) -> httpx2.Request:
    return _token_request(provider, party, grant_type="refresh_token", refresh_token=refresh_token, **more)


def _family(provider: Served, refresh_token: str) -> TokenFamily:
    (family,) = provider.rows(sa.select(TokenFamily).where(TokenFamily.id == refresh_token.partition(".")[0]))
    found: TokenFamily = family[0]
    return found


def test_one_code_is_redeemed_once(provider: Served, party: Party, anna: Visitor) -> None:
    """Case 17, R4: of a hundred redemptions in one instant exactly one gives tokens, the others say invalid_grant.

    The others are replays, so what the one gave is revoked (RFC 6749 §4.1.2): it opens nothing any more.
    """
    for _ in range(RUNS):
        code = answer_of(anna.authorize(party))["code"]
        answers = at_once([_redeeming(provider, party, code)] * 100)
        assert statuses(answers) == {200: 1, 400: 99}
        assert {answer.json()["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}
        (given,) = (answer.json() for answer in answers if answer.status == 200)
        assert _family(provider, given["refresh_token"]).revoked_reason == "code_replayed"
        assert provider.userinfo(given["access_token"]).status_code == 401
        assert provider.refresh(party, given["refresh_token"]).json()["error"] == "invalid_grant"


def test_codes_of_many_do_not_hinder_one_another(provider: Served, party: Party, anna: Visitor) -> None:
    """R4: twenty codes, five redemptions each, all in one instant: twenty give tokens."""
    for _ in range(RUNS):
        codes = [answer_of(anna.authorize(party))["code"] for _ in range(20)]
        answers = at_once([_redeeming(provider, party, code) for _ in range(5) for code in codes])
        assert statuses(answers) == {200: 20, 400: 80}
        families = {answer.json()["refresh_token"].partition(".")[0] for answer in answers if answer.status == 200}
        assert len(families) == 20


def test_one_refresh_token_has_one_successor(provider: Served, party: Party, anna: Visitor) -> None:
    """Case 27, R6: a hundred refreshes in one instant get one and the same successor, and the family has one live leaf."""
    for _ in range(RUNS):
        first = provider.redeem(party, answer_of(anna.authorize(party))["code"]).json()["refresh_token"]
        answers = at_once([_refreshing(provider, party, first)] * 100)
        assert statuses(answers) == {200: 100}
        (successor,) = {answer.json()["refresh_token"] for answer in answers}
        assert successor != first
        family = _family(provider, successor)
        assert (family.counter, family.revoked_at) == (1, None)
        third = provider.refresh(party, successor).json()["refresh_token"]
        assert _family(provider, third).counter == 2
        # The first one is two behind now: whoever still has it copied it (case 28).
        assert provider.refresh(party, first).json()["error"] == "invalid_grant"
        assert _family(provider, third).revoked_reason == "token_reused"


def test_companies_switched_in_one_instant(provider: Served, anna: Visitor) -> None:
    """R6: refreshes of one token that ask for different companies: one rotation, into one of them; the others are told to use its
    successor, and nobody is taken for a thief."""
    party = provider.party(account_types=["employee"])
    asked = {"scope": "openid company offline_access"}
    page = anna.authorize(party, **asked)
    begun = answer_of(provider.choose(anna, page, "Ромашка"))
    given = provider.redeem(party, begun["code"]).json()
    companies = {company["id"]: company["name"] for company in _companies(provider, anna)}
    first, second = list(companies)[:2]
    for _ in range(RUNS):
        wanted = [first, second] * 10
        answers = at_once([_refreshing(provider, party, given["refresh_token"], company=company) for company in wanted])
        (won,) = {company for answer, company in zip(answers, wanted, strict=True) if answer.status == 200}
        assert statuses(answers) == {200: 10, 400: 10}
        assert {answer.json()["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}
        given_once = [answer.json() for answer in answers if answer.status == 200]
        (successor,) = {given["refresh_token"] for given in given_once}
        assert {claims_of(given["id_token"])["company_id"] for given in given_once} == {won}
        given = provider.refresh(party, successor).json()
        assert claims_of(given["id_token"])["company_id"] == won


@pytest.mark.parametrize("format_", ["jwt", "opaque"])
def test_given_back_while_it_is_refreshed(provider: Served, anna: Visitor, format_: str) -> None:
    """Cases 27 and 32: twenty refreshes and revocations of one family in one instant: each revocation says 200, and whatever the refreshes
    still got is dead.
    """
    party = provider.party(access_token_format=format_)
    for _ in range(RUNS):
        given = provider.redeem(party, answer_of(anna.authorize(party))["code"]).json()
        taking = _posting(provider, party, "/revoke", token=given["refresh_token"])
        answers = at_once([_refreshing(provider, party, given["refresh_token"]), taking] * 10)
        refreshed, revoked = answers[::2], answers[1::2]
        assert statuses(revoked) == {200: 10}
        assert {answer.json()["error"] for answer in refreshed if answer.status != 200} <= {"invalid_grant"}
        assert _family(provider, given["refresh_token"]).revoked_reason == "revoked_by_client"
        for got in [given, *(answer.json() for answer in refreshed if answer.status == 200)]:
            assert provider.userinfo(got["access_token"]).status_code == 401
            assert provider.refresh(party, got["refresh_token"]).json()["error"] == "invalid_grant"
        again = at_once([taking] * 5)
        assert statuses(again) == {200: 5}


def test_one_access_token_is_taken_back_once(provider: Served, anna: Visitor) -> None:
    """Case 32: the same one in twenty requests of one instant: all say 200, and it is dead; the family lives."""
    for format_ in ("jwt", "opaque"):
        party = provider.party(access_token_format=format_)
        given = provider.redeem(party, answer_of(anna.authorize(party))["code"]).json()
        answers = at_once([_posting(provider, party, "/revoke", token=given["access_token"])] * 20)
        assert statuses(answers) == {200: 20}
        assert provider.userinfo(given["access_token"]).status_code == 401
        assert provider.refresh(party, given["refresh_token"]).status_code == 200


def _companies(provider: Served, browser: Visitor) -> list[dict[str, str]]:
    party = provider.party(account_types=["personal"])
    given = provider.redeem(party, answer_of(browser.authorize(party, scope="openid companies"))["code"]).json()
    told: list[dict[str, str]] = provider.userinfo(given["access_token"]).json()["companies"]
    return [company for company in told if company["status"] == "active"]


def test_two_people_at_one_client_are_never_mixed_up(provider: Served, party: Party, anna: Visitor) -> None:
    """Case 37: two people sign in at the same client at once, and each code gives the ID token of its own person, with its own nonce."""
    orlov = provider.browser()
    answer_of(provider.sign_in(orlov, party, ORLOV))
    subjects = {
        browser: claims_of(provider.redeem(party, answer_of(browser.authorize(party))["code"]).json()["id_token"])["sub"]
        for browser in (anna, orlov)
    }
    assert len(set(subjects.values())) == 2
    for run in range(count(5, 100)):
        who = [anna, orlov] * 50
        asked = [
            browser.build_request("GET", "/authorize", params=party.asks(nonce=f"nonce-{run}-{number}", state=f"state-{number}"))
            for number, browser in enumerate(who)
        ]
        begun = at_once(asked)
        assert statuses(begun) == {303: 100}
        redeemed = at_once([_redeeming(provider, party, _back(answer)["code"]) for answer in begun])
        assert statuses(redeemed) == {200: 100}
        for number, (browser, back, answer) in enumerate(zip(who, begun, redeemed, strict=True)):
            assert _back(back)["state"] == f"state-{number}"
            claims = claims_of(answer.json()["id_token"])
            assert (claims["sub"], claims["nonce"]) == (subjects[browser], f"nonce-{run}-{number}")


def _back(answer: Answered) -> dict[str, str]:
    return dict(httpx2.URL(answer.header("location")).params)
