"""The weights of some queries alone, from their scores alone.

Shapes: B examples, H heads, Q queries, K keys, N of the queries, d size of a query.
"""

import torch
from torch import Tensor

from attnfocus.attention.memory import Places
from attnfocus.attention.observation import current, observing
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.paths.protocol import Work

CACHED = 2**19  # weights that are made, or gone over, together on a CPU: two megabytes


def observed_rows(attention: Algebra, work: Work) -> Tensor | None:
    """The queries (B, N) that an observation asks for alone; None: it asks for all, or there is none.

    Nor are there any where weights are put in, or made in a way of their own, which may go by other queries.
    """
    seen = current()
    if seen is None or attention.replacement is not None or attention.has_own_weights:
        return None
    return seen.places_for(attention, work.query, work.keys.shape[-2])


def context_alone(attention: Algebra, work: Work) -> Tensor:
    """(..., H, Q, dv) by the path that is chosen where no weights are asked for; nothing of it is observed."""
    with observing(None):
        return attention.run_path(work, need_weights=False)[0]


def weights_at(attention: Algebra, work: Work, rows: Tensor) -> Tensor:
    """(B, H, N, K), rows of what the plain path gives, for queries `rows` (B, N) of one sequence that looks at itself.

    Cost: that of N queries instead of Q. On a CPU a few are made at a time, as many as stay in its cache, and where no
    query looks ahead without the keys behind them.
    """
    num_rows, num_heads = work.query.shape[:2]
    query = rows_at(work.query, rows)
    keys, num_keys, mask = work.keys.contiguous(), work.keys.shape[-2], _of_rows(work.mask, rows)  # one copy for all
    positions = torch.arange(num_keys, device=rows.device)
    clock = None if work.clock is None else work.clock.expand(num_rows, num_heads, -1)
    of_rows = None if clock is None else clock.gather(-1, rows[:, None].expand(-1, num_heads, -1))
    is_cpu = rows.device.type == "cpu"
    at_once = max(1, (CACHED if is_cpu else attention.chunk_weights) // max(1, num_keys * num_rows * num_heads))
    found: Tensor | None = None
    for first in range(0, rows.shape[1], at_once):
        part = slice(first, first + at_once)
        seen = int(rows[:, part].max()) + 1 if is_cpu and attention.pattern.looks_back else num_keys
        of_part = mask if mask is None or mask.shape[-2] == 1 else mask[..., part, :]
        of_part = of_part if of_part is None or of_part.shape[-1] == 1 else of_part[..., :seen]
        clocks = None if of_rows is None else of_rows[..., part], None if clock is None else clock[..., :seen]
        places = Places(rows[:, part], positions[:seen], *clocks)
        weights = attention.weigh(query[..., part, :], keys[..., :seen, :], of_part, places)
        if found is None:
            found = weights.new_empty(*weights.shape[:2], rows.shape[1], num_keys)
        found[..., part, :seen], found[..., part, seen:] = weights, 0
    assert found is not None  # there are queries
    return found


def _of_rows(mask: Tensor | None, rows: Tensor) -> Tensor | None:
    """What a mask (..., H or 1, Q or 1, K or 1) says of these queries."""
    if mask is None or mask.shape[-2] == 1:
        return mask
    mask = mask.expand(len(rows), *(1, *mask.shape)[-3:]) if mask.dim() < 4 else mask.expand(len(rows), -1, -1, -1)
    return rows_at(mask, rows)


def rows_at(values: Tensor, rows: Tensor) -> Tensor:
    """Rows (B, N) of values (B, H, Q, K): (B, H, N, K)."""
    return values.gather(-2, rows[:, None, :, None].expand(-1, values.shape[1], -1, values.shape[-1]))
