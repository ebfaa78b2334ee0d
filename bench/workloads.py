"""What relying parties and people do, as scripts of virtual users; beside each the least that its answers need (`FLOORS`)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from bench.load import Answer, Script, get, post

CALLBACK = "https://rp.example/callback"
VERIFIER = "bench-verifier-of-more-than-forty-three-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
HIDDEN = re.compile(rb'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Lab:
    """What the workloads know: where, which client, whose number, and the one-time code of a number."""

    host: str
    client_id: str
    secret: str
    phone: str
    code: str

    @property
    def basic(self) -> str:
        """The client's Authorization header."""
        return "Basic " + base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()

    def authorize(self) -> str:
        """The path of an authorization request."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid profile",
            "state": "s",
            "nonce": "n",
        }
        return "/authorize?" + urlencode(asked | {"code_challenge": CHALLENGE, "code_challenge_method": "S256"})

    def redeem(self, answer: Answer) -> bytes:
        """The token request for the code in a redirect."""
        code = parse_qs(urlsplit(answer.header(b"location")).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return post("/token", self.host, urlencode(form), authorization=self.basic)


# Least work of one operation, as requests to the floor. A code: a look at the session, a commit. Redeeming one: a look, a commit, two
# signatures. A machine's JWT: a signature; an opaque token: a commit. Userinfo and introspection: a look at the token and the person, for
# a JWT after a verification. A sign-in: a commit for what is parked; the page (a look at the sign-in); a commit for the code that is sent;
# the page; two commits for guess and session, after looks at sign-in, code and person.
ISSUE = "/do?reads=1&commits=1"
REDEEM = "/do?reads=1&commits=1&signs=2"
PLAIN = "/do?commits=1&signs=1"  # a bare view, one signature, one durable commit: what speed.md measures every request by
LOOK = "/do?reads=1"
FLOORS = {
    "flow": [ISSUE, REDEEM],
    "refresh": [REDEEM],
    "client credentials": ["/do?signs=1"],
    "client credentials, opaque": ["/do?commits=1"],
    "userinfo": ["/do?verifies=1&reads=1"],
    "userinfo, opaque": [LOOK],
    "introspection": ["/do?verifies=1&reads=1"],
    "introspection, opaque": [LOOK],
    "sign-in": ["/do?commits=1", LOOK, ISSUE, "/do?reads=2", "/do?reads=3&commits=2", "/do?reads=2&commits=1", REDEEM],
}


def floor(host: str, paths: list[str]) -> Callable[[], Script]:
    """The floor's requests of one operation, one after the other."""

    def script() -> Script:
        for path in paths:
            answer = yield get(path, host)
            if answer.status != 200:
                return 0
        return 1

    return script


def sign_in(lab: Lab) -> Callable[[], Script]:
    """A person in a fresh browser: the page, the number, the code, back to the relying party, and its token request."""
    return sign_in_with(lab, lab.phone, lambda _: lab.code)


def sign_in_with(lab: Lab, phone: str, code_of: Callable[[str], str]) -> Callable[[], Script]:
    """The same for the person with this number; `code_of` looks up the code of a sign-in by its id."""

    def script() -> Script:
        cookies: dict[str, str] = {}
        answer, path = yield from _follow(lab, lab.authorize(), cookies)
        token = HIDDEN.search(answer.body)
        if token is None:
            return 0
        form = urlencode({"csrf_token": token[1].decode(), "phone": phone})
        answer = yield post(path, lab.host, form, cookies=cookies)
        answer, path = yield from _follow(lab, answer.header(b"location"), cookies)
        token = HIDDEN.search(answer.body)
        if token is None:
            return 0
        form = urlencode({"csrf_token": token[1].decode(), "code": code_of(path.split("/")[2])})
        answer = yield post(path, lab.host, form, cookies=cookies)
        cookies |= answer.cookies()
        answer, path = yield from _follow(lab, answer.header(b"location"), cookies)
        answer = yield lab.redeem(answer)
        return int(answer.status == 200)

    return script


def _follow(lab: Lab, path: str, cookies: dict[str, str]) -> Script:  # type: ignore[misc] # it returns more than a script does
    while True:
        answer = yield get(path, lab.host, cookies=cookies)
        cookies |= answer.cookies()
        to = answer.header(b"location")
        if answer.status != 303 or to.startswith(CALLBACK):
            return answer, path
        path = to


def flow(lab: Lab, cookies: dict[str, str]) -> Callable[[], Script]:
    """A code on an existing session, redeemed."""

    def script() -> Script:
        answer = yield get(lab.authorize(), lab.host, cookies=cookies)
        answer = yield lab.redeem(answer)
        return int(answer.status == 200)

    return script


def refresh(lab: Lab, tokens: list[str]) -> Callable[[], Script]:
    """A chain of rotations for each user."""

    def script() -> Script:
        token = tokens.pop()
        try:
            answer = yield post("/token", lab.host, f"grant_type=refresh_token&refresh_token={quote(token)}", authorization=lab.basic)
            if answer.status != 200:
                return 0
            token = json.loads(answer.body)["refresh_token"]
        finally:  # a round that ends before the answer loses it: the same token again, within the grace, gives the same successor
            tokens.append(token)
        return 1

    return script


def userinfo(lab: Lab, access_token: str) -> Callable[[], Script]:
    """Who is it?"""

    def script() -> Script:
        answer = yield get("/userinfo", lab.host, authorization=f"Bearer {access_token}")
        return int(answer.status == 200 and b'"sub"' in answer.body)

    return script


def introspection(lab: Lab, token: str) -> Callable[[], Script]:
    """Does it stand?"""

    def script() -> Script:
        answer = yield post("/introspect", lab.host, f"token={quote(token)}", authorization=lab.basic)
        return int(answer.status == 200 and b'"active":true' in answer.body)

    return script


def client_credentials(lab: Lab) -> Callable[[], Script]:
    """A machine asks for itself."""

    def script() -> Script:
        answer = yield post("/token", lab.host, "grant_type=client_credentials", authorization=lab.basic)
        return int(answer.status == 200 and b'"access_token"' in answer.body)

    return script
