"""What the provider can do, for machines (OpenID Connect Discovery §3, RFC 8414): both documents, ready bytes.

NOTE: only what stands behind an address today is listed. The issuer comes from the configuration, never from a request's headers.
"""

from __future__ import annotations

import json
from functools import lru_cache

from idp import jwe_received, languages
from idp.config import settings
from idp.delegation import client_keys, registering_answers, registering_requests, resources, response_types, sectors
from idp.delegation.scopes import SUPPORTED
from idp.login import policy
from idp.oidc import authorization_response, request_object
from idp.oidc.client_auth import assertion, methods
from idp.oidc.endpoints import cors
from idp.oidc.endpoints.token import GRANT_TYPES
from idp.web.http import Request, Response

CLAIMS = (
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "sid",
    "at_hash",
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "email",
    "email_verified",
    "phone_number",
    "phone_number_verified",
    "address",
    "account_id",
    "account_type",
    "company_id",
    "company_name",
    "company_type",
    "company_status",
    "company_inn",
    "roles",
    "permissions",
    "companies",
)


def openid_configuration(request: Request) -> Response:
    """`/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`: one document serves both."""
    if request.method == "OPTIONS":
        return cors.preflight(request)
    headers = [("Content-Type", "application/json"), ("Cache-Control", "public, max-age=300"), *cors.ANYBODY]
    registers, documents = settings().registration.mode != "off", settings().registration.documents
    document = _document(settings().server.issuer, tuple(settings().resources), response_types.supported(), registers, documents)
    return Response(document, headers=headers)


@lru_cache(maxsize=4)
def _document(issuer: str, addresses: tuple[str, ...], types: tuple[str, ...], registers: bool, documents: bool) -> bytes:
    login, brand = settings().login, settings().brand
    document = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        **({"registration_endpoint": f"{issuer}/register"} if registers else {}),
        **({"client_id_metadata_document_supported": True} if documents else {}),
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/end_session",
        "check_session_iframe": f"{issuer}/check_session",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "scopes_supported": list(dict.fromkeys((*SUPPORTED, *sorted(resources.scopes_of(addresses))))),
        "response_types_supported": list(types),
        "response_modes_supported": list(authorization_response.MODES),
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "grant_types_supported": [
            *(grant.GRANT_TYPE for grant in GRANT_TYPES),
            *((registering_requests.IMPLICIT,) if len(types) > 1 else ()),
        ],
        "subject_types_supported": list(sectors.TYPES),
        **{
            f"{each}_signing_alg_values_supported": list(registering_answers.ALGORITHMS)
            for each in ("id_token", "userinfo", "introspection")
        },
        **{f"{each}_encryption_alg_values_supported": list(client_keys.ENCRYPTION) for each in ("id_token", "userinfo", "introspection")},
        **{f"{each}_encryption_enc_values_supported": list(client_keys.CONTENT) for each in ("id_token", "userinfo", "introspection")},
        "token_endpoint_auth_methods_supported": list(methods.SUPPORTED),
        "token_endpoint_auth_signing_alg_values_supported": list(assertion.ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": [method for method in methods.SUPPORTED if method != "none"],
        "introspection_endpoint_auth_signing_alg_values_supported": list(assertion.ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": list(methods.SUPPORTED),
        "revocation_endpoint_auth_signing_alg_values_supported": list(assertion.ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account", "create"],
        "acr_values_supported": [login.acr_prefix + level for level in policy.REACHABLE],
        "claim_types_supported": ["normal"],
        "claims_supported": list(CLAIMS),
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "request_object_signing_alg_values_supported": list(request_object.ALGORITHMS),
        "request_object_encryption_alg_values_supported": list(jwe_received.ALGORITHMS),
        "request_object_encryption_enc_values_supported": list(jwe_received.CONTENT),
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": list(languages.LANGUAGES),
        "display_values_supported": ["page", "popup", "touch", "wap"],
        **({"op_policy_uri": brand.privacy_url} if brand.privacy_url else {}),
        **({"op_tos_uri": brand.terms_url} if brand.terms_url else {}),
    }
    return json.dumps(document, indent=2).encode()
