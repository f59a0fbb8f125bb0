"""Patterns: their rules, their blocks, and linear growth where it is promised.

Shapes: B items, H heads, L positions, D sizes. float64.
"""

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loops_patterns import PATTERNS
from pairs import parametrize_pairs
from torch.utils._python_dispatch import TorchDispatchMode

from attnfocus.attention import (
    AdditiveScore,
    Attention,
    BigBirdPattern,
    BlockSparsePattern,
    Call,
    CosineScore,
    LocalPattern,
    Places,
    ScaledDotScore,
    StridedPattern,
    TopKPattern,
)

B, D = 2, 8
DIRECTIONS = st.sampled_from(["both", "backward"])
small = functools.partial(st.integers, 0)
BY_BLOCKS = st.one_of(
    st.builds(LocalPattern, window=st.integers(1, 40), direction=DIRECTIONS, num_global=small(20)),
    st.builds(BlockSparsePattern, block_size=st.integers(1, 20), num_neighbors=small(3), direction=DIRECTIONS),
    st.builds(
        BigBirdPattern,
        block_size=st.integers(1, 20),
        num_neighbors=small(2),
        num_random=small(3),
        num_global=small(20),
        direction=DIRECTIONS,
        seed=small(2**40),
    ),
)
OF_POSITIONS = BY_BLOCKS | st.builds(StridedPattern, stride=st.integers(1, 9), direction=DIRECTIONS)
# Small blocks, so that few positions make many.
LINEAR = {
    "local": lambda direction: LocalPattern(window=3, direction=direction),
    "longformer": lambda direction: LocalPattern(window=5, direction=direction, num_global=2),
    "block_sparse": lambda direction: BlockSparsePattern(block_size=4, direction=direction),
    "bigbird": lambda direction: BigBirdPattern(block_size=4, num_random=2, num_global=6, direction=direction),
}
EVERY = {
    **LINEAR,
    "strided": lambda direction: StridedPattern(stride=4, direction=direction),
    "top_k": lambda direction: TopKPattern(k=3, direction=direction),
}


