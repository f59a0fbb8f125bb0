"""Sequence to sequence with attention, over recurrent layers.

Shapes: B sentences, N rows (sentences, or hypotheses of a beam), S source tokens, T target tokens, V target vocabulary.
"""

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor

from attnfocus.attention import BaseAttention, Role
from attnfocus.attention.dropout import dropout
from attnfocus.errors import Problem
from attnfocus.grid import Grid
from attnfocus.limits import NumLayers, Probability, Size
from attnfocus.models.base import Translator
from attnfocus.models.decoder import (
    Activation,
    AttendThenRecur,
    Bridge,
    DecoderState,
    EncodedSource,
    ReadoutOptions,
    RecurThenAttend,
)
from attnfocus.models.embeddings import (
    TokenEmbedding,
    Tying,
    read_source,
    require_one_vocabulary,
    source_reader,
    tables_of,
)
from attnfocus.models.encoder import RecurrentEncoder
from attnfocus.models.inputs import InputOption, LinearInput
from attnfocus.models.lengths import length_mask, with_a_position
from attnfocus.models.outputs import SequenceOutput, untracked_scores
from attnfocus.models.recurrent import CellKind, RecurrentOptions


class Seq2Seq(Translator):
    """Bidirectional recurrent encoder, attention, recurrent decoder (Bahdanau et al. 2015; Luong et al. 2015).

    Args:
        attention: makes the attention, given its sizes.
        source_vocab_size, target_vocab_size: numbers of tokens.
        input_dim: size of the source's vectors, where it is no tokens; `source_vocab_size` is then None.
        grid: how the positions of vectors lie, where they are cells of a grid.
        input: makes what reads vectors, such as `LinearInput`; plays no part for tokens.
        embed_dim: width of the token embeddings.
        hidden_size: width of encoder outputs and decoder states; even if bidirectional.
        num_layers: layers of the encoder and of the decoder.
        order: whether the decoder moves on before it attends (Luong) or attends before it moves on (Bahdanau).
        input_feeding: feed the attentional vector back (Luong et al. 2015, sec. 3.3); with recur_then_attend only.
        readout: whether the readout is a linear function of state and context, or tanh of it (Luong et al. 2015, eq.
            5), which bounds the scores of the output layer and so learns more slowly.
        tied_embeddings: which tables are one: none, the decoder's input and output (Press & Wolf 2017), or the
            source's too (needs one vocabulary). The readout is then embed_dim wide, else hidden_size.
        dropout: of embeddings, between layers, and of the readout before the output layer.

    Raises:
        ValueError: options that do not go together.
    """

    def __init__(
        self,
        *,
        attention: Callable[..., BaseAttention],
        target_vocab_size: int,
        source_vocab_size: int | None = None,
        input_dim: int | None = None,
        grid: Grid | None = None,
        input: InputOption = LinearInput,
        embed_dim: Size = 256,
        hidden_size: Size = 256,
        num_layers: NumLayers = 1,
        cell: CellKind = "lstm",
        bidirectional: bool = True,
        order: Literal["recur_then_attend", "attend_then_recur"] = "recur_then_attend",
        input_feeding: bool = False,
        readout: Activation = "linear",
        tied_embeddings: Tying = "decoder",
        dropout: Probability = 0.3,
    ) -> None:
        super().__init__()
        vocab_sizes = source_vocab_size, target_vocab_size
        require_one_vocabulary(tied_embeddings, *vocab_sizes)
        if input_feeding and order == "attend_then_recur":
            raise ValueError(
                "input_feeding=true belongs to order=recur_then_attend: with attend_then_recur the decoder reads its "
                "context already. Use input_feeding=false, or order=recur_then_attend."
            )
        options = RecurrentOptions(hidden_size, num_layers, cell, dropout)
        self.encoder = RecurrentEncoder(embed_dim, options, bidirectional)
        self.bridge = Bridge(options)
        attend = attention(query_dim=hidden_size, key_dim=hidden_size, value_dim=hidden_size, suggested_heads=1)
        if attend.same_sequence_only:
            text = (
                "this attention works only inside one sequence (self-attention), and seq2seq attends from the output "
                "to the source. Use model=transformer_seq2seq to translate, or model=transformer to classify. To stay "
                "with seq2seq, take an attention without this: attention/pattern=full attention/position=none."
            )
            raise ValueError(Problem(text, "model", ["model=transformer_seq2seq"]))
        attend.role = Role("cross", "output", "input")
        self.max_input_length = attend.max_length
        made = ReadoutOptions(hidden_size if tied_embeddings == "none" else embed_dim, readout)
        self.decoder: RecurThenAttend | AttendThenRecur
        if order == "recur_then_attend":
            self.decoder = RecurThenAttend(embed_dim, made, options, attend, input_feeding)
        else:
            self.decoder = AttendThenRecur(embed_dim, made, options, attend)
        tables = tables_of(tied_embeddings, vocab_sizes, embed_dim, made.dim)
        self.target_embedding, table, self.output = tables
        self.source_embedding = source_reader(table, input_dim, embed_dim, input, grid)
        self.dropout = dropout
        self.put_on(grid)

    def attentions(self) -> dict[str, BaseAttention]:
        """The one that looks at the source: `cross`."""
        return {"cross": self.decoder.attention}

    def token_tables(self) -> dict[str, TokenEmbedding]:
        """The tables that pretrained vectors can fill, by the side that they embed; one and the same if all is tied."""
        source = self.source_embedding
        of_source = {"source": source} if isinstance(source, TokenEmbedding) else {}
        return {**of_source, "target": self.target_embedding}

    def forward(
        self, source: Tensor, source_lengths: Tensor, target_in: Tensor, need_weights: bool = False
    ) -> SequenceOutput:
        """Teacher-forced: source (B, S), or vectors (B, S, input_dim), of `source_lengths` (B,); target_in (B, T) from
        BOS on."""
        memory = self.encode(source, source_lengths)
        readout, _, weights = self._decode(target_in, self.start(memory), memory, need_weights)
        named = {} if weights is None else {"cross": weights}
        return SequenceOutput(readout, self.output.weight, self.output.bias, named)

    def encode(self, source: Tensor, lengths: Tensor) -> EncodedSource:
        """What depends on the source (B, S) alone, the attention's projections of it included."""
        source = with_a_position(source)
        mask = length_mask(lengths, source.shape[1])
        embedded = dropout(read_source(self.source_embedding, source, mask), self.dropout, self.training)
        outputs, finals = self.encoder(embedded, lengths)
        return EncodedSource(self.decoder.attention.prepare(outputs, mask=mask.unsqueeze(1)), finals)

    def start(self, memory: EncodedSource) -> DecoderState:
        """The decoder's state before BOS."""
        return self.decoder.start(self.bridge(memory.finals), memory)

    def step(
        self, tokens: Tensor, state: DecoderState, memory: EncodedSource, need_weights: bool = False
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        """Read one token of each row (N,): logits of the next one (N, V), the new state, weights (N, heads, S)."""
        readout, state, weights = self._decode(tokens.unsqueeze(1), state, memory, need_weights)
        logits = untracked_scores(readout.squeeze(1), self.output.weight, self.output.bias)
        return logits, state, None if weights is None else weights.squeeze(2)

    def _decode(
        self, tokens: Tensor, state: DecoderState, memory: EncodedSource, need_weights: bool
    ) -> tuple[Tensor, DecoderState, Tensor | None]:
        embedded = dropout(self.target_embedding(tokens), self.dropout, self.training)
        decoded: Any = self.decoder(embedded, state, memory, need_weights)
        return dropout(decoded.readout, self.dropout, self.training), decoded.state, decoded.weights
