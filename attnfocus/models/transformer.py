"""The Transformer encoder as a classifier, with any attention of the algebra.

Shapes: B batch, L positions, D embed_dim, C classes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import BaseAttention
from attnfocus.limits import PositiveInt, Probability
from attnfocus.models.embeddings import InputEmbedding, PositionEmbedding, PositionKind, linear
from attnfocus.models.lengths import length_mask, with_a_position
from attnfocus.models.outputs import ClassifierOutput
from attnfocus.models.pooling import AttentionPooling, mean_pooling, require_encoder_attention, shortest_limit

NormPlace = Literal["pre", "post"]


@dataclass(frozen=True)
class LayerOptions:
    """What the layers of a Transformer share."""

    embed_dim: int
    num_heads: int
    feedforward_dim: int
    norm: NormPlace
    dropout: float


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward network, each with a residual connection and layer normalization.

    post: x + f(x), then normalized (Vaswani et al. 2017, sec. 3.1); pre: x + f(normalized x), which trains without a
    warm-up (Xiong et al. 2020, arXiv:2002.04745). The network is W_2 gelu(W_1 x + b_1) + b_2.
    """

    def __init__(self, attention: Callable[..., BaseAttention], options: LayerOptions) -> None:
        super().__init__()
        dim = options.embed_dim
        self.attention = attention(
            query_dim=dim,
            key_dim=dim,
            value_dim=dim,
            output_dim=dim,
            suggested_heads=options.num_heads,
            suggested_projections=True,
        )
        require_encoder_attention(self.attention)
        self.attention_norm = nn.LayerNorm(dim)
        self.feedforward_norm = nn.LayerNorm(dim)
        self.widen = linear(dim, options.feedforward_dim)
        self.narrow = linear(options.feedforward_dim, dim)
        self.norms_first = options.norm == "pre"
        self.dropout = options.dropout

    def forward(self, states: Tensor, mask: Tensor, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        """states (B, L, D), mask (B, 1, L) -> states (B, L, D), and weights (B, H, L, L) or None."""
        normed = self.attention_norm(states) if self.norms_first else states
        context, weights = self.attention(normed, normed, None, mask, need_weights)
        states = states + self._drop(context)
        states = states if self.norms_first else self.attention_norm(states)
        normed = self.feedforward_norm(states) if self.norms_first else states
        states = states + self._drop(self.narrow(self._drop(F.gelu(self.widen(normed)))))
        return states if self.norms_first else self.feedforward_norm(states), weights

    def _drop(self, states: Tensor) -> Tensor:
        return F.dropout(states, self.dropout, self.training)


class TransformerClassifier(nn.Module):
    """Transformer encoder (Vaswani et al. 2017, arXiv:1706.03762), pooled into one vector, then a linear layer.

    Args:
        attention: makes the attention of each layer, and of the pooling if that attends.
        num_classes: C.
        vocab_size, input_dim: exactly one: the inputs are token ids, or vectors of that size.
        embed_dim: width of the layers.
        num_layers: number of layers.
        num_heads: heads of an attention that does not set its own.
        feedforward_dim: width inside the feed-forward networks.
        norm: layer normalization before (pre) or after (post) each residual connection.
        pooling: the mean of the positions, a learned vector put in front of the input (cls, Devlin et al. 2019), or a
            learned query that attends to the positions.
        position: sinusoids, a learned table, or none.
        max_length: rows of the learned table; longer inputs are refused. Unused otherwise.
        dropout: of embeddings, of what is added to a residual connection, inside the feed-forward networks, and
            before the output layer.

    Raises:
        ValueError: options that do not go together.
    """

    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __init__(
        self,
        *,
        attention: Callable[..., BaseAttention],
        num_classes: int,
        vocab_size: int | None = None,
        input_dim: int | None = None,
        embed_dim: PositiveInt = 192,
        num_layers: PositiveInt = 1,
        num_heads: PositiveInt = 4,
        feedforward_dim: PositiveInt = 256,
        norm: NormPlace = "pre",
        pooling: Literal["mean", "cls", "attention"] = "mean",
        position: PositionKind = "sinusoidal",
        max_length: PositiveInt = 512,
        dropout: Probability = 0.4,
    ) -> None:
        super().__init__()
        self.embedding = InputEmbedding(embed_dim, vocab_size=vocab_size, input_dim=input_dim)
        self.position = PositionEmbedding(position, embed_dim, max_length)
        options = LayerOptions(embed_dim, num_heads, feedforward_dim, norm, dropout)
        layers = [TransformerLayer(attention, options) for _ in range(num_layers)]
        self.layers = nn.ModuleList(layers)
        self.final_norm = nn.LayerNorm(embed_dim) if norm == "pre" else nn.Identity()
        self.cls = _cls_vector(embed_dim, layers[0].attention) if pooling == "cls" else None
        self.num_prepended = 0 if self.cls is None else 1  # positions before the input's own in the layers' weights
        self.pooling: AttentionPooling | None = None
        if pooling == "attention":
            _require_no_positions(layers[0].attention)
            self.pooling = AttentionPooling(attention, embed_dim, num_heads)
        self.max_input_length = self._longest(layers[0].attention.max_length)
        self.output = linear(embed_dim if self.pooling is None else self.pooling.output_dim, num_classes)
        self.dropout = dropout
        # A table's rows have a length of 1; times sqrt(D) their entries are of order 1, as those of the positions.
        self.scale = math.sqrt(embed_dim) if vocab_size is not None else 1.0

    def token_tables(self) -> dict[str, nn.Embedding]:
        """The tables that pretrained vectors can fill, by the side that they embed."""
        return self.embedding.tables()

    def forward(self, inputs: Tensor, lengths: Tensor, need_weights: bool = False) -> ClassifierOutput:
        """inputs: ids (B, L) or vectors (B, L, D); lengths (B,).

        Weights: `layers.0`, ... (B, heads, L, L), with cls L + 1 of which it is the first; `pooling` (B, heads, 1, L).
        """
        inputs = with_a_position(inputs)
        mask = length_mask(lengths, inputs.shape[1])
        states = self.position(self.embedding(inputs, mask) * self.scale)
        if self.cls is not None:
            states = torch.cat((self.cls.expand(len(states), 1, -1), states), dim=1)
            mask = F.pad(mask, (1, 0), value=True)
        states = F.dropout(states, self.dropout, self.training)
        weights = {}
        for depth, layer in enumerate(self.layers):
            states, layer_weights = layer(states, mask.unsqueeze(1), need_weights)
            weights[f"layers.{depth}"] = layer_weights
        pooled, weights["pooling"] = self._pool(self.final_norm(states), mask, need_weights)
        logits = self.output(F.dropout(pooled, self.dropout, self.training))
        return ClassifierOutput(logits, {name: each for name, each in weights.items() if each is not None})

    def _longest(self, of_attention: int | None) -> int | None:
        own = None if of_attention is None else of_attention - self.num_prepended
        return shortest_limit(self.position.max_length, own)

    def _pool(self, states: Tensor, mask: Tensor, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        if self.cls is not None:
            return states[:, 0], None
        if self.pooling is not None:
            return self.pooling(states, mask, need_weights)
        return mean_pooling(states, mask), None


def _cls_vector(embed_dim: int, attention: BaseAttention) -> nn.Parameter:
    if not attention.sees_everything:
        raise ValueError(
            "pooling=cls puts a vector in front of the input that must see every position, which this attention "
            "forbids. Use model.pooling=mean, or attention/pattern=full."
        )
    vector = nn.Parameter(torch.empty(1, 1, embed_dim))
    nn.init.normal_(vector)
    return vector


def _require_no_positions(attention: BaseAttention) -> None:
    if attention.same_sequence_only:
        raise ValueError(
            "pooling=attention has a query without a position, and this attention compares positions. Use "
            "model.pooling=mean, or attention/pattern=full with attention/position=none."
        )
