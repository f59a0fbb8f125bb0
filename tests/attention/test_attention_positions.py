"""Positions: the papers' formulas as loops, other implementations, and what each position promises.

Shapes: B items, H heads, Q queries, K keys, D sizes. float64 unless a test is about precision.
"""

import functools

import pytest
import torch
from attention_loops import loop
from hypothesis import given, settings
from hypothesis import strategies as st
from loops_positions import POSITIONS
from pairs import parametrize_pairs
from position_trials import filled, placed_scores, random

from attnfocus.attention import (
    AdditiveScore,
    AlibiPosition,
    Attention,
    BigBirdPattern,
    Call,
    CausalPattern,
    ContextualPosition,
    CosineScore,
    ForgettingPosition,
    FullPattern,
    LearnedPosition,
    LocalPattern,
    Places,
    RotaryPosition,
    ScaledDotScore,
    ShawPosition,
    SinusoidalPosition,
    StridedPattern,
    T5Position,
    TransformerXLPosition,
)

B, K, D, H = 2, 7, 12, 3
ALL = [
    AlibiPosition,
    functools.partial(LearnedPosition, max_length=40),
    RotaryPosition,
    functools.partial(ShawPosition, max_distance=3),
    SinusoidalPosition,
    functools.partial(T5Position, num_buckets=8, max_distance=9),
    functools.partial(T5Position, num_buckets=5, max_distance=9, bidirectional=False),
    TransformerXLPosition,
    functools.partial(ShawPosition, max_distance=2, with_values=True),
]
READERS = [ForgettingPosition, functools.partial(ContextualPosition, num_positions=4)]  # of inputs, of scores
TURNING = [
    functools.partial(RotaryPosition, fraction=0.5, pairing="half", base=100.0),
    functools.partial(RotaryPosition, fraction=0.75, scaling="linear", factor=4.0),
    functools.partial(RotaryPosition, pairing="half", scaling="ntk", factor=3.0, base=50.0),
    functools.partial(RotaryPosition, scaling="yarn", factor=8.0, original_length=300, base=20.0),
]
NEAR = functools.partial(LocalPattern, window=2)
BY_VALUE = ALL[-1]
RELATIVE = [position for position in ALL if getattr(position, "func", position) is not LearnedPosition]
BY_BIAS = [AlibiPosition, ALL[3], ALL[5], TransformerXLPosition]
in_attention = pytest.mark.parametrize("position", [*ALL, *READERS], ids=lambda p: getattr(p, "func", p).__name__)
positions = pytest.mark.parametrize("position", ALL, ids=lambda p: getattr(p, "func", p).__name__)


def attention_with(position, **options):
    options = {"score": ScaledDotScore, "num_heads": H, **options}
    return filled(Attention(D, D, position=position, **options))


def gradients(attention, inputs, mask=None, need_weights=False):
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    attention.zero_grad(set_to_none=True)
    context, weights = attention(*leaves, mask, need_weights)
    context.mul(torch.arange(context.numel(), dtype=context.dtype).view_as(context).cos()).sum().backward()
    return context.detach(), [leaf.grad for leaf in (*leaves, *attention.parameters())], weights


@pytest.mark.parametrize(
    "position", [*ALL, *TURNING], ids=lambda p: f"{getattr(p, 'func', p).__name__} {getattr(p, 'keywords', '')}"
)
@pytest.mark.parametrize("queries", [1, 4, K])
@torch.no_grad()
def test_every_pair_is_the_formula_of_the_paper(position, queries):
    size = 10 if position in TURNING else 4
    made = filled(position(num_heads=H, head_dim=size))
    rule = POSITIONS[type(made).__name__]
    query, keys = random(H, queries, size), random(H, K, size, seed=4)
    scores = placed_scores(made, query, keys)
    for head in range(H):
        for row in range(queries):
            for j in range(K):
                i = K - queries + row
                q, k, bias = rule(made, head, query[head, row].tolist(), keys[head, j].tolist(), i, j)
                expected = sum(x * y for x, y in zip(q, k, strict=True)) / size**0.5 + bias
                assert scores[head, row, j].item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("pattern", [FullPattern, CausalPattern, NEAR])
