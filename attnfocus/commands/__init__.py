"""The verbs: a room for each, with its recipe in `command.py` and what only it needs; one file where that is all."""
