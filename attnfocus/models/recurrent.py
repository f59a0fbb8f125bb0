"""Recurrent layers, run over whole sequences or one step at a time.

Shapes: N rows (sequences), T steps, D input width, H hidden_size.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attnfocus.attention.dropout import dropout
from attnfocus.attention.role import Axis
from attnfocus.models.stepwise import StepwiseLinear

CellKind = Literal["lstm", "gru"]
StateChange = Callable[[Tensor], Tensor]  # of (N, 1, H), behind which an LSTM's cell stands: (N, 1, 2 H)


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


class Recurrence(nn.Module):
    """Recurrent layers whose states can be noted, and others put in their place.

    Attributes:
        axis: the sequence along the steps.
        state_changes: by the names of `state_names` what a layer goes on with in the place of each of its states.
            Filled for a while by `explanation.interventions`, in evaluation; the steps are then taken one by one.
    """

    axis: ClassVar[Axis] = "output"

    def __init__(self) -> None:
        super().__init__()
        self.state_changes: dict[str, StateChange] = {}

    @property
    def state_names(self) -> Mapping[str, bool]:
        """What names the states of each layer (and direction) -> whether they come from the last position on."""
        raise NotImplementedError


class RecurrentLayers(Recurrence):
    """A stack of LSTM or GRU layers over whole sequences, in one fused call."""

    def __init__(self, input_dim: int, options: RecurrentOptions) -> None:
        super().__init__()
        kind = nn.LSTM if options.cell == "lstm" else nn.GRU
        between = options.dropout if options.num_layers > 1 else 0.0
        self.layers = kind(input_dim, options.hidden_size, options.num_layers, batch_first=True, dropout=between)
        initialize_recurrent(self.layers)

    @property
    def state_names(self) -> Mapping[str, bool]:
        return {str(depth): False for depth in range(self.layers.num_layers)}

    def forward(self, inputs: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """(N, T, D) -> the top layer's (N, T, H), and the state after the last step."""
        if self.state_changes:
            return step_by_step(self.layers, inputs, state, [self.state_changes.get(name) for name in self.state_names])
        hidden = torch.stack([layer.hidden for layer in state])  # (num_layers, N, H)
        cells = [layer.cell for layer in state if layer.cell is not None]
        if not cells:
            outputs, hidden = self.layers(inputs, hidden)
            return outputs, tuple(LayerState(h, None) for h in hidden.unbind(0))
        outputs, (hidden, cell) = self.layers(inputs, (hidden, torch.stack(cells)))
        return outputs, tuple(LayerState(h, c) for h, c in zip(hidden.unbind(0), cell.unbind(0), strict=True))


def step_by_step(
    layers: nn.LSTM | nn.GRU, inputs: Tensor, state: RecurrentState, changes: Sequence[StateChange | None]
) -> tuple[Tensor, RecurrentState]:
    """What layers of one direction give in evaluation, each going on with the change of its states."""
    ends = []
    for depth, (layer, change) in enumerate(zip(state, changes, strict=True)):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        cell = _StepwiseCell(SimpleNamespace(**{name: getattr(layers, f"{name}_l{depth}") for name in names}), None)
        outputs = []
        for step in inputs.unbind(1):
            layer = _changed(cell(step, layer, cell.input_bias), change)
            outputs.append(layer.hidden)
        inputs = torch.stack(outputs, dim=1)
        ends.append(layer)
    return inputs, tuple(ends)


def _changed(state: LayerState, change: StateChange | None) -> LayerState:
    if change is None:
        return state
    if state.cell is None:
        return LayerState(change(state.hidden.unsqueeze(1)).squeeze(1), None)
    hidden, cell = change(torch.cat((state.hidden, state.cell), dim=-1).unsqueeze(1)).squeeze(1).chunk(2, dim=-1)
    return LayerState(hidden, cell)


