"""Other weights in the place of an attention's own: contexts are made of them, and nothing else changes."""

import pytest
import torch
from attention_presets import PRESETS

from attnfocus.attention import replaced_weights


def call(attention, need_weights=True):
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(2, 5, 8, dtype=torch.float64, generator=generator)
    mask = torch.tensor([[[True] * 5], [[True] * 3 + [False] * 2]])
    return attention(states, states, None, mask, need_weights)


def test_the_same_weights_give_the_same_context(build, preset):
    attention = build(preset)
    context, weights = call(attention)
    if not attention.weights_can_be_replaced:
        with (
            pytest.raises(ValueError, match="does not make its context of the weights"),
            replaced_weights(attention, abs),
        ):
            pass
        return
    given = iter(weights.split(1, dim=-2))

    def again(own):
        return next(given) if own.shape[-2] == 1 else weights

    with replaced_weights(attention, again):
        torch.testing.assert_close(call(attention, need_weights=False)[0], context)
    assert attention.replacement is None


def test_the_context_is_made_of_what_was_put_in(build, preset):
    attention = build(preset)
    if not attention.weights_can_be_replaced:
        return
    context, _ = call(attention)
    with replaced_weights(attention, lambda own: own * 0):
        nothing, weights = call(attention)
    assert weights.eq(0).all()
    assert not torch.allclose(nothing, context)
    if attention.has_projections:
        assert nothing.eq(0).all()  # the output projection has no bias
    torch.testing.assert_close(call(attention)[0], context)


def test_contexts_that_no_weights_make_are_refused(build):
    refused = {name for name in PRESETS if not build(name).weights_can_be_replaced}
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
    }
    assert refused == own | {"retention", "ssd", "gla", "gated_delta", "delta"}


def test_replacements_do_not_nest_and_end_after_an_error(build):
    attention = build("scaled_dot")
    with pytest.raises(ValueError, match="already"), replaced_weights(attention, abs), replaced_weights(attention, abs):
        pass
    assert attention.replacement is None
