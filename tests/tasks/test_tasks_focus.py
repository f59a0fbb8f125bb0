"""Focus by attention and head: means over queries and maps that no padding and no batching can change."""

import pytest
import torch

from attnfocus import focus
from attnfocus.tasks.measures import focus_sums
from attnfocus.tasks.measures.focus import FocusMeans, focus_table

KINDS = {"cross": "cross", "layers.0": "self", "pooling": "pooling"}
EYE = torch.eye(3)
FIRST = torch.tensor([[1.0, 0, 0]] * 3)
EQUAL = torch.full((3, 3), 1 / 3)


def measures(table, attention, head):
    (row,) = [row for row in table.rows if (row.attention, row.head) == (attention, head)]
    return row.measures


def test_of_an_attention_of_an_unknown_kind_only_what_all_have_is_measured():
    maps = torch.stack((EYE, FIRST))
    unknown = focus_table({"mixer": maps})
    assert set(measures(unknown, "mixer", None)) == {
        "effective_positions",
        "positions",
        "normalized_entropy",
        "top_mass",
        "first_mass",
        "head_disagreement",
    }
    for kind in ("self", "cross", "pooling"):
        known = measures(focus_table({"mixer": maps}, {"mixer": kind}), "mixer", None)
        assert measures(unknown, "mixer", None).items() < known.items()


def test_each_head_has_its_own_row():
    table = focus_table({"cross": torch.stack((EYE, FIRST, EQUAL)), "layers.0": torch.stack((EYE, FIRST))}, KINDS)
    assert [(row.attention, row.head) for row in table.rows] == [
        *(("cross", head) for head in (None, 0, 1, 2)),
        *(("layers.0", head) for head in (None, 0, 1)),
    ]
    diagonal, first, equal = (measures(table, "cross", head) for head in range(3))
    assert diagonal == pytest.approx(
        {
            "effective_positions": 1.0,
            "positions": 3.0,
            "normalized_entropy": 0.0,
            "top_mass": 1.0,
            "first_mass": 1 / 3,
            "coverage_deviation": 0.0,
            "monotonicity": 1.0,
            "diagonality": 1.0,
            "peak_coverage": 1 / 3,
        },
        abs=1e-6,
    )
    assert (first["first_mass"], first["peak_coverage"]) == (1.0, 1.0)
    assert first["coverage_deviation"] == pytest.approx(4 / 3)
    assert equal["normalized_entropy"] == pytest.approx(1.0)
    assert equal["effective_positions"] == pytest.approx(3.0)
    assert measures(table, "layers.0", 1)["distance"] == pytest.approx(1.0)
    together = measures(table, "cross", None)
    assert together["effective_positions"] == pytest.approx((1 + 1 + 3) / 3)
    assert together["head_disagreement"] == pytest.approx(
        focus.head_disagreement(torch.stack((EYE, FIRST, EQUAL))).mean().item()
    )
    assert "head_disagreement" not in diagonal


def test_metrics_are_means_over_the_attentions_that_have_a_measure():
    table = focus_table({"cross": EQUAL[None], "layers.0": torch.stack((EYE, FIRST))}, KINDS)
    metrics = table.metrics()
    assert metrics["focus/effective_positions"] == pytest.approx((3 + 1) / 2)
    assert metrics["focus/distance"] == pytest.approx(0.5)  # heads of layers.0: 0 and 1
    assert metrics["focus/diagonality"] == pytest.approx(1 - (0.5 + 1 / 3 + 0.5) / 3)
    assert not any("peak" in name or "last" in name or "special" in name for name in metrics)


