"""`grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 §3.4): a device asks whether its person has answered."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc8628 import DeviceCodeGrant as Grant

from idp import events
from idp.delegation import answers, device_authorizations, tokens
from idp.errors import OAuthRefusal
from idp.oidc.grant_types.answer import answer, grant


class DeviceCodeGrant(Grant):
    """Authlib's grant; the code is spent by one UPDATE (Authlib reads it, issues, and leaves it good)."""

    def validate_token_request(self) -> None:
        """Authenticate the client and spend its code, or say why not yet; raises OAuthRefusal."""
        client = self.authenticate_token_endpoint_client().client
        sent: dict[str, str] = self.request.form
        if self.GRANT_TYPE not in client.grant_types:
            raise OAuthRefusal("unauthorized_client", "This client is not registered for devices. Its operator can allow it (grant types).")
        if "device_code" not in sent:
            raise OAuthRefusal("invalid_request", "device_code is missing.")
        answers.id_token_envelope(client)  # what cannot be answered is not spent
        refreshable = "refresh_token" in client.grant_types
        family = device_authorizations.redeem(sent["device_code"], client_id=client.id, refreshable=refreshable)
        found = tokens.present(family.id)
        events.record(
            "token.issued",
            user_id=family.user_id,
            client_id=client.id,
            session_id=family.session_id,
            company_id=family.company_id,
            details={"family": family.id, "grant": "device_code"},
        )
        self.granted = grant(client, found, family.scopes, resource=sent.get("resource", ""))

    def create_token_response(self) -> dict[str, Any]:
        """Sign; to be called after the commit."""
        return answer(self.granted, self.GRANT_TYPE)

    def query_device_credential(self, device_code: str) -> None:
        """Never asked: `validate_token_request` spends the code instead of looking it up."""

    def query_user_grant(self, user_code: str) -> None:
        """Never asked: what was allowed stands in the row that is spent."""

    def should_slow_down(self, credential: Any) -> None:
        """Never asked: the UPDATE that finds nobody has answered decides it."""
