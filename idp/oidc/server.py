"""The protocol engine: Authlib's AuthorizationServer over our storage.

Authlib finds the grant and checks the shape of requests; who the client is, what is stored, the clock and the refusals are ours. Its mixins
are worn by thin adapters over delegation's plain rows (never its SQLAlchemy models: they keep tokens in clear).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from authlib.oauth2 import AuthorizationServer, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import ClientMixin, UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from idp.delegation import clients
from idp.delegation.clients import Client
from idp.errors import OAuthRefusal
from idp.oidc.client_auth import assertion, methods, public, secret

JUDGES: dict[str, Callable[[methods.Sent], Client]] = {
    "client_secret_basic": secret.authenticate,
    "client_secret_post": secret.authenticate,
    methods.SIGNED: assertion.authenticate,
    "none": public.authenticate,
}


class ProtocolRequest(OAuth2Request):
    """A request as Authlib sees it: parameters that the guard has let through, each once."""

    def __init__(self, method: str, parameters: dict[str, str], *, authorization: str = "") -> None:
        # Whether the transport is safe is decided by the configuration at start, not by each request's address.
        super().__init__(method, "https://provider.invalid/", None, {"Authorization": authorization})
        self.payload: Any = BasicOAuth2Payload(parameters)
        self.parameters = parameters

    @property
    def form(self) -> dict[str, str]:
        """The parameters of a token request."""
        return self.parameters

    @property
    def args(self) -> dict[str, str]:
        """The parameters of an authorization request."""
        return self.parameters

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        """As Authlib asks for duplicates; there are none left."""
        return defaultdict(list, {name: [value] for name, value in self.parameters.items()})


class ClientAdapter(ClientMixin):
    """Authlib's view of a client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get_client_id(self) -> str:
        """Its id."""
        return self.client.id

    def get_default_redirect_uri(self) -> None:
        """None: `redirect_uri` is always required, so that no answer goes to an address that was not named."""

    def get_allowed_scope(self, scope: str) -> str:
        """The guard's answer stands: `scopes.granted` has already refused or dropped the rest."""
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Byte by byte."""
        return self.client.may_return_to(redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether it is one of the live ones."""
        return self.client.has_secret(client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """The registered method, at every endpoint alike."""
        del endpoint
        registered = self.client.token_endpoint_auth_method
        return method in methods.ACCEPTED.get(registered, {registered})

    def check_response_type(self, response_type: str) -> bool:
        """Only the code flow."""
        return response_type == "code" and "authorization_code" in self.client.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it is registered for it."""
        return grant_type in self.client.grant_types


class Server(AuthorizationServer):
    """Authlib's server, asked by our endpoints for the grant of a request."""

    def query_client(self, client_id: str) -> ClientAdapter | None:
        """From delegation."""
        client = clients.find(client_id)
        return ClientAdapter(client) if client else None

    def authenticate_client(self, request: ProtocolRequest, methods_: list[str], endpoint: str = "token") -> ClientAdapter:
        """Exactly one method, the registered one (Authlib's own tries them in turn until one fits)."""
        del methods_, endpoint
        sent = methods.read(request.headers["Authorization"], request.parameters)
        return ClientAdapter(JUDGES[sent.method](sent))

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """We have no signals: what follows hangs off events."""

    def grant_types(self) -> list[str]:
        """What is registered, by name."""
        return [grant.GRANT_TYPE for grant, _ in self._token_grants]

    def token_grant(self, request: ProtocolRequest) -> Any:
        """The grant for a token request; raises OAuthRefusal."""
        if "grant_type" not in request.parameters:
            raise OAuthRefusal("invalid_request", "grant_type is missing.")
        try:
            return self.get_token_grant(request)
        except UnsupportedGrantTypeError as e:
            raise OAuthRefusal("unsupported_grant_type", f"grant_type is one of: {', '.join(self.grant_types())}.") from e


def refusal_of(error: OAuth2Error) -> OAuthRefusal:
    """One of Authlib's errors as one of ours."""
    description = str(error.get_error_description() or "The request was refused.")
    return OAuthRefusal(str(error.error), description.replace('"', "'").replace("\\", ""), status=error.status_code)
