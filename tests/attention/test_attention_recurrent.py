"""Attentions that are recurrences, held to the recurrences of their papers, position by position in float64.

Shapes: B items, N positions, D sizes, H heads, G key heads, d size of one head.
"""

import functools

import pytest
import torch
from torch.nn import functional as F

from attnfocus.attention import (
    Call,
    DecayedAttention,
    GatedDeltaAttention,
    GrowingMemory,
    LearnedPosition,
    RotaryPosition,
    RunningSums,
    T5Position,
)

B, N, D = 2, 11, 8
KINDS = {
    "retention": functools.partial(DecayedAttention, decay="fixed"),
    "turning": functools.partial(DecayedAttention, decay="fixed", position=RotaryPosition),
    "ssd": functools.partial(DecayedAttention, decay="scalar"),
    "gla": functools.partial(DecayedAttention, decay="vector"),
    "gated_delta": GatedDeltaAttention,
    "delta": functools.partial(GatedDeltaAttention, gate=False),
}
HEADS = [{}, {"num_heads": 4, "num_key_heads": 2}]


def made(kind, chunk_size=3, **options):
    """With chunks so small that short inputs fill several."""
    torch.manual_seed(1)
    attention = KINDS[kind](query_dim=D, key_dim=D, **options).double().eval()
    attention.chunk_size = chunk_size
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return attention


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def turned(vector, place):
    """Pairs of numbers turned by place / 10000^(2 f / d), as complex numbers: RetNet's e^(i n theta)."""
    size = len(vector)
    angle = place * 10000.0 ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    numbers = torch.view_as_complex(vector.unflatten(0, (-1, 2)).contiguous())
    return torch.view_as_real(numbers * torch.polar(torch.ones_like(angle), angle)).flatten()


def step_of(decay, state, head):
    """Mamba-2's length of a step and decay of one position: softplus(w . x + b), exp(-A step)."""
    step = F.softplus(decay.projection.weight[head] @ state + decay.projection.bias[head])
    return step, torch.exp(-decay.log_rate[head].exp() * step)


def after(kind, attention, head, stored, key, value, state):
    """The matrix (d, d) after one position whose input is `state`, for one key head: a line of the paper."""
    if kind in ("retention", "turning"):  # RetNet, eq. of the recurrent representation
        return (1 - 2.0 ** (-5 - head)) * stored + torch.outer(key, value)
    if kind == "ssd":  # Mamba-2: h_t = exp(-A dt) h_{t-1} + dt B x^T
        step, kept = step_of(attention.decay, state, head)
        return kept * stored + torch.outer(step * key, value)
    if kind == "gla":  # S_t = Diag(alpha_t) S_{t-1} + k v^T
        low = attention.decay.reduction.weight @ state
        gates = attention.decay.expansion.weight @ low + attention.decay.expansion.bias
        kept = torch.sigmoid(gates.chunk(attention.num_key_heads)[head]) ** (1 / 16)
        return torch.diag(kept) @ stored + torch.outer(key, value)
    projection = attention.strength.projection
    strength = torch.sigmoid(projection.weight[head] @ state + projection.bias[head])
    kept = step_of(attention.decay, state, head)[1] if kind == "gated_delta" else 1.0
    erasing = torch.eye(len(key), dtype=torch.float64) - strength * torch.outer(key, key)
    return kept * erasing @ stored + strength * torch.outer(key, value)


def feature(kind, vector, place):
    if kind == "turning":
        return turned(vector, place)
    if kind in ("gated_delta", "delta"):
        activated = F.silu(vector)
        return activated / (activated.square().sum() + 1e-6).sqrt()
    return vector


def loop(kind, attention, states, values=None):
    """One item, one position after the other: states (N, D) -> contexts of the heads before norm and gate (H, N, d)."""
    query, keys = attention.query_projection(states), attention.key_projection(states)
    values = attention.value_projection(states if values is None else values)
    num_heads, group = attention.num_heads, attention.num_heads // attention.num_key_heads
    contexts = []
    for head in range(num_heads):
        shared = head // group
        stored, rows = 0.0, []
        for place, state in enumerate(states):
            key = feature(kind, keys[place].chunk(attention.num_key_heads)[shared], place)
            value = values[place].chunk(attention.num_key_heads)[shared]
            if place == 0:
                stored = torch.zeros(len(key), len(value), dtype=torch.float64)
            stored = after(kind, attention, shared, stored, key, value, state)
            asked = feature(kind, query[place].chunk(num_heads)[head], place)
            scale = 1.0 if "delta" in kind else len(asked) ** -0.5
            rows.append(scale * asked @ stored)
        contexts.append(torch.stack(rows))
    return torch.stack(contexts)


