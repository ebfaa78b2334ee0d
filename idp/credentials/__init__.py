"""What proves a person: rules without HTTP.

`tables`, then `phone` (what people type becomes a number), `phone_limits` (how often a number may be written to and guessed at),
`phone_sendings` (the ladder: what was sent, and what can be), `one_time_code` (what codes have in common), `phone_code`, `email_code`,
`trusted_device` (the browser that is known); `factor_limits` (how often further factors may be guessed at), `totp` (the authenticator
app), `recovery_codes`; `passkey_models`, `passkey_response` (what an authenticator says), `passkey`; `password` (with
`password_hashing`, `password_limits`, `common_passwords`); `social` (who a person is at other providers); `recoveries` (a lost phone),
`vouches` (two administrators say who it is).
"""
