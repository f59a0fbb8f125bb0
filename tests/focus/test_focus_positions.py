"""Measures of where attention looks: worked by hand, against loops in float64, and what padding must not do to them."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnfocus import focus

NUM_QUERIES, NUM_KEYS = [4, 2, 1], [4, 3, 1]  # of three examples, padded to 4


def batch(seed=0, heads=2):
    """weights (3, H, 4, 4) with padded queries and keys 0, mask (3, 1, 1, 4), queries (3, 1, 4)."""
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.arange(4) < torch.tensor(NUM_KEYS).unsqueeze(1))[:, None, None]
    queries = (torch.arange(4) < torch.tensor(NUM_QUERIES).unsqueeze(1)).unsqueeze(1)
    scores = torch.randn(3, heads, 4, 4, generator=generator, dtype=torch.float64)
    weights = scores.masked_fill(~mask, -math.inf).softmax(-1)
    return weights * queries.unsqueeze(-1), mask, queries


def sizes():
    """Numbers of real queries and keys, to broadcast against (B, H)."""
    return {"num_queries": torch.tensor(NUM_QUERIES)[:, None], "num_keys": torch.tensor(NUM_KEYS)[:, None]}


SPECIAL = torch.tensor([[True, False, False, True], [False, True, False, False], [True, False, False, False]])


def loop_per_query(weights, place, size_of_queries, size_of_keys, special):
    """The measures with a number per query, of one row of weights (a list) at `place`."""
    keys = range(size_of_keys)
    diagonal = place / max(size_of_queries - 1, 1)
    return {
        "inverse_simpson": 1 / sum(weights[j] ** 2 for j in keys),
        "top_k_mass": sum(sorted(weights[:size_of_keys])[-2:]),
        "distance": sum(weights[j] * abs(place - j) for j in keys),
        "mass_within": sum(weights[j] for j in keys if abs(place - j) <= 1),
        "relative_distance": sum(weights[j] * abs(diagonal - j / max(size_of_keys - 1, 1)) for j in keys),
        "first_mass": weights[0],
        "special_mass": sum(weights[j] for j in keys if special[j]),
    }


def measured_per_query(weights, mask):
    return {
        "inverse_simpson": focus.inverse_simpson(weights, mask),
        "top_k_mass": focus.top_k_mass(weights, mask, k=2),
        "distance": focus.distance(weights, mask),
        "mass_within": focus.mass_within(weights, mask, window=1),
        "relative_distance": focus.relative_distance(weights, mask, **sizes()),
        "first_mass": focus.first_mass(weights, mask),
        "special_mass": focus.special_mass(weights, SPECIAL[:, None, None], mask),
    }


def loop_per_map(weights, size_of_queries, size_of_keys):
    """The measures with a number per map, of weights as a list of rows."""
    rows, keys = weights[:size_of_queries], range(size_of_keys)
    covered = [sum(row[j] for row in rows) for j in keys]
    stays = [
        sum(after[j] * before[i] for i in keys for j in keys if j >= i) for before, after in itertools.pairwise(rows)
    ]
    off = [
        sum(row[j] * abs(i / max(size_of_queries - 1, 1) - j / max(size_of_keys - 1, 1)) for j in keys)
        for i, row in enumerate(rows)
    ]
    return {
        "coverage_deviation": sum(abs(each - 1) for each in covered) / len(covered),
        "monotonicity": sum(stays) / len(stays) if stays else 1.0,
        "diagonality": 1 - sum(off) / len(off),
    }


def measured_per_map(weights, mask, queries):
    return {
        "coverage_deviation": focus.coverage_deviation(weights, mask, queries),
        "monotonicity": focus.monotonicity(weights, mask, queries),
        "diagonality": focus.diagonality(weights, mask, queries, **sizes()),
    }


@pytest.mark.parametrize("scale", [1.0, 0.3])  # weights of a sigmoid do not sum to 1
def test_measures_of_queries_equal_their_definition(scale):
    weights, mask, _ = batch()
    measured = measured_per_query(scale * weights, mask)
    for example, head in itertools.product(range(3), range(2)):
        for query in range(NUM_QUERIES[example]):
            row = weights[example, head, query].tolist()
            expected = loop_per_query(row, query, NUM_QUERIES[example], NUM_KEYS[example], SPECIAL[example])
            found = {name: values[example, head, query].item() for name, values in measured.items()}
            assert found == pytest.approx(expected, abs=1e-12)


def test_measures_of_maps_equal_their_definition():
    weights, mask, queries = batch(seed=1)
    measured = measured_per_map(weights, mask, queries)
    for example, head in itertools.product(range(3), range(2)):
        expected = loop_per_map(weights[example, head].tolist(), NUM_QUERIES[example], NUM_KEYS[example])
        found = {name: values[example, head].item() for name, values in measured.items()}
        assert found == pytest.approx(expected, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 7.0, math.nan]))
def test_a_padded_batch_equals_single_items(seed, garbage):
    weights, mask, queries = batch(seed)
    weights = weights.masked_fill(~(mask & queries.unsqueeze(-1)), garbage)
    per_query, per_map = measured_per_query(weights, mask), measured_per_map(weights, mask, queries)
    spread = focus.head_disagreement(weights, mask)
    for example, (rows, columns) in enumerate(zip(NUM_QUERIES, NUM_KEYS, strict=True)):
        alone = weights[example, :, :rows, :columns]
        torch.testing.assert_close(spread[example, :rows], focus.head_disagreement(alone))
        torch.testing.assert_close(per_map["coverage_deviation"][example], focus.coverage_deviation(alone))
        torch.testing.assert_close(per_map["monotonicity"][example], focus.monotonicity(alone))
        torch.testing.assert_close(per_map["diagonality"][example], focus.diagonality(alone))
        relative = focus.relative_distance(alone)
        torch.testing.assert_close(per_query["relative_distance"][example, :, :rows], relative)
        for name in ("inverse_simpson", "first_mass"):
            torch.testing.assert_close(per_query[name][example, :, :rows], getattr(focus, name)(alone))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_measures_stay_within_their_bounds(seed):
    weights, mask, queries = batch(seed)
    everything = {**measured_per_query(weights, mask), **measured_per_map(weights, mask, queries)}
    everything["head_disagreement"] = focus.head_disagreement(weights, mask)
    most = {"inverse_simpson": 4, "distance": 3, "coverage_deviation": 5}
    for name, values in everything.items():
        assert (values >= 0).all(), name
        assert (values <= most.get(name, 1) + 1e-9).all(), name


def test_known_values_by_hand():
    """One-hot on the diagonal of 3 x 3: distance 0, each key covered once, never back. Its mirror image: distances
    2, 0, 2; always back; off the diagonal by 1, 0, 1. Equal weights: 1/3 each, inverse Simpson 1 / (3/9) = 3,
    distances (0+1+2)/3, (1+0+1)/3, (2+1+0)/3, and 2/3 = (3 + 1) / 6 to stay or go on."""
    eye, mirror, equal = torch.eye(3), torch.eye(3).flip(1), torch.full((3, 3), 1 / 3)
    maps = torch.stack((eye, mirror, equal))
    torch.testing.assert_close(focus.distance(maps), torch.tensor([[0, 0, 0], [2.0, 0, 2], [1, 2 / 3, 1]]))
    torch.testing.assert_close(focus.coverage(maps), torch.ones(3, 3))
    torch.testing.assert_close(focus.coverage_deviation(maps), torch.zeros(3))
    torch.testing.assert_close(focus.monotonicity(maps), torch.tensor([1, 0, 2 / 3]))
    torch.testing.assert_close(focus.diagonality(maps), torch.tensor([1, 1 / 3, 1 - (0.5 + 1 / 3 + 0.5) / 3]))
    torch.testing.assert_close(focus.inverse_simpson(maps)[:, 0], torch.tensor([1.0, 1, 3]))
    torch.testing.assert_close(focus.top_k_mass(maps)[:, 0], torch.tensor([1.0, 1, 1 / 3]))
    torch.testing.assert_close(focus.first_mass(maps)[:, 0], torch.tensor([1.0, 0, 1 / 3]))
    torch.testing.assert_close(focus.mass_within(maps, window=1)[:, 0], torch.tensor([1.0, 0, 2 / 3]))


def test_all_weight_on_one_key_leaves_the_others_uncovered():
    """Three queries on the first of 3 keys: |3 - 1|, |0 - 1|, |0 - 1| = 4 in 3."""
    weights = torch.tensor([[1.0, 0, 0]] * 3)
    assert focus.coverage_deviation(weights).item() == pytest.approx(4 / 3)
    assert focus.monotonicity(weights).item() == 1.0


def test_heads_disagree_from_not_at_all_to_wholly():
    """Two heads (1/2, 1/2) and (1, 0): mean (3/4, 1/4), entropy .5623; less half of ln 2, in parts of ln 2: .3113."""
    alike = torch.tensor([[[0.2, 0.8]], [[0.2, 0.8]]])
    apart = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    between = torch.tensor([[[0.5, 0.5]], [[1.0, 0.0]]])
    assert focus.head_disagreement(alike).item() == pytest.approx(0, abs=1e-6)
    assert focus.head_disagreement(apart).item() == pytest.approx(1)
    assert focus.head_disagreement(between).item() == pytest.approx(0.3113, abs=1e-4)
    assert focus.head_disagreement(torch.eye(4).unsqueeze(1)).item() == pytest.approx(1)
    assert focus.head_disagreement(apart[:1]).item() == 0
    assert focus.head_disagreement(torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]])).item() == 0


def test_the_distance_of_maps_equals_scipy():
    from scipy.spatial.distance import jensenshannon

    (first, mask, _), (second, _, _) = batch(seed=2), batch(seed=3)
    measured = focus.js_distance(first, second, mask)
    for index in itertools.product((0, 1), (0, 1), (0, 1)):
        expected = jensenshannon(first[index].numpy(), second[index].numpy(), base=2)
        assert measured[index].item() == pytest.approx(expected, abs=1e-9)
    assert (focus.js_distance(first, first, mask) < 1e-6).all()
    assert focus.js_distance(torch.tensor([[1.0, 0]]), torch.tensor([[0, 1.0]])).item() == 1.0
    assert focus.js_distance(torch.tensor([[1.0, 0]]), torch.tensor([[0, 0.0]])).item() == 0.0


def test_two_heads_disagree_by_the_square_of_their_distance():
    weights, mask, _ = batch(seed=4)
    distances = focus.js_distance(weights[:, 0], weights[:, 1], mask[:, 0])
    torch.testing.assert_close(focus.head_disagreement(weights, mask)[:2, :2], distances.square()[:2, :2])


def test_what_cannot_be_measured_is_refused():
    weights = torch.rand(2, 3)
    for call in (lambda: focus.distance(weights), lambda: focus.mass_within(weights, window=1)):
        with pytest.raises(ValueError, match="relative_distance"):
            call()
    with pytest.raises(ValueError, match="window"):
        focus.mass_within(torch.rand(3, 3), window=-1)
    with pytest.raises(ValueError, match="k must"):
        focus.top_k_mass(weights, k=0)
