"""Remembered consent as a rule: it adds up, it is per person, client and account, and a withdrawn one covers nothing.

OpenID Connect Core §3.1.2.4, §11.
"""

from __future__ import annotations

from idp import clock
from idp.delegation import consents
from idp.delegation.tables import Consent
from tests.oidc.asking import change, error_at, person, signed_in
from tests.world import World


def test_it_adds_up_and_covers_less(world: World, story) -> None:
    """What was allowed before stays allowed; order means nothing."""
    party, user = world.party(first_party=False), person(story, "zimin").user_id
    key = {"user_id": user, "client_id": party.client.id, "account_id": None}
    with world.writes():
        assert not consents.covers(**key, scopes=("openid",))
        consents.grant(**key, scopes=("openid", "profile"), session_id="ses_x")
        consents.grant(**key, scopes=("openid", "email"), session_id="ses_x")
        assert consents.covers(**key, scopes=("email", "profile", "openid"))
        assert consents.covers(**key, scopes=())
        assert not consents.covers(**key, scopes=("openid", "phone"))


def test_of_nobody_else(world: World, story) -> None:
    """Case 6: another person's, another client's, another account's consent is none."""
    mine, other = world.party(first_party=False), world.party(first_party=False)
    user = person(story, "anna").user_id
    with world.writes():
        consents.grant(user_id=user, client_id=mine.client.id, account_id="acc_one", scopes=("openid",), session_id="ses_x")
        for changed in (
            {"user_id": person(story, "zimin").user_id},
            {"client_id": other.client.id},
            {"account_id": "acc_other"},
            {"account_id": None},
            {"account_id": ""},
        ):
            key = {"user_id": user, "client_id": mine.client.id, "account_id": "acc_one"} | changed
            assert not consents.covers(**key, scopes=("openid",)), changed


def test_withdrawn(world: World, story) -> None:
    """A withdrawn consent asks again, and gives back only what is allowed anew."""
    party = world.party(first_party=False)
    browser = signed_in(world, story, "zimin")
    page = browser.authorize(party, scope="openid profile email")
    browser.onward(browser.submit(page, answer="allow"))
    change(world, Consent, Consent.client_id == party.client.id, withdrawn_at=clock.now())
    assert error_at(browser.authorize(party, prompt="none", scope="openid"), party) == "consent_required"
    page = browser.authorize(party, scope="openid profile")
    browser.onward(browser.submit(page, answer="allow"))
    assert "code=" in browser.authorize(party, prompt="none", scope="openid profile").headers["Location"]
    assert error_at(browser.authorize(party, prompt="none", scope="openid email"), party) == "consent_required"
