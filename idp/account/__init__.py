"""A person's own pages: what their ID holds and what opens it. They sign in to it as to any app, through `login/flow`.

`entry` (who is here, and how lately they proved it), `shell` (the frame: the sections of the menu), `profile`, `security` (its rows, one
for each way to prove who one is), `browsers`, `sign_out`; `authenticator` with `picture` (what its camera reads), `recovery_codes`.
"""