def test_what_is_attended_at_all_is_measured_where_weights_do_not_sum_to_one():
    """Two heads, of which one leaves half of its weight and a query without any: a stick, a sink, a rectified score."""
    half = torch.tensor([[0.5, 0, 0], [0.25, 0.25, 0], [0, 0, 0]])
    table = focus_table({"cross": torch.stack((EYE, half)), "layers.0": EYE[None]}, KINDS)
    assert measures(table, "cross", 0)["total_weight"] == pytest.approx(1.0)
    assert measures(table, "cross", 1)["total_weight"] == pytest.approx(1 / 3)
    assert table.metrics()["focus/total_weight"] == pytest.approx(2 / 3)
    assert "total_weight" not in measures(table, "layers.0", None)
    assert measures(table, "cross", 1)["effective_positions"] == pytest.approx((1 + 2) / 2)
    padded, means = torch.nn.functional.pad(torch.stack((EYE, half)), (0, 1, 0, 2), value=0.7)[None], FocusMeans()
    means.add("cross", "cross", padded, torch.tensor([3]), torch.tensor([3]))
    assert means.metrics()["focus/total_weight"] == pytest.approx(2 / 3)
    torch.testing.assert_close(focus.total_weight(-half), half.sum(-1))


def test_heads_are_listed_by_attention_and_measure():
    heads = focus_table({"cross": torch.stack((EYE, EQUAL))}, KINDS).heads()
    assert heads["cross"]["effective_positions"] == pytest.approx((1.0, 3.0))
    assert "head_disagreement" not in heads["cross"]


@pytest.mark.parametrize("name", ["cross", "layers.0", "pooling"])
def test_a_padded_batch_measures_as_its_items_do(name):
    torch.manual_seed(0)
    num_queries = torch.tensor([4, 2, 1, 0]) if name != "pooling" else torch.tensor([1, 1, 1, 1])
    num_keys = torch.tensor([4, 3, 1, 0]) if name == "cross" else torch.tensor([4, 2, 1, 0])
    size = 1 if name == "pooling" else 4
    weights = torch.rand(4, 2, size, 4)  # also where nothing is
    special = torch.rand(4, 4) < 0.5
    whole, alone = FocusMeans(), FocusMeans()
    whole.add(name, KINDS[name], weights, num_keys, num_queries, special)
    for number, (rows, columns) in enumerate(zip(num_queries.tolist(), num_keys.tolist(), strict=True)):
        part = weights[number : number + 1, :, :rows, :columns]
        alone.add(name, KINDS[name], part, torch.tensor([columns]), None, special[number : number + 1, :columns])
    for one, other in zip(whole.table().rows, alone.table().rows, strict=True):
        assert (one.attention, one.head) == (other.attention, other.head)
        assert dict(one.measures) == pytest.approx(dict(other.measures), rel=1e-5)


def test_what_is_at_special_tokens_and_at_the_ends_is_measured():
    means = FocusMeans()
    weights = torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.5, 9.0]]).view(2, 1, 1, 3)
    special = torch.tensor([[True, False, True], [False, True, True]])
    means.add("pooling", "pooling", weights, torch.tensor([3, 2]), None, special)
    found = measures(means.table(), "pooling", 0)
    assert found["special_mass"] == pytest.approx((0.8 + 0.5) / 2)
    assert found["first_mass"] == pytest.approx((0.1 + 0.5) / 2)
    assert found["last_mass"] == pytest.approx((0.7 + 0.5) / 2)


def test_several_queries_of_a_pooling_measure_alike_in_blocks_and_at_once(monkeypatch):
    torch.manual_seed(0)
    weights, lengths = torch.rand(2, 2, 6, 5).softmax(dim=-1), torch.tensor([5, 3])
    at_once = focus_sums.focus_sums(weights, lengths, None, "pooling")
    monkeypatch.setattr(focus_sums, "CACHED", 1)
    in_blocks = focus_sums.focus_sums(weights, lengths, None, "pooling")
    assert at_once.keys() == in_blocks.keys()
    for measure, value in at_once.items():
        torch.testing.assert_close(in_blocks[measure], value)
    torch.testing.assert_close(at_once["last_mass"][0], weights[0, :, :, 4].sum(dim=-1))


def test_nothing_looked_at_gives_no_row():
    means = FocusMeans()
    means.add("cross", "cross", torch.zeros(2, 1, 3, 3), torch.tensor([3, 2]), torch.tensor([3, 0]))
    assert means.table().rows == ()
    assert means.metrics() == {}


