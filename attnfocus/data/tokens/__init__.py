"""Texts to tokens and ids, and back."""
