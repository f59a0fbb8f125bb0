"""Queries of k hypotheses for each row of a memory, side by side, as a beam has them.

Shapes: N rows of a memory, k hypotheses of each, Q queries of a hypothesis, K keys, H heads, D sizes.
"""

from torch import Tensor

from attnfocus.attention.memory import Memory


def per_row(query: Tensor, memory: Memory) -> int:
    """k, of a query (N k, Q, D); 1 for queries of any other leading dims."""
    return max(1, len(query) // max(1, len(memory.keys))) if query.dim() == 3 else 1


def as_queries(query: Tensor, count: int) -> Tensor:
    """(N k, Q, D) -> (N, k Q, D): what the hypotheses of a row ask are queries of the row."""
    return query if count == 1 else query.unflatten(0, (-1, count)).flatten(1, 2)


def as_rows(context: Tensor, weights: Tensor | None, count: int) -> tuple[Tensor, Tensor | None]:
    """Contexts (N, k Q, D) -> (N k, Q, D), and weights (N, H, k Q, K) -> (N k, H, Q, K)."""
    if count == 1:
        return context, weights
    if weights is not None:
        weights = weights.unflatten(2, (count, -1)).transpose(1, 2).flatten(0, 1)
    return context.unflatten(1, (count, -1)).flatten(0, 1), weights


def repeated(memory: Memory, count: int) -> Memory:
    """The memory with a row for each hypothesis."""
    if count == 1:
        return memory
    keys, values = (each.repeat_interleave(count, dim=0) for each in (memory.keys, memory.values))
    return Memory(keys, values, None if memory.mask is None else memory.mask.repeat_interleave(count, dim=0))
