"""Local attention around a predicted position.

Shapes: ... leading dims, H heads, Q queries, K keys, d size of one head's query. Masks are bool, True = may attend.
"""

import math
from typing import Unpack

import torch
from torch import Tensor, nn

from attnfocus.attention import masks
from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import AttentionKeywords
from attnfocus.attention.memory import History, Places
from attnfocus.attention.patterns.dense import FullPattern
from attnfocus.attention.precision import as_weights, exact
from attnfocus.attention.scores.base import per_head_linear, xavier_uniform_per_head_
from attnfocus.limits import NumPositions


class LocalPredictiveAttention(Attention):
    """weight_ij = align_ij exp(-(j - p_i)^2 / (2 sigma^2)),  p_i = S sigmoid(v . tanh(W q_i)),  sigma = D / 2

    "local-p" of Luong et al. 2015, sec. 3.2, eq. 9 and 10, arXiv:1508.04025. align is the normalizer (softmax in the
    paper) over the keys with |j - p_i| <= D; because of the Gaussian the weights sum to less than 1, and it is the
    Gaussian alone that teaches p_i where to look. S counts the keys that the query may attend to, and j = 0 ... S - 1
    counts them in order, so that padding moves nothing.

    Per head: `position_weight` W (d, d), `position_vector` v (d).

    Cost: that of the score, for all keys: the window moves with the query, so what lies outside is computed and masked.

    Args:
        window: D, in keys.
        score, normalizer, and the rest: as in `Attention`.

    Raises:
        ValueError: a pattern besides the window, a normalizer that moves on by itself, or as in `Attention`.
    """

    weights_sum_to_one = False

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        window: NumPositions = 10,
        **options: Unpack[AttentionKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        self._check_factors()
        self.window = window
        size = self.query_head_dim
        self.position_weight = nn.Parameter(torch.empty(self.num_heads, size, size))
        self.position_vector = nn.Parameter(torch.empty(self.num_heads, 1, size))
        xavier_uniform_per_head_(self.position_weight)
        # Small: p starts near the middle of the keys, where its sigmoid is steep.
        bound = 1 / math.sqrt(size)
        nn.init.uniform_(self.position_vector, -bound, bound)

    @property
    def decoders_only(self) -> bool:
        return True  # where to look next is what a decoder's state knows; a position of an encoder has its own place

    def weigh(self, query: Tensor, keys: Tensor, mask: Tensor | None, places: Places) -> Tensor:
        query, hints = self.read(query)
        scores, mask = self.masked_scores(self.score(query, keys), query, mask, places)
        within, nearness = self._around_predicted(query, mask, scores.shape[-1])
        weights = self.normalizer.with_hints(scores, masks.both(mask, within), hints)
        return as_weights(weights * nearness.to(scores.dtype), query)

    def step_weights(self, query: Tensor, keys: Tensor, mask: Tensor | None, history: History) -> Tensor:
        query, hints = self.read(query)
        scores = self.score.step(query, keys, history)
        within, nearness = self._around_predicted(query, mask, scores.shape[-1])
        weights = self.step_normalized(scores, masks.both(mask, within), history, hints)
        return as_weights(weights * nearness.to(scores.dtype), query)

    def predicted(self, query: Tensor) -> Tensor:
        """p_i / S, between 0 and 1: query (..., H, Q, d) -> (..., H, Q, 1)."""
        hidden = torch.tanh(per_head_linear(query, self.position_weight))
        return torch.sigmoid(exact(per_head_linear(hidden, self.position_vector)))

    def _around_predicted(self, query: Tensor, mask: Tensor | None, num_keys: int) -> tuple[Tensor, Tensor]:
        """Which keys lie in the window, bool, and exp(-(j - p_i)^2 / (2 sigma^2)): both (..., H, Q, K)."""
        if mask is None:
            index, count = torch.arange(num_keys, device=query.device), torch.tensor(num_keys, device=query.device)
        else:
            mask = mask.expand(*mask.shape[:-1], num_keys)
            index, count = mask.cumsum(dim=-1) - 1, mask.sum(dim=-1, keepdim=True)
        distance = (index - count * self.predicted(query)) / self.window  # (..., H, Q, K), in windows
        return distance.abs() <= 1, torch.exp(-2 * distance.square())

    def _check_factors(self) -> None:
        name, pattern, normalizer = type(self).__name__, type(self.pattern).__name__, type(self.normalizer).__name__
        if not isinstance(self.pattern, FullPattern):
            raise ValueError(
                f"{name} has a window of its own around a predicted position, which {pattern} would cut again: use "
                "attention/pattern=full, and attention.window for its size."
            )
        if self.normalizer.uses_history:
            raise ValueError(
                f"{name} predicts anew at each step where to look, and {normalizer} moves on from where the last step "
                "looked: use attention/normalizer=softmax, or attention=monotonic."
            )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, window={self.window}"
