"""Weights of some queries alone, and logits: rows of what all queries give, whatever the point of the algebra."""

import pytest
import torch

from attnfocus.attention import Role
from attnfocus.attention.observation import Observation, current, observing, spread_places

LENGTHS = torch.tensor([9, 6, 3])
MOST = 4
# Their rows are not made of one query's scores, or their sequences have other keys.
WHOLE = {
    "adaptive_span",
    "delta",
    "gated_delta",
    "gla",
    "hedgehog",
    "linear",
    "local_predictive",
    "performer",
    "retention",
    "selective",
    "ssd",
    "talking_heads",
    "taylor",
    "transformer_xl",
    "linformer",
}


def observed(attention, most):
    states = torch.randn(3, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(9) < LENGTHS.unsqueeze(1)).unsqueeze(1)
    seen = Observation({"input": LENGTHS}, most)
    with torch.no_grad(), observing(seen):
        context, weights = attention(states, states, None, mask, need_weights=True)
    assert current() is None
    return context, weights, seen.of(attention)


def test_rows_of_some_queries_are_rows_of_the_whole(build, preset):
    attention = build(preset)
    if attention.decoders_only:
        return
    attention.role = Role("self", "input", "input")
    context, weights, (all_places, all_logits) = observed(attention, None)
    own_context, own, (places, logits) = observed(attention, MOST)
    torch.testing.assert_close(own_context[:2], context[:2])
    torch.testing.assert_close(own_context[2, :3], context[2, :3])
    assert all_places is None
    assert (places is None) == (preset in WHOLE)
    if places is None:
        torch.testing.assert_close(own, weights)
        return
    assert own.shape == (3, attention.num_heads, MOST, 9)
    for example, length in enumerate(LENGTHS.tolist()):
        rows = places[example, : min(length, MOST)]
        torch.testing.assert_close(own[example, :, : len(rows)], weights[example, :, rows])
        if all_logits is not None:
            torch.testing.assert_close(logits[example, :, : len(rows)], all_logits[example, :, rows])
    assert (logits is None) == (all_logits is None)


def test_logits_are_the_largest_scores_that_a_query_may_use(build):
    attention = build("scaled_dot", "attention/pattern=causal", num_heads=2)
    attention.role = Role("self", "input", "input")
    _, weights, (_, logits) = observed(attention, None)
    states = torch.randn(3, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    states = states * (torch.arange(9) < LENGTHS.unsqueeze(1)).unsqueeze(-1)
    with torch.no_grad():
        query, keys = attention.query_projection(states), attention.key_projection(states)
    for example, length in enumerate(LENGTHS.tolist()):
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            for place in range(length):
                scores = query[example, place, part] @ keys[example, : place + 1, part].T / 2
                assert logits[example, head, place] == pytest.approx(float(scores.max()), rel=1e-9)
                assert weights[example, head, place].argmax() == scores.argmax()


@pytest.mark.parametrize("kind", ["cross", "pooling"])
def test_of_other_attentions_all_queries_are_weighed(build, kind):
    attention = build("multi_head")
    attention.role = Role(kind, "output" if kind == "cross" else "learned", "input")
    assert observed(attention, MOST)[1].shape[2] == 9


def test_places_are_spread_by_the_length_alone():
    places = spread_places(torch.tensor([9, 4, 2, 0]), 9, 4)
    assert places.tolist()[:3] == [[1, 3, 5, 7], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert spread_places(torch.tensor([2]), 2, 64).tolist() == [[0, 1]]
    assert int(places.max()) <= 8
