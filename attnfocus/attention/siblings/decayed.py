"""Linear attention that forgets.

Shapes: ... leading dims, H heads, G key heads, K keys, d size of one head, Dk size of a key, g 1 or d.
"""

from typing import Literal, Unpack

import torch
from torch import Tensor

from attnfocus.attention.keywords import HeadKeywords
from attnfocus.attention.positions.base import NoPosition, PositionFactory
from attnfocus.attention.recurrences import Positions, decayed_sums
from attnfocus.attention.siblings.decays import FixedDecay, StepDecay, VectorDecay
from attnfocus.attention.siblings.recurrent import Inputs, RecurrentAttention

Decay = Literal["fixed", "scalar", "vector"]


class DecayedAttention(RecurrentAttention):
    """S_i = diag(a_i) S_(i-1) + key_i value_i^T,  weight_ij = sum_f query_if key_jf a_(j+1)f ... a_if / sqrt(d), j <= i

    Linear attention, without feature map and divisor, whose sums fade; norm and output gate as in `RecurrentAttention`.
    What a_i is (see `siblings.decays`):

    fixed    a constant of each key head: retention (Sun et al. 2023, sec. 2, arXiv:2307.08621), with position rotary.
             Head h remembers about 2^(5+h) positions. The paper's GroupNorm is RMSNorm in its authors' code, as here.
    scalar   exp(-A s_i) for each position and key head, and key_i is taken s_i times: Mamba-2's state-space duality
             (Dao and Gu 2024, sec. 6 and 7, arXiv:2405.21060), without its convolution and skip connection, and with
             queries and keys of each head where the paper's heads share them.
    vector   a number for each of the d: gated linear attention (Yang et al. 2023, arXiv:2312.06635).

    A mask that differs between queries hides pairs: what a query may not see still fades what stands before it.

    Cost: as `RecurrentAttention`, with c = 64 positions in a chunk; vector makes O(K d log c) exponentials.

    Args:
        decay: what a_i is.
        position: moves queries and keys: none, rotary, sinusoidal or learned.
        output_gate, and the rest: as in `RecurrentAttention`.

    Raises:
        ValueError: a position that adds to scores, or as in `RecurrentAttention`.
    """

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        decay: Decay = "fixed",
        position: PositionFactory = NoPosition,
        output_gate: bool = True,
        **options: Unpack[HeadKeywords],
    ) -> None:
        super().__init__(query_dim, key_dim, value_dim, output_gate=output_gate, **options)
        self.position = position(num_heads=self.num_heads, head_dim=self.query_head_dim)
        if self.position.has_bias or self.position.reads_scores:
            raise ValueError(
                f"DecayedAttention sums over positions without a score for each pair, to which "
                f"{type(self.position).__name__} could add: use attention/position=none or rotary, or "
                "attention=multi_head."
            )
        self.kind: Decay = decay
        self.decay: FixedDecay | StepDecay | VectorDecay
        if decay == "fixed":
            self.decay = FixedDecay(self.num_key_heads)
        elif decay == "scalar":
            self.decay = StepDecay(key_dim, self.num_key_heads)
        else:
            self.decay = VectorDecay(key_dim, self.num_key_heads, self.key_head_dim)

    @property
    def max_length(self) -> int | None:
        return self.position.max_length

    def pack_keys(self, keys: Tensor, states: Tensor, first_position: int) -> Tensor:
        keys = self.position.place_keys(keys, first_position)
        if isinstance(self.decay, StepDecay):
            steps = self.decay.steps(states)
            return torch.cat((keys * steps, self.decay.of_steps(steps)), dim=-1)
        log_decay = self.decay(states)
        return torch.cat((keys, log_decay.expand(*keys.shape[:-1], -1)), dim=-1)

    def place_query(self, query: Tensor, first_position: int) -> Tensor:
        return self.position.place_queries(query, first_position) * query.shape[-1] ** -0.5

    def run(self, inputs: Inputs, state: Tensor | None) -> tuple[Tensor, Tensor]:
        query, keys, values = inputs
        size = query.shape[-1]
        return decayed_sums(Positions(query, keys[..., :size], values, keys[..., size:]), self.chunk_size, state)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, decay={self.kind}"