@pytest.mark.parametrize("key_heads", [1, H])
@torch.no_grad()
def test_values_of_offsets_are_those_of_the_paper(pattern, key_heads):
    attention = attention_with(BY_VALUE, pattern=pattern, num_key_heads=key_heads)
    sequence = random(B, K, D)
    mask = torch.rand(B, K, K, generator=torch.Generator().manual_seed(5)) < 0.8
    mask[0, 3] = False  # nothing to attend: neither values nor offsets
    for queries in (1, 4, K):
        seen = mask[:, -queries:]
        context, weights = attention(sequence[:, -queries:], sequence, None, seen, need_weights=True)
        torch.testing.assert_close(attention(sequence[:, -queries:], sequence, None, seen)[0], context)
        for item in range(B):
            rows = sequence[item]
            expected = loop(attention, rows[-queries:], rows, rows, lambda i, j, of=seen[item]: bool(of[i, j]))
            torch.testing.assert_close((context[item], weights[item]), expected)
    attention.position.value_table.zero_()
    without = attention_with(functools.partial(ShawPosition, max_distance=2), pattern=pattern, num_key_heads=key_heads)
    without.load_state_dict(attention.state_dict(), strict=False)
    torch.testing.assert_close(without(sequence, sequence)[0], attention(sequence, sequence)[0])


@torch.no_grad()
def test_values_of_offsets_one_position_at_a_time():
    near = functools.partial(LocalPattern, window=2, direction="backward")
    for pattern in (CausalPattern, near):  # a memory that grows, and one that rolls
        attention = attention_with(BY_VALUE, pattern=pattern)
        sequence = random(B, 9, D)
        whole, weights = attention(sequence, sequence, need_weights=True)
        past, contexts = attention.begin(), []
        for step in sequence.split(1, dim=1):
            context, row, past = attention.proceed(step, past, need_weights=True)
            contexts.append(context)
        torch.testing.assert_close(torch.cat(contexts, dim=1), whole)
        torch.testing.assert_close(row, weights[..., -1:, :])


@positions
def test_gradients_are_those_of_the_function(position):
    made = filled(position(num_heads=H, head_dim=4))
    names = [name for name, _ in made.named_parameters()]

    def scores(query, keys, *parameters):
        given = {f"position.{name}": parameter for name, parameter in zip(names, parameters, strict=True)}
        return torch.func.functional_call(_Scores(made), given, (query, keys))

    leaves = [random(2, H, 3, 4), random(2, H, 5, 4, seed=4), *(p.detach().clone() for p in made.parameters())]
    assert torch.autograd.gradcheck(scores, [leaf.requires_grad_() for leaf in leaves])


class _Scores(torch.nn.Module):
    def __init__(self, position):
        super().__init__()
        self.position = position

    def forward(self, query, keys):
        return placed_scores(self.position, query, keys)


@parametrize_pairs(
    {
        "position": [*ALL, *READERS],
        "score": [ScaledDotScore, AdditiveScore],
        "pattern": [FullPattern, CausalPattern, NEAR],
    }
)
def test_all_paths_agree(position, score, pattern):
    if score is AdditiveScore and position is RotaryPosition:  # refused: see below
        score = CosineScore
    attention = attention_with(position, score=score, pattern=pattern, num_key_heads=1)
    attention.chunk_weights = 90  # several chunks
    length = 19 if pattern is not CausalPattern else 11
    inputs = [random(B, length, D, seed=seed) for seed in (1, 2, 3)]
    mask = torch.rand(B, length, length, generator=torch.Generator().manual_seed(5)) < 0.7
    mask[0, 3] = False
    for each in (None, mask, mask[:, :1]):
        plain = gradients(attention, inputs, each, need_weights=True)
        for path in ("auto", "plain", "chunked"):
            attention.wanted_path = path
            assert path == "auto" or attention.chosen_path(Call(False, length, length)).name == path
            found = gradients(attention, inputs, each)
            torch.testing.assert_close(found[:2], plain[:2])


