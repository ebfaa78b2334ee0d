"""One file for each address: `discovery`, `jwks`, `authorization`, `token`, `userinfo`, `end_session`; `cors` is what they share."""
