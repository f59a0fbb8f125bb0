"""Rollout and flow by hand, against loops, and against every cut of a small graph."""

import itertools

import pytest
import torch

from attnfocus.focus.rollout import decoder_rollout, flow, rollout, with_residual

ONE = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]], dtype=torch.float64)


def maps(*shape):
    generator = torch.Generator().manual_seed(len(shape))
    return torch.rand(*shape, generator=generator, dtype=torch.float64).softmax(dim=-1)


def test_the_residual_takes_half():
    # 0.5 (1, 0; .5, .5) + 0.5 (1, 0; 0, 1)
    assert with_residual(ONE[0]).tolist() == [[1.0, 0.0], [0.25, 0.75]]


def test_rollout_by_hand():
    # (.25, .75) A = .25 (1, 0) + .75 (.25, .75) = (.4375, .5625)
    first = torch.tensor([[[0.0, 1.0]]], dtype=torch.float64)
    assert rollout(first, [ONE, ONE]).tolist() == [[[0.4375, 0.5625]]]
    assert rollout(first, []).tolist() == first.tolist()


def test_rollout_is_the_sum_over_all_paths():
    layers = [maps(3, 3), maps(3, 3) * 2, -maps(3, 3)]  # rows are divided by their sums, signs do not count
    edges = [0.5 * (each.abs() / each.abs().sum(-1, keepdim=True)) + 0.5 * torch.eye(3).double() for each in layers]
    expected = torch.zeros(3, 3, dtype=torch.float64)
    for top, upper, lower, end in itertools.product(range(3), repeat=4):
        expected[top, end] += edges[2][top, upper] * edges[1][upper, lower] * edges[0][lower, end]
    found = rollout(torch.eye(3, dtype=torch.float64), layers)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(3, dtype=torch.float64))


def test_a_row_that_attends_to_nothing_keeps_to_itself():
    layer = torch.tensor([[0.0, 0.0], [0.5, 0.5]])
    assert rollout(torch.eye(2), [layer]).tolist() == [[1.0, 0.0], [0.25, 0.75]]


def test_decoder_rollout_by_hand():
    # One layer, the second token of two: half of its own and its self-attention's, nothing of the source yet; then half
    # of its cross-attention. The next layer's self-attention (.5, .5) with its residual gives (.25, .75) of the two.
    cross = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    own = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    once = decoder_rollout(torch.eye(2), [own], [cross])
    assert once.tolist() == [[0.5, 0.0], [0.0, 0.5]]
    twice = decoder_rollout(torch.eye(2), [own, own], [cross, cross])
    # second token: .5 (.25 (.5, 0) + .75 (0, .5)) + .5 (0, 1)
    assert twice.tolist() == [[0.75, 0.0], [0.0625, 0.6875]]


def smallest_cut(layers, top, end):
    """The least capacity that any set of nodes with `top` and without `end` can send out (Ford & Fulkerson)."""
    size, depth = len(layers[0]), len(layers)
    edges = {}
    for level, weights in enumerate(reversed([with_residual(each) for each in layers])):
        for i, j in itertools.product(range(size), repeat=2):
            edges[level * size + i, (level + 1) * size + j] = weights[i, j].item()
    target = depth * size + end
    others = [node for node in range((depth + 1) * size) if node not in (top, target)]
    cuts = []
    for chosen in itertools.product((False, True), repeat=len(others)):
        inside = {top} | {node for node, is_in in zip(others, chosen, strict=True) if is_in}
        cuts.append(sum(capacity for (i, j), capacity in edges.items() if i in inside and j not in inside))
    return min(cuts)


def test_a_flow_is_the_smallest_cut():
    layers = [maps(3, 3), maps(3, 3, 1).squeeze(-1).softmax(dim=-1)]
    found = flow(torch.eye(3, dtype=torch.float64), layers)
    expected = [[smallest_cut(layers, top, end) for end in range(3)] for top in range(3)]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


def test_a_reading_takes_its_shares_of_the_flows():
    layers = [maps(3, 3), maps(3, 3)]
    reading = torch.tensor([[0.25, 0.0, 0.75]], dtype=torch.float64)
    torch.testing.assert_close(flow(reading, layers), reading @ flow(torch.eye(3, dtype=torch.float64), layers))
    assert flow(reading, []).tolist() == reading.tolist()
    torch.testing.assert_close(flow(reading, layers[:1]), rollout(reading, layers[:1]), atol=1e-6, rtol=0)


def test_too_much_work_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match=r"12 layers from 100 to 100 positions is too much.*attention_rollout"):
        flow(torch.full((1, 100), 0.01), [torch.eye(100)] * 12)
