"""A laboratory for the portals: a small OpenID provider on loopback that answers, lies and fails as a test wants.

It stands in for a stranger's provider, so it is written from the specifications and shares no code with ours. It signs everybody
in without a page; what it says about the person is in `claims`, and can be changed while the test runs.
"""

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.machine import AUTHORITIES

SECRET = "lab-secret"
ROMASHKA = {"company_id": "cmp_romashka", "company_name": "ООО «Ромашка»", "company_inn": "7707083893"}
SMIRNOVA = {"company_id": "cmp_smirnova", "company_name": "ИП Смирнова А. В.", "company_inn": "500100732259"}
STOPPED = {"company_id": "cmp_wind", "company_name": "ООО «Северный ветер»", "company_inn": "7830002293"}
COMPANIES = {company["company_id"]: company for company in (ROMASHKA, SMIRNOVA, STOPPED)}
EVERYTHING = [
    *("orders:read", "orders:write", "products:read", "products:write", "prices:write", "photos:write", "stock:read", "stock:write"),
    *("logistics:read", "logistics:write", "shipping:read", "shipping:write", "returns:read", "returns:write", "labels:print"),
    *("customers:read", "customers:write", "finance:read", "finance:write", "documents:read", "employees:read", "employees:write"),
    *("roles:write", "company:read", "company:write", "partners:read", "partners:write"),
]


class Quiet(WSGIRequestHandler):
    def log(self, *args: object, **kwargs: object) -> None:
        pass


