"""Other weights in the place of an attention's own, to see what changes. Shapes: H heads, Q queries, K keys."""

from collections.abc import Iterator
from contextlib import contextmanager

from attnfocus.attention.base import BaseAttention, Replacement


@contextmanager
def replaced_weights(attention: BaseAttention, replacement: Replacement) -> Iterator[None]:
    """Within, contexts are made of `replacement(weights)`, which are returned as the weights too.

    Every call takes the plain path. An attention that takes its queries one by one (see `uses_history`), or a decoder
    that does, asks once for each query, in their order; a history then goes by what was put in. Gradients reach what
    was put in.

    Args:
        replacement: the attention's own weights (..., H, Q, K), before dropout -> weights of that shape.

    Raises:
        ValueError: an attention whose contexts are not made of its weights (see `weights_can_be_replaced`), or one
            whose weights are replaced already.
    """
    if not attention.weights_can_be_replaced:
        raise ValueError(
            f"{type(attention).__name__} does not make its context of the weights that it returns, so that others "
            "cannot stand in their place."
        )
    if attention.replacement is not None:
        raise ValueError("the weights of this attention are replaced already.")
    attention.replacement = replacement
    try:
        yield
    finally:
        attention.replacement = None
