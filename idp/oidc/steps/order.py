"""The desk: which step comes next. This page is the only one that knows the order."""

from __future__ import annotations

from idp.oidc.steps import account, consent, sign_in
from idp.oidc.steps.journey import Journey, Open

STEPS = (sign_in.check, account.check, consent.check)


def next_step(journey: Journey) -> Open | None:
    """The first step that is still open, asked anew each time; None: a code can be issued."""
    for check in STEPS:
        step = check(journey)
        if step is not None:
            return step
    return None
