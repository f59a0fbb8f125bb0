"""Talking-heads attention.

Shapes: ... leading dims, H heads, Q queries, K keys. Masks are bool, True = may attend.
"""

from typing import Unpack

import torch
from torch import Tensor, nn

from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import AttentionKeywords
from attnfocus.attention.memory import Places
from attnfocus.attention.precision import as_weights, for_scores, in_score_precision


class TalkingHeadsAttention(Attention):
    """weights = P_w normalizer(P_l scores): heads mix before and after   (Shazeer et al. 2020, arXiv:2003.02436)

    scores^g_ij = sum_h P_l[g, h] score(q^h_i, k^h_j), and weights^g_ij = sum_h P_w[g, h] normalizer(scores^h)_ij, with
    two learned (H, H) matrices. The bias of a position and the pattern come in between, after P_l. Both matrices start
    as the identity, where this is multi-head attention. The mixed weights are what is used and returned: they need not
    be >= 0, nor sum to 1; masked ones are exactly 0.

    Cost: 2 Q K H^2 multiplications more than `Attention`; no fused kernel computes it.

    Raises:
        ValueError: a score or normalizer that follows the weights of earlier steps.
    """

    weights_sum_to_one = False
    weights_are_nonnegative = False

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        **options: Unpack[AttentionKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        if self.uses_history:
            raise ValueError(
                f"{self.history_factor} follows the weights of the step before, which talking heads mix until they are "
                "weights of no head: use attention=multi_head, or attention/score=additive with "
                "attention/normalizer=softmax."
            )
        self.score_mixing = nn.Parameter(torch.eye(self.num_heads))
        self.weight_mixing = nn.Parameter(torch.eye(self.num_heads))

    @property
    def head_mask_problem(self) -> str:
        return (
            "TalkingHeadsAttention mixes the maps of its heads, so that what one may not see would reach it by "
            "another: use a mask for all heads, or attention=multi_head."
        )

    def weigh(self, query: Tensor, keys: Tensor, mask: Tensor | None, places: Places) -> Tensor:
        query, hints = self.read(query)
        scores = mixed_heads(self.score_mixing, self.score(query, keys))
        scores, mask = self.masked_scores(scores, query, mask, places)
        return as_weights(mixed_heads(self.weight_mixing, self.normalizer.with_hints(scores, mask, hints)), query)


def mixed_heads(mixing: Tensor, maps: Tensor) -> Tensor:
    """mixing (H, H), maps (..., H, Q, K) -> maps (..., H, Q, K), of which number g is sum_h mixing[g, h] maps_h."""
    with in_score_precision(maps):
        return torch.matmul(for_scores(mixing), for_scores(maps).flatten(-2)).unflatten(-1, maps.shape[-2:])
