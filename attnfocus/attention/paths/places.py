"""Queries and keys that stand anywhere, such as what a rolling memory has kept.

Shapes: ... leading dims, H heads, Q queries, K keys, dv size of a value.
"""

from torch import Tensor

from attnfocus.attention.memory import Places
from attnfocus.attention.paths.choose import why_not
from attnfocus.attention.paths.derivatives import second_order
from attnfocus.attention.paths.factors import Algebra
from attnfocus.attention.paths.plain import read
from attnfocus.attention.paths.protocol import Work
from attnfocus.attention.paths.sdpa import fused


def at_places(
    attention: Algebra, work: Work, places: Places, need_weights: bool, dropout: float
) -> tuple[Tensor, Tensor | None]:
    """Context (..., H, Q, dv), and weights (..., H, Q, K) if they are asked for, by the fused kernel where it can."""
    needs_them = need_weights or attention.replacement is not None or second_order()
    if not needs_them and attention.wanted_path != "plain" and why_not(attention, "sdpa") is None:
        return fused(attention, work, places, dropout), None
    weights = attention.used(attention.weigh(work.query, work.keys, work.mask, places))
    return read(attention.position, weights, work.values, places, dropout), weights if need_weights else None
