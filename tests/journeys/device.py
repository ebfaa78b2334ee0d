"""An authenticator of Chromium's own in somebody's browser: it keeps passkeys, is present and verifies, without a question.

WebAuthn Level 3, and https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page

KEPT = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}


class Device:
    """An authenticator in the browser whose tab `page` is."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.cdp: CDPSession = context.new_cdp_session(page)
        self.cdp.send("WebAuthn.enable", {"enableUI": False})
        options = {**KEPT, "automaticPresenceSimulation": True, "defaultBackupEligibility": True, "defaultBackupState": True}
        self.id = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def keys(self) -> list[dict[str, Any]]:
        """The passkeys in it."""
        found: list[dict[str, Any]] = self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"]
        return found

    def put(self, key: dict[str, Any]) -> None:
        """A passkey comes here by the person's password manager."""
        self.cdp.send("WebAuthn.addCredential", {"authenticatorId": self.id, "credential": key})

    def is_there(self, present: bool) -> None:
        """Whether a finger lies on it."""
        self.cdp.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": self.id, "enabled": present})

    def take_away(self) -> None:
        """The browser has none any more."""
        self.cdp.send("WebAuthn.disable")
        self.cdp.detach()
