"""What is said with another provider: where people are sent, and who came back (OpenID Connect Core §3.1, RFC 6749 §4.1, RFC 9700).

Everything here speaks over the one door (`outbound`), outside of any unit. Discovery and keys are kept for a while; a key that nobody
knows makes us look again, but not for everybody who comes with one. NOTE: of what the provider says only issuer, subject and a name
go on: no role, number or e-mail address of theirs is one here (threats: case 113).
"""

from __future__ import annotations

import base64
import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from idp import clock, crypto, outbound
from idp.config import settings
from idp.config_providers import Provider, is_address
from idp.credentials import social
from idp.credentials.social import Asked, Claimed
from idp.jws import plain
from idp.login import upstream_token
from idp.login.upstream_token import SUBJECT, KeyUnknown, TokenRefused
from idp.outbound import OutboundFailed

KEPT = 3600.0  # seconds for discovery and keys
AGAIN = 60.0  # seconds in which a key that is not known makes us look once
LEFT_ALONE = 5.0  # seconds after a failure in which nobody else waits for the same
ASSERTION = 300  # seconds
APPLE = "https://appleid.apple.com"
TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
UNSEEN = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff<>]")

_log = logging.getLogger("idp.social")


class UpstreamFailed(Exception):  # noqa: N818 - an answer
    """It did not work. `why` for the page: `declined` (the person, or the provider), `away`, `failed`. `word` for the log."""

    def __init__(self, why: str, word: str) -> None:
        self.why, self.word = why, word
        super().__init__(word)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider is spoken to. `says_issuer`: it names itself in its answers (RFC 9207)."""

    authorization: str
    token: str
    keys: str = ""
    says_issuer: bool = False
    algorithms: frozenset[str] = frozenset()


_known: dict[str, tuple[float, Any]] = {}  # address: until when, and what it said; an OutboundFailed is left alone for a moment
_looked: dict[str, float] = {}


def forget_known() -> None:
    """Drop what this process keeps of other providers."""
    _known.clear()
    _looked.clear()


def configured(key: str) -> Provider | None:
    """The provider of this key."""
    return settings().providers.get(key)


def all_configured() -> Mapping[str, Provider]:
    """Every provider, by its key."""
    return settings().providers


def titles() -> dict[str, str]:
    """Every provider: its key, and what the button says."""
    return {key: provider.title for key, provider in settings().providers.items()}


def callback_address(key: str) -> str:
    """Where the provider sends people back to: an address of its own for each, so that no answer is taken for another's (RFC 9700 §4.4)."""
    return f"{settings().server.issuer}/login/social/callback/{key}"


