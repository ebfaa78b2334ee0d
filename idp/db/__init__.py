"""Where everything is kept: `columns` (Base, column types), `session` (session, engine, reads, writes), `schema` (migrations)."""
