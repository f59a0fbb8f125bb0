"""Memories that grow, and patterns that are cut at the query."""

import functools

import pytest
import torch
from attention_presets import CHOICES, factor_node, partial_of, small

from attnfocus.attention import (
    Attention,
    BackwardPattern,
    CausalPattern,
    FullPattern,
    GrowingMemory,
    Memory,
    Places,
    ScaledDotScore,
    looking_back,
)


def pattern_of(choice):
    return partial_of(small(factor_node("pattern", choice)))()


@pytest.mark.parametrize("choice", CHOICES["pattern"])
def test_a_pattern_cut_at_the_query_is_the_pattern_and_nothing_ahead(choice):
    pattern, places = pattern_of(choice), Places.of(7, 9, torch.device("cpu"))
    ahead = places.offsets > 0
    allowed = looking_back(pattern).allows(places)
    before = pattern.allows(places)
    assert not allowed[ahead].any()
    assert torch.equal(allowed, ~ahead if before is None else before & ~ahead)


def test_what_looks_back_already_is_left_as_it_is():
    causal = CausalPattern()
    assert looking_back(causal) is causal
    assert looking_back(FullPattern()).is_causal  # what fused kernels have a mode for
    cut = looking_back(pattern_of("local"))
    assert looking_back(cut) is cut


@pytest.mark.parametrize("choice", CHOICES["pattern"])
def test_a_cut_pattern_by_blocks_equals_all_pairs(choice):
    cut = looking_back(pattern_of(choice))
    torch.manual_seed(0)
    vectors = torch.randn(2, 37, 8, dtype=torch.float64)
    contexts = []
    for path in ("plain", "chunked"):
        torch.manual_seed(1)
        attention = Attention(8, 8, score=ScaledDotScore, pattern=lambda: cut, num_heads=2, path=path).double()
        contexts.append(attention(vectors, vectors)[0])
    torch.testing.assert_close(*contexts)


def test_a_cut_pattern_says_which():
    assert repr(BackwardPattern(FullPattern())) == "BackwardPattern(FullPattern())"


def parts(num_rows, sizes, requires_grad=False):
    generator = torch.Generator().manual_seed(0)
    draw = functools.partial(torch.randn, generator=generator, requires_grad=requires_grad)
    return [Memory(draw(num_rows, 2, size, 3), draw(num_rows, 2, size, 5), None) for size in sizes]


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("sizes", [[1] * 40, [3, 1, 17, 1, 1], [20, 30]])
def test_a_grown_memory_holds_all_that_was_added(sizes, requires_grad):
    memory, added = GrowingMemory(), parts(4, sizes, requires_grad)
    for number, part in enumerate(added, 1):
        memory = memory.append(part)
        for name in ("keys", "values"):
            expected = torch.cat([getattr(each, name) for each in added[:number]], dim=2)
            assert torch.equal(getattr(memory.memory, name), expected)
    assert memory.length == sum(sizes)
    if requires_grad:
        memory.memory.keys.sum().backward()
        assert all(part.keys.grad.eq(1).all() for part in added)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_memories_that_grew_from_one_go_separate_ways(requires_grad):
    first, *others = parts(3, [1] * 6, requires_grad)
    stem = GrowingMemory().append(first).append(others[0])
    left, right = stem.append(others[1]), stem.append(others[2])
    picked = stem.rows(torch.tensor([2, 0])).append(Memory(others[3].keys[:2], others[3].values[:2], None))
    stem.append(others[4])
    for memory, last in ((left, others[1]), (right, others[2])):
        assert torch.equal(memory.memory.keys, torch.cat((first.keys, others[0].keys, last.keys), dim=2))
    expected = torch.cat((first.keys[[2, 0]], others[0].keys[[2, 0]], others[3].keys[:2]), dim=2)
    assert torch.equal(picked.memory.keys, expected)


def test_rows_of_nothing_are_nothing():
    assert GrowingMemory().rows(torch.tensor([0, 0])).length == 0
