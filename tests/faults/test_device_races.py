"""A device's code has one answer and gives tokens once; its guesses and questions are counted exactly, however many at once.

RFC 8628 §3.5, §5.1, against four worker processes, on SQLite and PostgreSQL; promises R3 and R4 of the threats, case 17.
"""

from __future__ import annotations

import httpx2
import pytest
import sqlalchemy as sa

from idp.delegation.tables import DeviceAuthorization, TokenFamily
from tests.faults.race import at_once, statuses
from tests.faults.served import Served, Visitor
from tests.machine import count
from tests.oidc.devices import DEVICE_CODE, begun, polls, television, types
from tests.world import Party, answer_of

RUNS = count(3, 50)
ANNA, ORLOV = "+79005553501", "+79005553502"


@pytest.fixture(scope="module")
def device(provider: Served) -> Party:
    """A client that runs on a device."""
    return television(provider)


@pytest.fixture(scope="module")
def anna(provider: Served) -> Visitor:
    """Anna's browser, signed in."""
    browser = provider.browser()
    answer_of(provider.sign_in(browser, provider.party(), ANNA))
    return browser


def _asking(provider: Served, device: Party, device_code: str) -> httpx2.Request:
    form = {"client_id": device.client.id, "grant_type": DEVICE_CODE, "device_code": device_code}
    return httpx2.Request("POST", f"{provider.issuer}/token", data=form)


def _row(provider: Served, device: Party) -> DeviceAuthorization:
    """The newest one of the client."""
    theirs = sa.select(DeviceAuthorization).where(DeviceAuthorization.client_id == device.client.id)
    (row,) = provider.rows(theirs.order_by(DeviceAuthorization.created_at.desc()).limit(1))
    found: DeviceAuthorization = row[0]
    return found


def test_one_code_gives_tokens_once(provider: Served, device: Party, anna: Visitor) -> None:
    """Of fifty questions in one instant one gets tokens; one family began, and it lives: a device that asks again is no thief."""
    for _ in range(RUNS):
        codes = begun(provider, device, scope="openid offline_access")
        anna.allow(types(anna, codes["user_code"]))
        answers = at_once([_asking(provider, device, codes["device_code"])] * 50)
        assert statuses(answers) == {200: 1, 400: 49}
        assert {answer.json()["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}
        (given,) = (answer.json() for answer in answers if answer.status == 200)
        family = given["refresh_token"].partition(".")[0]
        assert _row(provider, device).family_id == family
        assert provider.refresh(device, given["refresh_token"]).status_code == 200
    families = provider.rows(sa.select(TokenFamily).where(TokenFamily.client_id == device.client.id))
    assert len(families) == RUNS


def test_asking_too_soon_is_counted_exactly(provider: Served, device: Party) -> None:
    """Of fifty first questions in one instant one is in time; each of the others makes the pause five seconds longer."""
    for _ in range(RUNS):
        codes = begun(provider, device)
        answers = at_once([_asking(provider, device, codes["device_code"])] * 50)
        errors = [answer.json()["error"] for answer in answers]
        assert (errors.count("authorization_pending"), errors.count("slow_down")) == (1, 49)
        assert _row(provider, device).pause == 5 + 49 * 5


def test_allowed_and_refused_in_one_instant(provider: Served, device: Party, anna: Visitor) -> None:
    """Two people with one code: one answer counts, and the device hears that one; the other person is told."""
    orlov = provider.browser()
    answer_of(provider.sign_in(orlov, provider.party(), ORLOV))
    for _ in range(RUNS):
        codes = begun(provider, device)
        allowing = anna.submit(types(anna, codes["user_code"]), answer="allow")
        refusing = orlov.filled(types(orlov, codes["user_code"]), answer="deny")
        ending = anna.build_request("GET", f"{provider.issuer}{httpx2.URL(allowing.headers['Location']).path}")
        answers = at_once([ending, refusing] * 5)
        won = [answer.header("location") for answer in answers if answer.header("location").startswith("/device/")]
        state = _row(provider, device).state
        assert state in {"allowed", "denied"}
        assert won.count("/device/allowed") == (state == "allowed")
        heard = polls(provider, device, codes["device_code"])
        assert heard.status_code == (200 if state == "allowed" else 400)


def test_guesses_in_one_instant(provider: Served) -> None:
    """R3: of a hundred wrong codes of one browser ten are looked at."""
    for _ in range(min(RUNS, 3)):
        browser = provider.browser()
        guess = browser.filled(browser.get("/device"), user_code="BCDF-GHJK")
        assert statuses(at_once([guess] * 60)) == {422: 10, 429: 50}
