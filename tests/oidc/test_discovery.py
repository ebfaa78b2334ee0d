"""What the provider says about itself (OpenID Connect Discovery 1.0 §3, RFC 8414), and that it is true; the keys (RFC 7517).

Case 38 of threats.md; conformance: oidcc-discovery-endpoint-verification.
"""

from __future__ import annotations

import base64
import re

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from authlib.oidc.discovery import get_well_known_url as openid_url

from idp import keyring
from tests.oidc.asking import phone, raw
from tests.world import ISSUER, World, claims_of

OPENID, OAUTH = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
# Members of the registry (RFC 8414 §7.1) that the conformance suite knows; another one would be a warning there.
KNOWN = set(
    "issuer authorization_endpoint token_endpoint userinfo_endpoint jwks_uri end_session_endpoint registration_endpoint scopes_supported "
    "response_types_supported response_modes_supported grant_types_supported subject_types_supported acr_values_supported "
    "id_token_signing_alg_values_supported userinfo_signing_alg_values_supported request_object_signing_alg_values_supported "
    "request_object_encryption_alg_values_supported request_object_encryption_enc_values_supported "
    "id_token_encryption_alg_values_supported id_token_encryption_enc_values_supported userinfo_encryption_alg_values_supported "
    "userinfo_encryption_enc_values_supported introspection_signing_alg_values_supported introspection_encryption_alg_values_supported "
    "introspection_encryption_enc_values_supported "
    "token_endpoint_auth_methods_supported token_endpoint_auth_signing_alg_values_supported code_challenge_methods_supported "
    "prompt_values_supported claim_types_supported claims_supported claims_parameter_supported request_parameter_supported "
    "request_uri_parameter_supported require_request_uri_registration authorization_response_iss_parameter_supported ui_locales_supported "
    "claims_locales_supported display_values_supported op_policy_uri op_tos_uri service_documentation revocation_endpoint "
    "revocation_endpoint_auth_methods_supported revocation_endpoint_auth_signing_alg_values_supported introspection_endpoint "
    "introspection_endpoint_auth_methods_supported introspection_endpoint_auth_signing_alg_values_supported "
    "device_authorization_endpoint pushed_authorization_request_endpoint backchannel_logout_supported "
    "backchannel_logout_session_supported frontchannel_logout_supported frontchannel_logout_session_supported check_session_iframe "
    "dpop_signing_alg_values_supported mtls_endpoint_aliases tls_client_certificate_bound_access_tokens".split()
)


@pytest.fixture
def document(world: World) -> dict:
    """The document."""
    return world.browser().get(OPENID).json()