@pytest.mark.parametrize(("name", "rows", "columns"), [("cross", 4, 5), ("layers.0", 5, 5), ("pooling", 1, 5)])
def test_sums_over_a_batch_equal_the_functions(name, rows, columns):
    """Each measure as `attnfocus.focus` has it, averaged over real queries or maps as the table says."""
    torch.manual_seed(0)
    weights = torch.rand(3, 2, rows, columns, dtype=torch.float64)
    num_keys, num_queries = torch.tensor([5, 3, 2]), torch.tensor([4, 3, 2]).clamp(max=rows)
    means = FocusMeans()
    means.add(name, KINDS[name], weights, num_keys, num_queries)
    mask = (torch.arange(columns) < num_keys[:, None])[:, None, None]
    queries = (torch.arange(rows) < num_queries[:, None])[:, None].expand(3, 2, rows)
    sizes = {"num_queries": num_queries[:, None], "num_keys": num_keys[:, None]}
    real = weights * queries.unsqueeze(-1)
    of_queries = {
        "effective_positions": focus.effective_positions(weights, mask),
        "positions": focus.num_positions(weights, mask),
        "normalized_entropy": focus.normalized_entropy(weights, mask),
        "top_mass": focus.top_k_mass(weights, mask),
        "first_mass": focus.first_mass(weights, mask),
        "total_weight": focus.total_weight(weights, mask),
    }
    of_maps = {}
    if name == "layers.0":
        of_queries["distance"] = focus.distance(weights, mask)
    if name == "cross":
        of_maps = {
            "coverage_deviation": focus.coverage_deviation(weights, mask, queries),
            "monotonicity": focus.monotonicity(weights, mask, queries),
            "diagonality": focus.diagonality(weights, mask, queries, **sizes),
        }
    if name != "pooling":
        of_maps["peak_coverage"] = focus.peak_coverage(weights, mask, queries)
    for head in (0, 1):
        expected = {each: values[:, head][queries[:, head]].mean().item() for each, values in of_queries.items()}
        expected |= {each: values[:, head].mean().item() for each, values in of_maps.items()}
        found = dict(measures(means.table(), name, head))
        found.pop("last_mass", None)
        assert found == pytest.approx(expected, rel=1e-9)
    disagreement = focus.head_disagreement(real, mask)[queries[:, 0]].mean().item()
    assert measures(means.table(), name, None)["head_disagreement"] == pytest.approx(disagreement, rel=1e-9)


def test_of_long_self_attention_some_queries_stand_for_all_whatever_the_batch():
    torch.manual_seed(0)
    lengths = torch.tensor([200, 150, 40, 1])
    mask = torch.arange(200) < lengths.unsqueeze(1)
    near = -0.2 * (torch.arange(200).unsqueeze(1) - torch.arange(200)).abs()
    scores = (near + torch.randn(4, 2, 200, 200)).masked_fill(~mask[:, None, None], -torch.inf)
    weights = scores.softmax(dim=-1)
    sampled, whole, alone = FocusMeans(), FocusMeans(), FocusMeans()
    sampled.add("layers.0", "self", weights, lengths, lengths)
    for row, length in enumerate(lengths.tolist()):
        own = weights[row : row + 1, :, :length, :length]
        alone.add("layers.0", "self", own, lengths[row : row + 1], None)
        for query in range(length):  # a map of one query is never sampled
            whole.add("layers.0", "self", own[:, :, query : query + 1], lengths[row : row + 1], None)
    found, expected = (each.table().rows[0].measures for each in (sampled, whole))
    same = alone.table().rows[0].measures
    assert found["distance"] == pytest.approx(same["distance"], rel=1e-5)
    for name in ("effective_positions", "positions", "normalized_entropy", "top_mass", "first_mass"):
        assert found[name] == pytest.approx(same[name], rel=1e-5)
        assert found[name] == pytest.approx(expected[name], rel=0.05)
    assert found["positions"] == pytest.approx((200**2 + 150**2 + 40**2 + 1) / 391)
