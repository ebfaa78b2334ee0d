"""`client_secret_jwt` (OpenID Connect Core §9): the assertion is an HMAC by the client's secret, which never travels. `assertion` judges.

Such a secret is kept sealed, since its digest makes no HMAC, and only for clients that are registered so (`registering_keys.uses_secret`).
"""

from __future__ import annotations

from idp.delegation import client_keys

METHOD = "client_secret_jwt"
ALGORITHMS = (client_keys.SHARED,)