class RecurrentCells(Recurrence):
    """The same stack one step at a time, for decoders whose input depends on their last step.

    The input of a step is [known; fed]: what is known of all steps beforehand, and what follows from the last one.
    """

    def __init__(self, known_dim: int, fed_dim: int, options: RecurrentOptions) -> None:
        super().__init__()
        kind = nn.LSTMCell if options.cell == "lstm" else nn.GRUCell
        sizes = [known_dim + fed_dim] + [options.hidden_size] * (options.num_layers - 1)
        self.known_dim = known_dim
        self.cells = nn.ModuleList(kind(size, options.hidden_size) for size in sizes)
        self.dropout = options.dropout
        for cell in self.cells:
            initialize_recurrent(cell)

    @property
    def state_names(self) -> Mapping[str, bool]:
        return {str(depth): False for depth in range(len(self.cells))}

    def steps(self, known: Tensor) -> "RecurrentSteps":
        """What walks through the steps of `known` (N, T, D)."""
        return RecurrentSteps(self, known)


class RecurrentSteps:
    """One walk over T steps. All that does not wait for the last step is computed for all steps at once."""

    def __init__(self, cells: RecurrentCells, known: Tensor) -> None:
        lowest: Any = cells.cells[0]
        of_known, of_fed = lowest.weight_ih.split([cells.known_dim, lowest.weight_ih.shape[1] - cells.known_dim], dim=1)
        self.known = F.linear(known, of_known, lowest.bias_ih).unbind(1)
        self.layers = [_StepwiseCell(cell, of_fed if depth == 0 else None) for depth, cell in enumerate(cells.cells)]
        self.changes = [cells.state_changes.get(name) for name in cells.state_names]
        self.dropout = cells.dropout if cells.training else 0.0

    def __len__(self) -> int:
        return len(self.known)

    def step(self, number: int, fed: Tensor, state: RecurrentState) -> RecurrentState:
        """The state after step `number`, fed (N, F); the top layer's output is `[-1].hidden`."""
        new_state: list[LayerState] = []
        for depth, (cell, layer) in enumerate(zip(self.layers, state, strict=True)):
            if depth == 0:
                after = cell(fed, layer, self.known[number])
            else:
                below = dropout(new_state[-1].hidden, self.dropout)
                after = cell(below, layer, cell.input_bias)
            new_state.append(_changed(after, self.changes[depth]))
        return tuple(new_state)


class _StepwiseCell:
    """An LSTM or GRU cell that takes a part of its gates' input ready-made."""

    def __init__(self, cell: Any, of_fed: Tensor | None) -> None:
        self.input_bias, self.hidden_bias = cell.bias_ih, cell.bias_hh
        self.of_input = StepwiseLinear(cell.weight_ih if of_fed is None else of_fed)
        self.of_hidden = StepwiseLinear(cell.weight_hh)

    def __call__(self, inputs: Tensor, state: LayerState, added: Tensor) -> LayerState:
        """inputs (N, D), and `added` (N, gates) or (gates,) to the gates -> the state after the step."""
        of_input = self.of_input(inputs, added)
        if state.cell is None:
            of_hidden = self.of_hidden(state.hidden) + self.hidden_bias
            return LayerState(_gru(of_input, of_hidden, state.hidden), None)
        return _lstm(self.of_hidden(state.hidden, of_input) + self.hidden_bias, state.cell)


def _lstm(gates: Tensor, cell: Tensor) -> LayerState:
    """c' = f c + i g, h' = o tanh(c')   (Gers et al. 2000), gates (N, 4 H) in torch's order: i, f, g, o."""
    size = cell.shape[1]
    opened, candidate, output = gates.split([2 * size, size, size], dim=1)
    written, kept = opened.sigmoid().chunk(2, dim=1)
    cell = torch.addcmul(kept * cell, written, candidate.tanh())
    return LayerState(output.sigmoid() * cell.tanh(), cell)


def _gru(of_input: Tensor, of_hidden: Tensor, hidden: Tensor) -> Tensor:
    """n = tanh(W x + r (U h + b)), h' = n + z (h - n)   (Cho et al. 2014), gates (N, 3 H) in torch's order: r, z, n."""
    size = hidden.shape[1]
    both, candidate = of_input.split([2 * size, size], dim=1)
    of_both, remembered = of_hidden.split([2 * size, size], dim=1)
    reset, kept = (both + of_both).sigmoid().chunk(2, dim=1)
    candidate = torch.tanh(torch.addcmul(candidate, reset, remembered))
    return candidate + kept * (hidden - candidate)


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
