"""A walk through everything a person has besides the code, with its errors: for those who look for traces of it afterwards."""

from __future__ import annotations

import secrets

import httpx2

from tests.account.lab import entered, prove
from tests.account.test_authenticator import SET_UP, secret_on
from tests.canary import RECOVERY_CODE, VOUCH_CODE
from tests.cli.running import wait_until
from tests.credentials.factors import code_of, wrong_code
from tests.faults.served import Served
from tests.login.http_lab import base_of
from tests.login.password_lab import again, at_password
from tests.login.recovering import at_ways, choose
from tests.login.recovering import step as last_word
from tests.oidc.devices import begun, polls, television
from tests.world import Browser, Party, new_phone

GAREEV, ORLOV = "+79005553504", "+79005553502"


def walk(provider: Served, party: Party, phone: str) -> dict[str, set[str]]:
    """All of it, for the person whose number it is; the secrets that were seen, by what they are."""
    mail, first, second = f"walker{phone[-7:]}@post.example", f"seven-kites_{secrets.token_hex(8)}", f"eleven-lamps_{secrets.token_hex(8)}"
    browser, page = entered(provider, "/account/email", phone=phone)
    page = browser.onward(browser.submit(page, email=mail))
    assert browser.submit(page, code=provider.code_for(mail)).status_code == 303
    _passwords(provider, party, browser, mail, first=first, second=second)
    secret, codes = _factors(provider, party, phone, second)
    link = _lost_phone(provider, party, mail, codes)
    vouched = _vouch(provider, party)
    device, typed = _device(provider)
    return {
        "device_code": {device},
        "user code": {typed, typed.replace("-", "")},
        "password": {first, second},
        "authenticator's secret": {secret},
        "recovery code": codes | {code.replace("-", "") for code in codes},
        "vouch code": {vouched, vouched.replace("-", "")},
        "link": {link},
    }


def _device(provider: Served) -> tuple[str, str]:
    """A device's code is typed wrong and right, and it fetches its tokens; both of its codes."""
    device = television(provider)
    codes = begun(provider, device)
    polls(provider, device, codes["device_code"])
    colleague, _ = entered(provider, "/account/profile", phone=ORLOV)
    page = colleague.get(codes["verification_uri_complete"].removeprefix(provider.issuer))
    assert colleague.submit(page, user_code="BCDF-GHJK").status_code == 422
    colleague.allow(colleague.onward(colleague.submit(page, user_code=codes["user_code"].lower())))
    assert polls(provider, device, codes["device_code"]).status_code == 200
    assert polls(provider, device, codes["device_code"]).status_code == 400
    return str(codes["device_code"]), str(codes["user_code"])


def _passwords(provider: Served, party: Party, browser: Browser, mail: str, *, first: str, second: str) -> None:
    """Set, wrong, right; forgotten."""
    own = browser.go("/account/password")
    assert browser.submit(own, password=first, password_again=second).status_code == 422
    assert browser.submit(own, password=first, password_again=first).status_code == 303
    other = provider.browser()
    page = at_password(other, party)
    assert other.submit(page, login=mail, password=second).status_code == 422
    assert other.submit(page, login=f"{mail}x", password=first).status_code == 422
    assert other.submit(page, login=mail, password=first).status_code == 303
    stranger = provider.browser()
    page = stranger.get(f"{base_of(stranger.authorize(party))}/reset")
    page = stranger.onward(stranger.submit(page, login=mail))
    page = stranger.onward(stranger.submit(page, code=provider.code_for(mail)))
    assert again(stranger, page, second, first).status_code == 422
    answered = again(stranger, page, second)
    assert answered.status_code < 400, answered.text


def _factors(provider: Served, party: Party, phone: str, known: str) -> tuple[str, set[str]]:
    """An authenticator app and recovery codes, made and used."""
    browser = provider.browser()
    browser.get("/language?to=en")
    page = prove(provider, browser, browser.go(SET_UP), phone)
    if last_word(page) == "further_proof":
        page = browser.onward(browser.submit(browser.get(f"{base_of(page)}/password"), password=known))
    secret = secret_on(page)
    assert browser.submit(page, code=wrong_code(secret)).status_code == 422
    assert browser.submit(page, code=code_of(secret)).status_code == 303
    made = browser.submit(browser.get("/account/recovery_codes"), instead_of="")
    codes = set(RECOVERY_CODE.findall(made.text))
    assert (made.status_code, len(codes)) == (200, 10), made.text
    other = provider.browser()
    page = other.onward(other.submit(other.authorize(party), phone=phone))
    page = other.onward(other.submit(page, code=provider.code_for(phone)))
    assert last_word(page) == "further_proof", page.url
    app = other.get(f"{base_of(page)}/totp")
    assert other.submit(app, code=wrong_code(secret)).status_code == 422
    page = other.get(f"{base_of(page)}/recovery_code")
    assert other.submit(page, code="7k3m-x9qd-4tfw").status_code == 422
    used = min(codes)
    assert other.submit(page, code=used).status_code == 303
    return secret, codes


def _lost_phone(provider: Served, party: Party, mail: str, codes: set[str]) -> str:
    """Asked for by mail and a recovery code, and stopped by the link; its token."""
    thief = provider.browser()
    page = choose(thief, at_ways(provider, thief, party, mail, new_phone()), "email")
    page = thief.onward(thief.submit(page, code=provider.code_for(mail)))
    assert thief.submit(page, code=min(codes)).status_code == 422  # it was used
    page = thief.onward(thief.submit(page, code=max(codes)))
    assert last_word(page) == "state", page.url
    links: list[str] = []

    def told() -> bool:
        links.extend(str(message["link"]) for message in provider.inbox() if "/recovery/" in str(message["link"]))
        return bool(links)

    wait_until("the notice of a lost phone", told, 20)
    link = links[0]
    address, owner = link.partition(provider.issuer)[2], provider.browser()
    owner.get(f"{address}x")
    assert owner.press(owner.go(address), "/recovery").status_code < 400
    return link.rpartition(".")[2]


def _vouch(provider: Served, party: Party) -> str:
    """A colleague is asked, and types what they hear; the code."""
    lost = provider.browser()
    page: httpx2.Response = choose(lost, at_ways(provider, lost, party, GAREEV, new_phone()), "vouched")
    code = VOUCH_CODE.findall(page.text)[0]
    colleague, form = entered(provider, "/account/vouch", phone=ORLOV)
    assert colleague.submit(form, code="7k3m-x9qd").status_code >= 400
    found = colleague.onward(colleague.submit(form, code=code))
    assert colleague.submit(found, answer="vouch").status_code == 200
    return str(code)
