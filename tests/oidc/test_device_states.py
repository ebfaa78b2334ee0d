"""A device's row whatever happens to it, in any order and at any time (RFC 8628 §3.5): a model, and the provider beside it.

Two devices of a client, another client, two people, a clock that goes on. What each question is answered is what the model says; tokens
come once, to the right client, of the person who allowed it; and nothing is ever a server error.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from idp import clock
from idp.cli.demo_story import Story
from idp.clock import freeze
from tests.conftest import Told
from tests.machine import count
from tests.oidc.asking import person, signed_in
from tests.oidc.devices import begun, polls, television, types
from tests.world import Browser, Party, World, claims_of

PEOPLE = ("zimin", "orlov")
OWN, OTHER = 0, 1


@dataclass
class Waiting:
    """What the model knows of one device."""

    codes: dict[str, Any]
    began: float
    state: str = "waiting"
    who: str = ""
    pause: float = 5
    polled: float | None = None


@pytest.mark.slow
def test_any_order(told: Told, story: Story) -> None:
    """The model and the provider never disagree."""

    class Devices(RuleBasedStateMachine):
        @initialize()
        def begin_all(self) -> None:
            self.stack = ExitStack()
            self.url = told.copy()
            self.world = World(
                told.settings(self.url, oidc={"wrong_user_codes_per_hour": 10**6, "network_wrong_user_codes_per_hour": 10**6})
            )
            self.shift = self.stack.enter_context(freeze(clock.now()))
            self.now = 0.0
            self.people: dict[str, Browser] = {key: signed_in(self.world, story, key) for key in PEOPLE}
            self.clients: list[Party] = [television(self.world), television(self.world)]
            self.waiting: list[Waiting] = []
            self.pages: dict[tuple[str, int], Any] = {}

        def _is_over(self, device: Waiting) -> bool:
            return self.now >= device.began + 600

        @rule(seconds=st.sampled_from([0.5, 4.999, 5, 10, 61, 300]))
        def wait(self, seconds: float) -> None:
            self.shift(seconds)
            self.now += seconds

        @rule()
        def begin(self) -> None:
            if len(self.waiting) < 2:
                self.waiting.append(Waiting(begun(self.world, self.clients[OWN]), self.now))

        @rule(which=st.integers(0, 1), key=st.sampled_from(PEOPLE))
        def type_code(self, which: int, key: str) -> None:
            if which >= len(self.waiting):
                return
            device = self.waiting[which]
            page = types(self.people[key], device.codes["user_code"].lower())
            good = device.state == "waiting" and not self._is_over(device)
            assert page.status_code == (200 if good else 422), page.text
            if good:
                self.pages[key, which] = page

        @rule(which=st.integers(0, 1), key=st.sampled_from(PEOPLE), pressed=st.sampled_from(["allow", "deny"]))
        def press(self, which: int, key: str, pressed: str) -> None:
            page = self.pages.pop((key, which), None)
            if page is None:
                return
            device, browser = self.waiting[which], self.people[key]
            good = device.state == "waiting" and not self._is_over(device)
            done = browser.onward(browser.submit(page, answer=pressed))
            assert done.status_code == (200 if good else 410), done.text
            if good:
                device.state, device.who = ("allowed" if pressed == "allow" else "denied"), key

        @rule(which=st.integers(0, 1), whose=st.sampled_from([OWN, OWN, OWN, OTHER]))
        def ask(self, which: int, whose: int) -> None:
            if which >= len(self.waiting):
                return
            device = self.waiting[which]
            answer = polls(self.world, self.clients[whose], device.codes["device_code"])
            expected = self._expected(device, whose)
            body = answer.json()
            assert (answer.status_code, body.get("error", "")) == (400 if expected else 200, expected)
            if not expected:
                assert claims_of(body["id_token"])["sub"] == person(story, device.who).user_id
                device.state = "used"

        def _expected(self, device: Waiting, whose: int) -> str:
            if whose == OTHER or device.state == "used":
                return "invalid_grant"
            if device.state == "denied":
                return "access_denied"
            if self._is_over(device):
                return "expired_token"
            if device.state == "allowed":
                return ""
            in_time = device.polled is None or self.now - device.polled >= device.pause - 1e-6
            device.polled = self.now
            if in_time:
                return "authorization_pending"
            device.pause += 5
            return "slow_down"

        def teardown(self) -> None:
            if hasattr(self, "stack"):
                self.stack.close()
                self.world.close()
                told.drop(self.url)

    limits = settings(
        max_examples=count(5, 200), stateful_step_count=25, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Devices, settings=limits)
