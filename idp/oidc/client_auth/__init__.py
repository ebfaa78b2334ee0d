"""Which client is it: `methods` names them, `secret` judges a secret by Basic or in the body, `assertion` what a client has signed (by
`private_key_jwt` or `client_secret_jwt`), `public` a client that has neither."""
