"""The smallest model with attention: every position by itself, pooled.

Shapes: B batch, L positions, D width of an input vector, C classes.
"""

from collections.abc import Callable

from torch import Tensor

from attnfocus.attention import BaseAttention
from attnfocus.attention.dropout import dropout
from attnfocus.attention.projections import linear
from attnfocus.grid import Grid
from attnfocus.limits import NumPositions, Probability, Size
from attnfocus.models.base import Classifier
from attnfocus.models.embeddings import InputEmbedding, PositionEmbedding, PositionKind, TokenEmbedding
from attnfocus.models.inputs import InputOption, LinearInput
from attnfocus.models.lengths import length_mask, with_a_position
from attnfocus.models.outputs import ClassifierOutput
from attnfocus.models.pooling import AttentionPooling, shortest_limit


class PoolingClassifier(Classifier):
    """Linear (or a table of embeddings), attention pooling, linear: nothing mixes the positions but attention.

    All that a prediction knows of the order is in the weights, which makes them the whole explanation: the logits are
    a weighted mean of what each position would say alone (with one head and no projections, the bias apart).

    Args:
        attention: makes the attention, given its sizes.
        num_classes: C.
        vocab_size, input_dim: exactly one: the inputs are token ids, or vectors of that size.
        grid: how the positions of vectors lie, where they are cells of a grid.
        input: makes what reads vectors, such as `LinearInput`; plays no part for token ids.
        embed_dim: width of a position's vector.
        position: how a position is told from the others: not at all (a bag), by sinusoids, or by a learned table.
        max_length: rows of the learned table; longer inputs are refused. Unused otherwise.
        dropout: of embeddings, and before the output layer.

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
        embed_dim: Size = 64,
        position: PositionKind = "none",
        max_length: NumPositions = 512,
        dropout: Probability = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = InputEmbedding(embed_dim, vocab_size=vocab_size, input_dim=input_dim, input=input, grid=grid)
        self.position = PositionEmbedding(position, embed_dim, max_length, grid)
        self.pooling = AttentionPooling(attention, embed_dim)
        self.max_input_length = shortest_limit(self.position.max_length, self.pooling.attention.max_length)
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
        embedded = self.position(self.embedding(inputs, mask))
        pooled, weights = self.pooling(dropout(embedded, self.dropout, self.training), mask, need_weights)
        logits = self.output(dropout(pooled, self.dropout, self.training))
        return ClassifierOutput(logits, {} if weights is None else {"pooling": weights})
