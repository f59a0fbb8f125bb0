"""Recurrent decoders with attention, in the two orders of the literature.

Shapes: N rows (sentences, or hypotheses), T target tokens, S source positions, E embed_dim, H hidden_size,
C context width, R readout width.
A decoder runs over any number of tokens from a given state: over the whole target when teacher-forced, over one token
when decoding. Both are the same code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from attnfocus.attention import BaseAttention, History, Memory
from attnfocus.attention.projections import linear
from attnfocus.models.recurrent import LayerState, RecurrentCells, RecurrentLayers, RecurrentOptions, RecurrentState
from attnfocus.models.stepwise import StepwiseLinear

Activation = Literal["linear", "tanh"]


class EncodedSource(NamedTuple):
    """What a decoder needs of the source; the first axis of every tensor inside is N."""

    attended: Memory  # the attention's own: prepared keys and values, and the mask of the padding
    finals: tuple[Tensor, ...]  # last hidden states of the encoder's layers, each (N, H)


class DecoderState(NamedTuple):
    """Where a decoder stands after a token."""

    layers: RecurrentState
    fed: Tensor | None  # the last attentional vector (N, R), with input feeding
    history: History | None  # where earlier tokens looked, for an attention that goes by it


class Decoded(NamedTuple):
    """What a decoder says of T tokens: vectors to predict from, and where it looked (N, heads, T, S)."""

    readout: Tensor  # (N, T, R)
    state: DecoderState
    weights: Tensor | None


@dataclass(frozen=True)
class ReadoutOptions:
    """The vector that the output layer scores: its width, and the activation of the layer that makes it."""

    dim: int
    activation: Activation

    @property
    def function(self) -> Callable[[Tensor], Tensor]:
        """The activation itself."""
        return torch.tanh if self.activation == "tanh" else nn.Identity()


class Bridge(nn.Module):
    """The decoder's first state from the encoder's last: s_0 = tanh(W h), layer by layer (Bahdanau et al. 2015, A.2.2).

    The cell of an LSTM, which has no bounds, starts at a second linear map of h.
    """

    def __init__(self, options: RecurrentOptions) -> None:
        super().__init__()
        size, depth = options.hidden_size, range(options.num_layers)
        self.hidden = nn.ModuleList(linear(size, size) for _ in depth)
        self.cell = nn.ModuleList(linear(size, size) for _ in depth) if options.cell == "lstm" else None

    def forward(self, finals: tuple[Tensor, ...]) -> RecurrentState:
        hidden = [torch.tanh(layer(final)) for layer, final in zip(self.hidden, finals, strict=True)]
        if self.cell is None:
            return tuple(LayerState(h, None) for h in hidden)
        cells = [layer(final) for layer, final in zip(self.cell, finals, strict=True)]
        return tuple(LayerState(h, c) for h, c in zip(hidden, cells, strict=True))


class RecurThenAttend(nn.Module):
    """Luong et al. 2015 (arXiv:1508.04025), eq. 5: h~_t = f(W_c [c_t; h_t]), c_t attended with the new state h_t.

    f is the readout's activation. With input feeding (sec. 3.3) h~_{t-1} is part of the next step's input, so that the
    tokens come one by one; without, all tokens pass through the RNN in one call and attend in another.
    """

    def __init__(
        self, embed_dim: int, readout: ReadoutOptions, options: RecurrentOptions, attention: BaseAttention, feeds: bool
    ) -> None:
        super().__init__()
        self.readout_dim = readout.dim
        self.activate = readout.function
        self.input_feeding = feeds
        self.attention = attention
        self.recurrent: Any
        if feeds:
            self.recurrent = RecurrentCells(embed_dim, readout.dim, options)
        else:
            self.recurrent = RecurrentLayers(embed_dim, options)
        self.readout = linear(attention.output_dim + options.hidden_size, readout.dim, bias=False)

    def start(self, layers: RecurrentState, source: EncodedSource) -> DecoderState:
        """The state before the first token; the vector fed first is 0."""
        hidden = layers[-1].hidden
        fed = hidden.new_zeros(len(hidden), self.readout_dim) if self.input_feeding else None
        return DecoderState(layers, fed, self.attention.start(source.attended))

    def forward(self, embedded: Tensor, state: DecoderState, source: EncodedSource, need_weights: bool) -> Decoded:
        """Read the embedded tokens (N, T, E) from `state` on."""
        if self.input_feeding:
            return self._one_by_one(embedded, state, source, need_weights)
        hidden, layers = self.recurrent(embedded, state.layers)  # (N, T, H)
        context, weights, history = self.attention.advance(hidden, source.attended, state.history, need_weights)
        readout = self.activate(self.readout(torch.cat((context, hidden), dim=-1)))
        return Decoded(readout, DecoderState(layers, None, history), weights)

    def _one_by_one(self, embedded: Tensor, state: DecoderState, source: EncodedSource, need_weights: bool) -> Decoded:
        layers, fed, history = state
        assert fed is not None
        readouts, maps = [], []
        steps, combine = self.recurrent.steps(embedded), StepwiseLinear(self.readout.weight)
        for number in range(len(steps)):
            layers = steps.step(number, fed, layers)
            hidden = layers[-1].hidden
            query = hidden.unsqueeze(1)  # (N, 1, H)
            context, weights, history = self.attention.advance(query, source.attended, history, need_weights)
            fed = self.activate(combine(torch.cat((context.squeeze(1), hidden), dim=-1)))
            readouts.append(fed)
            maps.append(weights)
        return Decoded(torch.stack(readouts, dim=1), DecoderState(layers, fed, history), join_weights(maps))


class AttendThenRecur(nn.Module):
    """Bahdanau et al. 2015 (arXiv:1409.0473), A.2.2: c_t attended with s_{t-1}, then s_t = f(s_{t-1}, [y_{t-1}; c_t]).

    The readout is f(W [s_t; c_t; y_{t-1}]), as in Nematus (Sennrich et al. 2017, arXiv:1703.04357, where f is tanh), in
    place of the paper's maxout over s_{t-1}.
    """

    def __init__(
        self, embed_dim: int, readout: ReadoutOptions, options: RecurrentOptions, attention: BaseAttention
    ) -> None:
        super().__init__()
        self.activate = readout.function
        self.attention = attention
        self.recurrent = RecurrentCells(embed_dim, attention.output_dim, options)
        self.readout = linear(options.hidden_size + attention.output_dim + embed_dim, readout.dim)

    def start(self, layers: RecurrentState, source: EncodedSource) -> DecoderState:
        """The state before the first token."""
        return DecoderState(layers, None, self.attention.start(source.attended))

    def forward(self, embedded: Tensor, state: DecoderState, source: EncodedSource, need_weights: bool) -> Decoded:
        """Read the embedded tokens (N, T, E) from `state` on."""
        layers, history = state.layers, state.history
        hiddens, contexts, maps = [], [], []
        steps = self.recurrent.steps(embedded)
        for number in range(len(steps)):
            query = layers[-1].hidden.unsqueeze(1)  # (N, 1, H)
            context, weights, history = self.attention.advance(query, source.attended, history, need_weights)
            layers = steps.step(number, context.squeeze(1), layers)
            hiddens.append(layers[-1].hidden)
            contexts.append(context)
            maps.append(weights)
        parts = (torch.stack(hiddens, dim=1), torch.cat(contexts, dim=1), embedded)
        readout = self.activate(self.readout(torch.cat(parts, dim=-1)))
        return Decoded(readout, DecoderState(layers, None, history), join_weights(maps))


def join_weights(maps: list[Tensor | None]) -> Tensor | None:
    """Weights of single queries (N, heads, 1, S) side by side: (N, heads, T, S)."""
    present = [weights for weights in maps if weights is not None]
    return torch.cat(present, dim=2) if present else None
