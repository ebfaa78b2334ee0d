"""What a person still has to do: `journey` (what is known so far), `order` (the desk), then `sign_in`, `account`, `consent`."""
