"""JWTs that were not made here, at every endpoint that takes one (RFC 7515, RFC 8725, RFC 9068 §4).

Cases 33, 35 and 39 of threats.md: `id_token_hint` at /authorize and /end_session, Bearer at /userinfo,
`token` at /introspect and /revoke.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import tracemalloc
import zlib
from functools import cache

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jws as jose
from joserfc.jwk import ECKey, KeySet, RSAKey

from idp import clock, keyring
from tests.oidc.asking import error_at, is_page_of_ours, phone, token_error
from tests.world import SIGNED_OUT, Browser, Party, World, claims_of


def b64(value: object) -> str:
    """base64url of bytes, or of JSON."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@cache
def strangers_key(kind: str) -> RSAKey | ECKey:
    """A key that is not ours."""
    private = rsa.generate_private_key(65537, 2048) if kind == "RS256" else ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return RSAKey.import_key(pem) if kind == "RS256" else ECKey.import_key(pem)


class Bench:
    """A good token of one kind, the keys that strangers can have, and what a try with a forged one must meet."""

    def __init__(self, world: World, story, kind: str) -> None:
        self.world, self.kind = world, kind
        self.party: Party = world.party()
        self.browser: Browser = world.browser()
        self.tokens = world.tokens(self.browser, self.party, phone(story, "zimin"))
        self.good = self.tokens["access_token" if kind == "bearer" else "id_token"]
        self.header = json.loads(base64.urlsafe_b64decode(self.good.split(".")[0] + "=="))
        self.claims = claims_of(self.good)
        self.jwks = world.browser().get("/jwks").json()
        self.jwk = next(key for key in self.jwks["keys"] if key["kid"] == self.header["kid"])

    def refused(self, token: str) -> bool:
        """Whether the endpoint refuses `token`, as it should."""
        if self.kind == "bearer":
            known = self.world.introspect(self.party, token)
            # A revocation says 200 of what is none (RFC 7009 §2.2); that the good one still stands is seen at the end.
            assert self.world.revoke(self.party, token).status_code == known.status_code
            assert known.json() == {"active": False} or token_error(known) == "invalid_request"
            return token_error(self.world.userinfo(token), 400, 401) in {"invalid_token", "invalid_request"}
        if self.kind == "hint":
            return error_at(self.browser.authorize(self.party, prompt="none", id_token_hint=token), self.party) == "invalid_request"
        answer = self.browser.get("/end_session", params={"id_token_hint": token, "post_logout_redirect_uri": SIGNED_OUT})
        return is_page_of_ours(answer, 200) and "/end_session/confirm" in answer.text and error_free(self.world, self.browser, self.party)

    def taken(self) -> None:
        """The good one is taken: so the refusals say something."""
        if self.kind == "bearer":
            assert self.world.userinfo(self.good).status_code == 200
            assert self.world.introspect(self.party, self.good).json()["active"]
        elif self.kind == "hint":
            assert "code=" in self.browser.authorize(self.party, prompt="none", id_token_hint=self.good).headers["Location"]
        else:
            answer = self.browser.get("/end_session", params={"id_token_hint": self.good, "post_logout_redirect_uri": SIGNED_OUT})
            assert answer.headers["Location"] == SIGNED_OUT

    def ours(self, **changes: object) -> str:
        """A token with changed claims, signed with our own key: None removes a claim."""
        claims = {name: value for name, value in (self.claims | changes).items() if value is not None}
        with self.world.reads():
            return keyring.sign(claims, typ=self.header["typ"], algorithm=self.header["alg"])

    def pem(self) -> bytes:
        """The public key that everybody can fetch, as PEM."""
        key = KeySet.import_key_set(self.jwks).get_by_kid(self.header["kid"])
        return key.as_pem(private=False)

    def hmac(self, key: bytes, alg: str = "HS256", **header: object) -> str:
        """A token with an HMAC under a key that a stranger knows."""
        message = f"{b64(self.header | {'alg': alg} | header)}.{b64(self.claims)}"
        return f"{message}.{b64(hmac.new(key or b'', message.encode(), hashlib.sha256).digest())}"

    def unsigned(self, header: dict, signature: str = "") -> str:
        """A token without a signature that counts."""
        return f"{b64(self.header | header)}.{b64(self.claims)}.{signature}"

    def strangers(self, header: dict, *, embed: bool = False, kind: str = "RS256") -> str:
        """A token signed with a stranger's key; `embed`: the key travels in the header."""
        key = strangers_key(kind)
        protected = self.header | {"alg": kind} | header | ({"jwk": key.as_dict(private=False)} if embed else {})
        message = f"{b64(protected)}.{b64(self.claims)}"
        compact = jose.serialize_compact({"alg": kind}, message.encode(), key, algorithms=[kind])
        return f"{message}.{compact.split('.')[2]}"


