"""Which client is it: `methods` names them, `secret` judges a secret by Basic or in the body, `private_key_jwt` a signed
assertion, `public` a client that has neither."""
