"""Checkpoints: what is saved of a run, written whole or not at all, and read without pickle."""
