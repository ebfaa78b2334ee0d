"""What a client may do on a person's behalf; rules without HTTP.

In reading order: `clients` (who may ask), `registering` (what can be registered), `client_keys`, `redirects` (where answers may go),
`scopes` (what can be asked for), `requests` (parked until the person is done), `account_choices`, `consents`, `codes` (once), `tokens`
(families, refreshing, revoking), `subjects`, `claims` (who the person is).
"""
