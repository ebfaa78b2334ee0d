"""Where everything is kept: `columns` (Base and column types), `session` (session, engine, reads, writes), `schema` (migrations up and down)."""
