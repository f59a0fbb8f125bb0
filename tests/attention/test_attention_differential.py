"""Differential attention: the paper's formula as loops, Hugging Face's DiffLlama, and softmax as a special case.

Shapes: B items, H heads, Q queries, K keys, D sizes. float64.
"""

import functools
import math

import pytest
import torch

from attnfocus.attention import (
    AdditiveScore,
    AlibiPosition,
    Attention,
    CausalPattern,
    CosineScore,
    DifferentialAttention,
    GeneralScore,
    LocalPattern,
    LocationScore,
    NoPosition,
    PathChoice,
    RotaryPosition,
    ScaledDotScore,
    T5Position,
    TopKPattern,
)
from attnfocus.attention.contract import check_promises
from attnfocus.attention.paths import Work

B, Q, K, D = 2, 4, 6, 16


def made(cls=DifferentialAttention, **options):
    torch.manual_seed(1)
    attention = cls(query_dim=D, key_dim=D, **{"score": ScaledDotScore, **options}).double().eval()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return attention


def without_difference(attention):
    """lambda = 0, and no other work for the norm than to divide by the root of the mean square."""
    with torch.no_grad():
        attention.lambda_query.zero_()
        attention.lambda_key.zero_()
        attention.norm_weight.fill_(1.0)
    return attention


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def softmax(scores):
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def inner(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def loop(attention, query, keys, values):
    """One item without a mask: eq. 1 to 3 of the paper, number by number."""
    query, keys = attention.query_projection(query), attention.key_projection(keys)
    values = attention.value_projection(values)
    (q1, q2), (k1, k2) = attention.lambda_query.tolist(), attention.lambda_key.tolist()
    difference = math.exp(inner(q1, k1)) - math.exp(inner(q2, k2)) + attention.start_of_lambda
    contexts, weights = [], torch.zeros(attention.num_heads, len(query), len(keys), dtype=torch.float64)
    for head in range(attention.num_heads):
        group = head * attention.num_key_heads // attention.num_heads
        of_keys = keys.chunk(attention.num_key_heads, -1)[group].tolist()
        of_values = values.chunk(attention.num_key_heads, -1)[group].tolist()
        rows = []
        for i, vector in enumerate(query.chunk(attention.num_heads, -1)[head].tolist()):
            half = len(vector) // 2
            first = softmax([inner(vector[:half], key[:half]) / math.sqrt(half) for key in of_keys])
            second = softmax([inner(vector[half:], key[half:]) / math.sqrt(half) for key in of_keys])
            row = [a - difference * b for a, b in zip(first, second, strict=True)]
            weights[head, i] = torch.tensor(row)
            mixed = [inner(row, column) for column in zip(*of_values, strict=True)]
            size = math.sqrt(inner(mixed, mixed) / len(mixed) + 1e-5)
            scale = [(1 - attention.start_of_lambda) * weight / size for weight in attention.norm_weight.tolist()]
            rows.append([x * y for x, y in zip(mixed, scale, strict=True)])
        contexts.append(torch.tensor(rows, dtype=torch.float64))
    return attention.output_projection(torch.cat(contexts, dim=-1)), weights


@pytest.mark.parametrize("num_key_heads", [1, 2])
@torch.no_grad()
def test_every_path_is_the_formula(num_key_heads):
    attention = made(num_heads=2, num_key_heads=num_key_heads, lambda_init=0.5)
    query, keys, values = random(B, Q, D), random(B, K, D, seed=1), random(B, K, D, seed=2)
    context, weights = attention(query, keys, values, need_weights=True)
    for item in range(B):
        expected, expected_weights = loop(attention, query[item], keys[item], values[item])
        torch.testing.assert_close(context[item], expected)
        torch.testing.assert_close(weights[item], expected_weights)
    for path in ("auto", "sdpa", "chunked", "plain"):
        attention.wanted_path = path
        torch.testing.assert_close(attention(query, keys, values)[0], context)


@torch.no_grad()
def test_it_equals_the_attention_of_diffllama():
    from transformers.models.diffllama.configuration_diffllama import DiffLlamaConfig
    from transformers.models.diffllama.modeling_diffllama import DiffLlamaAttention

    heads, layer = 2, 3
    config = DiffLlamaConfig(
        hidden_size=D,
        num_attention_heads=2 * heads,
        num_key_value_heads=2 * heads,
        rms_norm_eps=1e-5,
        attn_implementation="eager",
    )
    theirs = DiffLlamaAttention(config, layer_idx=layer).double().eval()
    ours = made(num_heads=heads, pattern=CausalPattern, lambda_init=0.8 - 0.6 * math.exp(-0.3 * layer))
    # Theirs has the first maps of all heads, then the second; so it is with the halves of the values.
    order = torch.arange(D).view(2, heads, -1).transpose(0, 1).flatten()
    for name in ("query", "key", "value"):
        getattr(ours, f"{name}_projection").weight.copy_(getattr(theirs, f"{name[0]}_proj").weight[order])
        getattr(ours, f"{name}_projection").bias.zero_()
    ours.output_projection.weight.copy_(theirs.o_proj.weight)
    ours.lambda_query.copy_(torch.stack((theirs.lambda_q1, theirs.lambda_q2)))
    ours.lambda_key.copy_(torch.stack((theirs.lambda_k1, theirs.lambda_k2)))
    ours.norm_weight.fill_(1.0)
    sequence = random(B, K, D)
    angles = torch.zeros(B, K, D // (2 * heads), dtype=torch.float64)
    future = torch.full((K, K), -torch.inf, dtype=torch.float64).triu(1)[None, None]
    expected, _ = theirs(sequence, (angles.cos(), angles.sin()), future)
    for need_weights in (False, True):
        context, _ = ours(sequence, sequence, need_weights=need_weights)
        torch.testing.assert_close(context, expected, atol=1e-5, rtol=1e-5)  # their softmax is float32


@pytest.mark.parametrize("num_heads", [1, 2])
@torch.no_grad()
def test_without_a_difference_the_weights_are_those_of_softmax(num_heads):
    attention = without_difference(made(num_heads=num_heads, lambda_init=0.0))
    query, keys = random(B, Q, D), random(B, K, D, seed=1)
    weights = attention(query, keys, need_weights=True)[1]
    if num_heads > 1:
        query, keys = attention.query_projection(query), attention.key_projection(keys)
    size = D // num_heads // 2
    for head in range(num_heads):
        part = slice(2 * head * size, (2 * head + 1) * size)
        softmax_alone = Attention(size, size, score=ScaledDotScore)
        _, expected = softmax_alone(query[..., part], keys[..., part], need_weights=True)
        torch.testing.assert_close(weights[:, head : head + 1], expected)


@torch.no_grad()
def test_weights_sum_to_one_less_lambda_and_may_be_negative():
    attention = made(num_heads=2)
    weights = attention(random(B, Q, D), random(B, K, D, seed=1), need_weights=True)[1]
    torch.testing.assert_close(weights.sum(-1), (1 - attention.difference).expand(B, 2, Q))
    assert (weights < 0).any()
    assert not attention.weights_are_distributions


@torch.no_grad()
def test_each_head_is_normed_by_itself():
    attention = made(num_heads=4, lambda_init=0.25)
    attention.norm_weight.fill_(1.0)
    attention.output_projection.weight.copy_(torch.eye(D))
    attention.value_projection.weight[: D // 4] *= 100  # one loud head
    context, _ = attention(random(B, Q, D), random(B, K, D, seed=1))
    sizes = context.unflatten(-1, (4, -1)).square().mean(-1).sqrt()
    torch.testing.assert_close(sizes, torch.full_like(sizes, 0.75), atol=0.01, rtol=0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_heads": 2},
        {"num_heads": 4, "num_key_heads": 2, "score": AdditiveScore},
        {"num_heads": 4, "num_key_heads": 1, "score": GeneralScore, "pattern": CausalPattern},
        {"num_heads": 2, "num_key_heads": 1, "position": RotaryPosition, "pattern": CausalPattern},
        {"num_heads": 2, "position": AlibiPosition, "pattern": functools.partial(LocalPattern, window=2)},
        {"num_heads": 2, "position": T5Position, "score": CosineScore},
        {"num_heads": 2, "pattern": functools.partial(TopKPattern, k=2)},
    ],
    ids=str,
)
def test_every_promise_is_kept_with_any_factors(options):
    check_promises(functools.partial(DifferentialAttention, **{"score": ScaledDotScore, "num_heads": 1, **options}))


@pytest.mark.parametrize("position", [RotaryPosition, AlibiPosition, T5Position])
def test_both_paths_agree_with_positions(position):
    attention, sequence = made(num_heads=2, position=position, pattern=CausalPattern), random(B, K, D)
    results = []
    for need_weights in (False, True):
        leaf = sequence.clone().requires_grad_()
        context, _ = attention(leaf, leaf, need_weights=need_weights)
        found = torch.autograd.grad(context.cos().sum(), [leaf, *attention.parameters()])
        results.append((context, *found))
    torch.testing.assert_close(*results)


class ByFlex(DifferentialAttention):
    """Takes it unless weights are needed, on any device."""

    def chosen_path(self, call=None):
        return super().chosen_path(call) if call.need_weights else PathChoice("flex", "a test")


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("position", [NoPosition, AlibiPosition, T5Position])
@torch.no_grad()
def test_flex_sees_both_maps(position):
    attention = made(ByFlex, num_heads=2, position=position, pattern=CausalPattern).float()
    sequence = random(B, K, D).float()
    expected, _ = attention(sequence, sequence, need_weights=True)
    torch.testing.assert_close(attention(sequence, sequence)[0], expected, atol=1e-5, rtol=1e-4)


def test_lambda_starts_near_what_was_told():
    torch.manual_seed(0)
    attention = DifferentialAttention(query_dim=64, key_dim=64, score=ScaledDotScore, num_heads=4, lambda_init=0.3)
    assert abs(attention.difference.item() - 0.3) < 0.3
    assert attention.lambda_query.shape == attention.lambda_key.shape == (2, 8)
    assert (attention.norm_weight == 1).all()


@pytest.mark.parametrize("path", ["plain", "sdpa", "chunked"])
def test_dropped_weights_of_each_map_keep_their_mean(path):
    torch.manual_seed(0)
    attention = made(dropout=0.5, path=path)
    query, keys, values = (random(2, n, D // 2, seed=n).float() for n in (Q, K, K))  # of two maps
    attention.float().eval()
    expected, _ = attention.run_path(Work(query, keys, values, None), need_weights=False)
    attention.train()
    draws, _ = attention.run_path(Work(query.expand(20_000, 2, Q, D // 2), keys, values, None), need_weights=False)
    assert draws.std(dim=0).min() > 0.01
    torch.testing.assert_close(draws.mean(dim=0), expected, atol=0.05, rtol=0)


def test_what_does_not_fit_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match=r"halves the queries and keys of a head, got sizes 1 and 1: use fewer"):
        DifferentialAttention(query_dim=8, key_dim=8, score=AdditiveScore, num_heads=8)
    with pytest.raises(
        ValueError, match=r"LocationScore follows the weights of the step before.*: use attention/score"
    ):
        made(score=LocationScore)
