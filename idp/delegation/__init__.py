"""What a client may do on a person's behalf; rules without HTTP.

In reading order: `clients` (who may ask), `registering` (what can be registered), `client_keys`, `fetched` (what their addresses held),
`redirects` (where answers may go), `scopes` (what can be asked for), `claims_parameter` (and one by one), `response_types` (with what that
is answered), `requests` (parked until the person is done), `account_choices`, `consents`, `codes` (once), `tokens` (families, refreshing,
revoking), `access_tokens` (JWT and opaque, shown to us and taken back), `apps` (what a person's apps hold, and the end of it), `sectors`,
`subjects`, `claims` (who the person is, and to whom), `claim_mapping`, `answers` (in which form we say it), `hints` (what comes back of
it).

`logout_addresses`, `session_clients`: where a client wants to hear that a session has ended, and which clients those are.
"""