@in_attention
@pytest.mark.parametrize(
    "pattern", [functools.partial(BigBirdPattern, block_size=4), functools.partial(StridedPattern, stride=3)]
)
@torch.no_grad()
def test_positions_are_those_of_the_sequence_inside_blocks(position, pattern):
    attention = attention_with(position, pattern=pattern)
    sequence = random(B, 37, D)
    expected, weights = attention(sequence, sequence, need_weights=True)
    attention.wanted_path = "chunked"
    torch.testing.assert_close(attention(sequence, sequence)[0], expected)
    assert weights.sum(-1).allclose(torch.ones((), dtype=torch.float64))


@in_attention
@torch.no_grad()
def test_fewer_queries_are_the_last_positions(position):
    attention, sequence = attention_with(position), random(B, K, D)
    whole, weights = attention(sequence, sequence, need_weights=True)
    for queries in (1, 3):
        context, rows = attention(sequence[:, -queries:], sequence, need_weights=True)
        torch.testing.assert_close(context, whole[:, -queries:])
        torch.testing.assert_close(rows, weights[..., -queries:, :])


@in_attention
@torch.no_grad()
def test_the_order_of_the_keys_plays_a_part(position):
    attention, sequence = attention_with(position), random(1, K, D)
    order = torch.tensor([0, 2, 1, 3, 4, 5, 6])
    one, other = attention(sequence, sequence)[0], attention(sequence[:, order], sequence[:, order])[0]
    assert not torch.allclose(one[:, order], other, atol=1e-4)
    assert attention.same_sequence_only
    assert attention.sees_everything


@pytest.mark.parametrize("position", RELATIVE, ids=lambda p: getattr(p, "func", p).__name__)
@torch.no_grad()
def test_only_distances_matter_of_all_but_learned_positions(position):
    """Sinusoids are added to vectors, so only their inner products p_i . p_j know the distance alone."""
    made = filled(position(num_heads=H, head_dim=4))
    vectors = torch.zeros(H, 1, 4, dtype=torch.float64) if isinstance(made, SinusoidalPosition) else random(H, 1, 4)
    scores = placed_scores(made, vectors.expand(H, K, 4), vectors.expand(H, K, 4))
    for offset in range(-K + 1, K):
        diagonal = scores.diagonal(offset, dim1=-2, dim2=-1)
        torch.testing.assert_close(diagonal, diagonal[:, :1].expand_as(diagonal))


@positions
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@torch.no_grad()
def test_half_precision_counts_positions_exactly(position, dtype):
    """bfloat16 cannot tell 300 from 301: angles and distances are computed in float32."""
    made = functools.partial(LearnedPosition, max_length=600) if position is ALL[1] else position
    made = filled(made(num_heads=1, head_dim=8))
    query, keys = random(1, 5, 8), random(1, 600, 8, seed=4)
    exact = placed_scores(made, query, keys)
    rounded = placed_scores(made.to(dtype), query.to(dtype), keys.to(dtype))
    assert rounded.dtype == (torch.float32 if made.has_bias else dtype)
    tolerance = {torch.float32: 1e-4, torch.bfloat16: 0.03, torch.float16: 0.01}[dtype]
    assert (rounded.double() - exact).norm() <= tolerance * exact.norm()


@in_attention
def test_positions_work_on_the_meta_device_and_for_no_queries(position):
    with torch.device("meta"):
        attention = Attention(D, D, score=ScaledDotScore, num_heads=H, position=position, pattern=CausalPattern)
        for need_weights in (False, True):
            context, _ = attention(torch.empty(2, 5, D), torch.empty(2, 5, D), None, None, need_weights)
            assert context.shape == (2, 5, D)
    attention = attention_with(position)
    for need_weights in (False, True):
        context, _ = attention(random(2, 0, D), random(2, 0, D), None, None, need_weights)
        assert context.shape == (2, 0, D)


