"""What was asked at the authorization endpoint, check by check (OpenID Connect Core §3.1.2.1, RFC 6749 §4.1.1, RFC 7636, RFC 9700).

    1  client_id, redirect_uri     wrong: a page of ours, never a redirect (RFC 9700 §4.11.2)
    2  response_type, response_mode (`authorization_response`)
    3  registration, details       not supported, and never ignored; a request object was opened before (`request_object`)
    4  scope                       unknown ones dropped, forbidden ones refused
    5  PKCE and nonce              as the client's registration says; only S256, never the silent `plain`
    6  prompt, max_age, hints, company, account

From 2 on a refusal goes back to the relying party.
"""

from __future__ import annotations

import re
from dataclasses import replace

from idp.delegation import claims_parameter, clients, codes, hints, resources, response_types, scopes
from idp.delegation.clients import Client
from idp.delegation.requests import Asked
from idp.delegation.subjects import user_of
from idp.errors import N_, OAuthRefusal
from idp.oidc import authorization_response

PROMPTS = ("none", "login", "consent", "select_account", "create")
MAX_AGE = re.compile("[0-9]{1,9}")
ID = re.compile("[a-z]{3}_[0-9a-z]{26}")
LONGEST_NONCE = 1024
LONGEST_WORD = 100


class WrongClient(OAuthRefusal):
    """Client or address are wrong: nobody may be sent anywhere."""

    title = N_("We could not bring you to the app")
    message = N_(
        "The app sent an address or a name that we do not know. We stopped, so that nothing of yours goes to strangers. Open the app again."
    )


def require_client(sent: dict[str, str]) -> Client:
    """Check 1; raises WrongClient."""
    client_id = sent.get("client_id", "")
    if not client_id:
        raise WrongClient("invalid_request", "client_id is missing.")
    client = clients.find(client_id)
    if client is None:
        raise WrongClient("invalid_client", "There is no client with this client_id.")
    uri = sent.get("redirect_uri", "")
    reason = "redirect_uri is missing." if not uri else "redirect_uri is not one of the addresses registered for this client."
    if not uri or not client.may_return_to(uri):
        refusal = WrongClient("invalid_request", reason)
        refusal.shown = {"client_id": client.id, "client_name": client.name, "support_url": client.support_uri or ""}
        raise refusal
    return client


def read(client: Client, sent: dict[str, str]) -> Asked:
    """Checks 2 to 6; raises OAuthRefusal, which goes back to the relying party."""
    response_type = _response_type(client, sent)
    response_mode = authorization_response.require_mode(sent, response_type)
    _require_supported(sent)
    asked = wishes(client, sent)
    if response_type != response_types.CODE:
        asked = _legacy(asked, response_type, sent)
    return replace(
        asked,
        redirect_uri=sent["redirect_uri"],
        state=sent.get("state"),
        nonce=_nonce(sent),
        code_challenge=_code_challenge(client, sent, asked.scopes) if response_types.CODE in response_type.split(" ") else "",
        response_types=tuple(response_type.split(" ")),
        response_mode=response_mode,
    )


def wishes(client: Client, sent: dict[str, str]) -> Asked:
    """Checks 4 and 6: what is wanted of the person, wherever the answer goes then; raises OAuthRefusal."""
    named = resources.require(client, sent["resource"]) if "resource" in sent else ()
    granted = scopes.granted(sent.get("scope", ""), client.scopes, resources.scopes_of(named) if named else ())
    if named or client.resources:
        resources.require_scopes(client, named, granted, sent.get("scope", ""))
    wanted = claims_parameter.read(sent["claims"], client.scopes) if "claims" in sent else None
    levels, essential = claims_parameter.levels(wanted)
    acr_values = _words(sent, "acr_values")
    asked = Asked(
        client_id=client.id,
        redirect_uri="",
        scopes=granted,
        state=None,
        nonce=None,
        code_challenge="",
        prompts=_prompts(sent),
        max_age=_max_age(sent) if "max_age" in sent else client.default_max_age,
        acr_values=levels if essential else (acr_values or levels or tuple(client.default_acr_values or ())),
        login_hint=sent.get("login_hint", "")[:320],
        ui_locales=_words(sent, "ui_locales"),
        popup=sent.get("display") == "popup",
        claims=wanted,
        company_id=_id(sent, "company", "cmp"),
        account_id=_id(sent, "account", "acc"),
        resources=named,
    )
    if (asked.company_id or asked.account_id) and not scopes.asks_for_account(asked.needed):
        raise OAuthRefusal("invalid_request", "company and account need the scope account or company.")
    asked = _with_hint(client, asked, sent.get("id_token_hint"))
    return _with_sub(client, asked) if wanted is not None else asked


def _response_type(client: Client, sent: dict[str, str]) -> str:
    if not sent.get("response_type"):
        raise OAuthRefusal("invalid_request", f"response_type is missing; it is: {', '.join(response_types.supported())}.")
    named = response_types.named(sent["response_type"])
    if named is None or (named != response_types.CODE and named not in response_types.supported()):
        raise OAuthRefusal("unsupported_response_type", f"response_type is: {', '.join(response_types.supported())}.")
    if named not in (client.response_types or (response_types.CODE,)):
        raise OAuthRefusal("unauthorized_client", f"This client is not registered for response_type={named}. Its operator can allow it.")
    if response_types.CODE in named.split(" ") and "authorization_code" not in client.grant_types:  # it could not redeem the code
        raise OAuthRefusal("unauthorized_client", "This client is not registered for the code flow. Its operator can allow it.")
    return named