@contextmanager
def serve(app: Any, port: int = 0) -> Iterator[int]:
    """Serve a WSGI app on loopback with a thread per request; gives its port."""
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Lab:
    """The provider's state. What begins with `lie_` or `fail_` makes it misbehave."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "lab", "use": "sig"}))
    name: str = "Анна Смирнова"
    sid: str = "ses_lab"
    roles: dict[str, tuple[list[str], list[str]]] = field(
        default_factory=lambda: {
            "cmp_romashka": (["accountant"], ["documents:read", "finance:read"]),
            "cmp_smirnova": (["owner"], EVERYTHING),
        }
    )
    default_company: str = "cmp_romashka"
    alive: bool = True
    lifetime: int = 300
    authorize_error: dict[str, str] = field(default_factory=dict)  # prompt ("" for none given): error
    switch_error: str | None = None
    refresh_error: str | None = None
    refresh_delay: float = 0
    fail_answers: int = 0  # so many token answers are worked out and then lost
    lie_id_token: dict[str, Any] = field(default_factory=dict)
    lie_userinfo: dict[str, Any] = field(default_factory=dict)
    lie_answer: dict[str, str | None] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)  # authorization requests
    tokens_asked: list[dict[str, str]] = field(default_factory=list)
    userinfo_asked: int = 0
    jwks_asked: int = 0
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access: dict[str, str] = field(default_factory=dict)  # access token: company
    refresh: dict[str, str] = field(default_factory=dict)  # living refresh token: company
    used: dict[str, dict[str, Any]] = field(default_factory=dict)  # spent refresh token: the answer it got
    lock: threading.RLock = field(default_factory=threading.RLock)

    def claims(self, company_id: str, scope: str) -> dict[str, Any]:
        found: dict[str, Any] = {"sub": "usr_anna", "name": self.name}
        if "company" in scope.split() and company_id:
            roles, permissions = self.roles[company_id]
            found |= COMPANIES[company_id] | {
                "company_type": "legal_entity",
                "company_status": "active",
                "roles": roles,
                "permissions": permissions,
            }
        if "companies" in scope.split():
            found["companies"] = [
                {
                    "id": key,
                    "name": COMPANIES[key]["company_name"],
                    "inn": COMPANIES[key]["company_inn"],
                    "status": "active",
                    "roles": roles,
                }
                for key, (roles, _) in self.roles.items()
            ] + [{"id": "cmp_wind", "name": "ООО «Северный ветер»", "inn": "7830002293", "status": "suspended", "roles": ["manager"]}]
        return found

    def answer(self, company: str, scope: str, nonce: str | None = None) -> dict[str, Any]:
        access, refresh = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self.access[access], self.refresh[refresh] = company, company
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "portal", "exp": now + 300, "iat": now, "sid": self.sid, **self.claims(company, scope)}
        claims |= ({"nonce": nonce} if nonce else {}) | self.lie_id_token
        return {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "id_token": jwt.encode({"alg": "RS256", "kid": "lab"}, claims, self.key),
        }

    def logout_token(self, typ: str | None = "logout+jwt", key: RSAKey | None = None, **changes: Any) -> str:
        """What the provider's server sends when a session has ended; `changes` replace claims, or (None) take them out."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "portal", "iat": now, "exp": now + 120, "jti": secrets.token_urlsafe(8)}
        claims |= {"sub": "usr_anna", "sid": self.sid, "events": {"http://schemas.openid.net/event/backchannel-logout": {}}, **changes}
        header = {"alg": "RS256", "kid": "lab"} | ({"typ": typ} if typ else {})
        return jwt.encode(header, {name: value for name, value in claims.items() if value is not None}, key or self.key)

    def app(self) -> Flask:
        app = Flask("lab")
        scopes: dict[str, str] = {"last": "openid"}

        @app.get("/.well-known/openid-configuration")
        def discovery() -> dict[str, Any]:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "end_session_endpoint": f"{self.issuer}/end_session",
                "jwks_uri": f"{self.issuer}/jwks",
                "id_token_signing_alg_values_supported": ["RS256"],
                "authorization_response_iss_parameter_supported": True,
            }

        @app.get("/jwks")
        def jwks() -> dict[str, Any]:
            self.jwks_asked += 1
            return {"keys": [self.key.as_dict(private=False)]}

        @app.get("/authorize")
        def authorize() -> Response:
            asked = request.args.to_dict()
            self.asked.append(asked)
            scopes["last"] = asked["scope"]
            back: dict[str, Any] = {"state": asked["state"], "iss": self.issuer}
            error = self.authorize_error.get(asked.get("prompt", ""))
            if error:
                back |= {"error": error, "error_description": "The lab says no."}
            else:
                code = secrets.token_urlsafe(8)
                self.codes[code] = asked
                back["code"] = code
            back |= self.lie_answer
            query = urlencode({name: value for name, value in back.items() if value is not None})
            return redirect(f"{asked['redirect_uri']}?{query}", 303)  # type: ignore[return-value]

        @app.post("/token")
        def token() -> Any:
            asked = request.form.to_dict()
            if request.authorization is None or (request.authorization.username, request.authorization.password) != ("portal", SECRET):
                return jsonify(error="invalid_client"), 401
            with self.lock:
                self.tokens_asked.append(asked)
                found = self._code(asked, scopes["last"]) if "code" in asked else self._refreshed(asked, scopes["last"])
                lose, self.fail_answers = self.fail_answers > 0, max(0, self.fail_answers - 1)
            time.sleep(self.refresh_delay)
            if lose:
                request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return jsonify(found), (400 if "error" in found else 200)

        @app.get("/userinfo")
        def userinfo() -> Any:
            self.userinfo_asked += 1
            bearer = request.authorization.token if request.authorization else None
            if not self.alive or bearer not in self.access:
                return "", 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return self.claims(self.access[bearer], scopes["last"]) | self.lie_userinfo

        @app.get("/end_session")
        def end_session() -> Response:
            asked = request.args.to_dict()
            self.asked.append(asked)
            return redirect(f"{asked['post_logout_redirect_uri']}?{urlencode({'state': asked['state']})}", 303)  # type: ignore[return-value]

        return app

    def _code(self, asked: dict[str, str], scope: str) -> dict[str, Any]:
        begun = self.codes.pop(asked["code"], None)
        if begun is None or begun["redirect_uri"] != asked["redirect_uri"]:
            return {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if begun["code_challenge_method"] != "S256" or challenge != begun["code_challenge"]:
            return {"error": "invalid_grant"}
        company = begun.get("company") or (self.default_company if "company" in scope.split() else "")
        return self.answer(company, scope, begun["nonce"])

    def _refreshed(self, asked: dict[str, str], scope: str) -> dict[str, Any]:
        spent = asked["refresh_token"]
        if spent in self.used:  # the grace: a lost answer is given once more
            return self.used[spent]
        if self.refresh_error:
            return {"error": self.refresh_error}
        if spent not in self.refresh:
            return {"error": "invalid_grant"}
        if asked.get("company") and self.switch_error:
            return {"error": self.switch_error}
        found = self.answer(asked.get("company") or self.refresh[spent], scope)
        del self.refresh[spent]
        self.used[spent] = found
        return found


def environment(lab: Lab, port: int, store: Path, **more: str) -> dict[str, str]:
    """What a portal's environment says in the laboratory."""
    return {
        "OIDC_ISSUER": lab.issuer,
        "OIDC_CLIENT_ID": "portal",
        "OIDC_CLIENT_SECRET": SECRET,
        "PORTAL_URL": f"http://localhost:{port}",
        "PORTAL_STORE": str(store),
        **more,
    }


class Browser(httpx2.Client):
    """A browser as far as HTTP goes: cookies, redirects, and the forms of the last page."""

    def __init__(self, base: str, language: str = "en") -> None:
        headers = {"Accept-Language": language}
        super().__init__(base_url=base, headers=headers, follow_redirects=True, timeout=20, verify=AUTHORITIES)

    def press(self, path: str, **fields: str) -> httpx2.Response:
        """Send a form that stands on the first page, with its token."""
        page = self.get("/").text
        token = page.partition('name="form_token" value="')[2].partition('"')[0]
        return self.post(path, data={"form_token": token, **fields})

    def holding(self, secret: str, name: str = "seller_session") -> str:
        """The first page as shown to whoever sends this cookie, and no other."""
        with httpx2.Client(verify=AUTHORITIES) as other:
            return other.get(self.base_url, headers={"Cookie": f"{name}={secret}", "Accept-Language": "en"}).text

    def secret(self, name: str = "seller_session") -> str | None:
        return next((cookie.value for cookie in self.cookies.jar if cookie.name == name), None)
