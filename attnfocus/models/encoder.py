"""The recurrent encoder: a vector for every position that knows what stands before and after it.

Shapes: B batch, S positions, D input width, H hidden_size.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from attnfocus.attention.dropout import dropout
from attnfocus.attention.role import Axis
from attnfocus.models.lengths import length_mask, reversal, take_positions
from attnfocus.models.recurrent import LayerState, Recurrence, RecurrentOptions, initialize_recurrent, step_by_step


class EncoderLayer(Recurrence):
    """One layer, in one direction or both.

    Each direction is an unpacked RNN, the backward one over the sequence reversed within its length: padding then
    stands at the end of both and cannot reach an earlier step. On a CPU that is faster than packing, and no length
    is asked from the device.
    """

    axis: ClassVar[Axis] = "input"

    def __init__(self, input_dim: int, options: RecurrentOptions, bidirectional: bool) -> None:
        super().__init__()
        width = direction_size(options.hidden_size, bidirectional)
        kind = nn.LSTM if options.cell == "lstm" else nn.GRU
        self.forwards = kind(input_dim, width, batch_first=True)
        self.backwards = kind(input_dim, width, batch_first=True) if bidirectional else None
        initialize_recurrent(self.forwards)
        if self.backwards is not None:
            initialize_recurrent(self.backwards)

    @property
    def state_names(self) -> Mapping[str, bool]:
        return {"forwards": False} if self.backwards is None else {"forwards": False, "backwards": True}

    def forward(self, inputs: Tensor, mirror: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """inputs (B, S, D), `reversal` (B, S), last positions (B, 1) -> outputs (B, S, H), last states (B, H)."""
        outputs = self._run("forwards", inputs)
        ends = take_positions(outputs, last)
        if self.backwards is not None:
            mirrored = self._run("backwards", take_positions(inputs, mirror))
            outputs = torch.cat((outputs, take_positions(mirrored, mirror)), dim=-1)
            ends = torch.cat((ends, take_positions(mirrored, last)), dim=-1)
        return outputs, ends.squeeze(1)

    def _run(self, direction: str, inputs: Tensor) -> Tensor:
        """(B, S, D) in the order of its steps -> (B, S, any)."""
        layer, change = getattr(self, direction), self.state_changes.get(direction)
        if change is None:
            outputs: Tensor = layer(inputs)[0]
            return outputs
        zeros = inputs.new_zeros(len(inputs), layer.hidden_size)
        state = LayerState(zeros, zeros if isinstance(layer, nn.LSTM) else None)
        return step_by_step(layer, inputs, (state,), [change])[0]


class RecurrentEncoder(nn.Module):
    """LSTM or GRU layers whose outputs are `hidden_size` wide: in two directions, each direction has half.

    What starts a decoder is the last hidden state (Bahdanau et al. 2015, A.2.2), so the LSTM's cell at the end of a
    shorter sequence, which an unpacked RNN does not give, is not needed.
    """

    def __init__(self, input_dim: int, options: RecurrentOptions, bidirectional: bool) -> None:
        super().__init__()
        self.dropout = options.dropout
        sizes = [input_dim] + [options.hidden_size] * (options.num_layers - 1)
        self.layers = nn.ModuleList(EncoderLayer(size, options, bidirectional) for size in sizes)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Encode inputs (B, S, D) of `lengths` (B,).

        Returns the top layer's outputs (B, S, H), 0 at padding, and for each layer its last hidden states (B, H):
        the forward direction after the last position, the backward one after the first; 0 for an empty sequence.
        """
        num_positions = inputs.shape[1]
        mask = length_mask(lengths, num_positions)
        mirror = reversal(lengths, num_positions)
        last = (lengths - 1).clamp(min=0).unsqueeze(1)  # (B, 1)
        finals = []
        for depth, layer in enumerate(self.layers):
            if depth > 0:
                inputs = dropout(inputs, self.dropout, self.training)
            inputs, ends = layer(inputs, mirror, last)
            finals.append(ends * mask[:, :1])
        return inputs * mask.unsqueeze(-1), tuple(finals)


def direction_size(hidden_size: int, bidirectional: bool) -> int:
    """Width of one direction; ValueError if `hidden_size` cannot be halved."""
    if not bidirectional:
        return hidden_size
    if hidden_size % 2:
        raise ValueError(
            f"hidden_size={hidden_size} must be even with bidirectional=true, as each direction has half of it. "
            f"Use {hidden_size + 1}, or bidirectional=false."
        )
    return hidden_size // 2
