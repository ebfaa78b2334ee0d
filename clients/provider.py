"""Everything a portal says to the identity provider, by Authlib's Flask client.

OpenID Connect Core 1.0 (https://openid.net/specs/openid-connect-core-1_0.html), the code flow with PKCE. Addresses come from
discovery only. What Authlib leaves to its caller is done here: the issuer of the discovery document and of the answer, the
audience of the ID token, one refresh at a time.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import requests
from authlib.integrations.flask_client import FlaskIntegration, OAuth, OAuthError
from authlib.oauth2.rfc6749 import OAuth2Token
from flask import Flask, g, request
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from clients import logout_token
from clients.logout_token import BadToken, LogoutToken
from clients.settings import Settings
from clients.store import Session, Store, Tokens

# Seconds. An access token this close to its end is refreshed first, so that it does not die on the way.
LEEWAY = 30
# Seconds to connect, to wait for an answer. A retry then still falls into the ten seconds in which the provider answers a
# repeated refresh with the same tokens.
TIMEOUT = (2, 4)
# Seconds between two looks for a key that is not known here.
KEYS_EVERY = 60.0
# The codes by which a provider says that `prompt=none`, or a refresh, is not enough and the person has to be asked.
ASK_THE_PERSON = {"interaction_required", "login_required", "consent_required", "account_selection_required"}

log = logging.getLogger(__name__)


class SignedOut(Exception):  # noqa: N818 - answers of the provider, not errors of ours
    """The provider no longer honours this session; the portal has dropped it too."""


class Refused(Exception):  # noqa: N818
    """The provider said no. `error` is its OAuth code, `description` its words (may be empty)."""

    def __init__(self, error: str, description: str | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.description = (description or "")[:300]


class Unavailable(Exception):  # noqa: N818
    """The provider cannot be reached, or answers what makes no sense."""


class StoredStates(FlaskIntegration):
    """Keeps begun sign-ins in the portal's store, where Authlib by itself would put them into Flask's cookie.

    They are bound to the browser that began (`g.visit`): a callback with a stranger's state finds nothing.
    """

    store: Store

    def get_state_data(self, session: Any, state: str | None) -> dict[str, Any] | None:  # noqa: ARG002
        visit: Session | None = g.visit
        return self.store.recall(visit, state) if visit and state else None

    def set_state_data(self, session: Any, state: str, data: dict[str, Any]) -> None:  # noqa: ARG002
        self.store.remember(g.visit, state, data)

    def clear_state_data(self, session: Any, state: str | None) -> None:  # noqa: ARG002
        if g.visit and state:
            self.store.forget(g.visit, state)


class PortalOAuth(OAuth):
    framework_integration_cls = StoredStates


class Provider:
    """The provider as one portal sees it. `scope` is what the portal asks for at every sign-in."""

    def __init__(self, app: Flask, settings: Settings, store: Store, scope: str) -> None:
        self._settings = settings
        self._store = store
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._locks_lock = threading.Lock()
        self._looked = -KEYS_EVERY
        transport: dict[str, Any] = {"default_timeout": TIMEOUT}
        if settings.ca_file:
            # Without trust_env=False, REQUESTS_CA_BUNDLE would win over the file that was asked for.
            transport |= {"verify": str(settings.ca_file), "trust_env": False}
        self._client = PortalOAuth(app).register(
            "provider",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            server_metadata_url=settings.issuer.rstrip("/") + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": scope,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic",
                **transport,
            },
        )
        self._client.framework.store = store
        # On DEBUG Authlib writes code verifiers and tokens into the log.
        logging.getLogger("authlib").setLevel(logging.INFO)

    def origins(self) -> list[str]:
        """Origins a form of ours may lead to: browsers check a form's target along its redirects."""
        known = self._client.server_metadata
        addresses = [self._settings.issuer, known.get("authorization_endpoint"), known.get("end_session_endpoint")]
        return sorted({f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, filter(None, addresses))})

    # Signing in

    def begin(self, *, language: str, keep: dict[str, Any], **wishes: str | None) -> str:
        """The address to send the browser to. `keep` is there again in the callback; `wishes` are further parameters."""
        self._metadata()
        params = {name: value for name, value in wishes.items() if value}
        begun = self._client.create_authorization_url(self._settings.redirect_uri, ui_locales=language, **params)
        self._client.save_authorize_data(redirect_uri=self._settings.redirect_uri, **begun, **keep)
        return str(begun["url"])

    def begun(self) -> dict[str, Any] | None:
        """What was kept for the state of the present callback; None when this browser has not begun it."""
        found: dict[str, Any] | None = self._client.framework.get_state_data(None, request.args.get("state"))
        return found

    def finish(self) -> Tokens:
        """Turn the present callback into tokens. Raises Refused, Unavailable."""
        metadata = self._metadata()
        # RFC 9207 §2.4: first of all, is this answer from the provider that was asked?
        issuer = request.args.get("iss")
        if issuer != self._settings.issuer and (issuer or metadata.get("authorization_response_iss_parameter_supported")):
            raise Refused("invalid_issuer", "The answer came from another provider.")
        if "error" in request.args:
            self._client.framework.clear_state_data(None, request.args["state"])
            raise Refused(request.args["error"], request.args.get("error_description"))
        if not request.args.get("code"):
            raise Refused("invalid_request", "The answer has no code.")
        token = self._call(lambda: self._client.authorize_access_token(claims_options=self._claims_options()))
        if not token.get("userinfo"):
            raise Refused("invalid_token", "The answer has no ID token.")
        return self._tokens(token, token["userinfo"])

    # Afterwards

    def person(self, session: Session) -> dict[str, Any]:
        """Who is signed in and what they may do at this moment, from userinfo.

        Asked for every page: tokens are a snapshot of up to five minutes, but a role taken away counts within a second.
        Raises SignedOut, Refused, Unavailable.
        """
        tokens = self.current(session)
        claims = self._userinfo(tokens)
        if claims is None:  # revoked before its time: a new one may be had, or the session is over
            tokens = self.current(session, rejected=tokens["access_token"])
            claims = self._userinfo(tokens)
        if claims is None:
            raise SignedOut
        return claims

    def current(self, session: Session, *, rejected: str | None = None) -> Tokens:
        """The session's tokens, refreshed when they are about to end or the access token was `rejected`."""
        if session.tokens and _usable(session.tokens, rejected):
            return session.tokens
        with self._one_at_a_time(session.digest):
            # Another request may have refreshed, or signed out, while this one waited.
            tokens = self._tokens_now(session)
            if _usable(tokens, rejected):
                return tokens
            return self._refresh(session, tokens)

    def switch(self, session: Session, company: str) -> None:
        """Change to another company without the browser: refresh with `company`. Raises Refused when that is not enough."""
        with self._one_at_a_time(session.digest):
            tokens = self._refresh(session, self._tokens_now(session), company=company)
        claims = self._userinfo(tokens) or {}
        # A provider that does not know the parameter ignores it; then the browser has to go.
        if claims.get("company_id") != company:
            raise Refused("interaction_required")

    def end_session(self, tokens: Tokens, *, language: str) -> str:
        """Where to send the browser to sign out at the provider too (OpenID Connect RP-Initiated Logout 1.0 §2)."""
        self._metadata()
        leaving = self._client.create_logout_url(
            post_logout_redirect_uri=self._settings.post_logout_redirect_uri,
            id_token_hint=tokens["id_token"],
            client_id=self._settings.client_id,
            ui_locales=language,
        )
        self._client.framework.set_state_data(None, leaving["state"], {"signed_out": True})
        return str(leaving["url"])

    def logout_token(self, token: str) -> LogoutToken:
        """Whom the provider says to be signed out, when it is the provider who says so. Raises BadToken, Unavailable."""
        metadata = self._metadata()
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        asymmetric = [each for each in offered if each != "none" and not each.startswith("HS")]
        wanted = {"algorithms": asymmetric, "issuer": self._settings.issuer, "client_id": self._settings.client_id}
        try:
            try:
                return logout_token.read(token, self._keys(), **wanted)
            except InvalidKeyIdError:  # the provider may have a new key since we looked
                return logout_token.read(token, self._keys(anew=True), **wanted)
        except (JoseError, UnicodeError) as error:
            raise BadToken(type(error).__name__) from error

    # The small print

    def _keys(self, *, anew: bool = False) -> KeySet:
        # Anybody can send a token that names a key which nobody knows: no more than one look a minute comes of it.
        if anew and time.monotonic() - self._looked < KEYS_EVERY:
            raise BadToken("unknown key")
        if anew:
            self._looked = time.monotonic()
        return self._call(lambda: KeySet.import_key_set(self._client.fetch_jwk_set(force=anew)))

    def _metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = self._call(self._client.load_server_metadata)
        # OpenID Connect Discovery §4.3: a document that names another issuer is not this provider's.
        if metadata.get("issuer") != self._settings.issuer:
            self._client.server_metadata.clear()
            log.error("discovery names the issuer %r, OIDC_ISSUER is %r", metadata.get("issuer"), self._settings.issuer)
            raise Unavailable
        return metadata

    def _claims_options(self) -> dict[str, Any]:
        # Authlib by itself takes an ID token for another audience as long as `azp` is this client.
        return {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
        }

    def _refresh(self, session: Session, tokens: Tokens, **params: str) -> Tokens:
        if not tokens.get("refresh_token"):
            raise Refused("login_required")
        self._metadata()

        def ask() -> Any:
            return self._client.fetch_access_token(grant_type="refresh_token", refresh_token=tokens["refresh_token"], scope=None, **params)

        try:
            # A lost answer is asked for once more with the same token; the provider repeats itself for ten seconds.
            token = self._call(ask, tries=2)
        except Refused as refused:
            if refused.error == "invalid_grant":
                self._store.drop(session.digest)
                raise SignedOut from refused
            raise
        claims = {"sub": tokens["sub"]}
        if token.get("id_token"):
            claims = self._call(lambda: self._client.parse_id_token(token, nonce=None, claims_options=self._claims_options()))
            if claims["sub"] != tokens["sub"]:  # OpenID Connect Core §12.2
                raise Unavailable
        fresh = self._tokens(token, claims, before=tokens)
        if not self._store.replace(session.digest, fresh):
            raise SignedOut
        return fresh

    def _userinfo(self, tokens: Tokens) -> dict[str, Any] | None:
        """The claims; None when the provider does not take the access token (any more)."""
        # Only the access token is handed over: given the rest, Authlib would refresh by itself, past our lock.
        bearer = OAuth2Token({"access_token": tokens["access_token"], "token_type": "Bearer"})
        metadata = self._metadata()
        answer = self._call(lambda: self._client.get(metadata["userinfo_endpoint"], token=bearer))
        if answer.status_code in (401, 403):
            return None
        claims = self._call(lambda: answer.raise_for_status() or answer.json())
        if not isinstance(claims, dict) or claims.get("sub") != tokens["sub"]:  # OpenID Connect Core §5.3.2
            raise Unavailable
        return claims

    def _tokens(self, token: dict[str, Any], claims: dict[str, Any], *, before: Tokens | None = None) -> Tokens:
        """What is kept of a token answer."""
        before = before or {}
        return {
            "sub": claims["sub"],
            "sid": claims.get("sid") or before.get("sid"),
            "access_token": token["access_token"],
            "refresh_token": token.get("refresh_token") or before.get("refresh_token"),
            "id_token": token.get("id_token") or before.get("id_token"),
            "expires_at": int(time.time()) + int(token.get("expires_in") or 60),
            "company_id": claims.get("company_id") or before.get("company_id"),
        }

    def _tokens_now(self, session: Session) -> Tokens:
        present = self._store.get(session.digest)
        if present is None or present.tokens is None:
            raise SignedOut
        return present.tokens

    def _one_at_a_time(self, digest: str) -> threading.Lock:
        with self._locks_lock:
            return self._locks.setdefault(digest, threading.Lock())

    def _call(self, ask: Callable[[], Any], *, tries: int = 1) -> Any:
        """Do one call to the provider; what can go wrong becomes Refused or Unavailable."""
        try:
            return ask()
        except OAuthError as error:
            if error.error == "invalid_client":
                log.error("the provider does not accept OIDC_CLIENT_ID and its secret: %s", error.description)
                raise Unavailable from error
            if error.error in {"server_error", "temporarily_unavailable", "slow_down"}:
                raise Unavailable from error
            raise Refused(error.error, error.description) from error
        except JoseError as error:
            log.warning("ID token refused: %s", error)
            raise Refused("invalid_token", "The ID token is not valid.") from error
        except (requests.RequestException, ValueError, KeyError) as error:
            if tries > 1:
                return self._call(ask, tries=tries - 1)
            log.warning("the provider does not answer as it should: %s", type(error).__name__)
            raise Unavailable from error


def _usable(tokens: Tokens, rejected: str | None) -> bool:
    return bool(tokens["expires_at"] > time.time() + LEEWAY and tokens["access_token"] != rejected)
