"""`grant_type=authorization_code` (RFC 6749 §4.1.3, RFC 7636, OpenID Connect Core §3.1.3)."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import grants

from idp import events
from idp.delegation import answers, codes, tokens
from idp.errors import OAuthRefusal
from idp.oidc.grant_types.answer import answer, grant


class AuthorizationCodeGrant(grants.AuthorizationCodeGrant):
    """Authlib's grant; the code is spent by one UPDATE, before anything is issued (Authlib reads, issues, and deletes at the end)."""

    def validate_token_request(self) -> None:
        """Authenticate the client and spend its code; raises OAuthRefusal."""
        client = self.authenticate_token_endpoint_client().client
        sent: dict[str, str] = self.request.form
        if self.GRANT_TYPE not in client.grant_types:
            raise OAuthRefusal("unauthorized_client", "This client is not registered for the code flow.")
        for name in ("code", "redirect_uri"):
            if name not in sent:
                raise OAuthRefusal("invalid_request", f"{name} is missing.")
        answers.id_token_envelope(client)  # what cannot be answered is not spent
        verifier = sent.get("code_verifier", "")
        if client.is_public and not verifier:
            raise OAuthRefusal(
                "invalid_request", "code_verifier is missing: a client without a secret proves by it that the code is its own."
            )
        family, nonce = codes.redeem(
            sent["code"],
            client_id=client.id,
            redirect_uri=sent["redirect_uri"],
            verifier=verifier,
            refreshable="refresh_token" in client.grant_types,
        )
        found = tokens.present(family.id)
        events.record(
            "token.issued",
            user_id=family.user_id,
            client_id=client.id,
            session_id=family.session_id,
            company_id=family.company_id,
            details={"family": family.id},
        )
        self.granted = grant(client, found, family.scopes, nonce=nonce, resource=sent.get("resource", ""))

    def create_token_response(self) -> dict[str, Any]:
        """Sign; to be called after the commit."""
        return answer(self.granted, self.GRANT_TYPE)

    def query_authorization_code(self, code: str, client: Any) -> None:
        """Never asked: `validate_token_request` spends the code instead of looking it up."""

    def delete_authorization_code(self, authorization_code: Any) -> None:
        """Never asked: a spent code is kept, so that a replay finds what to revoke."""

    def authenticate_user(self, authorization_code: Any) -> None:
        """Never asked: `tokens.present` looks at the person, the session and the account at once."""

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Never asked: the desk issues the code."""
