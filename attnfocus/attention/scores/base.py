"""What every score function has in common.

Shapes: ... leading dims (the batch), H heads, Q queries, K keys, d sizes of one query or key.
"""

import math
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from attnfocus.attention.memory import History
from attnfocus.signatures import WholeSignature


class Score(nn.Module):
    """score(query, key), a number for each pair: query (..., H, Q, d), keys (..., H, K, d') -> (..., H, Q, K).

    What depends on the keys alone is in `prepare_keys`, so that a decoder pays for it once per sentence; `forward`
    takes the keys that come out of it.

    Args:
        query_dim: size of one query, per head.
        key_dim: size of one key, per head.
        num_heads: each head has parameters of its own.
    """

    __signature__ = WholeSignature()  # of the classes below, which hand on what they do not name
    # True: score = kernel_scale * prepare_query(q) . prepare_keys(k), an inner product that fused kernels can compute.
    is_inner_product: ClassVar[bool] = False
    # What is done to the scores afterwards, which no fused kernel knows; None: nothing.
    bends_scores_by: str | None = None
    # True: the score does not change when query and key turn together, as rotary positions need.
    is_rotation_invariant: ClassVar[bool] = False
    # True: no score is above 0.
    is_never_positive: ClassVar[bool] = False
    # True: `prepare_keys` has parameters for each head, so heads cannot share prepared keys.
    keys_differ_by_head: ClassVar[bool] = False
    # True: the score depends on where earlier steps looked, so that queries come one by one: see `step`.
    uses_history: ClassVar[bool] = False
    # Factor of an inner product: 1 / sqrt(d) for scaled dot. Fused kernels take it, which saves a pass over the query.
    kernel_scale: float = 1.0

    def __init__(self, *, query_dim: int, key_dim: int, num_heads: int) -> None:
        super().__init__()
        self.query_dim, self.key_dim, self.num_heads = query_dim, key_dim, num_heads

    def normed_keys(self, keys: Tensor) -> Tensor:
        """Keys (..., any number of heads, K, d') of a normal length, before positions move them -> the same shape."""
        return keys

    def normed_query(self, query: Tensor) -> Tensor:
        """Queries (..., H, Q, d) of a normal length, before positions move them -> the same shape."""
        return query

    def prepare_keys(self, keys: Tensor) -> Tensor:
        """The part that depends on the keys alone. keys (..., H, K, d') -> (..., H, K, any size)."""
        return keys

    def prepare_query(self, query: Tensor) -> Tensor:
        """The part that depends on the query alone. query (..., H, Q, d) -> (..., H, Q, any size)."""
        return query

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """query (..., H, Q, d) and keys out of `prepare_keys` -> scores (..., H, Q, K).

        Of half precision best made in float32, as fused kernels do: rounded to bfloat16, scores of 60 are 1/4 apart.
        """
        raise NotImplementedError

    def step(self, query: Tensor, keys: Tensor, history: History) -> Tensor:
        """One step of a decoder: query (..., H, 1, d) and keys out of `prepare_keys` -> scores (..., H, 1, K)."""
        return self(query, keys)

    def softmax_steps(self, query: Tensor, keys: Tensor, mask: Tensor | None, history: History) -> Tensor | None:
        """The weights of steps that follow on each other, normalized by softmax, for one with `uses_history`.

        query (..., H, Q, d), keys out of `prepare_keys`, mask broadcastable to the weights (..., H, Q, K). None: no way
        is faster than `step` after `step`.
        """
        return None

    def extra_repr(self) -> str:
        return f"query_dim={self.query_dim}, key_dim={self.key_dim}, num_heads={self.num_heads}"


class ScoreFactory(Protocol):
    """Builds a score once the dimensions are known: a `Score` class, or a `functools.partial` of one."""

    def __call__(self, *, query_dim: int, key_dim: int, num_heads: int) -> Score: ...


def per_head_linear(inputs: Tensor, weight: Tensor) -> Tensor:
    """inputs (..., H, N, i), weight (H, o, i) -> (..., H, N, o)."""
    if weight.shape[0] == 1:
        return nn.functional.linear(inputs, weight[0])  # one large product instead of a batch of small ones
    return torch.einsum("...hni,hoi->...hno", inputs, weight)


def xavier_uniform_per_head_(weight: Tensor) -> None:
    """Fills weight (H, o, i) in place: each head is a matrix of its own with i inputs and o outputs.

    Xavier (Glorot and Bengio 2010) keeps the variance of what passes through a matrix about the same, forward and
    backward, so scores start on the scale of their inputs; `nn.init` would read the head axis as inputs.
    """
    bound = math.sqrt(6 / (weight.shape[-1] + weight.shape[-2]))
    nn.init.uniform_(weight, -bound, bound)
