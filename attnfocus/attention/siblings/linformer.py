"""Linformer attention.

Shapes: ... leading dims, H heads, G key heads, Q queries, K keys, n max_length, m landmarks, d, dv sizes of a key and
value. Masks are bool, True = may attend.
"""

from typing import Literal, Unpack

import torch
from torch import Tensor, nn

from attnfocus.attention import masks
from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import AttentionKeywords
from attnfocus.attention.memory import Memory
from attnfocus.attention.patterns.dense import FullPattern
from attnfocus.attention.positions.base import NoPosition
from attnfocus.errors import DataError
from attnfocus.limits import NumPositions, Size


class Linformer(Attention):
    """context = normalizer(score(query, E keys)) F values   (Wang et al. 2020, eq. 7, arXiv:2006.04768)

    E and F (m, n) mix the K <= n projected keys and values to m landmarks, by position: key j counts with column j.
    Padded keys and values are cleared after their projections, so they add nothing to a landmark; the landmarks
    themselves are never masked. A mask must therefore be the same for all queries, and known when the keys are.

    The weights that are returned are those which the context is made of, (normalizer(...) F)_ij over positions. They
    may be negative and need not sum to 1.

    `key_mixing` E and `value_mixing` F are (1 or G, m, n); key_value has E alone. Their columns start with length 1, as
    those of the paper's proof N(0, 1/m) do on average, but with one entry each, so that no landmark is a blur at first:
    key j counts for landmark j mod m, and up to m keys start as in full attention beside m - K empty landmarks.

    Cost: O(K m (d + dv)) for the landmarks, once per sentence, and that of the score and context for m keys.

    Args:
        num_landmarks: m.
        max_length: n; longer inputs are refused.
        sharing: none: each key head has its E and F. headwise: one E and one F. key_value: one E = F (sec. 4,
            "parameter sharing"). Layers share nothing.
        score, normalizer, path, and the rest: as in `Attention`.

    Raises:
        ValueError: a pattern or position, which have no meaning between queries and landmarks; a score or normalizer
            that follows a decoder's steps; or as in `Attention`. In a call: more than n keys, a mask that differs
            between queries, or one given after `prepare`.
    """

    weights_sum_to_one = False
    weights_are_nonnegative = False

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        num_landmarks: Size = 64,
        max_length: NumPositions = 512,
        sharing: Literal["none", "headwise", "key_value"] = "headwise",
        **options: Unpack[AttentionKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        self._check_factors()
        self.num_landmarks, self.longest, self.sharing = num_landmarks, max_length, sharing
        shape = self.num_key_heads if sharing == "none" else 1, num_landmarks, max_length
        self.key_mixing = nn.Parameter(torch.empty(shape))
        _one_landmark_each_(self.key_mixing)
        if sharing != "key_value":
            self.value_mixing = nn.Parameter(torch.empty(shape))
            _one_landmark_each_(self.value_mixing)

    @property
    def max_length(self) -> int:
        return self.longest

    def prepare(
        self, keys: Tensor, values: Tensor | None = None, mask: Tensor | None = None, first_position: int = 0
    ) -> Memory:
        assert first_position == 0, "Linformer mixes all keys at once and has no causal pattern that could add to them"
        num_keys = keys.shape[-2]
        if num_keys > self.longest:
            raise DataError(
                f"Linformer mixes at most attention.max_length={self.longest} positions, got {num_keys}: use a "
                "larger attention.max_length, or shorter inputs."
            )
        if mask is None:  # the memory then tells the number of keys, which the landmarks do not
            return super().prepare(keys, values)._replace(mask=_nothing_padded(keys))
        if mask.dim() > 1 and mask.shape[-2] != 1:
            raise DataError(
                f"Linformer mixes the keys before any query sees them, so a mask must be (..., 1, K), got "
                f"{tuple(mask.shape)}: use a mask of padding only, or attention=multi_head."
            )
        return super().prepare(keys, values, mask)._replace(mask=mask & _nothing_padded(keys))

    def prepare_heads(
        self, keys: Tensor, values: Tensor, mask: Tensor | None, first_position: int = 0
    ) -> tuple[Tensor, Tensor]:
        if mask is not None:  # again: a projection's bias made them something
            keys, values = masks.cleared(keys, mask), masks.cleared(values, mask)
        num_keys = keys.shape[-2]
        return super().prepare_heads(
            torch.matmul(self.key_mixing[..., :num_keys], keys),  # (..., G, m, d)
            torch.matmul(self._value_mixing(num_keys), values),
            None,
        )

    def mix(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        context, of_landmarks = super().mix(query, keys, values, None, need_weights)
        if of_landmarks is None or mask is None:
            return context, of_landmarks
        mixing = self._value_mixing(mask.shape[-1]) * mask  # (..., 1 or G, m, K): nothing of what is padded
        return context, torch.matmul(of_landmarks, self._for_each_head(mixing))

    @property
    def head_mask_problem(self) -> str:
        return "Linformer mixes the keys before any head looks at them: use attention=multi_head."

    def _attended(
        self, query: Tensor, memory: Memory, mask: Tensor | None, head_mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        if mask is not None:
            raise ValueError(
                "Linformer has mixed the keys of this memory already: give the mask to prepare or forward, not to "
                "attend, or use attention=multi_head."
            )
        return super()._attended(query, memory, None, head_mask)

    def _value_mixing(self, num_keys: int) -> Tensor:
        return (self.key_mixing if self.sharing == "key_value" else self.value_mixing)[..., :num_keys]

    def _check_factors(self) -> None:
        if not isinstance(self.pattern, FullPattern) or not isinstance(self.position, NoPosition):
            other = self.position if isinstance(self.pattern, FullPattern) else self.pattern
            raise ValueError(
                f"Linformer compares queries with mixed keys, which have no positions for {type(other).__name__}: use "
                "attention/pattern=full and attention/position=none, or attention=multi_head."
            )
        if self.uses_history:
            raise ValueError(
                f"{self.history_factor} follows where a decoder looked, and Linformer looks at mixed keys, which are "
                "nowhere: use attention/score=scaled_dot or additive with attention/normalizer=softmax."
            )
        if self.normalizer.needs_order:
            raise ValueError(
                f"{type(self.normalizer).__name__} takes the keys in their order, and Linformer looks at mixed keys, "
                "which have none: use attention/normalizer=softmax, or attention=multi_head."
            )

    def extra_repr(self) -> str:
        sizes = f"num_landmarks={self.num_landmarks}, max_length={self.longest}, sharing={self.sharing}"
        return f"{super().extra_repr()}, {sizes}"


def _one_landmark_each_(mixing: Tensor) -> None:
    """mixing (..., m, n): key j counts for landmark j mod m alone."""
    num_landmarks, longest = mixing.shape[-2:]
    positions = torch.arange(longest, device=mixing.device)
    with torch.no_grad():
        mixing.zero_()
        mixing[..., positions % num_landmarks, positions] = 1.0


def _nothing_padded(keys: Tensor) -> Tensor:
    """keys (..., K, d) -> True (..., 1, K)."""
    return keys.new_ones(*keys.shape[:-2], 1, keys.shape[-2], dtype=torch.bool)
