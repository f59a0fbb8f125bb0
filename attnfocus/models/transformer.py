"""The Transformer encoder as a classifier, with any attention of the algebra.

Shapes: B batch, L positions, D embed_dim, C classes.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention import BaseAttention
from attnfocus.attention.dropout import dropout
from attnfocus.attention.projections import linear
from attnfocus.grid import Grid
from attnfocus.limits import NumLayers, NumPositions, Probability, Size
from attnfocus.models.base import Classifier
from attnfocus.models.embeddings import InputEmbedding, PositionEmbedding, PositionKind, TokenEmbedding
from attnfocus.models.inputs import InputOption, LinearInput
from attnfocus.models.layer_attentions import AttentionFactory, LayerAttentions, by_layer
from attnfocus.models.length_groups import by_length_groups
from attnfocus.models.lengths import length_mask, with_a_position
from attnfocus.models.outputs import ClassifierOutput
from attnfocus.models.pooling import AttentionPooling, mean_pooling, require_encoder_attention, shortest_limit
from attnfocus.models.transformer_layers import LayerOptions, NormPlace, TransformerLayer


class TransformerClassifier(Classifier):
    """Transformer encoder (Vaswani et al. 2017, arXiv:1706.03762), pooled into one vector, then a linear layer.

    Args:
        attention: makes the attention of each layer, and of the pooling if that attends.
        layer_attentions: make the attentions of the layers instead, from the first on, and repeated to fill them.
        num_classes: C.
        vocab_size, input_dim: exactly one: the inputs are token ids, or vectors of that size.
        grid: how the positions of vectors lie, where they are cells of a grid.
        input: makes what reads vectors, such as `LinearInput`; plays no part for token ids.
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

    def __init__(
        self,
        *,
        attention: AttentionFactory,
        num_classes: int,
        vocab_size: int | None = None,
        input_dim: int | None = None,
        grid: Grid | None = None,
        input: InputOption = LinearInput,
        layer_attentions: LayerAttentions = None,
        embed_dim: Size = 192,
        num_layers: NumLayers = 1,
        num_heads: Size = 4,
        feedforward_dim: Size = 256,
        norm: NormPlace = "pre",
        pooling: Literal["mean", "cls", "attention"] = "mean",
        position: PositionKind = "sinusoidal",
        max_length: NumPositions = 512,
        dropout: Probability = 0.4,
    ) -> None:
        super().__init__()
        self.embedding = InputEmbedding(embed_dim, vocab_size=vocab_size, input_dim=input_dim, input=input, grid=grid)
        self.position = PositionEmbedding(position, embed_dim, max_length, grid)
        options = LayerOptions(embed_dim, num_heads, feedforward_dim, norm, dropout)
        attentions = by_layer(attention, num_layers, layer_attentions, lambda each: _for_encoder(each, options))
        layers = [TransformerLayer(each, options) for each in attentions]
        self.layers = nn.ModuleList(layers)
        self.final_norm = nn.LayerNorm(embed_dim) if norm == "pre" else nn.Identity()
        of_layers = [layer.attention for layer in layers]
        self.cls = _cls_vector(embed_dim, of_layers) if pooling == "cls" else None
        self.num_prepended = 0 if self.cls is None else 1  # positions before the input's own in the layers' weights
        self.pooling: AttentionPooling | None = None
        if pooling == "attention":
            if layer_attentions is None:
                _require_no_positions(of_layers[0])
            self.pooling = AttentionPooling(attention, embed_dim, num_heads)
        self.max_input_length = self._longest(shortest_limit(*(each.max_length for each in of_layers)))
        self.output = linear(embed_dim if self.pooling is None else self.pooling.output_dim, num_classes)
        self.dropout = dropout
        self.put_on(grid)

    def token_tables(self) -> dict[str, TokenEmbedding]:
        """The tables that pretrained vectors can fill, by the side that they embed."""
        return self.embedding.tables()

    def forward(self, inputs: Tensor, lengths: Tensor, need_weights: bool = False) -> ClassifierOutput:
        """inputs: ids (B, L) or vectors (B, L, D); lengths (B,).

        Weights: `layers.0`, ... (B, heads, L, L), with cls L + 1 of which it is the first; `pooling` (B, heads, 1, L).
        """
        if need_weights:
            return ClassifierOutput(*self._classify(inputs, lengths, need_weights))
        return ClassifierOutput(by_length_groups(lambda *rows: self._classify(*rows)[0], inputs, lengths), {})

    def _classify(
        self, inputs: Tensor, lengths: Tensor, need_weights: bool = False
    ) -> tuple[Tensor, dict[str, Tensor]]:
        inputs = with_a_position(inputs)
        mask = length_mask(lengths, inputs.shape[1])
        states = self.position(self.embedding(inputs, mask))
        if self.cls is not None:
            states = torch.cat((self.cls.expand(len(states), 1, -1), states), dim=1)
            mask = F.pad(mask, (1, 0), value=True)
        states = dropout(states, self.dropout, self.training)
        weights = {}
        for depth, layer in enumerate(self.layers):
            states, layer_weights = layer(states, mask.unsqueeze(1), need_weights)
            weights[f"layers.{depth}"] = layer_weights
        pooled, weights["pooling"] = self._pool(self.final_norm(states), mask, need_weights)
        logits = self.output(dropout(pooled, self.dropout, self.training))
        return logits, {name: each for name, each in weights.items() if each is not None}

    def _longest(self, of_attention: int | None) -> int | None:
        own = None if of_attention is None else of_attention - self.num_prepended
        return shortest_limit(self.position.max_length, own)

    def _pool(self, states: Tensor, mask: Tensor, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        if self.cls is not None:
            return states[:, 0], None
        if self.pooling is not None:
            return self.pooling(states, mask, need_weights)
        return mean_pooling(states, mask), None


def _for_encoder(factory: AttentionFactory, options: LayerOptions) -> AttentionFactory:
    with torch.device("meta"):
        require_encoder_attention(factory(**options.attention_sizes))
    return factory


def _cls_vector(embed_dim: int, attentions: Sequence[BaseAttention]) -> nn.Parameter:
    if not any(attention.sees_everything for attention in attentions):
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
