"""Positions that count what the query looks for. Shapes: ... leading dims, H heads, Q queries, K keys, d size of one
head, P positions. Masks are bool, True = may attend.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from attnfocus.attention.positions.base import Position
from attnfocus.attention.precision import as_scores, for_scores, in_score_precision
from attnfocus.limits import NumPositions


class ContextualPosition(Position):
    """score_ij + query_i . e_(p_ij) / sqrt(d),  p_ij = sum_{j <= t <= i} sigmoid(score_it)   (contextual position
    encoding, CoPE: Golovneva et al. 2024, arXiv:2405.18719)

    A position is a count of the keys between, of those only that the query's own scores let count: it may number
    sentences, or one kind of word. Between whole numbers e is interpolated: e_p = (p - floor p) e_(ceil p) +
    (1 - p + floor p) e_(floor p). Counts beyond the last position are the last. Keys that are masked do not count. The
    paper is about causal attention; without a causal pattern keys ahead are counted from the query on alike, and share
    e. As in the authors' code the scores are made once, the scale is that of the scaled dot score, and `table` e
    (P, d), which starts at 0, is shared by the heads.

    Any length. Cost: O(Q P d) per head and O(Q K) per head for the counts; the scores of a query must be there at once,
    so no fused kernel computes it.

    Args:
        num_positions: P, from 0 to P - 1.
    """

    reads_scores: ClassVar[bool] = True

    def __init__(self, *, num_heads: int, head_dim: int, num_positions: NumPositions = 64) -> None:
        super().__init__(num_heads=num_heads, head_dim=head_dim)
        self.num_positions: int = num_positions
        self.table = nn.Parameter(torch.zeros(num_positions, head_dim))

    def rescored(self, scores: Tensor, query: Tensor, mask: Tensor | None, offsets: Tensor) -> Tensor:
        with in_score_precision(query):
            scaled = for_scores(query) * (1 / math.sqrt(self.head_dim))
            of_whole = torch.matmul(scaled, for_scores(self.table).t())  # (..., H, Q, P)
        counts = self.counts(scores, mask, offsets).clamp(max=self.num_positions - 1)
        below = counts.detach().floor()
        share = counts - below
        index = below.long()
        # The scores may have leading dims that the query lacks: a query that is one for all items.
        of_whole = of_whole.expand(*counts.shape[:-1], of_whole.shape[-1])
        lower = of_whole.gather(-1, index)
        upper = of_whole.gather(-1, (index + 1).clamp(max=self.num_positions - 1))
        return scores + as_scores(lower + share * (upper - lower), query)

    @staticmethod
    def counts(scores: Tensor, mask: Tensor | None, offsets: Tensor) -> Tensor:
        """p (..., H, Q, K) of scores (..., H, Q, K); mask and offsets as in `rescored`."""
        gates, offsets = torch.sigmoid(for_scores(scores)), offsets.unsqueeze(-3)
        gates = gates if mask is None else torch.where(mask, gates, 0.0)
        behind = torch.where(offsets <= 0, gates, 0.0).flip(-1).cumsum(dim=-1).flip(-1)
        ahead = torch.where(offsets >= 0, gates, 0.0).cumsum(dim=-1)
        return torch.where(offsets <= 0, behind, ahead)

    def extra_repr(self) -> str:
        return f"num_positions={self.num_positions}"
