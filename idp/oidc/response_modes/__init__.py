"""How an answer goes back to the relying party: `query`."""
