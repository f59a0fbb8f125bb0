"""Attentions that are no point of the algebra, behind the same interface: one module for each."""