def _legacy(asked: Asked, response_type: str, sent: dict[str, str]) -> Asked:
    """What holds where tokens go through the browser (Core §3.2.2.1, §3.3.2.1)."""
    words = response_type.split(" ")
    if response_types.ID_TOKEN in words and scopes.OPENID not in asked.scopes:
        raise OAuthRefusal("invalid_scope", "An ID token needs the scope openid.")
    if response_types.ID_TOKEN in words and not sent.get("nonce"):
        raise OAuthRefusal("invalid_request", "nonce is missing: an ID token that goes through the browser is bound to its request by it.")
    if response_types.CODE in words:
        return asked
    left = tuple(scope for scope in asked.scopes if scope != scopes.OFFLINE)  # without a code there is no refresh token (Core §11)
    if not left:
        raise OAuthRefusal("invalid_scope", "offline_access needs a response_type with code.")
    return replace(asked, scopes=left)


def _require_supported(sent: dict[str, str]) -> None:
    if "registration" in sent:  # of providers that nobody registers at (Core §7.2.1)
        raise OAuthRefusal("registration_not_supported", "The parameter registration is not supported. Register the client.")
    if (
        "authorization_details" in sent
    ):  # left aside, the client would take a plain token for one that allows what it described (RFC 9396 §5)
        raise OAuthRefusal(
            "invalid_authorization_details", "authorization_details is not supported: no type of them is known here. Use scope."
        )


def _words(sent: dict[str, str], name: str) -> tuple[str, ...]:
    """A list of wishes, as far as it is worth keeping: anybody can have a request parked, and nobody fills the disk with it."""
    return tuple(word for word in sent.get(name, "").split() if len(word) <= LONGEST_WORD)[:10]


def _nonce(sent: dict[str, str]) -> str | None:
    nonce = sent.get("nonce")
    if nonce is not None and len(nonce) > LONGEST_NONCE:
        raise OAuthRefusal("invalid_request", "nonce has at most 1024 characters.")
    return nonce


def _code_challenge(client: Client, sent: dict[str, str], granted: tuple[str, ...]) -> str:
    challenge, method = sent.get("code_challenge", ""), sent.get("code_challenge_method", "")
    if challenge or method:
        if method != "S256":  # a method left out would mean `plain` (RFC 7636 §4.3): it is refused, not assumed
            raise OAuthRefusal("invalid_request", "code_challenge_method must be S256, and be sent.")
        if not codes.CHALLENGE.fullmatch(challenge):
            raise OAuthRefusal("invalid_request", "code_challenge is the SHA-256 of the verifier in base64url: 43 characters.")
        return challenge
    if client.pkce == "required":
        raise OAuthRefusal("invalid_request", "This client must use PKCE: send code_challenge with code_challenge_method=S256.")
    if client.pkce == "or_nonce" and not (scopes.OPENID in granted and sent.get("nonce")):
        raise OAuthRefusal(
            "invalid_request",
            "Send a code_challenge (PKCE, S256), or with the scope openid a nonce (RFC 9700 section 2.1.1). "
            "The operator can make PKCE optional for this client.",
        )
    return ""


def _prompts(sent: dict[str, str]) -> tuple[str, ...]:
    # Words that we do not know are ignored, as extensions must be (Core §3.1.2.1).
    prompts = tuple(word for word in sent.get("prompt", "").split() if word in PROMPTS)
    if "none" in prompts and len(sent["prompt"].split()) > 1:
        raise OAuthRefusal("invalid_request", "prompt=none stands alone.")
    return prompts


def _max_age(sent: dict[str, str]) -> int:
    if not MAX_AGE.fullmatch(sent["max_age"]):
        raise OAuthRefusal("invalid_request", "max_age is a number of seconds.")
    return int(sent["max_age"])


def _id(sent: dict[str, str], name: str, kind: str) -> str | None:
    value = sent.get(name)
    if value is not None and not (ID.fullmatch(value) and value.startswith(kind + "_")):
        raise OAuthRefusal("invalid_request", f"{name} is an id such as {kind}_0123456789abcdefghjkmnpqrs.")
    return value


def _with_hint(client: Client, asked: Asked, id_token_hint: str | None) -> Asked:
    """A hint says whom the client means; it may have expired, and it proves nobody (Core §3.1.2.1)."""
    if id_token_hint is None:
        return asked
    hint = hints.find(id_token_hint, audience=client.id)
    user_id = user_of(client, hint["sub"]) if hint is not None else None
    if hint is None or user_id is None:
        raise OAuthRefusal("invalid_request", "id_token_hint is not an ID token that we issued to this client.")
    account_id = hint.get("account_id")
    return replace(asked, hint_user_id=user_id, hint_account_id=account_id if isinstance(account_id, str) else None)


def _with_sub(client: Client, asked: Asked) -> Asked:
    """A `sub` with a value: that person, or nobody (Core §3.1.2.2, §5.5.1)."""
    sub = claims_parameter.person(asked.claims)
    if sub is None:
        return asked
    user_id = user_of(client, sub)
    if user_id is None or asked.hint_user_id not in {None, user_id}:
        raise OAuthRefusal("login_required", "claims asks for a sub whom nobody can sign in as here.")
    return replace(asked, hint_user_id=user_id)
