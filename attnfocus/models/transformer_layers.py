"""The layers of Transformers.

Shapes: N rows (sequences), L positions, S source positions, T target positions, D embed_dim, H heads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import BaseAttention, History, Memory, Past, Role
from attnfocus.attention.dropout import dropout
from attnfocus.attention.projections import linear
from attnfocus.models.base import Layer
from attnfocus.models.documents import Documents
from attnfocus.models.pooling import require_encoder_attention

NormPlace = Literal["pre", "post"]
NormKind = Literal["layer_norm", "rms_norm"]
Activation = Literal["relu", "gelu", "swiglu"]


@dataclass(frozen=True)
class LayerOptions:
    """What the layers of a Transformer share."""

    embed_dim: int
    num_heads: int
    feedforward_dim: int
    norm: NormPlace
    dropout: float
    activation: Activation = "gelu"
    norm_kind: NormKind = "layer_norm"
    bias: bool = True  # in projections, networks and norms

    def make_norm(self) -> nn.Module:
        """LayerNorm (Ba et al. 2016, arXiv:1607.06450), or RMSNorm, which subtracts no mean and adds no bias (Zhang and
        Sennrich 2019, arXiv:1910.07467)."""
        if self.norm_kind == "rms_norm":
            return nn.RMSNorm(self.embed_dim, eps=1e-5)
        return nn.LayerNorm(self.embed_dim, bias=self.bias)

    @property
    def attention_sizes(self) -> dict[str, Any]:
        """What a layer gives to its attentions."""
        dim = self.embed_dim
        dims = {"query_dim": dim, "key_dim": dim, "value_dim": dim, "output_dim": dim}
        suggested = {"suggested_heads": self.num_heads, "suggested_projections": True}
        return {**dims, **suggested, **({} if self.bias else {"suggested_bias": False})}


class ResidualLayer(Layer):
    """What the layers have in common: sublayers f, each with a residual connection and layer normalization.

    post: x + f(x), then normalized (Vaswani et al. 2017, sec. 3.1); pre: x + f(normalized x), which trains without a
    warm-up (Xiong et al. 2020, arXiv:2002.04745). The last sublayer is the network W_2 activation(W_1 x + b_1) + b_2,
    or with swiglu W_2 (silu(W_3 x) * (W_1 x + b_1)) + b_2 (Shazeer 2020, arXiv:2002.05202).
    """

    def __init__(self, options: LayerOptions) -> None:
        super().__init__()
        self.norms_first = options.norm == "pre"
        self.dropout = options.dropout
        self.activation: Callable[[Tensor], Tensor] = F.relu if options.activation == "relu" else F.gelu
        self.gate: nn.Linear | None = None

    def _make_feedforward(self, options: LayerOptions) -> None:
        self.feedforward_norm = options.make_norm()
        self.widen = linear(options.embed_dim, options.feedforward_dim, options.bias)
        if options.activation == "swiglu":
            self.gate = linear(options.embed_dim, options.feedforward_dim, bias=False)
        self.narrow = linear(options.feedforward_dim, options.embed_dim, options.bias)

    def _into(self, norm: nn.Module, states: Tensor) -> Tensor:
        """What a sublayer reads."""
        normed: Tensor = norm(states) if self.norms_first else states
        return normed

    def _added(self, norm: nn.Module, states: Tensor, update: Tensor) -> Tensor:
        """What a sublayer leaves behind, given what it read from and what it says."""
        states = states + self._drop(update)
        return states if self.norms_first else norm(states)

    def _feedforward(self, states: Tensor) -> Tensor:
        read = self._into(self.feedforward_norm, states)
        return self._added(self.feedforward_norm, states, self.narrow(self._drop(self.hidden(read))))

    def hidden(self, read: Tensor) -> Tensor:
        """What is inside the network: read (..., D) -> (..., feedforward_dim)."""
        wide: Tensor = self.widen(read)
        return self.activation(wide) if self.gate is None else F.silu(self.gate(read)) * wide

    def _drop(self, states: Tensor) -> Tensor:
        return dropout(states, self.dropout, self.training)


class TransformerLayer(ResidualLayer):
    """A layer of an encoder: self-attention and a feed-forward network (see `ResidualLayer`)."""

    def __init__(self, attention: Callable[..., BaseAttention], options: LayerOptions) -> None:
        super().__init__(options)
        self.attention = attention(**options.attention_sizes)
        self.attention.role = Role("self", "input", "input")
        require_encoder_attention(self.attention)
        self.attention_norm = options.make_norm()
        self._make_feedforward(options)

    def forward(self, states: Tensor, mask: Tensor, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        """states (N, L, D), mask (N, 1, L) -> states (N, L, D), and weights (N, H, L, L) or None."""
        normed = self._into(self.attention_norm, states)
        context, weights = self.attention(normed, normed, None, mask, need_weights)
        return self._feedforward(self._added(self.attention_norm, states, context)), weights


class CausalLayer(ResidualLayer):
    """A layer of a language model: self-attention that looks at nothing ahead, and a feed-forward network.

    `attention` must look back alone (see `attention_places.looking_back_only`).
    """

    def __init__(self, attention: Callable[..., BaseAttention], options: LayerOptions) -> None:
        super().__init__(options)
        self.attention = attention(**options.attention_sizes)
        self.attention.role = Role("self", "output", "output")
        self.attention_norm = options.make_norm()
        self._make_feedforward(options)

    def forward(
        self, states: Tensor, so_far: Past | Documents | None, need_weights: bool, num_context: int = 0
    ) -> tuple[Tensor, Past | None, Tensor | None]:
        """Read states (N, T, D) after those of the past: states (N, T, D), the past with them, and weights
        (N, H, T, all positions so far) or None.

        Without a past these are all positions, which is faster by a tenth. In the place of the past there may be
        documents: all positions are those of several texts in each row, which are computed without weights. Of all
        positions the first `num_context` may be a context: what they read has no gradient (see `_after`).
        """
        if num_context:
            states, weights = self._after(states, num_context, need_weights)
            return states, None, weights
        normed = self._into(self.attention_norm, states)
        weights, past = None, None
        if so_far is None:
            context, weights = self.attention(normed, normed, None, None, need_weights)
        elif isinstance(so_far, Documents):
            if need_weights:
                raise ValueError("weights are of one text a row: call the model without documents.")
            context = so_far.attended(self.attention, normed)
        else:
            context, weights, past = self.attention.proceed(normed, so_far, need_weights)
        return self._feedforward(self._added(self.attention_norm, states, context)), past, weights

    def _after(self, states: Tensor, num_context: int, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        """States (N, C + T, D), of which the first C have no gradient; weights (N, H, T, C + T).

        What the attention reads of the context is a constant, and what it keeps of that has a graph: later queries
        teach its parameters what keys, values or sums to make of a context. All else of the context has no graph. Both
        parts are read in one call: a layer whose weights lie in several processes (FSDP2) shares its gradients out as
        soon as that of its input is there, and what came from an earlier call would be lost.
        """
        before, states = states[:, :num_context].detach(), states[:, num_context:]
        with torch.no_grad():
            normed = self._into(self.attention_norm, before)
        seen, _, past = self.attention.proceed(normed, self.attention.begin(need_weights))
        context, weights, _ = self.attention.proceed(self._into(self.attention_norm, states), past, need_weights)
        states = self._feedforward(self._added(self.attention_norm, states, context))
        with torch.no_grad():  # last: else autocast would keep weights that it cast here for the others, without graph
            before = self._feedforward(self._added(self.attention_norm, before, seen.detach()))
        return torch.cat((before, states), dim=1), weights


class DecoderLayerState(NamedTuple):
    """Where a layer of a decoder stands after some tokens."""

    so_far: Past  # what the self-attention keeps of the tokens read
    history: History | None  # where the cross-attention looked, if it goes by that


class DecoderLayerOutput(NamedTuple):
    """What a layer says of T tokens."""

    states: Tensor  # (N, T, D)
    state: DecoderLayerState
    self_weights: Tensor | None  # (N, H, T, all tokens so far)
    cross_weights: Tensor | None  # (N, H, T, S)


class TransformerDecoderLayer(ResidualLayer):
    """Causal self-attention, attention to the source, and a feed-forward network (see `ResidualLayer`).

    It reads any number of tokens from a given state: the whole target when teacher-forced, one token when decoding.
    """

    called_apart: ClassVar = {"cross_attention": ("prepare", "advance")}

    def __init__(
        self,
        self_attention: Callable[..., BaseAttention],
        cross_attention: Callable[..., BaseAttention],
        options: LayerOptions,
    ) -> None:
        super().__init__(options)
        self.self_attention = self_attention(**options.attention_sizes)
        self.self_attention.role = Role("self", "output", "output")
        self.self_norm = options.make_norm()
        self.cross_attention = cross_attention(**options.attention_sizes)
        self.cross_attention.role = Role("cross", "output", "input")
        self.cross_norm = options.make_norm()
        self._make_feedforward(options)

    def start(self, source: Memory) -> DecoderLayerState:
        """The state before the first token."""
        return DecoderLayerState(self.self_attention.begin(), self.cross_attention.start(source))

    def forward(
        self, states: Tensor, state: DecoderLayerState, source: Memory, need_self: bool, need_cross: bool
    ) -> DecoderLayerOutput:
        """Read states (N, T, D) from `state` on; which weights are needed is said for each attention."""
        normed = self._into(self.self_norm, states)
        context, self_weights, so_far = self.self_attention.proceed(normed, state.so_far, need_self)
        states = self._added(self.self_norm, states, context)
        query = self._into(self.cross_norm, states)
        context, cross_weights, history = self.cross_attention.advance(query, source, state.history, need_cross)
        states = self._feedforward(self._added(self.cross_norm, states, context))
        return DecoderLayerOutput(states, DecoderLayerState(so_far, history), self_weights, cross_weights)