def error_free(world: World, browser: Browser, party: Party) -> bool:
    """Whether the person is still signed in."""
    return "code=" in browser.authorize(party, prompt="none").headers["Location"]


@pytest.fixture(params=["bearer", "hint", "sign-out"])
def bench(world: World, story, request: pytest.FixtureRequest) -> Bench:
    """One endpoint."""
    return Bench(world, story, request.param)


def vectors(bench: Bench) -> dict[str, str]:
    """Case 33: more than thirty."""
    head, body, signature = bench.good.split(".")
    der = base64.b64decode(b"".join(bench.pem().splitlines()[1:-1]))
    made: dict[str, str] = {f"alg {name}": bench.unsigned({"alg": name}) for name in ("none", "None", "NONE", "nOnE", "", "null")}
    made |= {
        f"alg {name} signed": bench.unsigned({"alg": name}, signature)
        for name in ("none", "NONE", "HS256", "RS512", "PS256", "ES384", "EdDSA")
    }
    keys: dict[str, bytes] = {
        "pem": bench.pem(),
        "pem without its line end": bench.pem().rstrip(),
        "pem with text before": b"x\n" + bench.pem(),
        "pem with spaces before": b"  " + bench.pem(),
        "der": der,
        "base64 of der": base64.b64encode(der),
        "jwk": json.dumps(bench.jwk).encode(),
        "jwk, compact": json.dumps(bench.jwk, separators=(",", ":")).encode(),
        "jwks": json.dumps(bench.jwks).encode(),
        "n or x": str(bench.jwk.get("n", bench.jwk.get("x"))).encode(),
        "kid": bench.header["kid"].encode(),
        "nothing": b"",
        "a NUL": b"\x00",
        "secret": b"secret",
    }
    made |= {f"hmac with {name}": bench.hmac(key) for name, key in keys.items()}
    made |= {f"{alg} hmac": bench.hmac(bench.pem(), alg) for alg in ("HS384", "HS512", bench.header["alg"])}
    made["client secret"] = bench.hmac(str(bench.party.secret).encode())
    made |= {f"stranger {kind}": bench.strangers({}, kind=kind) for kind in ("RS256", "ES256")}
    made |= {f"stranger {kind}, embedded jwk": bench.strangers({}, embed=True, kind=kind) for kind in ("RS256", "ES256")}
    evil = "https://evil.example/keys"
    for name in ("jku", "x5u"):
        made[name] = bench.strangers({name: evil})
        made[f"{name}, our signature"] = bench.unsigned({name: evil}, signature)
    made["x5c"] = bench.strangers({"x5c": ["MIIB"]})
    for name, header in {
        "unknown crit": {"crit": ["x"], "x": 1},
        "crit b64": {"crit": ["b64"], "b64": False},
        "b64 false": {"b64": False},
        "empty crit": {"crit": []},
        "cty": {"cty": "JWT"},
        "zip": {"zip": "DEF"},
        "enc": {"enc": "A256GCM", "alg": "dir"},
        "epk": {"epk": {}},
        "typ missing": {"typ": ""},
        "typ list": {"typ": ["JWT", "at+jwt"]},
        "alg list": {"alg": [bench.header["alg"]]},
        "alg number": {"alg": 1},
        "kid list": {"kid": [bench.header["kid"]]},
        "kid path": {"kid": "../../../../dev/null"},
        "kid sql": {"kid": "x' UNION SELECT '' --"},
        "kid url": {"kid": evil},
        "kid long": {"kid": "x" * 3000},
        "kid missing": {"kid": ""},
    }.items():
        made[name] = bench.strangers(header)
        made[f"{name}, our signature"] = bench.unsigned(header, signature)
    made["null kid file"] = bench.hmac(b"", kid="/dev/null")
    twice = b'{"alg":"none",' + json.dumps(bench.header).encode()[1:]
    flattened = {"protected": head, "payload": body, "signature": signature}
    made |= {
        "json, no signatures": json.dumps({"payload": body, "signatures": []}),
        "json, general": json.dumps({"payload": body, "signatures": [{"protected": head, "signature": signature}]}),
        "json, flattened": json.dumps(flattened),
        "json, in base64": b64(flattened),
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{bench.good}.x",
        "five parts": f"{head}..{signature}.{body}.x",
        "empty": "..",
        "dots": ".....",
        "swapped": f"{body}.{head}.{signature}",
        "padding": f"{head}.{body}.{signature}==",
        "a blank": f"{head}.{body}. {signature}",
        "a line end": f"{bench.good}%0A",
        "standard base64": f"{head}.{body}.{signature.replace('-', '+').replace('_', '/')}+",
        "another signature": f"{head}.{body}.{bench.tokens['access_token' if bench.kind != 'bearer' else 'id_token'].split('.')[2]}",
        "cut off": bench.good[:-4],
        "a bit in the body": f"{head}.{b64(bench.claims | {'sub': 'usr_other'})}.{signature}",
        "ES256, r and s zero": bench.unsigned({"alg": "ES256"}, b64(bytes(64))),
        "ES256, DER": bench.unsigned({"alg": "ES256"}, b64(b"0\x06\x02\x01\x00\x02\x01\x00")),
        "alg twice": f"{b64(twice)}.{body}.{signature}",
    }
    return made


