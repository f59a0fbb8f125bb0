"""The penalties against their formulas as loops in float64, and what padding must not do to them or their gradients."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attnfocus.focus import (
    EntropyOptions,
    head_overlap,
    missed_alignment,
    normalized_entropy,
    off_diagonal,
    repeated_attention,
)

LINKS = torch.rand(5, 6, generator=torch.Generator().manual_seed(9)) < 0.3
LINKS[2] = False
LINKS[:, 0] |= torch.tensor([True, True, False, True, True])  # the first key is always real


def guided(weights, mask=None, valid=None):
    return off_diagonal(weights, mask, valid)


def aligned(weights, mask=None, valid=None):
    links = torch.nn.functional.pad(LINKS, (0, weights.shape[-1] - 6, 0, weights.shape[-2] - 5), value=True)
    return missed_alignment(weights, links if mask is None else links & mask, mask)


PENALTIES = {
    "entropy": lambda weights, mask=None, valid=None: normalized_entropy(weights, mask),
    "coverage": lambda weights, mask=None, valid=None: repeated_attention(weights, mask),
    "diagonal": guided,
    "gold": aligned,
    "overlap": lambda weights, mask=None, valid=None: head_overlap(weights, mask),
}


def batch(seed=0, dtype=torch.float64, shape=(3, 2, 5, 6)):
    """Weights (B, H, Q, K) of softmax, real keys (B, 1, 1, K) and queries (B, 1, Q): padding stands at the end."""
    generator = torch.Generator().manual_seed(seed)
    lengths, num_queries = torch.tensor([6, 4, 1])[: shape[0]], torch.tensor([5, 2, 4])[: shape[0]]
    mask = (torch.arange(shape[3]) < lengths[:, None])[:, None, None]
    valid = (torch.arange(shape[2]) < num_queries[:, None])[:, None]
    scores = 2 * torch.randn(shape, generator=generator, dtype=dtype)
    return torch.softmax(scores.masked_fill(~mask, -math.inf), -1), mask, valid


def loop(name, weights, num_queries, num_keys):
    """One example as lists, (H)(Q)(K) -> (H)(Q) or (Q), as the formulas stand in the papers."""

    def coverage(head, t):
        covered = [sum(head[s][k] for s in range(t)) for k in range(num_keys)]
        return sum(min(head[t][k], covered[k]) for k in range(num_keys))

    def diagonal(head, t):
        return sum(
            head[t][k] * (1 - math.exp(-((k / num_keys - t / num_queries) ** 2) / (2 * 0.2**2)))
            for k in range(num_keys)
        )

    def gold(head, t):
        linked = [k for k in range(num_keys) if LINKS[t, k]]
        return -math.log(sum(head[t][k] for k in linked)) if linked else 0.0

    def overlap(t):
        pairs = [(i, j) for i in range(len(weights)) for j in range(len(weights)) if i != j]
        return sum(weights[i][t][k] * weights[j][t][k] for i, j in pairs for k in range(num_keys)) / len(pairs)

    if name == "overlap":
        return [overlap(t) for t in range(num_queries)]
    function = {"coverage": coverage, "diagonal": diagonal, "gold": gold}[name]
    return [[function(head, t) for t in range(num_queries)] for head in weights]


@pytest.mark.parametrize("name", ["coverage", "diagonal", "gold", "overlap"])
@pytest.mark.parametrize("scale", [1.0, -0.3])  # weights need not sum to 1, nor be positive
def test_penalties_equal_their_formula_and_a_batch_its_items(name, scale):
    weights, mask, valid = batch()
    found = PENALTIES[name](scale * weights, mask, valid)
    for item in range(len(weights)):
        num_queries, num_keys = int(valid[item].sum()), int(mask[item].sum())
        expected = loop(name, weights[item].tolist(), num_queries, num_keys)
        torch.testing.assert_close(found[item, ..., :num_queries], torch.tensor(expected, dtype=torch.float64))


def test_known_values_by_hand():
    """Coverage of rows (1 0), (1 0), (.5 .5): nothing before; all of it before; the left half of it: 0, 1, 0.5.
    Overlap of heads (1 0), (.5 .5), (0 1): pairs .5, 0, .5, mean 1/3. Alignment with the second key: -ln of its share.
    Diagonal of 2 x 2, weight on the other key: 1 - exp(-.5^2 / (2 .04)) = 0.95606."""
    rows = torch.tensor([[1.0, 0], [1, 0], [0.5, 0.5]])
    torch.testing.assert_close(repeated_attention(rows), torch.tensor([0.0, 1, 0.5]))
    heads = torch.tensor([[[1.0, 0]], [[0.5, 0.5]], [[0, 1]]])
    torch.testing.assert_close(head_overlap(heads), torch.tensor([1 / 3]))
    links = torch.tensor([[False, False], [True, True], [False, True]])
    torch.testing.assert_close(missed_alignment(rows, links), torch.tensor([0, 0, math.log(2)]))
    other = torch.tensor([[0.0, 1], [1, 0]])
    torch.testing.assert_close(off_diagonal(other), torch.full((2,), 1 - math.exp(-3.125)))
    torch.testing.assert_close(off_diagonal(torch.eye(2)), torch.zeros(2))


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("garbage", [7.0, math.nan])
def test_padding_never_changes_a_penalty_and_gets_no_gradient(name, garbage):
    weights, mask, valid = batch()
    padded = torch.nn.functional.pad(weights, (0, 3, 0, 2), value=garbage).masked_fill(
        ~torch.nn.functional.pad(mask.expand(weights.shape), (0, 3, 0, 2), value=False), garbage
    )
    padded.requires_grad_()
    wide_mask = torch.nn.functional.pad(mask, (0, 3), value=False)
    wide_valid = torch.nn.functional.pad(valid, (0, 2), value=False)
    where = wide_mask & wide_valid.unsqueeze(-1)
    expected = PENALTIES[name](weights, mask, valid)
    found = PENALTIES[name](padded, where, wide_valid)[..., :5]
    real = valid.squeeze(1) if name == "overlap" else valid.expand(expected.shape)
    torch.testing.assert_close(found[real], expected[real])
    found[real].sum().backward()
    assert not padded.grad.masked_fill(where, 0.0).any()
    assert padded.grad.masked_fill(~where, 0.0).isfinite().all()
    assert padded.grad.masked_fill(~where, 0.0).any()


@pytest.mark.parametrize("name", PENALTIES)
def test_gradients_are_those_of_the_function(name):
    scores = torch.randn(2, 2, 5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    _, mask, valid = batch(shape=(2, 2, 5, 6))

    def penalty(scores):
        weights = torch.softmax(scores.masked_fill(~mask, -1e9), -1)
        values = PENALTIES[name](weights, mask, valid)
        return torch.where(valid.squeeze(1) if name == "overlap" else valid, values, 0.0)

    assert torch.autograd.gradcheck(penalty, scores.requires_grad_())


@pytest.mark.parametrize("name", PENALTIES)
def test_a_row_with_nothing_to_attend_gives_finite_gradients(name):
    weights = torch.zeros(1, 2, 5, 6, requires_grad=True)
    PENALTIES[name](weights, torch.zeros(1, 1, 1, 6, dtype=torch.bool)).sum().backward()
    assert not weights.grad.any()


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_single(name, dtype):
    weights, mask, valid = batch()
    found = PENALTIES[name](weights.to(dtype), mask, valid)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, PENALTIES[name](weights, mask, valid).float(), atol=2e-2, rtol=2e-2)


@given(st.integers(1, 4), st.integers(2, 3), st.integers(1, 5), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_penalties_stay_in_their_range(size, heads, queries, keys, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.softmax(8 * torch.randn(size, heads, queries, keys, generator=generator), -1)
    mask = torch.rand(size, 1, 1, keys, generator=generator) < 0.7
    links = torch.rand(size, 1, queries, keys, generator=generator) < 0.3
    for penalty in (normalized_entropy, repeated_attention, off_diagonal, head_overlap):
        assert (penalty(weights, mask) >= 0).all()
        assert (penalty(weights, mask) <= 1 + 1e-5).all()
    assert (missed_alignment(weights, links, mask) >= 0).all()
    assert (missed_alignment(weights, torch.zeros_like(links), mask) == 0).all()


def test_one_head_has_no_overlap():
    with pytest.raises(ValueError, match="two or more, got 1"):
        head_overlap(torch.ones(1, 3, 4))


def test_a_schedule_is_a_function_of_the_step():
    """Two steps without, four to rise, ten to fall: 2/4 of the weight after 4 steps, 9/10 of it one after the top."""
    term = EntropyOptions(weight=-2.0, start_step=2, warmup_steps=4, decay_steps=10)
    expected = [0, 0, -0.5, -1, -1.5, -2, -1.8, -1.6]
    assert [term.weight_at(step) for step in range(1, 9)] == pytest.approx(expected)
    assert [term.weight_at(step) for step in (15, 16, 1000)] == pytest.approx([-0.2, 0, 0])
    assert [EntropyOptions(weight=3.0).weight_at(step) for step in (1, 2, 1000)] == [3.0, 3.0, 3.0]
    assert [EntropyOptions(weight=3.0, start_step=1).weight_at(step) for step in (1, 2)] == [0, 3.0]
    falling = EntropyOptions(weight=3.0, decay_steps=3)
    assert [falling.weight_at(step) for step in range(1, 6)] == pytest.approx([3, 2, 1, 0, 0])
