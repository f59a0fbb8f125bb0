"""Attention that forgets what an earlier position has found to be of no more use.

Shapes: ... leading dims, H heads, G key heads, Q queries, K keys, d size of one head. Masks are bool, True = may
attend.
"""

from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import masks
from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import AttentionKeywords
from attnfocus.attention.memory import GrowingMemory, Memory, Past, Places
from attnfocus.attention.patterns.backward import looking_back
from attnfocus.attention.precision import as_weights


class SelectiveAttention(Attention):
    """weights = normalizer(score_ij - F_ij),  F_ij = sum_{t < i} S_tj,  S_tj = max(score_tj of the first head, 0)

    Leviathan et al. 2024, arXiv:2410.02703. What the first head of an earlier position t finds in key j is taken from
    the score that j has with all later queries, in every head: t has read it, and masks it for them. No position
    masks itself (S_tt = 0) or the first key (S_t0 = 0), nor what comes after it. No parameters.

    Always causal: whatever the pattern, nothing after a query is seen (`looking_back`), and queries and keys are one
    sequence. The earlier queries are made of the keys' own vectors, so that one token at a time is the same as all at
    once: a memory holds them behind the keys. Nothing of a position t that is hidden from query i reaches it.

    The score may be any; the bias of a position counts in S, and the pattern says what t may mask. It never goes by
    blocks, as a query needs what all positions before it have masked.

    Cost: O(Q K) and memory for the scores on the plain path, as F is of no inner product, and for F the scores of one
    head of all K positions, O(K^2 d), also for a single query; of all heads where the score has parameters. A mask
    that differs between queries costs O(Q K^2).

    Args:
        score, normalizer, pattern, position, and the rest: as in `Attention`.

    Raises:
        ValueError: a score or normalizer that follows a decoder's steps, or as in `Attention`.
    """

    def __init__(
        self, query_dim: int, key_dim: int, value_dim: int | None = None, **options: Unpack[AttentionKeywords]
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        if self.uses_history:
            raise ValueError(
                f"{self.history_factor} follows where a decoder looked step by step in another sequence, and what "
                "SelectiveAttention masks are positions of one: use attention/score=scaled_dot with "
                "attention/normalizer=softmax."
            )
        if self.position.reads_inputs or self.position.reads_scores:
            raise ValueError(
                f"{type(self.position).__name__} reads all positions up to a query, and what SelectiveAttention masks "
                "is known for each pair alone: use attention/position=rotary or alibi."
            )
        if query_dim != key_dim:
            raise ValueError(
                f"SelectiveAttention makes earlier queries of the keys, and their sizes differ: query_dim {query_dim}, "
                f"key_dim {key_dim}. Use queries and keys of one sequence, or attention=multi_head."
            )
        self.pattern = looking_back(self.pattern)
        if self.pattern.block_size is not None:
            self.pattern.block_size = None

    @property
    def same_sequence_only(self) -> bool:
        return True

    @property
    def sees_everything(self) -> bool:
        return False

    @property
    def has_own_weights(self) -> bool:
        return True  # no fused kernel knows what was masked

    def prepare(
        self, keys: Tensor, values: Tensor | None = None, mask: Tensor | None = None, first_position: int = 0
    ) -> Memory:
        """As in `BaseAttention`; behind the keys of a memory stand the queries of their positions."""
        memory = super().prepare(keys, values, mask, first_position)
        asking = self._query_heads(keys if mask is None else masks.cleared(keys, mask))
        placed, _ = self.read(self.placed(asking, first_position))
        first = placed[..., :1, :, :] if self._one_head_scores else placed
        first = first.transpose(-2, -3).flatten(-2).unsqueeze(-3)  # (..., 1, K, d or H d)
        first = first.expand(*memory.keys.shape[:-1], first.shape[-1])
        return memory._replace(keys=torch.cat((memory.keys, first.to(memory.keys.dtype)), dim=-1))

    def begin(self, need_weights: bool = False) -> Past:
        return GrowingMemory()  # what positions beyond a window have masked counts, too

    def weigh(self, query: Tensor, keys: Tensor, mask: Tensor | None, places: Places) -> Tensor:
        query, hints = self.read(query)
        size = self.query_head_dim * (1 if self._one_head_scores else self.num_heads)
        keys, first = keys[..., :-size], keys[..., :1, :, -size:]
        forgotten = self._forgotten(self._selected(first, keys, places.keys), mask, places)
        scores, mask = self.masked_scores(self.score(query, keys) - forgotten, query, mask, places)
        return as_weights(self.normalizer.with_hints(scores, mask, hints), query)

    @property
    def _one_head_scores(self) -> bool:
        """Whether the score and the bias of a head can be had without the other heads."""
        return next(self.score.parameters(), None) is None and not self.position.bias_needs_query

    def _selected(self, first: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        """S (..., 1, K, K), of the queries (..., 1, K, d or H d) that stood behind the keys (..., H, K, any size)."""
        asking = first.squeeze(-3).unflatten(-1, (-1, self.query_head_dim)).transpose(-2, -3)
        places = Places(positions, positions)
        scores = self.score(asking, keys[..., : asking.shape[-3], :, :])
        bias = self.position.bias(asking, places.offsets) if self.position.has_bias else None
        scores = (scores if bias is None else scores + bias)[..., :1, :, :]
        allowed = self.pattern.allows(places)
        assert allowed is not None  # it looks back
        is_free = allowed & (places.offsets < 0) & (positions > 0)
        return torch.relu(scores).masked_fill(~masks.with_head_axis(is_free), 0.0)

    @staticmethod
    def _forgotten(selected: Tensor, mask: Tensor | None, places: Places) -> Tensor:
        """F (..., 1 or H, Q, K): sums of S over the positions before each query that are not hidden from it."""
        if mask is not None and mask.shape[-2] > 1:
            seen = mask & (places.offsets < 0)
            return torch.matmul(seen.to(selected.dtype), selected)
        if mask is not None:
            selected = selected.masked_fill(~mask.transpose(-1, -2), 0.0)
        sums = F.pad(selected.cumsum(dim=-2), (0, 0, 1, 0))  # row i: of the first i positions
        return sums.index_select(-2, places.queries.clamp(min=0))
