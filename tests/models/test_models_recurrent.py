"""The recurrent parts against PyTorch's own packed sequences and against the cells' equations."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from attnfocus.models.encoder import RecurrentEncoder
from attnfocus.models.lengths import length_mask, reversal, take_positions, with_a_position
from attnfocus.models.recurrent import LayerState, RecurrentCells, RecurrentLayers, RecurrentOptions


def options(cell, num_layers=1, hidden_size=6):
    return RecurrentOptions(hidden_size, num_layers, cell, dropout=0.0)


def packed_reference(encoder, inputs, lengths, cell, num_layers):
    """The same weights in one bidirectional nn.LSTM or nn.GRU over a packed batch."""
    kind = nn.LSTM if cell == "lstm" else nn.GRU
    reference = kind(inputs.shape[-1], 3, num_layers, batch_first=True, bidirectional=True).double()
    weights = {}
    for depth, layer in enumerate(encoder.layers):
        for suffix, rnn in (("", layer.forwards), ("_reverse", layer.backwards)):
            for name, value in rnn.named_parameters():
                weights[name.replace("_l0", f"_l{depth}{suffix}")] = value.detach()
    reference.load_state_dict(weights)
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    outputs, state = reference(packed)
    hidden = state[0] if cell == "lstm" else state
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=inputs.shape[1])
    finals = hidden.unflatten(0, (num_layers, 2)).transpose(1, 2).flatten(2)  # (num_layers, B, H)
    return padded, finals


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_encoder_equals_a_packed_bidirectional_rnn(cell, num_layers):
    torch.manual_seed(0)
    encoder = RecurrentEncoder(4, options(cell, num_layers), bidirectional=True).double()
    inputs, lengths = torch.randn(5, 7, 4, dtype=torch.float64), torch.tensor([7, 1, 4, 6, 2])
    outputs, finals = encoder(inputs, lengths)
    expected_outputs, expected_finals = packed_reference(encoder, inputs, lengths, cell, num_layers)
    torch.testing.assert_close(outputs, expected_outputs)
    torch.testing.assert_close(torch.stack(finals), expected_finals)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_empty_sequence_encodes_to_zero_with_finite_gradients(cell):
    encoder = RecurrentEncoder(4, options(cell), bidirectional=True)
    outputs, finals = encoder(torch.randn(2, 3, 4), torch.tensor([0, 3]))
    assert outputs[0].eq(0).all()
    assert finals[0][0].eq(0).all()
    outputs.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in encoder.parameters())


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_cells_step_by_step_equal_layers_over_the_whole_sequence(cell):
    torch.manual_seed(0)
    cells = RecurrentCells(3, 1, options(cell, 2)).double()
    layers = RecurrentLayers(4, options(cell, 2)).double()
    values = {
        f"{name}_l{depth}": value for depth, each in enumerate(cells.cells) for name, value in each.state_dict().items()
    }
    layers.layers.load_state_dict(values)
    start = torch.randn(2, 2, 3, 6, dtype=torch.float64)
    state = tuple(LayerState(h, c if cell == "lstm" else None) for h, c in start)
    inputs = torch.randn(3, 5, 4, dtype=torch.float64)
    expected, expected_state = layers(inputs, state)
    outputs, steps = [], cells.steps(inputs[..., :3])
    for number in range(len(steps)):
        state = steps.step(number, inputs[:, number, 3:], state)
        outputs.append(state[-1].hidden)
    torch.testing.assert_close(torch.stack(outputs, 1), expected)
    torch.testing.assert_close(state, expected_state)


def test_forget_gates_start_open_and_recurrent_weights_orthogonal():
    layers = RecurrentLayers(4, options("lstm", 2)).layers
    for depth in range(2):
        bias = getattr(layers, f"bias_ih_l{depth}") + getattr(layers, f"bias_hh_l{depth}")
        assert bias.tolist() == [0.0] * 6 + [1.0] * 6 + [0.0] * 12
        for gate in getattr(layers, f"weight_hh_l{depth}").split(6):
            torch.testing.assert_close(gate @ gate.T, torch.eye(6))


def test_reversal_stays_within_each_length():
    letters = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 7], [0, 0, 0, 0]]).unsqueeze(-1)
    index = reversal(torch.tensor([3, 4, 0]), 4)
    assert take_positions(letters, index).squeeze(-1).tolist() == [[3, 2, 1, 0], [7, 6, 5, 4], [0, 0, 0, 0]]


def test_length_mask_is_true_at_real_positions():
    assert length_mask(torch.tensor([2, 0]), 3).tolist() == [[True, True, False], [False] * 3]


def test_a_batch_of_empty_sequences_gets_a_position_of_padding():
    assert with_a_position(torch.empty(2, 0, dtype=torch.long)).tolist() == [[0], [0]]
    assert with_a_position(torch.empty(2, 0, 3)).shape == (2, 1, 3)
