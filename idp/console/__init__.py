"""What operators and developers look at: `health` (is it alive, is it ready), `inbox` (what the desk's channel has delivered)."""
