"""What hypotheses of different lengths are compared by (Wu et al. 2016, arXiv:1609.08144, eq. 14).

s(Y, X) = log P(Y | X) / lp(Y) + cp(X, Y)
lp(Y) = ((5 + |Y|) / 6)^a     (`gnmt`), or |Y|^a     (`power`)
cp(X, Y) = b * sum over source tokens i of log(min(sum over target tokens j of p_ij, 1))
where p_ij is the weight of source token i when target token j is written, EOS included; the mean over the heads.

Shapes: A sentences, K hypotheses of each, H heads, S source tokens.
"""

import torch
from torch import Tensor

from attnfocus.decoding.options import DecodingOptions

_UNSEEN = 1e-30  # instead of 0, whose logarithm would make all outputs with an unseen token equal


def length_penalty(length: Tensor | int, options: DecodingOptions) -> Tensor | float:
    """lp(Y) for |Y| = length."""
    base = (5 + length) / 6 if options.length_penalty_form == "gnmt" else length
    penalty: Tensor | float = base**options.length_penalty
    return penalty


class Coverage:
    """How much weight each source token has got so far, for a beam of hypotheses."""

    def __init__(self, lengths: Tensor) -> None:
        self._lengths = lengths  # (A,)
        self._total: Tensor | None = None  # (A, K, S)

    def add(self, weights: Tensor) -> Tensor:
        """The sums of weights (A, K, H, S) with those so far: what `penalty` and `move` take."""
        now = weights.mean(dim=2, dtype=torch.float32)
        return now if self._total is None else self._total + now

    def penalty(self, total: Tensor) -> Tensor:
        """cp(X, Y) for b = 1, of sums (A, K, S): (A, K)."""
        is_padding = torch.arange(total.shape[2], device=total.device) >= self._lengths.unsqueeze(1)  # (A, S)
        return total.clamp(_UNSEEN, 1.0).log().masked_fill(is_padding.unsqueeze(1), 0.0).sum(dim=-1)

    def move(self, total: Tensor, kept: Tensor, parents: Tensor) -> None:
        """Go on with the hypotheses `parents` (kept, K) of the sentences `kept`."""
        self._lengths = self._lengths[kept]
        self._total = total[kept.unsqueeze(1), parents]
