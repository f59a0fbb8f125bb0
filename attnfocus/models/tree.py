"""Rows of nested tuples of tensors: how hypotheses are reordered, repeated and dropped."""

from typing import Any

from torch import Tensor

from attnfocus.attention import GrowingMemory


def select_rows(tree: Any, index: Tensor) -> Any:
    """The rows `index` of every tensor (its first axis) and memory in a tree of (named) tuples; None stays None."""
    if tree is None:
        return None
    if isinstance(tree, Tensor):
        return tree.index_select(0, index)
    if isinstance(tree, GrowingMemory):
        return tree.rows(index)
    if isinstance(tree, tuple):
        rows = [select_rows(branch, index) for branch in tree]
        return type(tree)(*rows) if hasattr(tree, "_fields") else tuple(rows)
    raise TypeError(f"rows can be taken of tensors and tuples of them, not of {type(tree).__name__}")
