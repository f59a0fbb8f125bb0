"""Classification of a sequence by a recurrent encoder and attention pooling.

Shapes: B batch, L positions, D width of an input vector, C classes.
"""

from collections.abc import Callable

from torch import Tensor

from attnfocus.attention import BaseAttention
from attnfocus.attention.dropout import dropout
from attnfocus.attention.projections import linear
from attnfocus.grid import Grid
from attnfocus.limits import NumLayers, Probability, Size
from attnfocus.models.base import Classifier
from attnfocus.models.embeddings import InputEmbedding, TokenEmbedding
from attnfocus.models.encoder import RecurrentEncoder
from attnfocus.models.inputs import InputOption, LinearInput
from attnfocus.models.lengths import length_mask, with_a_position
from attnfocus.models.outputs import ClassifierOutput
from attnfocus.models.pooling import AttentionPooling
from attnfocus.models.recurrent import CellKind, RecurrentOptions


class RNNClassifier(Classifier):
    """Recurrent encoder, then a learned query attends to its outputs (Yang et al. 2016, one level).

    Args:
        attention: makes the attention, given its sizes.
        num_classes: C.
        vocab_size, input_dim: exactly one: the inputs are token ids, or vectors of that size.
        grid: how the positions of vectors lie, where they are cells of a grid.
        input: makes what reads vectors, such as `LinearInput`; plays no part for token ids.
        embed_dim: width of the embeddings.
        hidden_size: width of the encoder's outputs; even if bidirectional.
        num_layers: layers of the encoder.
        dropout: of embeddings, between layers, and before the output layer.

    Raises:
        ValueError: options that do not go together.
    """

    def __init__(
        self,
        *,
        attention: Callable[..., BaseAttention],
        num_classes: int,
        vocab_size: int | None = None,
        input_dim: int | None = None,
        grid: Grid | None = None,
        input: InputOption = LinearInput,
        embed_dim: Size = 128,
        hidden_size: Size = 128,
        num_layers: NumLayers = 1,
        cell: CellKind = "lstm",
        bidirectional: bool = True,
        dropout: Probability = 0.4,
    ) -> None:
        super().__init__()
        self.embedding = InputEmbedding(embed_dim, vocab_size=vocab_size, input_dim=input_dim, input=input, grid=grid)
        options = RecurrentOptions(hidden_size, num_layers, cell, dropout)
        self.encoder = RecurrentEncoder(embed_dim, options, bidirectional)
        self.pooling = AttentionPooling(attention, hidden_size)
        self.max_input_length = self.pooling.attention.max_length
        self.output = linear(self.pooling.output_dim, num_classes)
        self.dropout = dropout
        self.put_on(grid)

    def token_tables(self) -> dict[str, TokenEmbedding]:
        """The tables that pretrained vectors can fill, by the side that they embed."""
        return self.embedding.tables()

    def forward(self, inputs: Tensor, lengths: Tensor, need_weights: bool = False) -> ClassifierOutput:
        """inputs: ids (B, L) or vectors (B, L, D); lengths (B,). Weights: `pooling` (B, heads, 1, L)."""
        inputs = with_a_position(inputs)
        mask = length_mask(lengths, inputs.shape[1])
        embedded = dropout(self.embedding(inputs, mask), self.dropout, self.training)
        encoded, _ = self.encoder(embedded, lengths)
        pooled, weights = self.pooling(encoded, mask, need_weights)
        logits = self.output(dropout(pooled, self.dropout, self.training))
        return ClassifierOutput(logits, {} if weights is None else {"pooling": weights})
