"""How large what a key gives to the output is: against loops over W_V and W_O, in float64."""

import pytest
import torch
from attention_presets import PRESETS

from attnfocus.attention.value_norms import noted_values, output_is_weighed_values, value_norms


def given():
    """States of two sequences, the second of which has 3 positions, and their mask."""
    states = torch.randn(2, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return states, torch.tensor([[[True] * 5], [[True] * 3 + [False] * 2]])


def transformed(attention, states):
    """f_h(x_k), (B, H, K, Do), by hand: a key's value of each head, through the head's columns of W_O."""
    if not attention.has_projections:
        return states.unsqueeze(1)
    size = attention.key_head_dim
    w_v, b_v, w_o = (
        attention.value_projection.weight,
        attention.value_projection.bias,
        attention.output_projection.weight,
    )
    found = torch.zeros(*states.shape[:1], attention.num_heads, states.shape[1], w_o.shape[0], dtype=states.dtype)
    for head in range(attention.num_heads):
        group = head * attention.num_key_heads // attention.num_heads
        rows, columns = slice(group * size, (group + 1) * size), slice(head * size, (head + 1) * size)
        for key in range(states.shape[1]):
            values = states[:, key] @ w_v[rows].T + b_v[rows]
            found[:, head, key] = values @ w_o[:, columns].T
    return found


def test_values_that_depend_on_offsets_have_no_norm(build):
    assert output_is_weighed_values(build("shaw"))
    assert not output_is_weighed_values(build("shaw", "attention.position.with_values=true"))


def test_norms_are_those_of_the_projected_values(build, preset):
    attention = build(preset)
    states, mask = given()
    if not output_is_weighed_values(attention):
        with pytest.raises(ValueError, match="not made of its weights and values alone"), noted_values(attention):
            pass
        return
    with torch.no_grad(), noted_values(attention) as noted:
        context, weights = attention(states, states, None, mask, need_weights=True)
    (values,) = noted
    expected = transformed(attention, states)
    norms = value_norms(attention, values)
    for example, length in enumerate((5, 3)):  # of padding there is no value
        own = norms[example, :, :length]
        torch.testing.assert_close(own, expected[example, :, :length].norm(dim=-1), rtol=1e-12, atol=1e-12)
        added = torch.einsum("hqk,hko->qo", weights[example, ..., :length], expected[example, :, :length])
        torch.testing.assert_close(context[example], added, rtol=1e-10, atol=1e-12)  # what is weighed is the output
    assert "prepare_heads" not in vars(attention)


def test_key_heads_that_are_shared_give_through_the_columns_of_each_head(build):
    attention = build("scaled_dot", num_heads=4, num_key_heads=2)
    states, mask = given()
    with torch.no_grad(), noted_values(attention) as noted:
        attention(states, states, None, mask)
    found = value_norms(attention, noted[0])
    assert found.shape == (2, 4, 5)
    torch.testing.assert_close(found[0], transformed(attention, states)[0].norm(dim=-1), rtol=1e-12, atol=1e-12)


def test_outputs_that_are_more_than_weighed_values_are_refused(build):
    refused = {name for name in PRESETS if not output_is_weighed_values(build(name))}
    own = {
        "linear",
        "exclusive",
        "mla",
        "taylor",
        "hedgehog",
        "performer",
        "linformer",
        "differential",
        "transformer_xl",
        "gated",
    }
    assert refused == own | {"retention", "ssd", "gla", "gated_delta", "delta"}
