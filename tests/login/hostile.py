"""Another provider that lies in every way it can be asked to: discovery, keys, tokens and answers are what a test makes of them.

It speaks HTTP on loopback; the person's browser is not sent there: `Upstream.agree` answers in its place.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from idp import clock, crypto
from tests.world import Browser

SECRET = "s" * 40
KEYS: dict[str, Any] = {
    "RS256": RSAKey.import_key(
        rsa.generate_private_key(65537, 2048).private_bytes(
            *(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
    ),
    "ES256": ECKey.import_key(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            *(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
    ),
    "Ed25519": OKPKey.import_key(
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            *(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
    ),
}
KEYS["PS256"] = KEYS["RS256"]


def segment(value: object) -> str:
    """A part of a JWT."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Upstream(ThreadingHTTPServer):
    """The provider. `claims`, `header`, `metadata` are merged over what is right; None takes a member out."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.reset()

    def reset(self) -> None:
        """An honest provider, of somebody called Vera."""
        self.subject = "vera-1"
        self.algorithm = "ES256"
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.token: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.make: Callable[[dict[str, Any], dict[str, Any]], str] = self.sign
        self.status: dict[str, int] = {}
        self.token_paths = {"/token"}  # where codes are redeemed
        self.huge: set[str] = set()  # paths that answer more than anybody needs
        self.dripping: set[str] = set()  # and those that answer a byte at a time
        self.asked: dict[str, dict[str, str]] = {}  # code -> what the browser brought
        self.seen: list[tuple[str, dict[str, str], dict[str, str]]] = []  # path, form or query, headers

    def settings(self, **more: object) -> dict[str, object]:
        """The `[providers.<key>]` of it."""
        return {"title": "Upstream", "issuer": self.issuer, "client_id": "us", "client_secret": SECRET, **more}

    def agree(self, sent: httpx2.Response, **changes: str | None) -> str:
        """What the browser is sent back with, when the person agreed to what `sent` (the redirect to us) asks; `changes` as for claims."""
        address = sent.headers["Location"]
        asked = dict(parse_qsl(urlsplit(address).query))
        code = crypto.new_secret()
        self.asked[code] = asked
        answer = {"code": code, "state": asked["state"], **changes}
        return asked["redirect_uri"] + "?" + urlencode({name: value for name, value in answer.items() if value is not None})

    def sign(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """A JWT as it should be."""
        name = "Ed25519" if header["alg"] == "EdDSA" else header["alg"]
        registry = jws.JWSRegistry(algorithms=["RS256", "PS256", "ES256", "Ed25519"], strict_check_header=False)
        message = f"{segment(header)}.{segment(claims)}"
        return f"{message}.{segment(registry.get_alg(name).sign(message.encode(), KEYS[name]))}"

    def id_token(self, asked: dict[str, str]) -> str:
        """The ID token for a journey."""
        now = clock.timestamp()
        claims = {"iss": self.issuer, "sub": self.subject, "aud": asked["client_id"], "iat": now, "exp": now + 300}
        claims |= {"nonce": asked.get("nonce"), "name": "Vera Upstream", "amr": ["hwk", "mfa"], "acr": "4", "roles": ["owner"]}
        header = {"alg": self.algorithm, "kid": self.algorithm, "typ": "JWT"}
        return self.make(_merged(header, self.header), _merged(claims, self.claims))

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        keys = [{**KEYS[name].as_dict(private=False), "kid": name, "use": "sig"} for name in ("RS256", "ES256", "Ed25519")]
        return {"keys": [*keys, {**keys[0], "kid": "PS256"}]}


def _merged(right: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**right, **changes}.items() if value is not None}


class _Handler(BaseHTTPRequestHandler):
    server: Upstream

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Discovery, keys, userinfo."""
        parts = urlsplit(self.path)
        here = self.server.issuer
        query = dict(parse_qsl(parts.query))
        self.server.seen.append((parts.path, query, dict(self.headers)))
        if parts.path == "/.well-known/openid-configuration":
            known = {"issuer": here, "authorization_endpoint": f"{here}/authorize", "token_endpoint": f"{here}/token"}
            known |= {
                "jwks_uri": f"{here}/jwks",
                "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA", "HS256", "none"],
            }
            self._say(parts.path, _merged(known, self.server.metadata))
        elif parts.path == "/jwks":
            self._say(parts.path, self.server.jwks())
        elif parts.path in self.server.token_paths:
            self._redeem(query)
        else:
            self._say(parts.path, self.server.userinfo)

    def do_POST(self) -> None:
        """Tokens, and userinfo for those who post."""
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.server.seen.append((self.path, form, dict(self.headers)))
        if self.path in self.server.token_paths:
            self._redeem(form)
        else:
            self._say(self.path, self.server.userinfo)

    def _redeem(self, form: dict[str, str]) -> None:
        asked = self.server.asked.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if asked is None or ("code_challenge" in asked and asked["code_challenge"] != challenge):
            self._say("/token", {"error": "invalid_grant"}, status=400)
            return
        answer = {"access_token": "upstream-access", "token_type": "Bearer"}
        if "openid" in asked.get("scope", "").split():
            answer["id_token"] = self.server.id_token(asked)
        self._say("/token", _merged(answer, self.server.token))

    def _say(self, path: str, value: object, *, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(self.server.status.get(path, status))
        if self.server.status.get(path) == 302:
            self.send_header("Location", f"{self.server.issuer}/elsewhere")
        self.send_header("Content-Type", "application/json")
        if path not in self.server.huge:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if path in self.server.huge:
            body = b" " * 300_000 + body
        if path in self.server.dripping:
            with suppress(OSError):
                for each in body:
                    self.wfile.write(bytes([each]))
                    time.sleep(0.1)
            return
        self.wfile.write(body)


@contextmanager
def running() -> Iterator[Upstream]:
    """The provider, on a port of loopback."""
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def oct_key(secret: bytes) -> Any:
    """A key of the kind that signs nothing here."""
    return OctKey.import_key(secret)


def sent_to(browser: Browser, page: httpx2.Response, key: str = "up") -> httpx2.Response:
    """Press the button: the redirect to the provider."""
    answer = browser.press(page, f"/social/{key}")
    assert answer.status_code == 303, answer.text
    return answer
