"""`idp clients`: every kind is made, changed, given a second secret, deleted; and what is printed for developers runs as it stands.

Exit codes: 0 done, 1 refused, 2 wrong usage; answers on standard output, the rest on standard error.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests import machine
from tests.cli.running import Place
from tests.oidc.asserting import private, public

WEB = ("clients", "create", "--name", "Shop", "--redirect-uri", "https://shop.example/callback", "--id", "shop")
ROBOT = ("clients", "create", "--name", "Robot", "--kind", "machine", "--scope", "orders:read", "--id", "robot")


def answered(place: Place, *words: str) -> Any:
    """The JSON of a command that goes well."""
    done = place.idp(*words, "--format", "json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def keys(place: Place, *given: dict[str, str], name: str = "keys.json") -> str:
    """A file with a JWK Set."""
    path = place.folder / name
    path.write_text(json.dumps({"keys": list(given)}))
    return str(path)


def test_a_machine(place: Place) -> None:
    """It has a secret and its own scopes, nothing of sign-in, and a line of curl."""
    made = answered(place, *ROBOT)
    assert (made["kind"], made["scopes"], made["grant_types"]) == ("machine", ["orders:read"], ["client_credentials"])
    assert made["redirect_uris"] == made["account_types"] == []
    assert made["client_secret"] in made["snippets"]["curl"]
    done = place.idp(*ROBOT[:-3], "openid")
    assert (done.code, done.out) == (1, "")
    assert "describes a person" in done.err


def test_a_client_with_keys(place: Place) -> None:
    """A JWK Set or one JWK; `show` names the keys; a private one is refused before it is kept."""
    made = answered(
        place, *WEB, "--auth-method", "private_key_jwt", "--jwks", keys(place, public("EC", kid="a", use="sig"), public("RSA", kid="b"))
    )
    assert made["client_secret"] is None
    assert made["keys"] == [
        {"kid": "a", "kty": "EC", "alg": ["ES256"]},
        {"kid": "b", "kty": "RSA", "alg": ["RS256", "PS256", "RSA-OAEP", "RSA-OAEP-256"]},
    ]
    one = place.folder / "one.json"
    one.write_text(json.dumps(public("OKP", kid="c")))
    assert [key["kid"] for key in answered(place, "clients", "update", "shop", "--jwks", str(one))["keys"]] == ["c"]
    shown = place.idp("clients", "show", "shop")
    assert "Ed25519" in shown.out
    for content, reason in (
        (json.dumps(public("EC") | {"d": "AAAA"}), "private"),
        ("not json", "JSON"),
        ("[]", "JWK Set"),
        (None, "cannot be read"),
    ):
        bad = place.folder / "bad.json"
        bad.unlink(missing_ok=True)
        if content is not None:
            bad.write_text(content)
        done = place.idp("clients", "update", "shop", "--jwks", str(bad))
        assert (done.code, done.out) == (1, ""), done.err
        assert reason in done.err
        assert "AAAA" not in done.err


def test_a_secret_as_a_key(place: Place) -> None:
    """The way from a secret that is hashed to one that is a key; the address of keys; what request objects are like."""
    answered(place, *WEB)
    answered(place, "clients", "add-secret", "shop", "--as-key")
    assert answered(place, "clients", "update", "shop", "--auth-method", "client_secret_jwt", "--auth-signing-alg", "HS256")
    words = (
        *("--jwks-uri", "https://shop.example/keys", "--request-object-alg", "ES256", "--require-signed-request-object"),
        *("--request-uri", "https://shop.example/r1", "--request-uri", "https://shop.example/r2#abc"),
        *("--request-object-encryption-alg", "RSA-OAEP-256", "--request-object-encryption-enc", "A256GCM"),
    )
    shown = answered(place, "clients", "update", "shop", *words)
    assert (shown["jwks_uri"], shown["request_object_signing_alg"]) == ("https://shop.example/keys", "ES256")
    assert shown["require_signed_request_object"] is True
    assert shown["request_uris"] == ["https://shop.example/r1", "https://shop.example/r2#abc"]
    assert (shown["request_object_encryption_alg"], shown["request_object_encryption_enc"]) == ("RSA-OAEP-256", "A256GCM")
    without = answered(place, "clients", "update", "shop", "--no-require-signed-request-object", "--request-uri", "", "--jwks-uri", "")
    assert (without["require_signed_request_object"], without["request_uris"], without["jwks_uri"]) == (None, None, None)


def test_update(place: Place) -> None:
    """What is named is replaced, the rest stays; an empty value takes one out."""
    first = answered(place, *WEB, "--name-in", "ru=Лавка", "--purpose", "To sell", "--post-logout-redirect-uri", "https://shop.example/bye")
    words = (
        "--name",
        "Store",
        "--name-in",
        "zh=商店",
        "--redirect-uri",
        "https://shop.example/a",
        "--redirect-uri",
        "https://shop.example/b",
    )
    more = (
        "--scope",
        "openid email",
        "--purpose",
        "",
        "--post-logout-redirect-uri",
        "",
        "--first-party",
        "--auth-method",
        "client_secret_post",
    )
    after = answered(place, "clients", "update", "shop", *words, *more)
    assert (after["name"], after["names"]) == ("Store", {"ru": "Лавка", "zh": "商店"})
    assert after["redirect_uris"] == ["https://shop.example/a", "https://shop.example/b"]
    assert (after["scopes"], after["purpose"], after["post_logout_redirect_uris"]) == (["openid", "email"], None, [])
    assert (after["first_party"], after["token_endpoint_auth_method"]) == (True, "client_secret_post")
    assert (after["pkce"], after["account_types"], after["kind"]) == (first["pkce"], first["account_types"], "web")
    said = place.idp("clients", "update", "shop", "--no-first-party", "--name-in", "ru=")
    assert said.code == 0
    assert set(re.findall(r"^\w+", said.out, re.MULTILINE)) == {"first_party", "names"}
    assert "already" in place.idp("clients", "update", "shop", "--name", "Store").err
    for said_of_it, kept in (("none", []), ("all", None)):  # of other providers; none is configured here
        assert answered(place, "clients", "update", "shop", "--providers", said_of_it)["providers"] == kept
    assert answered(place, "clients", "show", "shop")["names"] == {"zh": "商店"}


def test_a_device_without_a_browser(place: Place) -> None:
    """`device_code` is the specification's URN when it is kept; without the code flow it needs no address, and its text needs none."""
    device = ("clients", "create", "--name", "TV", "--kind", "native", "--grant-type", "device_code", "--id", "television")
    made = answered(place, *device, "--grant-type", "refresh_token")
    assert made["grant_types"] == ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]
    assert list(made["snippets"]) == ["JavaScript: openid-client, on a device without a browser"]
    assert "initiateDeviceAuthorization" in "".join(made["snippets"].values())
    both = answered(place, *WEB, "--grant-type", "authorization_code", "--grant-type", "device_code")
    assert len(both["snippets"]) == 4
    assert answered(place, "clients", "update", "shop", "--grant-type", "authorization_code")["grant_types"] == ["authorization_code"]


