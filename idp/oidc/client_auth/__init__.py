"""Which client is it: `methods` names them, `secret` judges a secret by Basic or in the body, `public` a client that has none."""
