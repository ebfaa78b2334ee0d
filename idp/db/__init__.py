"""Where everything is kept: `columns` (Base, column types), `session` (session, engine, reads, writes), `places` (how many may be there at
once), `presence` and `postgresql` (is it there, and how long do we wait), `schema` (migrations).
"""
