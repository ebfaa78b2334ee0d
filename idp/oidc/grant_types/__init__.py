"""What a client hands in for tokens: `authorization_code`, `refresh_token` (`answer` makes the JSON of both), `client_credentials`."""
