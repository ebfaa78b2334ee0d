"""The act of proving who one is.

`tables`, `policy` (which proofs there are, and what a relying party may demand), `session` (the signed-in browser), `flow` (the desk: the
only place that knows the order); the pages `people`, `identify`, `phone_code`, `receipts` (what became of the code), `register`, `help`;
`drafts` (what was typed is not lost by looking at help).
"""
