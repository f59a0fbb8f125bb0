"""How positions enter: one class for each way."""