@pytest.mark.parametrize(("path", "kind"), [(OPENID, OpenIDProviderMetadata), (OAUTH, AuthorizationServerMetadata)])
def test_both_documents(world: World, path: str, kind: type) -> None:
    """Discovery §4.2, RFC 8414 §3.2: JSON for everybody, and what Authlib's validators say of it."""
    answer = world.browser().get(path, headers={"Origin": "https://any.example"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    metadata = kind(answer.json())
    # Authlib wants https; the demo's issuer is http://localhost, and says so consistently.
    https = {name: value.replace(ISSUER, "https://id.example") if isinstance(value, str) else value for name, value in metadata.items()}
    kind(https).validate()
    assert metadata["issuer"] == ISSUER
    assert metadata["issuer"] + path == ISSUER + path


def test_the_issuer_is_the_address(world: World, document: dict) -> None:
    """Discovery §4.3: the document's address minus its suffix, exactly."""
    assert openid_url(document["issuer"], external=True) == ISSUER + OPENID
    assert not document["issuer"].endswith("/")


def test_an_https_issuer_validates_as_it_is(told) -> None:
    """Discovery §3: every endpoint is https."""
    url = told.copy()
    world = World(told.settings(url, server={"issuer": "https://id.example"}))
    try:
        document = world.browser().get(OPENID).json()
        OpenIDProviderMetadata(document).validate()
        AuthorizationServerMetadata(document).validate()
        for name, value in document.items():
            if name.endswith(("_endpoint", "_uri")):
                assert value.startswith("https://id.example/"), name
    finally:
        world.close()
        told.drop(url)


def test_no_private_members(document: dict) -> None:
    """Conformance: members outside the registries are a warning; there are none."""
    assert set(document) <= KNOWN
    assert "" not in document.values()
    assert None not in document.values()


def test_what_is_listed_is_there(world: World, story, document: dict) -> None:
    """House rule: only what stands behind an address today is listed; endpoints answer, algorithms sign, methods authenticate."""
    http = world.browser()
    for name, value in document.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert value.startswith(ISSUER + "/")
            assert http.get(value.removeprefix(ISSUER)).status_code in {200, 400, 401, 405}, name
    assert document["response_types_supported"] == ["code"]
    assert document["subject_types_supported"] == ["public", "pairwise"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert "none" not in document["id_token_signing_alg_values_supported"]
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    for algorithm in document["id_token_signing_alg_values_supported"]:
        party = world.party(id_token_signed_response_alg=algorithm)
        assert world.tokens(world.browser(address="203.0.114.1"), party, phone(story, "zimin"))["id_token"]
    assert document["claims_parameter_supported"] is True
    assert document["request_parameter_supported"] is True
    assert document["request_uri_parameter_supported"] is True
    assert "none" not in document["request_object_signing_alg_values_supported"]  # not without being registered so


def test_grant_types(world: World, document: dict) -> None:
    """Each listed grant type is understood; others are `unsupported_grant_type`."""
    party = world.party()
    for grant_type in document["grant_types_supported"]:
        assert world.token(party, grant_type=grant_type).json()["error"] != "unsupported_grant_type"
    for grant_type in (
        "password",
        "implicit",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "x",
        "authorization_code ",
    ):
        if grant_type not in document["grant_types_supported"]:
            assert world.token(party, grant_type=grant_type, username="x", password="y").json()["error"] == "unsupported_grant_type"


def test_prompts_and_levels(world: World, story, document: dict) -> None:
    """`prompt_values_supported` and `acr_values_supported`: each is understood; every `acr` that is given is listed."""
    party = world.party()
    for prompt in document["prompt_values_supported"]:
        assert world.browser().authorize(party, prompt=prompt).status_code in {200, 303}
    tokens = world.tokens(world.browser(), party, phone(story, "zimin"))
    assert claims_of(tokens["id_token"])["acr"] in document["acr_values_supported"]
    assert all(re.fullmatch(r"urn:idp:acr:[a-z_]+", value) for value in document["acr_values_supported"])


def test_claims_and_scopes(world: World, story, document: dict) -> None:
    """Every claim that is sent is listed, and every listed scope gives something (conformance: all claims of a scope)."""
    party = world.party(account_types=["employee"], scopes=document["scopes_supported"])
    tokens = world.tokens(world.browser(), party, phone(story, "lazareva"), scope=" ".join(document["scopes_supported"]))
    sent = set(claims_of(tokens["id_token"])) | set(world.userinfo(tokens["access_token"]).json())
    assert sent == set(document["claims_supported"])


def test_languages(document: dict) -> None:
    """Discovery §3: BCP 47 tags in canonical case."""
    assert document["ui_locales_supported"] == ["ru", "en", "zh"]


def test_the_keys(world: World) -> None:
    """Case 38, RFC 7517: public members only, nothing symmetric, one `kid` each, sound sizes."""
    answer = world.browser().get("/jwks")
    assert answer.headers["Content-Type"] == "application/jwk-set+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    body = answer.json()
    assert set(body) == {"keys"}
    kids = [key["kid"] for key in body["keys"]]
    assert len(set(kids)) == len(kids) == 10  # one that signs and one that will, of each algorithm; two to encrypt to
    members = {"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}, "OKP": {"crv", "x"}}
    for key in body["keys"]:
        # Ed25519 goes by two names; a library that knows one of them passes over a key that says the other.
        has_no_alg = key["kty"] == "OKP" or key["use"] == "enc"  # and one that is encrypted to is for all of its kind
        assert set(key) == {"kty", "kid", "use", "alg"} - ({"alg"} if has_no_alg else set()) | members[key["kty"]]
        assert key["use"] in {"sig", "enc"}
        if key["kty"] == "RSA":
            assert len(base64.urlsafe_b64decode(key["n"] + "==")) >= 256
            assert key["e"] == "AQAB"


def test_kids_after_rotations(world: World) -> None:
    """Case 38: kids never collide, and nothing private appears in any state of a key."""
    seen: dict[str, str] = {}
    for _ in range(3):
        with world.writes():
            keyring.rotate(at_once=True)
        for key in world.browser().get("/jwks").json()["keys"]:
            assert seen.setdefault(key["kid"], str(key)) == str(key)
            assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & set(key)
    assert len(seen) >= 12 + 4


@pytest.mark.parametrize("path", [OPENID, OAUTH, "/jwks"])
def test_variants_of_the_address(world: World, path: str) -> None:
    """What looks like the address and is not it, is not found; other methods are refused; a query changes nothing."""
    http = world.browser()
    assert http.get(path + "?issuer=https://evil.example").content == http.get(path).content
    for method in ("POST", "PUT", "DELETE"):
        assert http.request(method, path).status_code == 405
    for wrong in (path + "/", path + "/x", path.upper(), "//" + path, path + "%00", path + ";x"):
        status, _, _ = raw(world, "GET", wrong)
        assert status == 404, wrong
