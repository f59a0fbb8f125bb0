"""A recurrent language model that attends to its own past.

Shapes: B texts, N rows, L and T tokens, E embed_dim, H hidden_size, V vocabulary.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from attnfocus.attention import BaseAttention, Past, Role
from attnfocus.attention.dropout import dropout
from attnfocus.attention.projections import linear
from attnfocus.limits import NumLayers, Probability, Size
from attnfocus.models.attention_places import AttentionFactory, looking_back_only
from attnfocus.models.base import LanguageModel
from attnfocus.models.documents import Documents
from attnfocus.models.embeddings import TokenEmbedding, table_of
from attnfocus.models.outputs import SequenceOutput
from attnfocus.models.recurrent import CellKind, LayerState, RecurrentLayers, RecurrentOptions, RecurrentState


class RNNLanguageModelState(NamedTuple):
    """Where the model stands after some tokens."""

    layers: RecurrentState
    so_far: Past  # what the attention keeps of the top layer's outputs


class RNNLanguageModel(LanguageModel):
    """LSTM or GRU layers whose top state looks back at all of its earlier ones and at itself.

    The readout is tanh(W [c_t; h_t]), c_t attended with h_t over h_1, ..., h_t: the attentional vector of Luong et al.
    2015 (arXiv:1508.04025, eq. 5) over the model's own past, as in Cheng et al. 2016 (arXiv:1601.06733). The pattern of
    the attention is cut at the query; one that cannot be cut is refused.

    Args:
        attention: makes the attention.
        vocab_size: V.
        embed_dim: width of the token embeddings.
        hidden_size: width of the layers.
        num_layers: layers of the recurrent network.
        cell: lstm or gru.
        tied_embeddings: one table for the input and the output. The readout is embed_dim wide then, else hidden_size.
        dropout: of embeddings, between layers, and of the readout before the output layer.

    Raises:
        ValueError: options that do not go together, or an attention that looks ahead.
    """

    takes_documents: ClassVar[bool] = True

    def __init__(
        self,
        *,
        attention: AttentionFactory,
        vocab_size: int,
        embed_dim: Size = 128,
        hidden_size: Size = 128,
        num_layers: NumLayers = 1,
        cell: CellKind = "lstm",
        tied_embeddings: bool = True,
        dropout: Probability = 0.0,
    ) -> None:
        super().__init__()
        sizes = {"query_dim": hidden_size, "key_dim": hidden_size, "value_dim": hidden_size, "suggested_heads": 1}
        causal = looking_back_only(attention, sizes, "a language model", "attention=additive")
        options = RecurrentOptions(hidden_size, num_layers, cell, dropout)
        readout_dim = embed_dim if tied_embeddings else hidden_size
        self.embedding, self.output = table_of(tied_embeddings, vocab_size, embed_dim, readout_dim)
        self.recurrent = RecurrentLayers(embed_dim, options)
        self.attention = causal(**sizes)
        self.attention.role = Role("self", "output", "output")
        self.readout = linear(self.attention.output_dim + hidden_size, readout_dim, bias=False)
        self.max_input_length = self.max_output_length = self.attention.max_length
        self.options = options
        self.dropout = dropout

    def attentions(self) -> dict[str, BaseAttention]:
        """The one that looks at the past: `past`."""
        return {"past": self.attention}

    def token_tables(self) -> dict[str, TokenEmbedding]:
        """The table that pretrained vectors can fill."""
        return {"source": self.embedding}

    def start(self, num_rows: int) -> RNNLanguageModelState:
        """The state before the first token: zeros."""
        zeros = self.embedding.weight.new_zeros(num_rows, self.options.hidden_size)
        layer = LayerState(zeros, zeros if self.options.cell == "lstm" else None)
        return RNNLanguageModelState((layer,) * self.options.num_layers, self.attention.begin())

    def forward(
        self,
        inputs: Tensor,
        lengths: Tensor,
        need_weights: bool = False,
        documents: Documents | None = None,
        *,
        num_context: int = 0,
    ) -> SequenceOutput:
        """inputs (B, L) from BOS on, of `lengths` (B,). Weights: `past` (B, heads, L, L).

        Args:
            documents: texts in these rows, none of which sees another; there are no weights then. They are run side by
                side from a state of zeros each, as steps of a recurrent network wait for one another.
            num_context: as in `LanguageModel`.
        """
        if documents is None:
            return self.carried_on(inputs, num_context, need_weights)
        if need_weights:
            raise ValueError("weights are of one text a row: call the model without documents.")
        parts = documents.apart(self._embedded(inputs))
        readouts = [self._run(part, self.start(len(part)), False)[0] for part in parts]
        return self._output(documents.together(readouts), {})

    def read(
        self, tokens: Tensor, state: RNNLanguageModelState, need_weights: bool = False
    ) -> tuple[SequenceOutput, RNNLanguageModelState]:
        """Read tokens (N, T) from `state` on. Weights: `past` (N, heads, T, all tokens so far)."""
        readout, state, weights = self._run(self._embedded(tokens), state, need_weights)
        return self._output(readout, {} if weights is None else {"past": weights}), state

    def _embedded(self, tokens: Tensor) -> Tensor:
        return dropout(self.embedding(tokens), self.dropout, self.training)

    def _run(
        self, embedded: Tensor, state: RNNLanguageModelState, need_weights: bool
    ) -> tuple[Tensor, RNNLanguageModelState, Tensor | None]:
        """Embedded tokens (N, T, E) -> readout (N, T, any size), the state behind them, and the weights."""
        hidden, layers = self.recurrent(embedded, state.layers)
        context, weights, so_far = self.attention.proceed(hidden, state.so_far, need_weights)
        readout = torch.tanh(self.readout(torch.cat((context, hidden), dim=-1)))
        return readout, RNNLanguageModelState(layers, so_far), weights

    def _output(self, readout: Tensor, weights: dict[str, Tensor]) -> SequenceOutput:
        readout = dropout(readout, self.dropout, self.training)
        return SequenceOutput(readout, self.output.weight, self.output.bias, weights)
