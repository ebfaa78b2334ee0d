"""R7: keys are rotated while relying parties validate, and no validation fails.

The relying parties are joserfc with a JWKS that is fetched again only when its max-age is over: an unknown `kid` makes nobody look earlier
(OpenID Connect Core §10.1.1). Times are those of production, divided by an hour.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from idp import keyring
from tests.conftest import Told
from tests.faults.conftest import BOTH_AT_TIMES
from tests.faults.served import Served, served
from tests.machine import count
from tests.world import answer_of

MAX_AGE, PUBLISHED_BEFORE, LIFETIME = 1, 3, 4  # seconds
ROTATIONS = count(2, 20)
VALIDATORS, PER_SECOND = 4, 100


class Holder:
    """A session's refresh token, spent again and again: where fresh tokens come from. The newest stand at the end."""

    def __init__(self, provider: Served) -> None:
        self.provider, self.party = provider, provider.party(id_token_signed_response_alg="RS256")
        browser = provider.browser()
        code = answer_of(provider.sign_in(browser, self.party, "+79005553501", scope="openid"))["code"]
        self.refresh_token = ""
        self.tokens: deque[tuple[float, str, str]] = deque(maxlen=2000)
        self.kids: set[str] = set()
        self._keep(provider.redeem(self.party, code))

    def _keep(self, answer: httpx2.Response) -> None:
        assert answer.status_code == 200, answer.text
        given = answer.json()
        self.refresh_token = given["refresh_token"]
        self.tokens.append((time.monotonic(), given["id_token"], given["access_token"]))

    def refresh(self) -> None:
        """One more pair of tokens."""
        self._keep(self.provider.refresh(self.party, self.refresh_token))


class Validator:
    """A relying party's server and its cache."""

    def __init__(self, provider: Served, holder: Holder) -> None:
        self.provider, self.holder = provider, holder
        self.http = provider.browser()
        self.keys: KeySet | None = None
        self.until = 0.0
        self.validated, self.failed, self.kids = 0, [], set[str]()

    def validate(self) -> None:
        """Some token that has not expired, both kinds, with what is in the cache."""
        now = time.monotonic()
        if now >= self.until:
            answer = self.http.get("/jwks")
            self.until = now + int(answer.headers["Cache-Control"].partition("max-age=")[2].partition(",")[0])
            self.keys = KeySet.import_key_set(answer.json())
        live = [pair for pair in list(self.holder.tokens) if pair[0] > now - LIFETIME + 1]
        for token in random.choice(live)[1:] if live else ():
            try:
                opened: Any = jwt.decode(token, self.keys, algorithms=["RS256", "ES256"])
                self.kids.add(opened.header["kid"])
            except Exception as e:
                self.failed.append(f"{type(e).__name__}: {e}")
            self.validated += 1


@pytest.mark.parametrize("told_on_both", BOTH_AT_TIMES, indirect=True)
def test_keys_are_rotated_under_validations(told_on_both: Told, tmp_path: Path) -> None:
    """R7: a hundred validations a second through every rotation: none fails, at relying parties or at userinfo."""
    keys = {"jwks_max_age": MAX_AGE, "published_before": PUBLISHED_BEFORE}
    oidc = {"id_token_lifetime": LIFETIME, "access_token_lifetime": LIFETIME}
    with served(told_on_both, tmp_path, workers=2, keys=keys, oidc=oidc) as provider:
        holder = Holder(provider)
        validators = [Validator(provider, holder) for _ in range(VALIDATORS)]
        over = threading.Event()
        broken: list[BaseException] = []

        def again_and_again(act: Any, pause: float) -> None:
            try:
                while not over.is_set():
                    act()
                    over.wait(pause)
            except BaseException as e:
                broken.append(e)

        def userinfo() -> None:
            assert provider.userinfo(holder.tokens[-1][2]).status_code == 200

        work = [(validator.validate, 2 * VALIDATORS / PER_SECOND) for validator in validators]
        work += [(holder.refresh, 0.05), (userinfo, 0.1)]
        threads = [threading.Thread(target=again_and_again, args=each) for each in work]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            for rotation in range(ROTATIONS):  # the first next key stands there since the story was told
                time.sleep(PUBLISHED_BEFORE + 0.2 if rotation else MAX_AGE)
                with provider.writes():
                    keyring.rotate()
            time.sleep(MAX_AGE + 1)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        seconds = time.monotonic() - began
        assert not broken, broken
        failed = [failure for validator in validators for failure in validator.failed]
        assert not failed, failed[:5]
        validated = sum(validator.validated for validator in validators)
        assert validated >= PER_SECOND * seconds / 2  # a busy machine is slow; without load it is the full number
        assert len(set().union(*(validator.kids for validator in validators))) == 2 * (ROTATIONS + 1)
