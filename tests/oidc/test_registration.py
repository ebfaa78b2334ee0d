"""Clients register themselves (RFC 7591, OpenID Connect Dynamic Client Registration 1.0).

Cases 46, 48, 49, 50 and 51 of threats.md. Conformance: what each module of the dynamic plans asks of `/register` (`conformance.md` §3.0,
3.4, 3.7).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from idp import clock, schedule
from idp.config import ConfigurationError, load
from idp.delegation import clients
from tests.oidc import over_tls
from tests.oidc.asking import error_at, is_page_of_ours, phone, raw
from tests.oidc.asserting import TYPE, public, says, signed
from tests.oidc.client_site import LABORATORY, site
from tests.oidc.registering import DEVELOPER, OPEN, metadata, own, party, post, refused, registered
from tests.oidc.test_discovery import OPENID
from tests.world import CALLBACK, ISSUER, World, answer_of, claims_of


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """Open to everybody, and to addresses of the machine."""
    return {**OPEN, "outbound": {**LABORATORY, "timeout": 3.0}}


def test_what_comes_back(world: World) -> None:
    """RFC 7591 §3.2.1, conformance §3.0: 201, JSON that no cache keeps, everything that is registered with its defaults, the secret."""
    answer = post(world, metadata())
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert body.pop("client_id").startswith("cli_")
    assert len(body.pop("client_secret")) == 43
    assert body.pop("client_secret_expires_at") == 0
    assert 0 <= clock.timestamp() - body.pop("client_id_issued_at") <= 60
    assert body.pop("registration_access_token")
    assert body.pop("registration_client_uri").startswith(f"{ISSUER}/register/cli_")
    assert body == {
        "client_name": "Tea house",
        "application_type": "web",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "id_token_signed_response_alg": "RS256",
        "subject_type": "public",
        "scope": "openid profile email phone address offline_access",
    }


EVERYTHING: dict[str, Any] = {
    "client_name": "Tea house",
    "client_name#ru": "Чайная",
    "client_name#zh": "茶馆",
    "application_type": "web",
    "redirect_uris": [CALLBACK, "https://rp.example/other?shop=1"],
    "post_logout_redirect_uris": ["https://rp.example/bye"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "scope": "openid email",
    "contacts": ["tea@rp.example"],
    "client_uri": "https://rp.example/",
    "logo_uri": "https://rp.example/logo.png",
    "policy_uri": "https://rp.example/policy",
    "tos_uri": "https://rp.example/terms",
    "initiate_login_uri": "https://rp.example/begin",
    "token_endpoint_auth_method": "private_key_jwt",
    "token_endpoint_auth_signing_alg": "ES256",
    "jwks_uri": "https://rp.example/jwks",
    "subject_type": "pairwise",
    "id_token_signed_response_alg": "ES256",
    "id_token_encrypted_response_alg": "RSA-OAEP",
    "id_token_encrypted_response_enc": "A256GCM",
    "userinfo_signed_response_alg": "RS256",
    "userinfo_encrypted_response_alg": "ECDH-ES",
    "userinfo_encrypted_response_enc": "A128CBC-HS256",
    "introspection_signed_response_alg": "PS256",
    "request_object_signing_alg": "PS256",
    "require_signed_request_object": True,
    "request_uris": ["https://rp.example/request#" + "A" * 43],
    "backchannel_logout_uri": "https://rp.example/back",
    "backchannel_logout_session_required": True,
    "frontchannel_logout_uri": "https://rp.example/front",
    "frontchannel_logout_session_required": False,
    "software_id": "4NRB1-0XZABZI9E6-5SM3R",
    "software_version": "2.1",
}


def test_everything_that_can_be_registered(world: World) -> None:
    """RFC 7591 §2, Registration §2, RFC 9101 §10.5, RFC 9701 §6, the logout specifications: each member comes back as it was sent."""
    answer = post(world, {**EVERYTHING, "a_member_of_tomorrow": {"deep": [1]}})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert {name: body[name] for name in EVERYTHING} == EVERYTHING
    assert "a_member_of_tomorrow" not in body
    assert "client_secret" not in body
    assert "client_secret_expires_at" not in body
    assert {name: value for name, value in own(world, body).json().items() if name in EVERYTHING} == EVERYTHING


def test_a_registered_client_works(world: World, story) -> None:
    """oidcc-server, oidcc-refresh-token: the whole flow with nothing else done; a person is asked for consent, always."""
    rp = party(world, grant_types=["authorization_code", "refresh_token"])
    browser = world.browser()
    page = world.sign_in(browser, rp, phone(story, "zimin"), scope="openid offline_access")
    assert page.status_code == 200
    tokens = world.redeem(rp, answer_of(browser.allow(page))["code"]).json()
    assert claims_of(tokens["id_token"])["aud"] == rp.client.id
    assert world.refresh(rp, tokens["refresh_token"]).status_code == 200


def test_its_method_is_what_it_registered(world: World) -> None:
    """RFC 7591 §2: client_secret_basic is what is told by default, and the body is understood too (npm's openid-client sends that); a
    method that was named is the only one.
    """
    for changes, by_post in (({}, True), ({"token_endpoint_auth_method": "client_secret_basic"}, False)):
        body = registered(world, **changes)
        assert body["token_endpoint_auth_method"] == "client_secret_basic"
        form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK}
        posted = {**form, "client_id": body["client_id"], "client_secret": body["client_secret"]}
        basic, http = (body["client_id"], body["client_secret"]), world.browser(address="198.51.100.20")
        assert http.post("/token", data=form, auth=basic).json()["error"] != "invalid_client"
        assert (http.post("/token", data=posted).json()["error"] != "invalid_client") is by_post
        assert own(world, body, "PUT", json=body).json()["token_endpoint_auth_method"] == "client_secret_basic"
        assert (http.post("/token", data=posted).json()["error"] != "invalid_client") is by_post
    assert "client_secret" in refused(world, token_endpoint_auth_method="secret")
    for method in ("tls_client_auth", "password", "client_secret_jwt ", "None"):
        refused(world, token_endpoint_auth_method=method)


def test_keys_by_value_and_at_an_address(world: World) -> None:
    """oidcc-registration-jwks-uri, private_key_jwt: by `jwks`, by `jwks_uri`; not both, and never a private one."""
    keys = {"keys": [public("EC", kid="k1")]}
    assert registered(world, token_endpoint_auth_method="private_key_jwt", jwks=keys)["jwks"]["keys"][0]["kty"] == "EC"
    with site() as server:
        uri = server.put("/jwks", keys)
        rp = party(world, token_endpoint_auth_method="private_key_jwt", jwks_uri=uri)
        form = {"grant_type": "authorization_code", "code": "x", "client_assertion": signed(says(rp)), "client_assertion_type": TYPE}
        assert world.browser(address="198.51.100.20").post("/token", data=form).json()["error"] != "invalid_client"
    refused(world, jwks=keys, jwks_uri="https://rp.example/jwks")
    refused(world, token_endpoint_auth_method="private_key_jwt")
    refused(world, jwks={"keys": [public("EC") | {"d": "x" * 43}]})


def test_oidcc_redirect_uri_regfrag(world: World) -> None:
    """oidcc-redirect-uri-regfrag: an address with a fragment is `invalid_redirect_uri`."""
    assert "fragment" in refused(world, "invalid_redirect_uri", redirect_uris=[f"{CALLBACK}#fragment"])


@pytest.mark.parametrize(
    "uri",
    [
        *("http://rp.example/callback", "https://*.rp.example/", "javascript://host/%0aalert(1)", "data:text/html,x", f"{CALLBACK}\n", ""),
        *("https://user@rp.example/", "//rp.example/", "rp.example", "https://rp.example/../x", "https://RP.example/", "urn:x", "ftp://x/"),
        *("https://rp.example\\@evil.example/", "https://rp.example/\u202e", "https://пример.example/", " https://rp.example/"),
    ],
)
def test_addresses_that_cannot_be_registered(world: World, uri: str) -> None:
    """Case 46: http, wildcards, scripts, line ends and the like, also among good ones."""
    refused(world, "invalid_redirect_uri", redirect_uris=[CALLBACK, uri])


@pytest.mark.parametrize("uris", [None, [], "https://rp.example/callback", [1], {"0": CALLBACK}, [None], [[CALLBACK]]])
def test_no_addresses(world: World, uris: Any) -> None:
    """Case 46: none at all, or something that is no list of texts."""
    refused(world, "invalid_redirect_uri", redirect_uris=uris)


def test_too_much(world: World) -> None:
    """Case 46: 10,000 addresses, names without end."""
    many = [f"https://rp.example/{number}" for number in range(10_000)]
    refused(world, redirect_uris=many)
    refused(world, redirect_uris=many[:101])
    refused(world, client_name="n" * 101)
    refused(world, contacts=[f"{number}@rp.example" for number in range(11)])
    refused(world, contacts=["x" * 201])
    refused(world, software_id="x" * 256)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_name": "<script>alert(1)</script>"},
        {"client_name": "Goo\u202egle"},
        {"client_name": "a\u0000b"},
        {"client_name#ru": "<b>"},
        {"contacts": ["<img src=x onerror=alert(1)>"]},
        {"contacts": ["a\u202eb"]},
        {"software_version": "1\n2"},
        {"scope": "openid admin"},
        {"scope": "openid company"},
        {"grant_types": ["password"]},
        {"grant_types": ["client_credentials"]},
        {"grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"]},
        {"grant_types": ["refresh_token"]},
        {"response_types": ["code"], "grant_types": ["implicit"]},
        {"response_types": ["nonsense"]},
        {"application_type": "desktop"},
        {"id_token_signed_response_alg": "none"},
        {"userinfo_signed_response_alg": "RS1"},
        {"subject_type": "private"},
        {"default_max_age": -1},
        {"default_max_age": "soon"},
        {"require_signed_request_object": "yes"},
        {"logo_uri": "javascript:alert(1)"},
        {"tos_uri": "data:text/html,x"},
        {"policy_uri": "http://rp.example/policy"},
        {"jwks_uri": "file:///etc/passwd"},
        {"backchannel_logout_uri": "gopher://rp.example/"},
        {"frontchannel_logout_uri": "https://other.example/front"},
        {"post_logout_redirect_uris": ["https://rp.example/bye#x"]},
        {"request_uris": ["https://rp.example/*"]},
        {"client_name": 1},
        {"contacts": "tea@rp.example"},
        {"jwks": []},
        {"jwks": "keys", "token_endpoint_auth_method": "private_key_jwt"},
    ],
)
def test_metadata_that_cannot_be_registered(world: World, changes: dict[str, Any]) -> None:
    """Case 46: names with HTML or turned writing, contacts with scripts, scopes and grants beyond what is allowed, wrong values."""
    if changes == {"jwks": []}:  # as if it was left out (RFC 7592 §2.2 says the same)
        assert "jwks" not in registered(world, **changes)
        return
    assert refused(world, **changes).isascii()


def test_oidcc_3rd_party_init_login(world: World) -> None:
    """oidcc-3rd_party-init-login: `initiate_login_uri` comes back from registration and from its own address."""
    body = registered(world, initiate_login_uri="https://rp.example/begin")
    assert body["initiate_login_uri"] == own(world, body).json()["initiate_login_uri"] == "https://rp.example/begin"


def test_links_to_its_login(world: World, story) -> None:
    """Core §4: where we send a person to begin again, we say who we are, and where they want to end."""
    begin, home = "https://rp.example/begin", "https://rp.example/"
    said = "iss=http%3A%2F%2Flocalhost%3A8000"
    assert party(world, initiate_login_uri=begin).client.restart_url == f"{begin}?{said}"
    both = party(world, initiate_login_uri=f"{begin}?a=1", client_uri=home).client
    assert both.restart_url == f"{begin}?a=1&{said}&target_link_uri=https%3A%2F%2Frp.example%2F"
    assert party(world, client_uri=home).client.restart_url == home
    rp, browser = party(world, initiate_login_uri=begin), world.browser()
    waiting = world.sign_in(browser, rp, phone(story, "zimin"), scope="openid")
    browser.allow(waiting)
    assert f"{begin}?{said}" in browser.go(str(waiting.url)).text


def test_oidcc_3rd_party_init_login_nohttps(world: World) -> None:
    """oidcc-3rd_party-init-login-nohttps: by http it is `invalid_client_metadata`."""
    refused(world, initiate_login_uri="http://rp.example/begin")


def test_oidcc_registration_sector_uri(told, tmp_path: Path) -> None:
    """oidcc-registration-sector-uri: a list that holds every redirect address is accepted.

    oidcc-registration-sector-bad: one without our address, something else, or nothing at all is `invalid_client_metadata`.
    """
    pem, url = over_tls.certificate(tmp_path), told.copy()
    world = World(told.settings(url, **OPEN, outbound={**LABORATORY, "timeout": 3.0, "certificate_authorities": [pem]}))
    try:
        with site(pem) as server:
            good = server.put("/sector", [CALLBACK, "https://else.example/"])
            body = registered(world, subject_type="pairwise", sector_identifier_uri=good)
            assert (body["subject_type"], body["sector_identifier_uri"]) == ("pairwise", good)
            refused(world, subject_type="pairwise", sector_identifier_uri=server.put("/other", ["https://else.example/"]))
            refused(world, subject_type="pairwise", sector_identifier_uri=server.put("/text", "none"))
            refused(world, subject_type="pairwise", sector_identifier_uri=server.at("/nothing"))
            now = own(world, body, "PUT", json={"client_id": body["client_id"], "redirect_uris": [f"{CALLBACK}/unlisted"]})
            assert (now.status_code, now.json()["error"]) == (400, "invalid_client_metadata")
        with site() as plain:
            refused(world, subject_type="pairwise", sector_identifier_uri=plain.put("/sector", [CALLBACK]))
    finally:
        world.close()
        told.drop(url)


def test_oidcc_idtoken_rs256(world: World, story) -> None:
    """oidcc-idtoken-rs256, oidcc-userinfo-rs256: as registered, and said so."""
    rp = party(world, id_token_signed_response_alg="RS256", userinfo_signed_response_alg="RS256")
    browser = world.browser()
    page = browser.allow(world.sign_in(browser, rp, phone(story, "zimin"), scope="openid"))
    tokens = world.redeem(rp, answer_of(page)["code"]).json()
    answer = world.userinfo(tokens["access_token"])
    assert answer.headers["Content-Type"] == "application/jwt"
    assert claims_of(answer.text)["aud"] == rp.client.id


def test_oidcc_ensure_redirect_uri_in_authorization_request(world: World) -> None:
    """oidcc-ensure-redirect-uri-in-authorization-request, oidcc-redirect-uri-query-OK, -query-mismatch, -query-added."""
    rp = party(world, redirect_uris=[f"{CALLBACK}?foo=bar", f"{CALLBACK}/second"])
    browser = world.browser()
    assert is_page_of_ours(browser.authorize(rp, redirect_uri=None))
    for other in (f"{CALLBACK}?foo=baz", f"{CALLBACK}?foo=bar&more=1", CALLBACK):
        assert is_page_of_ours(browser.authorize(rp, redirect_uri=other))
    location = browser.authorize(rp, prompt="none").headers["Location"]
    assert location.startswith(f"{CALLBACK}?foo=bar&error=login_required&")


def test_native_apps(world: World) -> None:
    """RFC 8252: own schemes and loopback ports for `native`, without a secret; a command line tool that says nothing of its kind is one."""
    body = registered(world, application_type="native", redirect_uris=["com.example.app:/callback", "http://127.0.0.1/callback"])
    assert (body["token_endpoint_auth_method"], body["application_type"]) == ("none", "native")
    assert "client_secret" not in body
    tool = party(world, token_endpoint_auth_method="none", redirect_uris=["http://127.0.0.1:33418/"])
    assert (tool.client.kind, tool.client.pkce) == ("native", "required")
    tool.redirect_uri = "http://127.0.0.1:40000/"  # it listens on another port today
    assert error_at(world.browser().authorize(tool, prompt="none"), tool) == "login_required"
    refused(world, "invalid_redirect_uri", application_type="web", redirect_uris=["com.example.app:/callback"])


def test_a_public_page(world: World) -> None:
    """A page without a secret must use PKCE whatever the setting says, and may read what is answered (CORS)."""
    assert party(world, token_endpoint_auth_method="none").client.pkce == "required"
    for given, status in ((metadata(), 201), (metadata(redirect_uris=["x"]), 400)):
        answer = world.browser(address=DEVELOPER).post("/register", json=given, headers={"Origin": "https://spa.example"})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, "*")
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_name_is_not_needed(world: World) -> None:
    """RFC 7591 §2: without a name it is called by where it leads."""
    assert registered(world, client_name=None)["client_name"] == "rp.example"


def test_nobody_says_who_he_is(world: World, story) -> None:
    """Case 49: an id that is chosen, being first party, less PKCE, the owner's marks: all left aside."""
    wanted = {"client_id": story.people[0].user_id, "first_party": True, "pkce": "optional", "registered_by": None, "kind": "machine"}
    rp = party(world, **wanted, client_secret="s" * 40, account_types=["employee"], unused_until=None)
    assert rp.client.id.startswith("cli_")
    assert (rp.client.first_party, rp.client.pkce, rp.client.kind) == (False, "or_nonce", "web")
    assert rp.client.registered_by == "dynamic"
    assert timedelta(days=29, hours=23) < rp.client.unused_until - clock.now() <= timedelta(days=30)
    assert rp.secret != "s" * 40


def test_names_of_trusted_hosts_are_compared_whole(world: World) -> None:
    """Case 51: no host is trusted by a pattern; an address that only begins or ends like a registered one is another address."""
    rp = party(world)
    for uri in ("https://evil-rp.example/callback", "https://rp.example.evil.example/callback", f"{CALLBACK}.evil.example"):
        assert is_page_of_ours(world.browser().authorize(rp, redirect_uri=uri))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"client_name=x"),
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b'"text"'),
        ("application/json", b"null"),
        ("application/json", b"\xff"),
        ("application/json", b'{"redirect_uris": [], "redirect_uris": ["https://rp.example/"]}'),
        ("application/json", b'{"default_max_age": NaN, "redirect_uris": ["https://rp.example/"]}'),
        ("application/json", b'{"client_name": "\\ud800"}'),
        ("application/json", b'{"client_name": "\\u0000"}'),
        ("application/json", b"[" * 50_000),
        ("application/json", b'{"default_max_age": ' + b"9" * 6000 + b"}"),
    ],
)
def test_what_is_no_metadata(world: World, kind: str, body: bytes) -> None:
    """RFC 7591 §3.1: a JSON object; anything else is 400 in JSON."""
    answer = world.browser(address=DEVELOPER).post("/register", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


def test_other_methods(world: World) -> None:
    """Only POST, and OPTIONS for pages."""
    assert [world.browser().request(method, "/register").status_code for method in ("GET", "PUT", "DELETE")] == [405] * 3
    assert world.browser().request("OPTIONS", "/register").status_code == 204
    assert raw(world, "POST", "/register")[0] == 400


def test_a_flood(told) -> None:
    """Case 50: so many of a network in an hour, whether they were good or not; another network is not held up. And so many in all."""
    url = told.copy()
    world = World(told.settings(url, registration={"mode": "open", "per_network_per_hour": 3, "most_clients": 4}))
    try:
        with clock.freeze(clock.now()) as later:
            here = [post(world, metadata(redirect_uris=uris)) for uris in ([], [CALLBACK], [CALLBACK], [CALLBACK])]
            assert [answer.status_code for answer in here] == [400, 201, 201, 429]
            assert here[-1].headers["Retry-After"] == "3600"
            elsewhere = [post(world, metadata(), address="198.51.100.9") for _ in range(3)]
            assert [answer.status_code for answer in elsewhere] == [201, 201, 429]
            later(3601)
            assert post(world, metadata()).status_code == 429  # there is no room, whoever asks
            own(world, elsewhere[0].json(), "DELETE")
            assert post(world, metadata()).status_code == 201
    finally:
        world.close()
        told.drop(url)


def test_the_event(world: World) -> None:
    """House rule 6: who registered is in the audit trail."""
    body = registered(world)
    event = world.events("client.registered")[-1]
    assert event.client_id == body["client_id"]
    assert event.details["by"] == "dynamic"


def test_discovery(world: World) -> None:
    """Discovery §3: the address stands there while anybody can register."""
    assert world.browser().get(OPENID).json()["registration_endpoint"] == f"{ISSUER}/register"


def test_off(told) -> None:
    """Off by default: no address in discovery, nobody registers."""
    url = told.copy()
    world = World(told.settings(url))
    try:
        assert "registration_endpoint" not in world.browser().get(OPENID).json()
        answer = post(world, metadata())
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    finally:
        world.close()
        told.drop(url)


def test_production_refuses() -> None:
    """Case 50: open registration without an end for what nobody uses, and consent that is skipped, are for a laboratory."""
    production = {"IDP_SERVER__ENVIRONMENT": "production", "IDP_SERVER__ISSUER": "https://id.example"}
    for more, said in (
        ({"IDP_REGISTRATION__MODE": "open", "IDP_REGISTRATION__UNUSED_LIFETIME": "0"}, "unused_lifetime"),
        ({"IDP_REGISTRATION__SKIP_CONSENT": "true"}, "skip_consent"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            load(None, production | more)


def test_unused_ones_go(world: World, story) -> None:
    """Case 50: what nobody uses for thirty days is disabled, with an event; a sign-in there moves the day on, once a day at most."""
    used, unused = party(world), party(world)
    job, browser = next(job for job in schedule.SCHEDULE if job.name == "unused_clients"), world.browser()
    with clock.freeze(clock.now()) as later:
        began = used.client.unused_until - timedelta(days=30)
        later(timedelta(days=20))
        moved = clock.now() + timedelta(days=30)
        page = browser.allow(world.sign_in(browser, used, phone(story, "zimin"), scope="openid"))
        assert world.redeem(used, answer_of(page)["code"]).status_code == 200
        later(began + timedelta(days=30, seconds=1) - clock.now())
        with world.app.app_context():
            assert schedule.run(job)
    clients.forget_cached()
    with world.reads():
        assert clients.find(unused.client.id) is None
        found = clients.find(used.client.id)
    assert found is not None
    assert abs(found.unused_until - moved) < timedelta(seconds=1)
    event = world.events("client.deleted")[-1]
    assert (event.client_id, event.details["why"]) == (unused.client.id, "unused")
