"""Recurrent layers, run over whole sequences or one step at a time.

Shapes: N rows (sequences), T steps, D input width, H hidden_size.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CellKind = Literal["lstm", "gru"]


@dataclass(frozen=True)
class RecurrentOptions:
    """What the recurrent parts of a model share. `dropout` acts between layers."""

    hidden_size: int
    num_layers: int
    cell: CellKind
    dropout: float


class LayerState(NamedTuple):
    """The state of one layer after a step; `cell` is None in a GRU."""

    hidden: Tensor  # (N, H)
    cell: Tensor | None


RecurrentState = tuple[LayerState, ...]  # one for each layer, the lowest first


class RecurrentLayers(nn.Module):
    """A stack of LSTM or GRU layers over whole sequences, in one fused call."""

    def __init__(self, input_dim: int, options: RecurrentOptions) -> None:
        super().__init__()
        kind = nn.LSTM if options.cell == "lstm" else nn.GRU
        between = options.dropout if options.num_layers > 1 else 0.0
        self.layers = kind(input_dim, options.hidden_size, options.num_layers, batch_first=True, dropout=between)
        initialize_recurrent(self.layers)

    def forward(self, inputs: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """(N, T, D) -> the top layer's (N, T, H), and the state after the last step."""
        hidden = torch.stack([layer.hidden for layer in state])  # (num_layers, N, H)
        cells = [layer.cell for layer in state if layer.cell is not None]
        if not cells:
            outputs, hidden = self.layers(inputs, hidden)
            return outputs, tuple(LayerState(h, None) for h in hidden.unbind(0))
        outputs, (hidden, cell) = self.layers(inputs, (hidden, torch.stack(cells)))
        return outputs, tuple(LayerState(h, c) for h, c in zip(hidden.unbind(0), cell.unbind(0), strict=True))


class RecurrentCells(nn.Module):
    """The same stack one step at a time, for decoders whose input depends on their last step."""

    def __init__(self, input_dim: int, options: RecurrentOptions) -> None:
        super().__init__()
        kind = nn.LSTMCell if options.cell == "lstm" else nn.GRUCell
        sizes = [input_dim] + [options.hidden_size] * (options.num_layers - 1)
        self.cells = nn.ModuleList(kind(size, options.hidden_size) for size in sizes)
        self.dropout = options.dropout
        for cell in self.cells:
            initialize_recurrent(cell)

    def forward(self, inputs: Tensor, state: RecurrentState) -> RecurrentState:
        """(N, D) -> the state after this step; the top layer's output is `[-1].hidden`."""
        new_state = []
        for depth, (cell, layer) in enumerate(zip(self.cells, state, strict=True)):
            if depth > 0:
                inputs = F.dropout(inputs, self.dropout, self.training)
            if layer.cell is None:
                layer = LayerState(cell(inputs, layer.hidden), None)
            else:
                layer = LayerState(*cell(inputs, (layer.hidden, layer.cell)))
            new_state.append(layer)
            inputs = layer.hidden
        return tuple(new_state)


def initialize_recurrent(module: nn.Module) -> None:
    """Gate by gate: Xavier-uniform input weights, orthogonal recurrent weights (Saxe et al. 2014), biases of 0.

    The forget gate of an LSTM starts at a bias of 1 (Jozefowicz et al. 2015).
    """
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.startswith("bias"):
                parameter.zero_()
                if name.startswith("bias_ih") and isinstance(module, nn.LSTM | nn.LSTMCell):
                    parameter.chunk(4)[1].fill_(1.0)  # gates are input, forget, cell, output
                continue
            for gate in parameter.split(module.hidden_size):
                if name.startswith("weight_hh"):
                    nn.init.orthogonal_(gate)
                else:
                    nn.init.xavier_uniform_(gate)