@settings(max_examples=40, deadline=None)
@given(num_heads=st.integers(1, 5), length=st.integers(1, 9), queries=st.integers(1, 9), size=st.integers(1, 4))
def test_any_shape_gets_its_bias(num_heads, length, queries, size):
    queries = min(queries, length)
    for position in BY_BIAS:
        made = filled(position(num_heads=num_heads, head_dim=size))
        query = random(2, num_heads, queries, size)
        places = Places.of(queries, length, query.device)
        bias = made.bias(query, places.offsets)
        torch.broadcast_to(bias, (2, num_heads, queries, length))
        in_blocks = made.bias(query, places.offsets.expand(2, queries, length))
        torch.testing.assert_close(in_blocks, bias.expand_as(in_blocks))


# What does not fit says so.


def test_learned_positions_refuse_what_they_cannot_place():
    attention = attention_with(functools.partial(LearnedPosition, max_length=5))
    with pytest.raises(ValueError, match=r"sequence of 6 positions is longer than .*max_length=5: train with a larger"):
        attention(random(1, 6, D), random(1, 6, D))
    with pytest.raises(ValueError, match="2 more queries than keys"):
        attention(random(1, 5, D), random(1, 3, D))
    narrow = Attention(D, 6, score=AdditiveScore, position=LearnedPosition).double()
    with pytest.raises(ValueError, match="size 12 of a head's query, and the keys have 6"):
        narrow(random(1, 5, D), random(1, 5, 6))


def test_rotary_refuses_an_odd_head_and_a_score_that_does_not_turn():
    with pytest.raises(ValueError, match="a head of size 3 leaves one over"):
        Attention(9, 9, score=ScaledDotScore, num_heads=3, position=RotaryPosition)
    with pytest.raises(ValueError, match="attention/position=t5 or alibi"):
        Attention(8, 8, score=AdditiveScore, position=RotaryPosition)


def test_rotary_refuses_options_that_do_not_go_together():
    def refused(size=8, **options):
        with pytest.raises(ValueError, match=": use attention") as caught:
            RotaryPosition(num_heads=1, head_dim=size, **options)
        return str(caught.value)

    assert "factor=2 has no effect without a scaling: use attention.position.scaling=linear" in refused(factor=2.0)
    assert "use attention.position.original_length=N" in refused(scaling="yarn", factor=2.0)
    assert "less than a pair of numbers: use attention.position.fraction=0.25 or more" in refused(fraction=0.1)
    assert RotaryPosition(num_heads=1, head_dim=8, fraction=0.25).size == 2
    assert "only 2 numbers turn: use attention.position.scaling=linear" in refused(2, scaling="ntk", factor=2.0)
    assert RotaryPosition(num_heads=1, head_dim=7, fraction=0.9).size == 6  # the odd one out does not turn


def test_t5_refuses_buckets_that_make_no_sense():
    with pytest.raises(ValueError, match="num_buckets=7 cannot be halved"):
        T5Position(num_heads=1, head_dim=4, num_buckets=7)
    with pytest.raises(ValueError, match="max_distance=8 lies within the first 8 distances"):
        T5Position(num_heads=1, head_dim=4, max_distance=8)
    assert T5Position(num_heads=1, head_dim=4, num_buckets=7, bidirectional=False).num_buckets == 7


def test_a_state_has_the_parameters_alone():
    made = [position(num_heads=2, head_dim=4) for position in (*ALL, *READERS)]
    for position in made:
        position.connect(6)
        position.connect_values(4)
    names = {type(position).__name__: list(position.state_dict()) for position in made}
    assert names == {
        "AlibiPosition": [],
        "ContextualPosition": ["table"],
        "ForgettingPosition": ["gate.weight", "gate.bias"],
        "LearnedPosition": ["query_table", "key_table"],
        "RotaryPosition": [],
        "ShawPosition": ["table", "value_table"],  # the last of them has both
        "SinusoidalPosition": [],
        "T5Position": ["table"],
        "TransformerXLPosition": ["content_bias", "position_bias", "weight"],
    }
