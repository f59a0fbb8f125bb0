"""The Transformer as a whole: encoder and decoder, with any attention of the algebra in its three places.

Shapes: B sentences, N rows (sentences, or hypotheses of a beam), S source tokens, T target tokens, D embed_dim,
V target vocabulary, H heads.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attnfocus.attention import BaseAttention, Memory
from attnfocus.attention.dropout import dropout
from attnfocus.grid import Grid
from attnfocus.limits import NumLayers, NumPositions, Probability, Size
from attnfocus.models.attention_places import AttentionPlaces, OwnAttention, PlaceOptions, attention_places
from attnfocus.models.base import Translator
from attnfocus.models.embeddings import (
    PositionEmbedding,
    PositionKind,
    TokenEmbedding,
    Tying,
    read_source,
    require_one_vocabulary,
    source_reader,
    tables_of,
)
from attnfocus.models.inputs import InputOption, LinearInput
from attnfocus.models.layer_attentions import AttentionFactory, LayerAttentions
from attnfocus.models.lengths import length_mask, with_a_position
from attnfocus.models.outputs import SequenceOutput, untracked_scores
from attnfocus.models.pooling import shortest_limit
from attnfocus.models.transformer_layers import (
    Activation,
    DecoderLayerState,
    LayerOptions,
    NormPlace,
    TransformerDecoderLayer,
    TransformerLayer,
)

Weights = dict[str, Tensor | None]


class TransformerState(NamedTuple):
    """Where the decoder stands after some tokens."""

    layers: tuple[DecoderLayerState, ...]

    @property
    def num_tokens(self) -> int:
        """How many tokens were read."""
        return self.layers[0].so_far.length


class TransformerMemory(NamedTuple):
    """What the decoder needs of the source: for each of its layers the keys and values, made once."""

    layers: tuple[Memory, ...]


class TransformerEncoder(nn.Module):
    """Layers of self-attention, with a normalization at the end if they normalize first."""

    def __init__(self, attentions: Sequence[AttentionFactory], options: LayerOptions) -> None:
        super().__init__()
        layers = [TransformerLayer(attention, options) for attention in attentions]
        self.layers = nn.ModuleList(layers)
        self.max_length = shortest_limit(*(layer.attention.max_length for layer in layers))
        self.final_norm = nn.LayerNorm(options.embed_dim) if options.norm == "pre" else nn.Identity()

    def forward(self, states: Tensor, mask: Tensor, need_weights: bool) -> tuple[Tensor, Weights]:
        """states (B, S, D), mask (B, 1, S) -> states (B, S, D), and weights `encoder.layers.0`, ... (B, H, S, S)."""
        weights: Weights = {}
        for depth, layer in enumerate(self.layers):
            states, weights[f"encoder.layers.{depth}"] = layer(states, mask, need_weights)
        return self.final_norm(states), weights


class TransformerDecoder(nn.Module):
    """Layers of causal self-attention and cross-attention, with a normalization at the end if they normalize first."""

    def __init__(self, places: AttentionPlaces, options: LayerOptions) -> None:
        super().__init__()
        pairs = zip(places.decoder, places.cross, strict=True)
        layers = [TransformerDecoderLayer(of_self, of_cross, options) for of_self, of_cross in pairs]
        self.layers = nn.ModuleList(layers)
        self.final_norm = nn.LayerNorm(options.embed_dim) if options.norm == "pre" else nn.Identity()
        self.max_length = shortest_limit(*(layer.self_attention.max_length for layer in layers))
        self.max_source_length = shortest_limit(*(layer.cross_attention.max_length for layer in layers))

    def prepare(self, encoded: Tensor, mask: Tensor) -> TransformerMemory:
        """encoded (B, S, D), mask (B, 1, S)."""
        return TransformerMemory(tuple(layer.cross_attention.prepare(encoded, None, mask) for layer in self._layers()))

    def start(self, memory: TransformerMemory) -> TransformerState:
        """The state before BOS."""
        pairs = zip(self._layers(), memory.layers, strict=True)
        return TransformerState(tuple(layer.start(of_layer) for layer, of_layer in pairs))

    def forward(
        self,
        states: Tensor,
        state: TransformerState,
        memory: TransformerMemory,
        self_weights_of: Collection[int] = (),
        cross_weights_of: Collection[int] = (),
    ) -> tuple[Tensor, TransformerState, Weights]:
        """Read states (N, T, D) from `state` on, and keep the weights of some layers.

        Returns states (N, T, D), the new state, and weights: `decoder.layers.0.self` (N, H, T, all tokens so far),
        `decoder.layers.0.cross` (N, H, T, S), ...
        """
        after: list[DecoderLayerState] = []
        weights: Weights = {}
        for depth, (layer, of_layer, source) in enumerate(zip(self.layers, state.layers, memory.layers, strict=True)):
            output = layer(states, of_layer, source, depth in self_weights_of, depth in cross_weights_of)
            states = output.states
            after.append(output.state)
            weights[f"decoder.layers.{depth}.self"] = output.self_weights
            weights[f"decoder.layers.{depth}.cross"] = output.cross_weights
        return self.final_norm(states), TransformerState(tuple(after)), weights

    def _layers(self) -> list[TransformerDecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, TransformerDecoderLayer)]


class TransformerSeq2Seq(Translator):
    """Encoder-decoder Transformer (Vaswani et al. 2017, arXiv:1706.03762).

    One attention serves all three places, or each has its own. In the decoder's self-attention its pattern is cut at
    the query. In the cross-attention a pattern or position that compares positions of one sequence is left out, which
    `notes` says; an attention chosen for the cross-attention alone is refused instead. One that goes by a decoder's
    steps serves the cross-attention alone.

    Args:
        attention: makes the attentions of all places that have none of their own.
        source_vocab_size, target_vocab_size: numbers of tokens.
        input_dim: size of the source's vectors, where it is no tokens; `source_vocab_size` is then None.
        grid: how the positions of vectors lie, where they are cells of a grid.
        input: makes what reads vectors, such as `LinearInput`; plays no part for tokens.
        encoder_attention: makes the self-attentions of the encoder.
        decoder_attention: makes the self-attentions of the decoder.
        cross_attention: makes the attentions of the decoder to the source.
        layer_attentions: make the attentions of each layer in all places that have none of their own, from the first
            layer on, and repeated to fill the layers; `attention` serves no place then.
        encoder_layer_attentions, decoder_layer_attentions, cross_layer_attentions: the same for one place.
        embed_dim: width of embeddings and layers.
        num_encoder_layers, num_decoder_layers: numbers of layers.
        num_heads: heads of an attention that does not set its own.
        feedforward_dim: width inside the feed-forward networks.
        activation: of the feed-forward networks.
        norm: layer normalization before (pre) or after (post) each residual connection.
        tied_embeddings: which tables are one: none, the decoder's input and output (Press & Wolf 2017), or the
            source's too (needs one vocabulary).
        position: sinusoids, a learned table for the source and one for the target, or none.
        max_length: rows of the learned tables; longer inputs are refused, outputs end there. Unused otherwise.
        dropout: of embeddings, of what is added to a residual connection, and inside the feed-forward networks.

    Attributes:
        notes: what was changed in the attention to serve all places; to be told.
        max_input_length, max_output_length: the most tokens that it can read and write; None: any number.

    Raises:
        ValueError: options that do not go together, or an attention that cannot serve its place.
    """

    def __init__(
        self,
        *,
        attention: AttentionFactory,
        target_vocab_size: int,
        source_vocab_size: int | None = None,
        input_dim: int | None = None,
        grid: Grid | None = None,
        input: InputOption = LinearInput,
        encoder_attention: OwnAttention = None,
        decoder_attention: OwnAttention = None,
        cross_attention: OwnAttention = None,
        layer_attentions: LayerAttentions = None,
        encoder_layer_attentions: LayerAttentions = None,
        decoder_layer_attentions: LayerAttentions = None,
        cross_layer_attentions: LayerAttentions = None,
        embed_dim: Size = 128,
        num_encoder_layers: NumLayers = 2,
        num_decoder_layers: NumLayers = 2,
        num_heads: Size = 8,
        feedforward_dim: Size = 512,
        activation: Activation = "relu",
        norm: NormPlace = "pre",
        tied_embeddings: Tying = "decoder",
        position: PositionKind = "sinusoidal",
        max_length: NumPositions = 512,
        dropout: Probability = 0.1,
    ) -> None:
        super().__init__()
        vocab_sizes = source_vocab_size, target_vocab_size
        require_one_vocabulary(tied_embeddings, *vocab_sizes)
        options = LayerOptions(embed_dim, num_heads, feedforward_dim, norm, dropout, activation)
        own = {
            "encoder": PlaceOptions(encoder_attention, encoder_layer_attentions),
            "decoder": PlaceOptions(decoder_attention, decoder_layer_attentions),
            "cross": PlaceOptions(cross_attention, cross_layer_attentions),
        }
        num_layers = num_encoder_layers, num_decoder_layers
        places = attention_places(attention, options.attention_sizes, num_layers, own, layer_attentions)
        self.notes = places.notes
        self.encoder = TransformerEncoder(places.encoder, options)
        self.decoder = TransformerDecoder(places, options)
        self.source_position = PositionEmbedding(position, embed_dim, max_length, grid)
        self.target_position = PositionEmbedding(position, embed_dim, max_length)
        limits = self.source_position.max_length, self.encoder.max_length, self.decoder.max_source_length
        self.max_input_length = shortest_limit(*limits)
        self.max_output_length = shortest_limit(self.target_position.max_length, self.decoder.max_length)
        tables = tables_of(tied_embeddings, vocab_sizes, embed_dim, embed_dim)
        self.target_embedding, table, self.output = tables
        self.source_embedding = source_reader(table, input_dim, embed_dim, input, grid)
        self.dropout = dropout
        self.put_on(grid)
        self._shrink_projections()

    def token_tables(self) -> dict[str, TokenEmbedding]:
        """The tables that pretrained vectors can fill, by the side that they embed; one and the same if all is tied."""
        source = self.source_embedding
        of_source = {"source": source} if isinstance(source, TokenEmbedding) else {}
        return {**of_source, "target": self.target_embedding}

    def forward(
        self, source: Tensor, source_lengths: Tensor, target_in: Tensor, need_weights: bool = False
    ) -> SequenceOutput:
        """Teacher-forced: source (B, S) of `source_lengths` (B,), target_in (B, T) from BOS on.

        Padding of the target needs no mask: it stands at the end, where no token before it may look.
        """
        memory, weights = self._encode(source, source_lengths, need_weights)
        every = range(len(self.decoder.layers)) if need_weights else ()
        states = self._embed_target(target_in, 0)
        states, _, of_decoder = self.decoder(states, self.start(memory), memory, every, every)
        weights |= of_decoder
        asked = {name: each for name, each in weights.items() if each is not None}
        return SequenceOutput(states, self.output.weight, self.output.bias, asked)

    def encode(self, source: Tensor, lengths: Tensor) -> TransformerMemory:
        """What depends on the source (B, S) alone, the projections of the cross-attentions included."""
        return self._encode(source, lengths, need_weights=False)[0]

    def start(self, memory: TransformerMemory) -> TransformerState:
        """The decoder's state before BOS."""
        return self.decoder.start(memory)

    def step(
        self, tokens: Tensor, state: TransformerState, memory: TransformerMemory, need_weights: bool = False
    ) -> tuple[Tensor, TransformerState, Tensor | None]:
        """Read one token of each row (N,): logits of the next one (N, V), the new state, weights (N, H, S).

        The weights are those of the cross-attention of the last layer but one, whose heads align best (Garg et al.
        2019, sec. 4.1, arXiv:1909.02074).
        """
        states = self._embed_target(tokens.unsqueeze(1), state.num_tokens)
        depth = max(0, len(self.decoder.layers) - 2)
        states, state, weights = self.decoder(states, state, memory, (), (depth,) if need_weights else ())
        cross = weights[f"decoder.layers.{depth}.cross"]
        logits = untracked_scores(states.squeeze(1), self.output.weight, self.output.bias)
        return logits, state, None if cross is None else cross.squeeze(2)

    def _shrink_projections(self) -> None:
        """Queries, keys and values start as if their projections were one Xavier matrix (3 D, D), as in torch.nn.

        Scores are then half as large at first. On Multi30k, BLEU after two epochs was 1.2 to 1.7 higher; the classifier
        on `languages` learnt no better, and starts at Xavier's full size.
        """
        for module in self.modules():
            if isinstance(module, BaseAttention) and module.has_projections:
                for projection in module.input_projections():
                    with torch.no_grad():
                        projection.weight.mul_(2**-0.5)

    def _encode(self, source: Tensor, lengths: Tensor, need_weights: bool) -> tuple[TransformerMemory, Weights]:
        source = with_a_position(source)
        of_source = length_mask(lengths, source.shape[1])
        states = self.source_position(read_source(self.source_embedding, source, of_source))
        mask = of_source.unsqueeze(1)  # (B, 1, S)
        states, weights = self.encoder(dropout(states, self.dropout, self.training), mask, need_weights)
        return self.decoder.prepare(states, mask), weights

    def _embed_target(self, tokens: Tensor, first: int) -> Tensor:
        """tokens (N, T), the first of which is number `first` -> (N, T, D)."""
        states: Tensor = self.target_position(self.target_embedding(tokens), first)
        return dropout(states, self.dropout, self.training)
