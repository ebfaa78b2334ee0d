"""The act of proving who one is.

`tables`, `policy` (which proofs there are, and every rule by which one is due), `session` (the signed-in browser), `browser` (whom this one
knows), `situation` (what the policy looks at), `flow_row` (a sign-in as it is kept), `flow` (the desk: the only place that knows the
order), `sending` (a code on its way); `upstream`, `upstream_token` (what is said with another provider, and its ID token judged); the pages
`people`, `identify`, `proof_of_work`, `phone_code`, `receipts` (what became of the code), `further_proof`, `email_code`, `passkey`,
`passkey_offer` (after a code; `new_passkey` keeps it), `totp`, `recovery_code`, `social`, `password` (with `password_address`, `reset` over
`password_reset`, `link` over `linking`), `register`, `help`; a lost phone: `recover`, `recover_ways`, `recover_email`, `recover_state` in
the order of `recover_order`; `drafts` (what was typed is not lost by looking at help).
"""
