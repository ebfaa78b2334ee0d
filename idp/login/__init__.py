"""The act of proving who one is.

`tables`, `policy` (which proofs there are, and every rule by which one is due), `session` (the signed-in browser), `browser` (whom this one
knows), `situation` (what the policy looks at), `flow` (the desk: the only place that knows the order); the pages `people`, `identify`,
`proof_of_work`, `phone_code`, `further_proof`, `email_code`, `register`.
"""
