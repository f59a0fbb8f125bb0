"""Other outputs in the place of those of an attention's heads, to see what changes.

Shapes: H heads, Q queries, d size of one head.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from attnfocus.attention.base import BaseAttention, Replacement


@contextmanager
def changed_heads(attention: BaseAttention, change: Replacement) -> Iterator[None]:
    """Within, the attention goes on with `change(context)` where its heads give context (..., H, Q, d).

    That is what each head says before the heads are merged and projected. Every attention has it, however it computes.
    A decoder that attends step by step asks once for each query, in their order.

    Args:
        change: gives a tensor of the shape that it is given.

    Raises:
        ValueError: the heads of this attention are changed already.
    """
    if attention.head_change is not None:
        raise ValueError("the heads of this attention are changed already.")
    attention.head_change = change
    try:
        yield
    finally:
        attention.head_change = None
