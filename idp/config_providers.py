"""The settings of other providers that people may sign in with: each `[providers.<key>]`.

A preset fills in what is the same for everybody; whatever is given beside it wins. Presets hold only what the provider's own documentation
says. NOTE: what is found through a provider is an identity, by `issuer` and subject: two tables with one issuer are refused, or one could
pass its people off as the other's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from idp.config_source import TextList, is_loopback, nearest

KEY = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")  # it stands in addresses and variables
PRESETS: dict[str, dict[str, Any]] = {
    "google": {"kind": "oidc", "title": "Google", "issuer": "https://accounts.google.com", "scopes": ["openid", "profile"]},
    # Without `name` and `email` it answers by a redirect, and nothing has to be posted across sites.
    "apple": {
        "kind": "oidc",
        "title": "Apple",
        "issuer": "https://appleid.apple.com",
        "scopes": ["openid"],
        "client_auth": "apple",
        "pkce": False,
    },
    "telegram": {"kind": "oidc", "title": "Telegram", "issuer": "https://oauth.telegram.org", "scopes": ["openid", "profile"]},
    "vk": {
        "kind": "oauth2",
        "title": "VK ID",
        "issuer": "https://id.vk.com",
        "authorization_endpoint": "https://id.vk.com/authorize",
        "token_endpoint": "https://id.vk.com/oauth2/auth",
        "userinfo_endpoint": "https://id.vk.com/oauth2/user_info",
        "userinfo_token": "form",
        "scopes": ["vkid.personal_info"],
        "client_auth": "none",
        "carried": ["device_id", "state"],
        "subject": "user.user_id",
        "name": ["user.first_name", "user.last_name"],
    },
    "yandex": {
        "kind": "oauth2",
        "title": "Яндекс ID",
        "issuer": "https://oauth.yandex.ru",
        "authorization_endpoint": "https://oauth.yandex.ru/authorize",
        "token_endpoint": "https://oauth.yandex.ru/token",
        "userinfo_endpoint": "https://login.yandex.ru/info?format=json",
        "userinfo_token": "oauth",
        "scopes": ["login:info"],
        "subject": "id",
        "name": ["real_name"],
    },
    "mailru": {
        "kind": "oauth2",
        "title": "Mail",
        "issuer": "https://oauth.mail.ru",
        "authorization_endpoint": "https://oauth.mail.ru/login",
        "token_endpoint": "https://oauth.mail.ru/token",
        "userinfo_endpoint": "https://oauth.mail.ru/userinfo",
        "userinfo_token": "query",
        "client_auth": "post",
        "scopes": ["userinfo"],
        "subject": "id",
        "name": ["name"],
    },
    "github": {
        "kind": "oauth2",
        "title": "GitHub",
        "issuer": "https://github.com",
        "authorization_endpoint": "https://github.com/login/oauth/authorize",
        "token_endpoint": "https://github.com/login/oauth/access_token",
        "userinfo_endpoint": "https://api.github.com/user",
        "scopes": [],
        "client_auth": "post",
        "subject": "id",
        "name": ["name"],
    },
    "wechat": {
        "kind": "oauth2",
        "title": "微信",
        "issuer": "https://open.weixin.qq.com",
        "authorization_endpoint": "https://open.weixin.qq.com/connect/qrconnect",
        "token_endpoint": "https://api.weixin.qq.com/sns/oauth2/access_token",
        "userinfo_endpoint": "https://api.weixin.qq.com/sns/userinfo",
        "userinfo_token": "query",
        "userinfo_carried": ["openid"],
        "scopes": ["snsapi_login"],
        "client_auth": "post",
        "client_id_name": "appid",
        "client_secret_name": "secret",
        "token_request": "query",
        "fragment": "wechat_redirect",
        "pkce": False,
        # Of one app there is an `openid`; this is the same for all apps of one owner.
        "subject": "unionid",
        "name": ["nickname"],
    },
}


class Provider(BaseModel):
    """Another provider that people may sign in with, once they have linked it to their ID."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    preset: str = ""
    """What fills in all but `client_id` and its secret: `google`, `apple`, `telegram`, `vk`, `yandex`, `mailru`, `github`, `wechat`."""
    kind: Literal["oidc", "oauth2"] = "oidc"
    """`oidc`: OpenID Connect, by the issuer's discovery. `oauth2`: plain OAuth 2, by the three endpoints below."""
    title: str = Field("", max_length=40)
    """What the button says."""
    issuer: str = ""
    """https, without a slash at the end unless the provider's own has one. Of `oauth2` only a name, under which its people are kept: none
    is the address of its `authorization_endpoint` without the path."""
    client_id: str = Field(min_length=1)
    """What the provider calls us. Register `<issuer of this server>/login/social/callback/<key>` as redirect address there."""
    client_secret: str = Field("", repr=False)
    """The secret that it gave us; from a file by IDP_PROVIDERS__<KEY>__CLIENT_SECRET_FILE."""
    client_auth: Literal["basic", "post", "private_key_jwt", "apple", "none"] = "basic"
    """How we say who we are at its token endpoint: the secret by Basic or in the body, a signed assertion (RFC 7523), or Apple's
    kind of it."""
    private_key: Path | None = None
    """PEM file of the key (P-256 or RSA) of `private_key_jwt` and `apple`."""
    key_id: str = ""
    """What the provider calls that key."""
    team_id: str = ""
    """Of `apple`: the ten characters that it calls our team."""
    scopes: TextList = ["openid", "profile"]
    """What is asked for. No more than a name is used of it."""
    pkce: bool = True
    """Send a challenge (RFC 7636, S256). Only for a provider that refuses one: without."""
    algorithms: TextList = ["RS256", "PS256", "ES256", "EdDSA"]
    """Of `oidc`: the signatures that are believed, as far as the provider's discovery names them too."""
    response_mode: Literal["", "query", "form_post"] = ""
    """How the answer comes back; empty: as the provider does it by itself."""
    authorization_endpoint: str = ""
    """Of `oauth2`: where people are sent."""
    token_endpoint: str = ""
    """Of `oauth2`: where the code is redeemed."""
    userinfo_endpoint: str = ""
    """Of `oauth2`: where it says who the person is."""
    userinfo_token: Literal["bearer", "oauth", "form", "query"] = "bearer"
    """Of `oauth2`: how the access token is shown there: by the header (`bearer`, or Yandex's `oauth`), posted, or in the query."""
    subject: str = "sub"
    """Of `oauth2`: the path in its answer of what never changes and is never given to somebody else: an id, never a name or an address."""
    name: list[str] = ["name"]
    """Paths of the person's name there; several are put together."""
    carried: TextList = []
    """Parameters of the callback that the token endpoint wants to see again."""
    userinfo_carried: TextList = []
    """Members of the token answer that the userinfo endpoint wants to see again."""
    token_request: Literal["form", "query"] = "form"
    """How the code is redeemed: posted, as the specification says, or in the query of a GET, where a provider takes it only so."""
    fragment: str = ""
    """What has to stand behind the address to which people are sent, after a #."""
    client_id_name: str = "client_id"
    """What this provider calls `client_id`."""
    client_secret_name: str = "client_secret"
    """What it calls `client_secret`."""

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: Any) -> Any:
        """With what the preset says."""
        if not isinstance(values, dict):
            return values
        for key in values:
            if key not in cls.model_fields:
                raise ValueError(f"{key} is not known{nearest(key, cls.model_fields, '{}')}")
        preset = values.get("preset") or ""
        if preset and preset not in PRESETS:
            raise ValueError(f"preset {preset!r} is not known; there are {', '.join(PRESETS)}")
        return {**PRESETS.get(preset, {}), **values}

    @field_validator("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "issuer")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not is_address(value):
            raise ValueError("must be https, with a host and without a fragment or user; plain http is only for loopback")
        return value

    @field_validator("algorithms")
    @classmethod
    def _are_asymmetric(cls, value: list[str]) -> list[str]:
        """A shared secret signs nothing here: whoever knows it could make tokens."""
        known = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
        if not value or not set(value) <= set(known):
            raise ValueError(f"one or more of {', '.join(known)}")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Provider:
        if not self.title:
            raise ValueError("title: what shall the button say?")
        if self.kind == "oidc":
            if not self.issuer or "?" in self.issuer:
                raise ValueError("issuer: name it, without a query")
            if "openid" not in self.scopes:
                raise ValueError("scopes: openid is one of them")
        elif not (self.authorization_endpoint and self.token_endpoint and self.userinfo_endpoint and self.subject):
            raise ValueError("oauth2 needs authorization_endpoint, token_endpoint, userinfo_endpoint and subject")
        by_key = self.client_auth in {"private_key_jwt", "apple"}
        if by_key and (self.private_key is None or not self.key_id or (self.client_auth == "apple" and not self.team_id)):
            raise ValueError(
                f'client_auth = "{self.client_auth}" needs private_key and key_id{", and team_id" * (self.client_auth == "apple")}'
            )
        if self.client_auth in {"basic", "post"} and not self.client_secret:
            raise ValueError("client_secret is missing")
        return self

    @property
    def realm(self) -> str:
        """Under which issuer its people are kept."""
        if self.issuer:
            return self.issuer
        parts = urlsplit(self.authorization_endpoint)
        return f"{parts.scheme}://{parts.netloc}"


def problem_with(providers: dict[str, Provider]) -> str | None:
    """What is wrong with them together."""
    seen: dict[str, str] = {}
    for key, provider in providers.items():
        if not KEY.fullmatch(key) or len(key) > 32:
            return f"{key}: a key has up to 32 small letters and digits, words apart by _"
        if provider.realm in seen:
            return f"{key} and {seen[provider.realm]} have one issuer, {provider.realm}: their people could not be told apart"
        seen[provider.realm] = key
    return None


def is_address(value: str) -> bool:
    """Whether it can be fetched: https (http only on loopback), no user, no fragment, nothing that could be read in two ways."""
    if not re.fullmatch(r"[\x21-\x7e]+", value) or "\\" in value or "#" in value:
        return False
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