def output(attention, contexts, states):
    """Norm, gate and output projection of contexts (H, N, d)."""
    normed = contexts / (contexts.square().mean(-1, keepdim=True) + 1e-6).sqrt() * attention.norm_weight
    merged = normed.transpose(0, 1).flatten(1)
    if attention.gate_projection is not None:
        gate = attention.gate_projection(states)
        merged = merged * gate * torch.sigmoid(gate)
    return attention.output_projection(merged)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{"projections": True}, {"num_heads": 4, "num_key_heads": 2, "output_gate": False}])
def test_chunks_are_the_recurrence_of_the_paper_and_so_are_gradients(kind, options):
    attention = made(kind, **options)
    states = random(N, D).requires_grad_()
    expected = output(attention, loop(kind, attention, states), states)
    found, _ = attention(states, states)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)
    leaves, direction = [states, *attention.parameters()], random(N, D, seed=5)
    wanted = torch.autograd.grad((expected * direction).sum(), leaves)
    torch.testing.assert_close(torch.autograd.grad((found * direction).sum(), leaves), wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_the_weights_are_those_with_which_values_make_the_contexts(kind):
    attention, states = made(kind, num_heads=4, num_key_heads=2), random(N, D)
    values = random(N, D, seed=1)
    _, weights = attention(states, states, values, None, need_weights=True)
    of_heads = attention.value_projection(values).unflatten(-1, (2, -1)).transpose(0, 1).repeat_interleave(2, dim=0)
    torch.testing.assert_close(weights @ of_heads, loop(kind, attention, states, values))
    assert torch.equal(weights, weights.tril())
    assert (weights < 0).any()
    assert not attention.weights_are_distributions
    assert not attention.weights_are_nonnegative


@torch.no_grad()
def test_weights_of_retention_are_scores_times_powers_of_the_decay():
    attention, states = made("retention", num_heads=2), random(N, D)
    _, weights = attention(states, states, None, None, need_weights=True)
    query, keys = (
        layer(states).unflatten(-1, (2, -1)) for layer in (attention.query_projection, attention.key_projection)
    )
    for head, decay in ((0, 31 / 32), (1, 63 / 64)):
        for i in range(N):
            for j in range(i + 1):
                expected = query[i, head] @ keys[j, head] / 2 * decay ** (i - j)
                torch.testing.assert_close(weights[head, i, j], expected)


def test_a_key_that_is_repeated_takes_back_what_it_stored():
    """By hand: unit keys, strength 1, no decay. k_0 = k_1 and q_1 = k_0: all of v_1 and nothing of v_0 is read."""
    attention = made("delta", projections=False, output_gate=False)
    with torch.no_grad():
        attention.strength.projection.weight.zero_()
        attention.strength.projection.bias.fill_(50.0)
    state = random(1, D)
    _, weights = attention(state.expand(2, D), state.expand(2, D), None, None, need_weights=True)
    torch.testing.assert_close(weights[0], torch.eye(2, dtype=torch.float64), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("heads", HEADS)
@torch.no_grad()
def test_steps_with_sums_give_what_the_whole_gives(kind, heads):
    attention, states = made(kind, **heads), random(B, N, D)
    whole, weights = attention(states, states, None, None, need_weights=True)
    past = attention.begin()
    assert isinstance(past, RunningSums)
    found, sizes = [], set()
    for part in states.split([4, 1, 1, 3, 1, 1], dim=1):
        context, none, past = attention.proceed(part, past)
        assert none is None
        found.append(context)
        sizes.add(tuple(past.tensors[0].shape))
    torch.testing.assert_close(torch.cat(found, dim=1), whole)
    assert past.length == N
    assert len(sizes) == 1  # whatever came before
    first, of_first, _ = attention.proceed(states, attention.begin(), need_weights=True)
    torch.testing.assert_close((first, of_first), (whole, weights))


@pytest.mark.parametrize("kind", ["turning", "gated_delta"])
@torch.no_grad()
def test_rows_of_sums_go_separate_ways(kind):
    attention, states = made(kind, num_heads=2), random(B, N, D)
    _, _, past = attention.proceed(states[:, :5], attention.begin())
    swapped = past.rows(torch.tensor([1, 1, 0]))
    context, _, _ = attention.proceed(states[[0, 1, 1], 5:6], swapped)
    for row, (earlier, last) in enumerate(((1, 0), (1, 1), (0, 1))):
        sequence = torch.cat((states[earlier, :5], states[last, 5:6]))
        torch.testing.assert_close(context[row], attention(sequence, sequence)[0][-1:])
    again, _, _ = attention.proceed(states[:, 5:6], past)  # which stayed as it was
    torch.testing.assert_close(again, attention(states[:, :6], states[:, :6])[0][:, -1:])
    assert attention.begin().rows(torch.tensor([0, 0])).length == 0


@torch.no_grad()
def test_weights_over_earlier_calls_need_the_positions():
    attention, states = made("gated_delta", num_heads=2), random(B, N, D)
    whole, weights = attention(states, states, None, None, need_weights=True)
    past = attention.begin(need_weights=True)
    assert isinstance(past, GrowingMemory)
    _, _, past = attention.proceed(states[:, :6], past)
    context, rows, _ = attention.proceed(states[:, 6:], past, need_weights=True)
    torch.testing.assert_close((context, rows), (whole[:, 6:], weights[:, :, 6:]))
    _, _, past = attention.proceed(states[:, :6], attention.begin())
    with pytest.raises(ValueError, match=r"sums of the 6 positions .* use begin\(need_weights=True\), or give"):
        attention.proceed(states[:, 6:], past, need_weights=True)
    attention.dropout = 0.5
    attention.train()
    with pytest.raises(ValueError, match=r"dropout=0.5 drops weights, .*: use eval\(\)"):
        attention.proceed(states[:, 6:], past)
    assert isinstance(attention.begin(), GrowingMemory)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("need_weights", [False, True])
def test_the_future_cannot_be_noticed_even_in_the_last_digit(kind, need_weights):
    attention, sequence = made(kind, num_heads=2), random(B, N, D)
    for first in (3, 10):
        changed = sequence.clone()
        changed[:, first:] = 4 * changed[:, first:] + 1
        before, _ = attention(sequence, sequence, None, None, need_weights)
        later, _ = attention(changed, changed, None, None, need_weights)
        assert torch.equal(before[:, :first], later[:, :first])
        assert not torch.allclose(before[:, first:], later[:, first:])


@pytest.mark.parametrize("kind", ["ssd", "gla", "gated_delta"])
def test_decays_from_nothing_to_all_stay_finite(kind):
    """Exponents of up to 10^5 in a chunk, in float32: only what lies between two positions is exponentiated."""
    attention = made(kind, chunk_size=16, num_heads=2).float()
    states = (300 * random(N, D)).float().requires_grad_()
    context, _ = attention(states, states)
    exact, _ = made(kind, chunk_size=2, num_heads=2)(states.double(), states.double())
    assert (context.double() - exact).norm() < 1e-3 * exact.norm()
    context.square().sum().backward()
    assert states.grad.isfinite().all()


@pytest.mark.parametrize("kind", ["retention", "gla", "gated_delta"])
def test_memory_grows_with_the_length(kind):
    def saved(length):
        kept, sequence = [], torch.randn(length, D, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            KINDS[kind](query_dim=D, key_dim=D)(sequence, sequence)
        return sum(kept)

    assert saved(4096) <= 8.5 * saved(512)


def test_the_path_is_told_and_taken():
    attention, sequence = made("gla", dropout=0.1), random(N, D)
    mask = torch.ones(N, N, dtype=torch.bool).tril()
    cases = [
        ("linear", "by chunks", Call(), False, (None, False)),
        ("plain", "weights were asked for", Call(need_weights=True), False, (None, True)),
        ("plain", "mask differs", Call(), True, (mask, False)),
    ]
    attention.train()
    assert "dropout=0.1 drops weights" in attention.chosen_path().reason
    attention.dropout = 0.0
    for name, reason, call, by_query, arguments in cases:
        choice = attention.chosen_path(call, by_query)
        attention(sequence, sequence, None, *arguments)
        assert choice == attention.trained_path
        assert (choice.name, reason in choice.reason) == (name, True)


def test_what_does_not_fit_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match=r"T5Position could add: use attention/position=none or rotary, or attention="):
        made("retention", position=T5Position)
    with pytest.raises(ValueError, match=r"query_dim 8 and key_dim 6: use projections=true"):
        DecayedAttention(query_dim=8, key_dim=6)
    delta, states = made("delta"), random(N, D)
    with pytest.raises(ValueError, match=r"mask must be \(\.\.\., 1, K\), got \(11, 11\): use a mask of padding only"):
        delta(states, states, None, torch.ones(N, N, dtype=torch.bool))
    assert made("retention", position=functools.partial(LearnedPosition, max_length=20)).max_length == 20
