"""`private_key_jwt` (OpenID Connect Core §9): the assertion is signed by a key whose public half is registered. `assertion` judges it."""

from __future__ import annotations

from idp.delegation import client_keys

METHOD = "private_key_jwt"
ALGORITHMS = client_keys.ALGORITHMS
