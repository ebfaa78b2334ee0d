"""`grant_type=client_credentials` (RFC 6749 §4.4, RFC 9068): a machine asks for itself. Nobody signed in: no ID token, no refresh token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import grants

from idp import keyring, telemetry
from idp.config import settings
from idp.delegation import access_tokens, claims, resources, scopes
from idp.delegation.clients import Client
from idp.delegation.resources import Target
from idp.errors import OAuthRefusal


@dataclass(frozen=True, slots=True)
class Granted:
    """What was granted; nothing is signed yet. `opaque`: the access token, where the client has it so; else a JWT is still to be made."""

    client: Client
    scopes: tuple[str, ...]
    opaque: str | None
    target: Target | None


class ClientCredentialsGrant(grants.ClientCredentialsGrant):
    """Authlib's grant; the scopes are the client's own words, and the token is one of RFC 9068, kept nowhere."""

    def validate_token_request(self) -> None:
        """Authenticate the client and look at what it asks for; raises OAuthRefusal."""
        client = self.authenticate_token_endpoint_client().client
        sent: dict[str, str] = self.request.form
        if self.GRANT_TYPE not in client.grant_types or client.is_public:
            raise OAuthRefusal(
                "unauthorized_client", "This client is not registered for client_credentials. A client of the kind machine is."
            )
        # Left aside, it would look as if the token were for that company, or for what was described.
        for name in ("company", "account"):
            if name in sent:
                raise OAuthRefusal("invalid_request", f"The parameter {name} is not supported with client_credentials.")
        if "authorization_details" in sent:
            raise OAuthRefusal("invalid_authorization_details", "authorization_details is not supported. Use scope.")
        granted = scopes.granted_to_a_machine(sent.get("scope", ""), client.scopes)
        target = None
        if "resource" in sent:
            target, granted = resources.choose_for_a_machine(client, sent["resource"], sent.get("scope", ""), granted)
        is_opaque = target.is_opaque if target else client.access_token_format == "opaque"
        opaque = access_tokens.issue_opaque(client, None, granted, target) if is_opaque else None
        self.granted = Granted(client, granted, opaque, target)

    def create_token_response(self) -> dict[str, Any]:
        """Sign; to be called after the commit."""
        client, granted, target = self.granted.client, self.granted.scopes, self.granted.target
        oidc = settings().oidc
        access_token = self.granted.opaque or keyring.sign(
            claims.machine_access_token(client, granted, target),
            typ=access_tokens.TYPE,
            algorithm=target.algorithm if target else oidc.access_token_algorithm,
        )
        telemetry.count_token(self.GRANT_TYPE)
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": target.lifetime if target else oidc.access_token_lifetime,
            "scope": " ".join(granted),
        }
