"""How well a query and a key match: one number for each pair."""
