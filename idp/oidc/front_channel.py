"""Tokens in the answer of the authorization endpoint: the implicit and the hybrid flow (OpenID Connect Core §3.2, §3.3).

Only where the operator has turned them on, for clients that are registered for them (`delegation/response_types`). They belong to a token
family like all others: what ends that (a replay of the code beside them, signing out) ends them.
"""

from __future__ import annotations

from typing import Any

from idp import crypto, events
from idp.delegation import claims, tokens
from idp.delegation.requests import Asked
from idp.delegation.response_types import CODE, ID_TOKEN, TOKEN
from idp.oidc.grant_types import answer
from idp.oidc.grant_types.answer import Granted
from idp.oidc.steps.journey import Journey


def begin(journey: Journey, issued: dict[str, Any]) -> Granted:
    """The family of what goes out now, for whom `issued` names (as `codes.issue` takes it); nothing is signed yet.

    Raises OAuthRefusal, `fetched.Wanted`.
    """
    asked, client = journey.asked, journey.client
    values = {**issued, "amr": list(issued["amr"]), "client_id": client.id, "scopes": list(asked.scopes)}
    values |= {"claims": asked.claims, "resources": list(asked.resources) or None}
    family = tokens.begin(crypto.new_id("fam"), values, refreshable=False)
    granted = answer.grant(client, tokens.present(family.id), asked.scopes, nonce=asked.nonce, opens=TOKEN in asked.response_types)
    events.record(
        "token.issued",
        user_id=family.user_id,
        client_id=client.id,
        session_id=family.session_id,
        company_id=family.company_id,
        details={"family": family.id, "response_type": " ".join(asked.response_types)},
    )
    return granted


def parameters(asked: Asked, granted: Granted, code: str | None) -> dict[str, str]:
    """What the answer says besides the code, each token signed: after the commit."""
    given: dict[str, str] = {}
    beside = {"c_hash": code} if code is not None else {}
    if TOKEN in asked.response_types:
        given = {name: str(value) for name, value in answer.access_token(granted).items()}
        beside["at_hash"] = given["access_token"]
    if ID_TOKEN in asked.response_types:
        alone = not {CODE, TOKEN} & set(asked.response_types)
        content = claims.id_token(granted.client, granted.found, granted.scopes, nonce=asked.nonce, alone=alone)
        given["id_token"] = answer.id_token(granted, content, **beside)
    return given
