"""The gated delta rule.

Shapes: ... leading dims, H heads, G key heads, K keys, d size of one head. Masks are bool, True = may attend.
"""

from typing import Unpack

import torch
from torch import Tensor
from torch.nn import functional as F

from attnfocus.attention.keywords import HeadKeywords
from attnfocus.attention.memory import Memory
from attnfocus.attention.recurrences import Positions, delta_sums
from attnfocus.attention.siblings.decays import StepDecay, Strength
from attnfocus.attention.siblings.recurrent import Inputs, RecurrentAttention
from attnfocus.errors import DataError

EPS = 1e-6  # added to the squared length of what is divided by its length


class GatedDeltaAttention(RecurrentAttention):
    """S_i = a_i (I - b_i key_i key_i^T) S_(i-1) + b_i key_i value_i^T,  context_i = S_i^T query_i

    (Yang et al. 2024, sec. 3, arXiv:2412.06464.) A key first takes away what is stored under it, then its value is
    written: b_i = sigmoid(w . x_i + b) says how much. a_i = exp(-A s_i) is kept of all that was stored, as in Mamba-2
    (see `siblings.decays`). Without `gate` a_i = 1: the delta rule of DeltaNet (Schlag et al. 2021, arXiv:2102.11174;
    Yang et al. 2024, arXiv:2406.06484). Queries and keys are silu(x) / |silu(x)|; norm and output gate as in
    `RecurrentAttention`. The papers' short convolution before the heads is left out.

    The implied weights are those of context_i = sum_j weight_ij value_j: with D_ij = a_(j+1) ... a_i for j <= i and
    A_ij = b_i D_ij key_i . key_j for j < i, weights = (D * query key^T) (I + A)^-1 diag(b). A key behind j that is like
    key j makes weight_ij smaller, or negative.

    What a query sees of one position depends on those between, so that a mask must be the same for all queries.

    Cost: as `RecurrentAttention`, and O(K c^2) for triangular systems of c = 64 positions each.

    Args:
        gate: whether all that is stored fades.
        output_gate, and the rest: as in `RecurrentAttention`.

    Raises:
        ValueError: as in `RecurrentAttention`. In a call: a mask that differs between queries.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        gate: bool = True,
        output_gate: bool = True,
        **options: Unpack[HeadKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, output_gate=output_gate, **options)
        self.strength = Strength(key_dim, self.num_key_heads)
        self.decay = StepDecay(key_dim, self.num_key_heads) if gate else None

    @property
    def head_mask_problem(self) -> str:
        return (
            "GatedDeltaAttention makes its weights of all keys together, so that one which a head may not see would "
            "change the others: use a mask of padding, or attention=multi_head."
        )

    def pack_keys(self, keys: Tensor, states: Tensor, first_position: int) -> Tensor:
        strength = self.strength(states)
        log_decay = torch.zeros_like(strength) if self.decay is None else self.decay(states)
        return torch.cat((_unit(keys), log_decay, strength), dim=-1)

    def place_query(self, query: Tensor, first_position: int) -> Tensor:
        return _unit(query)

    def run(self, inputs: Inputs, state: Tensor | None) -> tuple[Tensor, Tensor]:
        query, packed, values = inputs
        keys, log_decay, strength = packed.split((query.shape[-1], 1, 1), dim=-1)
        return delta_sums(Positions(query, keys, values, log_decay), strength, self.chunk_size, state)

    def _attended(
        self, query: Tensor, memory: Memory, mask: Tensor | None, head_mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        keys, values, mask = super()._attended(query, memory, mask, head_mask)
        if mask is not None and mask.shape[-2] != 1:
            raise DataError(
                "GatedDeltaAttention lets each key change what the ones before it left, for all queries alike, so a "
                f"mask must be (..., 1, K), got {(*mask.shape[:-3], *mask.shape[-2:])}: use a mask of padding only, or "
                "attention=multi_head."
            )
        return keys, values, mask


def _unit(vectors: Tensor) -> Tensor:
    activated = F.silu(vectors)
    return activated * torch.rsqrt(activated.square().sum(dim=-1, keepdim=True) + EPS)
