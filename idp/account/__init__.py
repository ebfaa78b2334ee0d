"""A person's own pages: what their ID holds and what opens it. They sign in to it as to any app, through `login/flow`.

`entry` (who is here, and how lately they proved it), `shell` (the frame: the sections of the menu), `profile`, `avatar`, `language`,
`security` (its rows, one for each way to prove who one is), `codes` (where a code is entered), `phone`, `email`, `email_undo` (the former
address takes it back), `tables`, `browsers` (where the ID is open or remembered), `apps` (what they may see), `activity` and its words
(`activity_words`), `data` (the copy, made by `archive` of `archive_parts`), `deletion` (asked for, taken back) and `erasing` (done),
`authenticator` with `picture` (what its camera reads), `recovery_codes`, `password`, `sign_out`, `providers`
(other providers, linked and unlinked), `passkeys`, `well_known` (what password managers look for),
`recovery` (a change of the number that waits), `vouch` (for a colleague).
"""
