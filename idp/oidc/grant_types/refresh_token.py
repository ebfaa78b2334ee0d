"""`grant_type=refresh_token` (RFC 6749 §6, OpenID Connect Core §12), also with `company=`: silent switching."""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import grants

from idp.delegation import answers, resources, tokens
from idp.delegation.clients import Client
from idp.delegation.scopes import SUPPORTED, remaining
from idp.delegation.tokens import Family
from idp.directory.accounts import Standing
from idp.errors import OAuthRefusal
from idp.login import policy, situation
from idp.oidc.grant_types.answer import answer, grant


class RefreshTokenGrant(grants.RefreshTokenGrant):
    """Authlib's grant; the token is spent by one UPDATE before its successor is named (Authlib saves first, then revokes)."""

    def validate_token_request(self) -> None:
        """Authenticate the client and spend its refresh token; raises OAuthRefusal."""
        client = self.authenticate_token_endpoint_client().client
        sent: dict[str, str] = self.request.form
        if self.GRANT_TYPE not in client.grant_types:
            raise OAuthRefusal("unauthorized_client", "This client is not registered for refresh tokens.")
        if "refresh_token" not in sent:
            raise OAuthRefusal("invalid_request", "refresh_token is missing.")
        answers.id_token_envelope(client)  # what cannot be answered is not spent
        # Many libraries repeat the scope of the authorization request here, words included that we never knew.
        narrowed = [scope for scope in sent.get("scope", "").split() if scope in SUPPORTED or (client.resources and scope in client.scopes)]
        resource = sent.get("resource", "")
        if resource or client.resources:
            _look_ahead(client, sent["refresh_token"], resource, narrowed)
        found, given = tokens.refresh(
            sent["refresh_token"], client=client, company_id=sent.get("company"), narrowed=narrowed, wants_more=_wants_more
        )
        self.granted = grant(client, found, given, resource=resource)

    def create_token_response(self) -> dict[str, Any]:
        """Sign; to be called after the commit."""
        return answer(self.granted, self.GRANT_TYPE)

    def authenticate_refresh_token(self, refresh_token: str) -> None:
        """Never asked: `validate_token_request` spends the token instead of looking it up."""

    def authenticate_user(self, refresh_token: Any) -> None:
        """Never asked: `tokens.refresh` looks at the person, the session and the account at once."""

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """Never asked: spending is the rotation."""


def _look_ahead(client: Client, token: str, resource: str, narrowed: list[str]) -> None:
    """A resource that cannot be had is refused before the token is spent: with the token the sign-in would be lost."""
    opened = tokens.find_refresh_token(token)
    if opened is not None and opened.found is not None and opened.client.id == client.id:
        authorized = opened.found.family.resources
        if resource or authorized:
            resources.choose(client, authorized, resource, remaining(opened.scopes, opened.scopes, narrowed))


def _wants_more(family: Family, standing: Standing) -> bool:
    """Whether the company wants a password in this browser that was never given there (`product.md` §1)."""
    return standing.new_browser == policy.CODE_AND_PASSWORD and situation.lacks_password(family.user_id, family.session_id)