def endpoints(provider: Provider) -> Endpoints:
    """Where `provider` is spoken to; raises UpstreamFailed."""
    if provider.kind == "oauth2":
        return Endpoints(provider.authorization_endpoint, provider.token_endpoint)
    said = _json_of(provider.issuer.removesuffix("/") + "/.well-known/openid-configuration")
    # Discovery §4.3: what somebody else's document says of this issuer is nothing.
    if said.get("issuer") != provider.issuer:
        raise UpstreamFailed("failed", "discovery_issuer")
    found = [said.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    if not all(isinstance(each, str) and is_address(each) for each in found):
        raise UpstreamFailed("failed", "discovery_endpoints")
    signs = said.get("id_token_signing_alg_values_supported") or ["RS256"]
    allowed = {plain(each) for each in provider.algorithms}
    algorithms = frozenset(plain(each) for each in signs if isinstance(each, str)) & allowed
    says_issuer = said.get("authorization_response_iss_parameter_supported") is True
    return Endpoints(str(found[0]), str(found[1]), str(found[2]), says_issuer, algorithms)


def address(key: str, provider: Provider, at: Endpoints, asked: Asked) -> str:
    """Where the person goes from here."""
    sent = {
        "response_type": "code",
        provider.client_id_name: provider.client_id,
        "redirect_uri": callback_address(key),
        "scope": " ".join(provider.scopes),
        "state": asked.state,
        "nonce": asked.nonce if provider.kind == "oidc" else "",
        "response_mode": provider.response_mode,
    }
    if provider.pkce:
        sent |= {"code_challenge": asked.challenge, "code_challenge_method": "S256"}
    asks = query({name: value for name, value in sent.items() if value})
    return (
        at.authorization
        + ("&" if urlsplit(at.authorization).query else "?")
        + asks
        + (f"#{provider.fragment}" if provider.fragment else "")
    )


def query(sent: Mapping[str, str]) -> str:
    """`sent` as it stands in an address."""
    return urlencode(sent)


def who_came(key: str, provider: Provider, state: str, answer: Mapping[str, str]) -> Claimed:
    """Who came back with `answer`, the parameters of the callback, whose `state` was redeemed; raises UpstreamFailed."""
    try:
        return _who_came(key, provider, state, answer)
    except OutboundFailed as e:
        raise UpstreamFailed("away", e.word) from None
    except TokenRefused as e:
        raise UpstreamFailed("failed", e.word) from None


def _who_came(key: str, provider: Provider, state: str, answer: Mapping[str, str]) -> Claimed:
    at = endpoints(provider)
    # RFC 9207 §2.4: an answer of another provider is no answer of this one, an error neither.
    if provider.kind == "oidc" and (at.says_issuer or "iss" in answer) and answer.get("iss") != provider.issuer:
        raise UpstreamFailed("failed", "answer_issuer")
    if "error" in answer:
        raise UpstreamFailed("declined", "error")
    code = answer.get("code", "")
    if not TOKEN.fullmatch(code):
        raise UpstreamFailed("failed", "answer_code")
    said = _redeem(key, at, code, state, answer)
    if provider.kind == "oidc":
        claims = _judge(provider, at, said, state)
        return _claimed(provider, claims["sub"], claims)
    return _ask_who(provider, said)


def _redeem(key: str, at: Endpoints, code: str, state: str, answer: Mapping[str, str]) -> dict[str, Any]:
    """The answer of the token endpoint."""
    provider = settings().providers[key]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback_address(key)}
    if provider.pkce:
        form["code_verifier"] = social.verifier_of(state)
    form |= {name: answer[name] for name in provider.carried if name in answer}
    headers: dict[str, str] = {}
    if provider.client_auth == "basic":  # RFC 6749 §2.3.1: both parts are form-encoded first
        pair = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    else:
        form[provider.client_id_name] = provider.client_id
    if provider.client_auth == "post":
        form[provider.client_secret_name] = provider.client_secret
    elif provider.client_auth == "apple":
        form["client_secret"] = _signed(provider, provider.team_id, APPLE)
    elif provider.client_auth == "private_key_jwt":
        form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        form["client_assertion"] = _signed(provider, provider.client_id, provider.issuer or at.token)
    if provider.token_request == "query":
        return _read(outbound.fetch(at.token, query=form, headers=headers), "token")
    return _read(outbound.fetch(at.token, form=form, headers=headers), "token")


def _signed(provider: Provider, by: str, audience: str) -> str:
    """A JWT by which we say who we are (RFC 7523 §3). Apple's secret is one too, in the name of our team."""
    from joserfc import errors, jwt  # noqa: PLC0415 - heavy, and few providers want it
    from joserfc.jwk import ECKey, RSAKey  # noqa: PLC0415 - as above

    now = clock.timestamp()
    claims = {"iss": by, "sub": provider.client_id, "aud": audience, "iat": now, "exp": now + ASSERTION, "jti": crypto.new_secret()}
    for algorithm, kind in (("ES256", ECKey), ("RS256", RSAKey)):
        try:
            key: Any = kind.import_key(provider.private_key.read_bytes() if provider.private_key else b"")
            return str(jwt.encode({"alg": algorithm, "kid": provider.key_id}, claims, key, algorithms=[algorithm]))
        except (errors.JoseError, ValueError):  # a key of the other kind, or none
            continue
        except OSError:
            break
    raise UpstreamFailed("failed", "private_key")


