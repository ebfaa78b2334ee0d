"""The walk past a device that shows a code: the code typed wrong, what is asked about it, refused and allowed. Somebody is signed in."""

from __future__ import annotations

import httpx2
from playwright.sync_api import expect

from idp.delegation import clients, registering
from tests.journeys.visitor import Look, Visitor


def waiting_code(visitor: Visitor) -> str:
    """The code of a device that has just begun to wait."""
    stage = visitor.stage
    with stage.world.writes():
        client, _ = clients.register(
            name="Kitchen TV", kind="native", scopes=["openid", "profile"], grant_types=[registering.DEVICE_CODE], redirect_uris=[]
        )
    form = {"client_id": client.id, "scope": "openid profile"}
    return str(httpx2.post(f"{stage.provider}/device_authorization", data=form, verify=False).json()["user_code"])


def type_code(visitor: Visitor, code: str) -> None:
    """Fill the code in and go on."""
    visitor.page.locator("#user_code").fill(code)
    visitor.button(visitor.idp("Continue")).click()


def devices(visitor: Visitor, look: Look) -> None:
    """All of it."""
    page = visitor.page
    page.goto(f"{visitor.stage.provider}/device")
    look("oidc-device")
    type_code(visitor, "BCDF-GHJK")
    expect(page.locator("#user_code-error")).to_be_visible()
    look("oidc-device-wrong")
    type_code(visitor, waiting_code(visitor).lower())
    expect(page.locator("form[action$='/consent']")).to_be_visible()
    look("oidc-consent-device")
    visitor.button(visitor.idp("Refuse")).click()
    expect(visitor.heading).to_have_text(visitor.idp("The device gets no access"))
    look("oidc-device_done-refused")
    page.goto(f"{visitor.stage.provider}/device?user_code={waiting_code(visitor)}")
    visitor.button(visitor.idp("Continue")).click()
    visitor.button(visitor.idp("Allow")).click()
    expect(visitor.heading).to_have_text(visitor.idp("You can go back to your device"))
    look("oidc-device_done")
