"""Monotonic chunkwise attention.

Shapes: ... leading dims, H heads, Q queries, K keys, w keys of a chunk. Masks are bool, True = may attend.
"""

from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention import paths
from attnfocus.attention.algebra import Attention
from attnfocus.attention.keywords import AttentionKeywords
from attnfocus.attention.memory import History
from attnfocus.attention.precision import as_weights, exact
from attnfocus.limits import NumPositions


class MochaAttention(Attention):
    """weight_ij = sum_k chosen_ik exp(u_ij) / sum_l exp(u_il),  k from j to j + w - 1,  l from k - w + 1 to k

    MoChA (Chiu and Raffel 2018, arXiv:1712.05382): a monotonic attention chooses a key for each step, never going back,
    and a softmax over the chunk of w keys that ends there says what is read. chosen_ik is the probability that step i
    chooses key k, by the normalizer `Monotonic`; u comes from a second score of the same kind, with parameters of its
    own. With `normalizer.hard_at_test` one key is chosen in evaluation, and the weights are those of one chunk.

    A masked key has no weight, but it counts among the w of a chunk. The weights sum to less than 1 by the probability
    that no key was chosen. Weights put in the place of these (`replaced_weights`) do not change what is chosen next.

    Cost: that of two scores and of the normalizer, and O(Q K w).

    Args:
        chunk_size: w, in keys; 1 is monotonic attention.
        score, normalizer, and the rest: as in `Attention`.

    Raises:
        ValueError: a normalizer that does not follow the steps, a score that does, or as in `Attention`.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        chunk_size: NumPositions = 4,
        **options: Unpack[AttentionKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, **options)
        if not self.normalizer.uses_history:
            raise ValueError(
                "MochaAttention reads a chunk of keys behind one that its normalizer chooses step by step, which "
                f"{type(self.normalizer).__name__} does not: use attention/normalizer=monotonic."
            )
        if self.score.uses_history:
            raise ValueError(
                f"{type(self.score).__name__} follows the weights of the step before, and MochaAttention goes on from "
                "the key that this step chose: use attention/score=additive or scaled_dot."
            )
        self.chunk_size: int = chunk_size
        query_size, key_size, maps = self._sizes_of_maps()
        self.chunk_score = options["score"](query_dim=query_size, key_dim=key_size, num_heads=maps)

    def prepare_heads(
        self, keys: Tensor, values: Tensor, mask: Tensor | None, first_position: int = 0
    ) -> tuple[Tensor, Tensor]:
        """As in `Attention`; behind the keys for the first score stand those for the second."""
        choosing, values = super().prepare_heads(keys, values, mask, first_position)
        reading = self.chunk_score.normed_keys(keys)
        if self.chunk_score.keys_differ_by_head:
            reading = self._for_each_head(reading)
        return torch.cat((choosing, self.chunk_score.prepare_keys(reading)), dim=-1), values

    def placed(self, query: Tensor, first_position: int) -> Tensor:
        return torch.cat((super().placed(query, first_position), self.chunk_score.normed_query(query)), dim=-1)

    def _step_by_step(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, history: History
    ) -> tuple[Tensor, Tensor, History]:
        """All scores at once: only what is chosen depends on the step before."""
        keys, values = self._for_each_head(keys), self._for_each_head(values)
        (choosing, reading), (own, of_chunk) = query.chunk(2, dim=-1), keys.chunk(2, dim=-1)
        chosen = self.normalizer.steps(self.score(choosing, own), mask, history)
        history = history.after_all(chosen)
        weights = chunk_weights(chosen, self.chunk_score(reading, of_chunk), mask, self.chunk_size)
        weights = as_weights(weights, query)
        if self.replacement is not None:
            weights = torch.cat([self.used(row) for row in weights.split(1, dim=-2)], dim=-2)
        return paths.mixed(weights, values, self.dropout_now), weights, history

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, chunk_size={self.chunk_size}"


def chunk_weights(chosen: Tensor, scores: Tensor, mask: Tensor | None, size: int) -> Tensor:
    """The weights of chunks of `size` keys, by the probability that a chunk ends at each key.

    Each chunk has a softmax of its own, so that no sum of exponentials is too large or too small.

    Args:
        chosen: (..., H, Q, K).
        scores: (..., H, Q, K), of the keys within a chunk.
        mask: broadcastable to them, True = may attend; None: all may be attended.

    Returns:
        (..., H, Q, K), in the precision of the scores, float32 at least.
    """
    logits, num_keys = exact(scores), scores.shape[-1]
    size = max(1, min(size, num_keys))
    lowest = torch.finfo(logits.dtype).min
    if mask is not None:
        logits = logits.masked_fill(~mask, lowest)
    # One place more than there are chunks to keep: a chunk then fits in even where there are no keys.
    chunks = F.pad(logits, (size - 1, 1), value=lowest).unfold(-1, size, 1)[..., :num_keys, :]  # (..., K, w)
    parts = chunks.softmax(dim=-1) * chosen.to(logits.dtype).unsqueeze(-1)
    weights = torch.zeros_like(logits)
    for place in range(size):  # the key at this place of each chunk stands `behind` keys before its end
        behind = size - 1 - place
        weights = weights + F.pad(parts[..., behind:, place], (0, behind))
    return weights if mask is None else torch.where(mask, weights, 0.0)