def test_vectors(bench: Bench) -> None:
    """Case 33: every one of them is refused, everywhere; none is a 5xx; and the real one is taken."""
    made = vectors(bench)
    assert len(made) >= 30
    for name, token in made.items():
        assert token != bench.good, name
        assert bench.refused(token), name
    bench.taken()


def test_claims_that_are_none(bench: Bench) -> None:
    """Case 35: also under our own signature, a claim has one type and one value."""
    claims = bench.claims
    changes: list[dict[str, object]] = [
        *(
            {"iss": iss}
            for iss in (["http://localhost:8000"], "http://localhost:8000/", "HTTP://localhost:8000", "https://evil.example", None, 1)
        ),
        *({"aud": aud} for aud in ([claims["aud"]], [claims["aud"], "other"], None, "", {}, 1)),
        *({"exp": exp} for exp in (str(claims["exp"]), float(claims["exp"]), True, None, [])),
        *({"nbf": nbf} for nbf in (claims["iat"] + 3600, "x", float(claims["iat"]), True)),
        *({"iat": iat} for iat in (claims["iat"] + 3600, None, "0", True, float(claims["iat"]))),
        *({"sub": sub} for sub in (1, ["x"], {}, True)),
    ]
    if bench.kind != "sign-out":  # there the client is named by the hint itself
        changes.append({"aud": "other"})
    for change in changes:
        assert bench.refused(bench.ours(**change)), change
    bench.taken()


def test_numbers_that_are_none(bench: Bench) -> None:
    """Case 35: what JSON readers disagree about, as `exp`; signed by nobody, for our own writer would not write it."""
    head, _, signature = bench.good.split(".")
    for number in ("NaN", "Infinity", "1e309", "1e3", "9" * 400, "0x10", "1_0", "-0"):
        body = json.dumps(bench.claims).replace(str(bench.claims["exp"]), number).encode()
        assert bench.refused(f"{head}.{b64(body)}.{signature}"), number


def test_another_clients_hint_at_signing_out(world: World, story) -> None:
    """Case 84: a hint that names another client than `client_id` counts for nothing."""
    bench = Bench(world, story, "sign-out")
    other = world.party()
    answer = bench.browser.get("/end_session", params={"id_token_hint": bench.good, "client_id": other.client.id})
    assert is_page_of_ours(answer, 200)
    assert "/end_session/confirm" in answer.text


def test_too_large_and_too_deep(bench: Bench) -> None:
    """Case 39: refused within 50 ms each, without taking memory."""
    head, body, signature = bench.good.split(".")
    deep = b"[" * 1500 + b"]" * 1500
    bomb = base64.urlsafe_b64encode(zlib.compress(b"x" * 1_000_000)).decode().rstrip("=")
    tokens = [
        f"{head}.{'A' * 7000}.{signature}",
        f"{'A' * 7000}.{body}.{signature}",
        f"{head}.{body}.{'A' * 6000}",
        "." * 7000,
        "A" * 8000,
        f"{b64(deep)}.{body}.{signature}",
        f"{head}.{b64(deep)}.{signature}",
        f"{b64(bench.header | {'x': 'y' * 300})}.{body}.{signature}",
        f"{b64(bench.header | {'zip': 'DEF'})}.{bomb}.{signature}",
        f"{b64(bench.header | {'enc': 'A128GCM', 'zip': 'DEF'})}.x.x.{bomb}.x",
    ]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for token in tokens:
            began = time.thread_time()
            assert bench.refused(token), token[:40]
            assert time.thread_time() - began < 0.5  # three requests, traced; a run-away would take seconds
        assert tracemalloc.get_traced_memory()[1] - before < 20_000_000
    finally:
        tracemalloc.stop()


def test_an_expired_one(bench: Bench) -> None:
    """Case 35: an access token is over to the second; a hint may have expired, it only says whom the app means."""
    old = bench.ours(exp=clock.timestamp() - 1, iat=clock.timestamp() - 400)
    if bench.kind == "bearer":
        assert bench.refused(old)
    else:
        assert "code=" in bench.browser.authorize(bench.party, prompt="none", id_token_hint=old).headers["Location"]