def test_two_secrets(place: Place) -> None:
    """Shown once, named by their ids, at most two; the last one stays unless it is insisted on."""
    made = answered(place, *ROBOT)
    added = answered(place, "clients", "add-secret", "robot")
    shown = answered(place, "clients", "show", "robot")
    assert [set(each) for each in shown["secrets"]] == [{"id", "created_at", "last_used_at"}] * 2
    for secret in (made["client_secret"], added["client_secret"]):
        assert secret not in json.dumps(shown) + place.idp("clients", "show", "robot").out
        assert secret.encode() not in (place.folder / "idp.sqlite3").read_bytes()
    assert "never" in place.idp("clients", "show", "robot").out
    third = place.idp("clients", "add-secret", "robot")
    assert (third.code, third.out) == (1, "")
    assert "Revoke" in third.err
    assert place.idp("clients", "revoke-secret", "robot", shown["secrets"][0]["id"]).code == 0
    last = ("clients", "revoke-secret", "robot", added["secret_id"])
    refused = place.idp(*last)
    assert (refused.code, refused.out) == (1, "")
    assert "Add another one first" in refused.err
    assert answered(place, *last, "--force")["revoked"] is True


def test_delete(place: Place) -> None:
    """Gone from the list, its id is not given again; a program is not asked, a person is."""
    answered(place, *WEB)
    answered(place, *ROBOT)
    assert answered(place, "clients", "delete", "shop", "--yes") == {"client_id": "shop", "deleted": True}
    assert [client["client_id"] for client in answered(place, "clients", "list")] == ["robot"]
    again = place.idp(*WEB)
    assert (again.code, again.out) == (1, "")
    assert "taken" in again.err
    for answer, left in ((b"n\n", ["robot"]), (b"y\n", [])):
        mine, theirs = pty.openpty()
        command = [sys.executable, "-m", "idp.cli.main", "clients", "delete", "robot"]
        process = subprocess.Popen(
            command, cwd=place.folder, env=place.environment, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        os.write(mine, answer)
        _, err = process.communicate(timeout=60)
        os.close(mine)
        os.close(theirs)
        assert b"Robot" in err
        assert process.returncode == (130 if left else 0)
        assert [client["client_id"] for client in answered(place, "clients", "list")] == left


REFUSED = [
    ("clients update nobody --name x", 1),
    ("clients delete nobody --yes", 1),
    ("clients add-secret nobody", 1),
    ("clients revoke-secret nobody sec_x", 1),
    ("clients update shop --pkce plain", 2),
    ("clients update shop --providers vk", 1),
    ("clients update shop --kind native", 2),
    ("clients update shop --auth-method client_secret_jwt", 1),
    ("clients update shop --name-in Shop", 2),
    ("clients update shop", 2),
    ("clients update shop --redirect-uri javascript:alert(1)", 1),
    ("clients update shop --auth-method private_key_jwt", 1),
    ("clients revoke-secret shop", 2),
    ("clients revoke-secret shop sec_x", 1),
    ("clients delete", 2),
    ("clients create --kind web --redirect-uri https://a.example/cb", 2),
    ("clients create --kind web --name x", 2),
    ("clients create --kind machine --name x --redirect-uri https://a.example/cb", 1),
    ("clients create --kind native --name x --redirect-uri com.example.app:/cb --auth-method secret", 1),
    ("clients create --kind robot --name x", 2),
    ("clients create --kind native --name x --grant-type authorization_code", 2),
    ("clients create --kind single_page --name x --grant-type device_code", 1),
    ("clients update shop --grant-type password", 2),
    ("clients update shop --resource https://api.example", 1),
]


def test_what_is_refused(place: Place) -> None:
    """With a reason on standard error; nothing on standard output, no traceback."""
    answered(place, *WEB)
    for words, code in REFUSED:
        done = place.idp(*words.split())
        assert (done.code, done.out) == (code, ""), (words, done.err)
        assert done.err.strip()
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "names", "holds"),
    [
        (("--kind", "web"), {".env", "Python: Flask and Authlib", "JavaScript: openid-client"}, "undefined"),
        (("--kind", "web", "--auth-method", "client_secret_basic"), None, "client.ClientSecretBasic('"),
        (("--kind", "web", "--auth-method", "client_secret_post"), None, '"token_endpoint_auth_method": "client_secret_post"'),
        (("--kind", "web", "--auth-method", "none"), {".env", "JavaScript: openid-client"}, "client.None()"),
        (("--kind", "single_page"), {".env", "JavaScript: oidc-client-ts"}, "new UserManager"),
        (("--kind", "native"), {".env", "Android: AppAuth", "JavaScript: openid-client"}, "fetchFromIssuer"),
        (("--kind", "native", "--redirect-uri", "http://127.0.0.1/cb"), {".env", "JavaScript: openid-client"}, "listen(0, '127.0.0.1')"),
    ],
)
def test_every_kind_has_its_texts(place: Place, words: tuple[str, ...], names: set[str] | None, holds: str) -> None:
    """All values are filled in; Python compiles."""
    texts = answered(place, *WEB, *words)["snippets"]
    assert names is None or set(texts) == names
    everything = "\n".join(texts.values())
    assert holds in everything
    assert "http://localhost:8000" in everything
    assert not re.search(r"\$[a-z_]+", everything), everything
    for name, text in texts.items():
        if name.startswith("Python"):
            compile(text, name, "exec")