def sequence(*leading, length, seed=0):
    return torch.randn(*leading, length, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def attention_of(pattern, score=ScaledDotScore, **options):
    torch.manual_seed(1)
    attention = Attention(D, D, score=score, pattern=lambda: pattern, **options).double()
    attention.chunk_weights = 300  # several chunks
    return attention


def allowed_by(pattern, queries, keys):
    return pattern.allows(Places.of(queries, keys, torch.device("cpu")))


def gradients(attention, inputs, mask, need_weights=False):
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    context, _ = attention(*leaves, mask, need_weights)
    position = torch.arange(context.numel(), dtype=context.dtype).view_as(context)
    found = torch.autograd.grad((context * position.cos()).sum(), [*leaves, *attention.parameters()])
    return context.detach(), found


@settings(max_examples=100, deadline=None)
@given(pattern=OF_POSITIONS, keys=small(45), data=st.data())
def test_rules_are_those_of_the_papers(pattern, keys, data):
    queries = data.draw(st.integers(0, keys))
    rule, first = PATTERNS[type(pattern).__name__], keys - queries
    expected = [[rule(pattern, first + i, j) for j in range(keys)] for i in range(queries)]
    assert allowed_by(pattern, queries, keys).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(pattern=BY_BLOCKS, num_blocks=small(30))
def test_blocks_hold_all_that_is_allowed_and_each_block_once(pattern, num_blocks):
    table, size = pattern.blocks(num_blocks), pattern.block_size
    assert table.shape == (num_blocks, pattern.blocks(2 * num_blocks).shape[1])
    assert ((table >= -1) & (table < max(num_blocks, 1))).all()
    covered = torch.zeros(num_blocks, num_blocks, dtype=torch.bool)
    for row, blocks in enumerate(table.tolist()):
        real = [block for block in blocks if block >= 0]
        assert len(real) == len(set(real))
        covered[row, real] = True
    covered = covered.repeat_interleave(size, 0).repeat_interleave(size, 1)
    covered[: pattern.num_global] = True
    covered[:, : pattern.num_global] = True
    assert not (allowed_by(pattern, num_blocks * size, num_blocks * size) & ~covered).any()


def test_a_window_by_hand():
    assert allowed_by(LocalPattern(window=1), 4, 4).int().tolist() == [
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [0, 1, 1, 1],
        [0, 0, 1, 1],
    ]
    assert allowed_by(LocalPattern(window=1, direction="backward", num_global=1), 4, 4).int().tolist() == [
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [1, 0, 1, 1],
    ]
    assert allowed_by(StridedPattern(stride=2, direction="backward"), 6, 6)[5].int().tolist() == [0, 1, 0, 1, 1, 1]


def test_random_blocks_differ_by_query_block_and_seed_and_reach_everywhere():
    def drawn(seed, direction="both"):
        pattern = BigBirdPattern(
            block_size=1, num_neighbors=0, num_random=1, num_global=0, seed=seed, direction=direction
        )
        return (allowed_by(pattern, 400, 400) & ~torch.eye(400, dtype=torch.bool)).nonzero()

    one, other = drawn(0), drawn(1)
    assert one.tolist() != other.tolist()
    assert one.tolist() == drawn(0).tolist()
    assert len(drawn(0, "backward")) > 370  # a draw may only meet the query itself
    ahead = (one[:, 1] > one[:, 0]).double().mean()
    assert 0.2 < ahead < 0.5  # what lies behind the end is no block
    assert torch.histc(one[:, 1].double(), 4, 0, 400).min() > 30


@pytest.mark.parametrize("direction", ["both", "backward"])
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("path", ["auto", "chunked"])
def test_padding_never_changes_the_result(name, direction, path):
    attention, lengths = attention_of(EVERY[name](direction), num_heads=2, path=path), [37, 11, 3]
    batch = sequence(3, length=37)
    mask = (torch.arange(37) < torch.tensor(lengths).unsqueeze(-1)).unsqueeze(-2)
    context, found = gradients(attention, (batch, batch, batch), mask)
    for item, length in enumerate(lengths):
        alone = batch[item, :length]
        torch.testing.assert_close(context[item, :length], attention(alone, alone)[0])
        assert (found[1][item, length:] == 0).all()
        assert (found[2][item, length:] == 0).all()


@parametrize_pairs(
    {
        "name": list(EVERY),
        "score": [ScaledDotScore, AdditiveScore, CosineScore],
        "heads": ["one head", "grouped"],
        "direction": ["both", "backward"],
    }
)
def test_every_path_gives_the_same(name, direction, heads, score):
    options = {"one head": {}, "grouped": {"num_heads": 4, "num_key_heads": 2}}[heads]
    inputs = [sequence(B, length=37, seed=seed) for seed in range(3)]
    generator = torch.Generator().manual_seed(2)
    masks = {
        "none": None,
        "padding": (torch.arange(37) < torch.tensor([[37], [0]])).unsqueeze(-2),
        "of queries": torch.rand(37, 1, generator=generator) < 0.7,
        "random": torch.rand(B, 37, 37, generator=generator) < 0.5,
    }
    for mask in masks.values():
        results = []
        for path in ("plain", "chunked", "auto"):
            attention = attention_of(EVERY[name](direction), score, path=path, **options)
            results.append(gradients(attention, inputs, mask))
        for result in results[1:]:
            torch.testing.assert_close(result, results[0])
        torch.testing.assert_close(gradients(attention, inputs, mask, need_weights=True), results[0])


@pytest.mark.parametrize("leading", [(), (2, 3)])
@pytest.mark.parametrize("name", LINEAR)
def test_blocks_work_for_any_leading_dimensions(name, leading):
    attention = attention_of(LINEAR[name]("both"), num_heads=2, path="chunked")
    inputs = sequence(*leading, length=61)
    plain, _ = attention(inputs, inputs, need_weights=True)
    torch.testing.assert_close(attention(inputs, inputs)[0], plain)


@pytest.mark.parametrize("name", EVERY)
def test_backward_never_sees_the_future_and_steps_equal_the_whole(name):
    attention = attention_of(EVERY[name]("backward"), num_heads=2)
    inputs = sequence(B, length=33)
    changed = inputs.clone()
    changed[:, 20:] += 1
    before, _ = attention(inputs, inputs)
    after, _ = attention(changed, changed)
    torch.testing.assert_close(before[:, :20], after[:, :20], atol=0, rtol=0)
    assert not torch.allclose(before[:, 20:], after[:, 20:])
    assert attention.same_sequence_only
    for i in range(33):
        step, _ = attention(inputs[:, i : i + 1], inputs[:, : i + 1])
        torch.testing.assert_close(step, before[:, i : i + 1])


class LargestTensor(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
        return result


@pytest.mark.parametrize("score", [ScaledDotScore, AdditiveScore])
@pytest.mark.parametrize("direction", ["both", "backward"])
@pytest.mark.parametrize("name", LINEAR)
def test_no_tensor_grows_faster_than_the_length(name, direction, score):
    attention = attention_of(LINEAR[name](direction), score)
    sizes = []
    for length in (500, 1000, 2000):
        inputs = sequence(1, length=length).requires_grad_()
        with LargestTensor() as largest:
            attention(inputs, inputs, None, torch.ones(1, 1, length, dtype=torch.bool))[0].sum().backward()
        sizes.append(largest.numel)
    assert sizes[2] < 2.1 * sizes[1] < 2.1 * 2.1 * sizes[0]


def test_longformer_equals_that_of_transformers():
    """Theirs has projections of its own for global positions, and scales the query: here they are made the same."""
    longformer = pytest.importorskip("transformers.models.longformer.modeling_longformer")
    config = longformer.LongformerConfig(
        hidden_size=D, num_attention_heads=2, attention_window=[8], attention_probs_dropout_prob=0.0
    )
    theirs = longformer.LongformerSelfAttention(config, layer_id=0).double().eval()
    ours = attention_of(LocalPattern(window=4, num_global=2), num_heads=2)
    with torch.no_grad():
        for name in ("query", "key", "value"):
            layer = getattr(ours, f"{name}_projection")
            for other in (getattr(theirs, name), getattr(theirs, f"{name}_global")):
                other.weight.copy_(layer.weight)
                other.bias.copy_(layer.bias)
        ours.output_projection.weight.copy_(torch.eye(D))
    inputs, lengths = sequence(B, length=32), torch.tensor([32, 27])
    real = torch.arange(32) < lengths.unsqueeze(-1)
    state = torch.where(real, 0.0, -1e4)
    state[:, :2] = 1e4
    expected = theirs(inputs, state, is_index_masked=~real, is_index_global_attn=state > 0, is_global_attn=True)[0]
    for need_weights in (False, True):
        context, _ = ours(inputs, inputs, None, real.unsqueeze(-2), need_weights)
        torch.testing.assert_close(context[real], expected[real])


def test_a_pattern_says_in_which_attention_it_makes_sense():
    for name, make in EVERY.items():
        assert attention_of(make("backward")).same_sequence_only
        assert attention_of(make("both")).same_sequence_only == (name != "top_k")
    reason = attention_of(LocalPattern()).chosen_path(Call(False, 512, 512)).reason
    assert reason.startswith("LocalPattern goes by blocks")
