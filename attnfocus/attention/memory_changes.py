"""Other keys and values in the place of those that an attention prepares, to see what changes.

Shapes: ... leading dims (the batch), G key heads, K keys, d size of one head's value.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

from attnfocus.attention.base import BaseAttention

MemoryChange = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


@contextmanager
def changed_memory(attention: BaseAttention, change: MemoryChange) -> Iterator[None]:
    """Within, the attention goes on with `change(keys, values, first_position)` of what it prepares.

    For a copy of a model (`tasks.probe.own_copy`): another thread's calls would be met, too.

    Args:
        change: of keys (..., G, K, any) and values (..., G, K, d), projected and as `mix` wants them, and of the place
            of the first of them in its sequence; gives both in the shapes that it is given.

    Raises:
        ValueError: what this attention prepares is changed already.
    """
    if "prepare_heads" in vars(attention):
        raise ValueError("what this attention prepares is changed already.")
    own = attention.prepare_heads

    def prepare_heads(
        keys: Tensor, values: Tensor, mask: Tensor | None, first_position: int = 0
    ) -> tuple[Tensor, Tensor]:
        return change(*own(keys, values, mask, first_position), first_position)

    attention.prepare_heads = prepare_heads  # type: ignore[method-assign]
    try:
        yield
    finally:
        del attention.prepare_heads
