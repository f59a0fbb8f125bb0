"""The decoder-only Transformer: a language model with any attention that can look back alone.

Shapes: B texts, N rows (texts, or hypotheses of a beam), L and T tokens, D embed_dim, V vocabulary, H heads.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from attnfocus.attention import Past
from attnfocus.attention.dropout import dropout
from attnfocus.limits import NumLayers, NumPositions, Probability, Size
from attnfocus.models.attention_places import looking_back_only
from attnfocus.models.base import LanguageModel
from attnfocus.models.documents import Documents
from attnfocus.models.embeddings import PositionEmbedding, PositionKind, TokenEmbedding, table_of
from attnfocus.models.layer_attentions import AttentionFactory, LayerAttentions, by_layer
from attnfocus.models.outputs import SequenceOutput
from attnfocus.models.pooling import shortest_limit
from attnfocus.models.transformer_layers import Activation, CausalLayer, LayerOptions, NormKind


class LanguageModelState(NamedTuple):
    """What the layers keep of the tokens read: keys and values, or what stands for them."""

    layers: tuple[Past, ...]

    @property
    def num_tokens(self) -> int:
        """How many tokens were read."""
        return self.layers[0].length


class TransformerLanguageModel(LanguageModel):
    """Layers of causal self-attention, normalized first (GPT-2: Radford et al. 2019; LLaMA: arXiv:2302.13971).

    The pattern of the attention is cut at the query; one that cannot be cut is refused.

    Args:
        attention: makes the attention of each layer.
        vocab_size: V.
        layer_attentions: make the attentions of the layers instead, from the first on, and repeated to fill them.
        embed_dim: width of embeddings and layers.
        num_layers: number of layers.
        num_heads: heads of an attention that does not set its own.
        feedforward_dim: width inside the feed-forward networks.
        activation: of the feed-forward networks; swiglu has a third matrix.
        norm_kind: LayerNorm, or RMSNorm.
        bias: whether projections, feed-forward networks, norms and the output have biases, as in GPT-2; LLaMA has none.
        tied_embeddings: one table for the input and the output (Press & Wolf 2017, arXiv:1608.05859).
        position: sinusoids, a learned table, or none.
        max_length: rows of the learned table; longer texts are refused. Unused otherwise.
        dropout: of embeddings, of what is added to a residual connection, and inside the feed-forward networks.

    Raises:
        ValueError: options that do not go together, or an attention that looks ahead.
    """

    takes_documents: ClassVar[bool] = True

    def __init__(
        self,
        *,
        attention: AttentionFactory,
        vocab_size: int,
        layer_attentions: LayerAttentions = None,
        embed_dim: Size = 128,
        num_layers: NumLayers = 2,
        num_heads: Size = 4,
        feedforward_dim: Size = 512,
        activation: Activation = "gelu",
        norm_kind: NormKind = "layer_norm",
        bias: bool = True,
        tied_embeddings: bool = True,
        position: PositionKind = "learned",
        max_length: NumPositions = 512,
        dropout: Probability = 0.0,
    ) -> None:
        super().__init__()
        options = LayerOptions(embed_dim, num_heads, feedforward_dim, "pre", dropout, activation, norm_kind, bias)

        def causal(factory: AttentionFactory) -> AttentionFactory:
            return looking_back_only(factory, options.attention_sizes, "a language model", "attention=multi_head")

        self.embedding, self.output = table_of(tied_embeddings, vocab_size, embed_dim, embed_dim, bias)
        self.position = PositionEmbedding(position, embed_dim, max_length)
        layers = [CausalLayer(each, options) for each in by_layer(attention, num_layers, layer_attentions, causal)]
        self.layers = nn.ModuleList(layers)
        self.final_norm = options.make_norm()
        limit = shortest_limit(self.position.max_length, *(layer.attention.max_length for layer in layers))
        self.max_input_length = self.max_output_length = limit
        self.dropout = dropout

    def token_tables(self) -> dict[str, TokenEmbedding]:
        """The table that pretrained vectors can fill."""
        return {"source": self.embedding}

    def start(self, num_rows: int) -> LanguageModelState:
        """The state before the first token."""
        return LanguageModelState(tuple(layer.attention.begin() for layer in self._layers()))

    def forward(
        self,
        inputs: Tensor,
        lengths: Tensor,
        need_weights: bool = False,
        documents: Documents | None = None,
        *,
        num_context: int = 0,
    ) -> SequenceOutput:
        """inputs (B, L) from BOS on, of `lengths` (B,). Weights: `layers.0`, ... (B, H, L, L).

        Args:
            documents: texts in these rows, none of which sees another; there are no weights then.
            num_context: as in `LanguageModel`.
        """
        if num_context:
            return self.carried_on(inputs, num_context, need_weights)
        if documents is None:
            return self._run(inputs, 0, [None] * len(self.layers), need_weights)[0]
        states = dropout(self.position(self.embedding(inputs), 0, documents), self.dropout, self.training)
        for layer in self.layers:
            states = layer(states, documents, need_weights)[0]
        return self._output(states, {})

    def read(
        self, tokens: Tensor, state: LanguageModelState, need_weights: bool = False
    ) -> tuple[SequenceOutput, LanguageModelState]:
        """Read tokens (N, T) from `state` on. Weights: `layers.0`, ... (N, H, T, all tokens so far)."""
        output, kept = self._run(tokens, state.num_tokens, state.layers, need_weights)
        return output, LanguageModelState(tuple(each for each in kept if each is not None))

    def _layers(self) -> list[CausalLayer]:
        return [layer for layer in self.layers if isinstance(layer, CausalLayer)]

    def _run(
        self, tokens: Tensor, first: int, pasts: Sequence[Past | None], need_weights: bool
    ) -> tuple[SequenceOutput, list[Past | None]]:
        """Tokens (N, T), the first of which is number `first`: their output, and the pasts with them."""
        states = dropout(self.position(self.embedding(tokens), first), self.dropout, self.training)
        kept, weights = [], {}
        for depth, (layer, so_far) in enumerate(zip(self.layers, pasts, strict=True)):
            states, so_far, of_layer = layer(states, so_far, need_weights)
            kept.append(so_far)
            if of_layer is not None:
                weights[f"layers.{depth}"] = of_layer
        return self._output(states, weights), kept

    def _output(self, states: Tensor, weights: dict[str, Tensor]) -> SequenceOutput:
        return SequenceOutput(self.final_norm(states), self.output.weight, self.output.bias, weights)
