"""Rows of like lengths computed together, so that little of what is computed is padding.

Shapes: B rows, L positions.
"""

from collections.abc import Callable

import torch
from torch import Tensor

GROUP_COST = 64  # what a group more costs, in positions: its own calls, and one more sum of all gradients of weights
LEAST_SAVED = 0.1  # share of the positions below which the rows stay together


def length_groups(lengths: Tensor, num_positions: int) -> list[Tensor]:
    """Indices of the rows of each group, the shortest first; one group where more would save little.

    Asks for the lengths, so there is one group wherever that would wait for a device, or stop a compiler.
    """
    together = [torch.arange(len(lengths), device=lengths.device)]
    if lengths.device.type != "cpu" or len(lengths) < 2 or torch.compiler.is_compiling():
        return together
    ordered, order = lengths.sort()

    def cost(count: int) -> int:
        return sum(len(group) * int(group[-1]) + GROUP_COST for group in ordered.chunk(count))

    counts = [2**power for power in range(1, len(lengths).bit_length())]
    least, best = min((cost(count), count) for count in counts)
    if least > (1 - LEAST_SAVED) * len(lengths) * num_positions:
        return together
    return list(order.chunk(best))


def by_length_groups(compute: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, lengths: Tensor) -> Tensor:
    """compute(inputs, lengths) for rows that do not know of one another, group by group.

    Args:
        compute: inputs (b, l, ...), lengths (b,) -> (b, ...).
        inputs: (B, L, ...) of `lengths` (B,).
    """
    groups = length_groups(lengths, inputs.shape[1])
    if len(groups) == 1:
        return compute(inputs, lengths)
    parts = [compute(inputs[rows, : int(lengths[rows[-1]])], lengths[rows]) for rows in groups]
    return torch.cat(parts)[torch.cat(groups).argsort()]
