"""`attnfocus compare`: runs side by side."""