def _judge(provider: Provider, at: Endpoints, said: dict[str, Any], state: str) -> dict[str, Any]:
    """The claims of the ID token; a key that we do not know makes us look for a newer set, once."""
    token = said.get("id_token")
    if not isinstance(token, str):
        raise TokenRefused("no_id_token")
    sought = {"algorithms": at.algorithms, "issuer": provider.issuer, "client_id": provider.client_id, "nonce": social.nonce_of(state)}
    try:
        return upstream_token.judge(token, _keys(at.keys), **sought)  # type: ignore[arg-type] # as they are called there
    except KeyUnknown:
        now = time.monotonic()
        if now - _looked.get(at.keys, -AGAIN) < AGAIN:
            raise
        _looked[at.keys] = now
        _known.pop(at.keys, None)
        return upstream_token.judge(token, _keys(at.keys), **sought)  # type: ignore[arg-type] # likewise


def _keys(address: str) -> list[Any]:
    keys = _json_of(address).get("keys")
    return keys if isinstance(keys, list) else []


def _ask_who(provider: Provider, said: dict[str, Any]) -> Claimed:
    """Who the access token is about, by the provider's own word."""
    token = said.get("access_token")
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise UpstreamFailed("failed", "no_access_token")
    more = {name: str(said[name]) for name in provider.userinfo_carried if isinstance(said.get(name), str)}
    headers: dict[str, str] = {}
    form: dict[str, str] | None = None
    if provider.userinfo_token == "form":
        form, more = {"access_token": token, provider.client_id_name: provider.client_id, **more}, {}
    elif provider.userinfo_token == "query":
        more["access_token"] = token
    else:
        headers["Authorization"] = f"{'OAuth' if provider.userinfo_token == 'oauth' else 'Bearer'} {token}"
    told = _read(outbound.fetch(provider.userinfo_endpoint, form=form, headers=headers, query=more), "userinfo")
    subject = at_path(told, provider.subject)
    if isinstance(subject, int) and not isinstance(subject, bool):
        subject = str(subject)
    if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
        raise UpstreamFailed("failed", "userinfo_subject")
    return _claimed(provider, subject, told)


def _claimed(provider: Provider, subject: str, said: dict[str, Any]) -> Claimed:
    """By an allow-list: nothing else that was said goes on (case 113)."""
    words = [each for path in provider.name if isinstance(each := at_path(said, path), str)]
    name = " ".join(UNSEEN.sub("", " ".join(words)).split())[:100]
    return Claimed(provider.realm, subject, name)


def at_path(said: Any, path: str) -> Any:
    """What stands at `path`, names with dots between; None when nothing does."""
    for step in path.split("."):
        said = said.get(step) if isinstance(said, dict) else None
    return said


def _json_of(address: str) -> dict[str, Any]:
    """A document that is kept for a while. A failure is kept for a moment: the next ones do not wait for it too."""
    now = time.monotonic()
    until, kept = _known.get(address, (0.0, None))
    if kept is None or until <= now:
        try:
            kept = _read(outbound.fetch(address), "document")
            until = now + KEPT
        except (OutboundFailed, UpstreamFailed) as e:
            kept, until = e, now + LEFT_ALONE
        _known[address] = (until, kept)
    if isinstance(kept, OutboundFailed):
        raise UpstreamFailed("away", kept.word)
    if isinstance(kept, UpstreamFailed):
        raise UpstreamFailed(kept.why, kept.word)
    found: dict[str, Any] = kept
    return found


def _read(answer: outbound.Fetched, what: str) -> dict[str, Any]:
    """The JSON object of a good answer; raises UpstreamFailed. Nothing of it is logged: it may hold what we sent."""
    if answer.status != 200:
        raise UpstreamFailed("away" if answer.status >= 500 else "failed", f"{what}_status_{answer.status}")
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise UpstreamFailed("failed", f"{what}_json")
    return said


def log_failure(key: str, failed: UpstreamFailed) -> None:
    """For who runs the provider."""
    _log.warning("another provider did not help", extra={"provider": key, "why": failed.word})
