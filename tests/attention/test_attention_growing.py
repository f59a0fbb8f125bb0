"""Memories that grow, and patterns that are cut at the query."""

import functools

import pytest
import torch
from attention_presets import CHOICES, factor_node, partial_of, small

from attnfocus.attention import (
    AlibiPosition,
    Attention,
    BackwardPattern,
    CausalPattern,
    FullPattern,
    GrowingMemory,
    LocalPattern,
    Memory,
    Places,
    RollingMemory,
    RotaryPosition,
    ScalableSoftmax,
    ScaledDotScore,
    Sigmoid,
    Softmax,
    TemperatureSoftmax,
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


WINDOW = functools.partial(LocalPattern, window=3, direction="backward")
ROLLING = {
    "window": {"pattern": WINDOW},
    "global": {"pattern": functools.partial(WINDOW, num_global=2), "position": RotaryPosition},
    "cut": {"pattern": lambda: looking_back(LocalPattern(window=3)), "position": AlibiPosition},
    "shared": {"pattern": WINDOW, "position": RotaryPosition, "num_key_heads": 1, "normalizer": TemperatureSoftmax},
    "scalable": {"pattern": functools.partial(WINDOW, num_global=1), "normalizer": ScalableSoftmax},
    "sigmoid": {"pattern": WINDOW, "normalizer": Sigmoid, "path": "plain"},
    "plain": {"pattern": WINDOW, "normalizer": Softmax, "path": "plain"},
}


@pytest.mark.parametrize("options", ROLLING.values(), ids=ROLLING)
@torch.no_grad()
def test_a_window_that_rolls_gives_what_the_whole_gives(options):
    torch.manual_seed(0)
    attention = Attention(8, 8, score=ScaledDotScore, num_heads=2, **options).double().eval()
    states = torch.randn(2, 40, 8, dtype=torch.float64)
    whole, weights = attention(states, states, None, None, True)
    past, start, kept = attention.begin(), 0, []
    for number, part in enumerate(states.split([1, 10, *[1] * 20, 4, 1, 1, 1, 1, 1], dim=1)):
        context, rows, past = attention.proceed(part, past, need_weights=number % 2 == 0)
        end = start + part.shape[1]
        torch.testing.assert_close(context, whole[:, start:end])
        if rows is not None:
            torch.testing.assert_close(rows, weights[:, :, start:end, :end])
        start = end
        kept.append(past.memory.keys.shape[2])
    assert isinstance(past, RollingMemory)
    assert past.length == 40
    assert max(kept[5:]) <= 2 * 4 + 2 + 3  # 4 came at once
    context, _, _ = attention.proceed(states[[1, 0], :1], past.rows(torch.tensor([1, 0])))
    longer = torch.cat((states[[1, 0]], states[[1, 0], :1]), dim=1)
    torch.testing.assert_close(context, attention(longer, longer)[0][:, -1:])


def test_what_sees_far_back_keeps_all():
    causal = Attention(8, 8, score=ScaledDotScore, pattern=CausalPattern)
    assert isinstance(causal.begin(), GrowingMemory)