@pytest.mark.node
@pytest.mark.slow
def test_a_machines_texts_run(place: Place) -> None:
    """Pasted as they are, they get a token: curl where there is one, Python and openid-client, by secret and by key."""
    if reason := machine.relying_parties():
        pytest.skip(reason)
    (place.folder / "node_modules").symlink_to(Path(__file__).parent.parent / "node_modules")
    pem = private("RSA").private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (place.folder / "private-key.pem").write_bytes(pem)
    by_key = ("--auth-method", "private_key_jwt", "--jwks", keys(place, public("RSA", kid="k1")))
    with place.serving("--no-worker") as server:
        place.variables["IDP_SERVER__ISSUER"] = server.url
        texts = answered(place, *ROBOT)["snippets"]
        texts |= {f"{name}, key": text for name, text in answered(place, *ROBOT[:-1], "robot-2", *by_key)["snippets"].items()}
        assert set(texts) == {"curl", "JavaScript: openid-client", "Python: joserfc, key", "JavaScript: openid-client, key"}
        for name, text in texts.items():
            if name == "curl" and not shutil.which("curl"):
                continue
            file = place.folder / ("snippet.mjs" if "Java" in name else "snippet.txt")
            file.write_text(text)
            program = [str(machine.node())] if "Java" in name else ["sh"] if name == "curl" else [sys.executable]
            done = subprocess.run([*program, str(file)], cwd=place.folder, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, (name, done.stderr)
            assert "eyJ" in done.stdout, (name, done.stdout, done.stderr)
