"""Heads that share keys, heads that talk, and heads with a gate. float64.

Shapes: B items, H heads, Q queries, K keys, D sizes.
"""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from attnfocus.attention import (
    AdditiveScore,
    Attention,
    Call,
    CausalPattern,
    CoverageScore,
    ExclusiveAttention,
    GatedAttention,
    LocalPattern,
    ScaledDotScore,
    Score,
    TalkingHeadsAttention,
    TopKPattern,
)

B, Q, K, D, H = 2, 3, 5, 8, 4


def inputs_of(queries=Q, keys=K):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(B, n, D, dtype=torch.float64, generator=generator) for n in (queries, keys, keys)]


def some_mask(queries=Q, keys=K):
    mask = torch.rand(B, queries, keys, generator=torch.Generator().manual_seed(1)) < 0.7
    mask[0, 0] = False
    return mask


def randomized(attention):
    generator = torch.Generator().manual_seed(5)
    attention = attention.double().eval()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(std=0.5, generator=generator)
    return attention


@pytest.mark.parametrize("name", ["grouped_query", "multi_query"])
@pytest.mark.parametrize("need_weights", [False, True])
@torch.no_grad()
def test_shared_key_heads_equal_torch_grouped_query_attention(build, name, need_weights):
    attention, (query, keys, values), mask = build(name), inputs_of(), some_mask()
    shared = {"grouped_query": 2, "multi_query": 1}[name]

    def split(vectors, heads):
        return vectors.unflatten(-1, (heads, -1)).transpose(1, 2)

    of_query = split(attention.query_projection(query), H)
    of_keys, of_values = (
        split(attention.key_projection(keys), shared),
        split(attention.value_projection(values), shared),
    )
    assert of_keys.shape == (B, shared, K, D // H)
    mask[0, 0] = True  # torch has its own mind about a row with nothing to attend
    theirs = F.scaled_dot_product_attention(of_query, of_keys, of_values, mask.unsqueeze(1), enable_gqa=True)
    expected = attention.output_projection(theirs.transpose(1, 2).flatten(-2))
    torch.testing.assert_close(attention(query, keys, values, mask, need_weights)[0], expected)


@pytest.mark.parametrize("name", ["grouped_query", "multi_query"])
@torch.no_grad()
def test_shared_key_heads_equal_heads_with_the_same_weights(build, name):
    shared, every = build(name), build("multi_head")
    groups = shared.num_key_heads
    for layer in ("key_projection", "value_projection"):
        for kind in ("weight", "bias"):
            of_groups = getattr(getattr(shared, layer), kind).unflatten(0, (groups, -1))
            getattr(getattr(every, layer), kind).copy_(of_groups.repeat_interleave(H // groups, 0).flatten(0, 1))
    for layer in ("query_projection", "output_projection"):
        getattr(every, layer).load_state_dict(getattr(shared, layer).state_dict())
    for need_weights in (False, True):
        found = shared(*inputs_of(), some_mask(), need_weights)
        torch.testing.assert_close(found, every(*inputs_of(), some_mask(), need_weights))


def talking_loop(attention, item, allowed):
    """One item of the paper's formula: contracted over heads before and after the softmax, number by number."""
    query, keys, values = (vectors[item] for vectors in inputs_of())
    query, keys = attention.query_projection(query), attention.key_projection(keys)
    values, size = attention.value_projection(values), D // H
    logits = [
        [[float(query[i, h * size :][:size] @ keys[j, h * size :][:size]) / math.sqrt(size) for j in range(K)]
         for i in range(Q)]
        for h in range(H)
    ]  # fmt: skip
    mixing, mixing_after = attention.score_mixing.tolist(), attention.weight_mixing.tolist()
    weights = torch.zeros(H, Q, K, dtype=torch.float64)
    for i in range(Q):
        seen = [j for j in range(K) if allowed[i, j]]
        for h in range(H):
            powers = [math.exp(sum(mixing[h][other] * logits[other][i][j] for other in range(H))) for j in seen]
            for j, power in zip(seen, powers, strict=True):
                for g in range(H):
                    weights[g, i, j] += mixing_after[g][h] * power / sum(powers)
    heads = [weights[h] @ values[:, h * size : (h + 1) * size] for h in range(H)]
    return attention.output_projection(torch.cat(heads, dim=-1)), weights


@torch.no_grad()
def test_talking_heads_are_their_formula(build):
    attention, mask = build("talking_heads"), some_mask()
    context, weights = attention(*inputs_of(), mask, need_weights=True)
    for item in range(B):
        expected, expected_weights = talking_loop(attention, item, mask[item])
        torch.testing.assert_close(context[item], expected)
        torch.testing.assert_close(weights[item], expected_weights)
    torch.testing.assert_close(attention(*inputs_of(), mask)[0], context)
    assert not attention.weights_are_distributions


@pytest.mark.parametrize("pattern", [CausalPattern, TopKPattern])
def test_talking_heads_start_as_multi_head(pattern):
    torch.manual_seed(0)
    talking = TalkingHeadsAttention(D, D, score=ScaledDotScore, pattern=pattern, num_heads=H).double()
    plain = Attention(D, D, score=ScaledDotScore, pattern=pattern, num_heads=H).double()
    plain.load_state_dict(talking.state_dict(), strict=False)
    for need_weights in (False, True):
        found = talking(*inputs_of(), some_mask(), need_weights)
        torch.testing.assert_close(found, plain(*inputs_of(), some_mask(), need_weights))


@pytest.mark.parametrize("cls", [TalkingHeadsAttention, GatedAttention])
@pytest.mark.parametrize("score", [ScaledDotScore, AdditiveScore])
@pytest.mark.parametrize("pattern", [LocalPattern, CausalPattern])
def test_every_path_gives_the_same(cls, score, pattern):
    length, results = 40, []
    for path in ("plain", "chunked", "auto"):
        attention = randomized(cls(D, D, score=score, pattern=pattern, num_heads=H, path=path))
        attention.chunk_weights = 100  # several chunks
        leaves = [tensor.requires_grad_() for tensor in inputs_of(length, length)]
        context, _ = attention(*leaves, some_mask(length, length))
        found = torch.autograd.grad(context.square().sum(), [*leaves, *attention.parameters()])
        results.append((context, found))
    torch.testing.assert_close(results[1], results[0])
    torch.testing.assert_close(results[2], results[0])


@pytest.mark.parametrize("name", ["talking_heads", "gated"])
def test_gradients_are_those_of_the_function(build, name):
    attention, mask = build(name, "attention.num_heads=2", query_dim=4, key_dim=4), some_mask(2, 3)
    tensors = [torch.randn(B, n, 4, dtype=torch.float64, requires_grad=True) for n in (2, 3, 3)]
    parameters = tuple(attention.parameters())
    assert torch.autograd.gradcheck(lambda *each: attention(*each[:3], mask, True), (*tensors, *parameters))


@pytest.mark.parametrize("name", ["talking_heads", "gated"])
def test_masked_keys_and_empty_rows_are_exactly_zero(build, name):
    attention, mask = build(name), some_mask()
    leaves = [tensor.requires_grad_() for tensor in inputs_of()]
    context, weights = attention(*leaves, mask, need_weights=True)
    assert (weights.masked_select(~mask.unsqueeze(1)) == 0).all()
    assert (context[0, 0] == 0).all()
    (of_query, *_) = torch.autograd.grad(context.sum(), leaves)
    assert (of_query[0, 0] == 0).all()
    assert of_query.isfinite().all()


def test_talking_heads_never_run_fused(build):
    attention = build("talking_heads")
    assert attention.chosen_path(Call()).name == "plain"
    assert "TalkingHeadsAttention makes its weights in a way of its own" in attention.chosen_path(Call()).reason
    with pytest.raises(ValueError, match="TalkingHeadsAttention makes its weights in a way of its own"):
        build("talking_heads", "attention.path=sdpa")


class FollowingScore(Score):
    """A score that likes the key next to the one of the step before."""

    uses_history = True

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, query, keys):
        return self.scale * query @ keys.transpose(-1, -2)

    def step(self, query, keys, history):
        return self(query, keys) + history.previous.roll(1, dims=-1) + history.total


def test_talking_heads_refuse_what_follows_earlier_weights():
    with pytest.raises(
        ValueError, match=r"FollowingScore follows the weights of the step before.*attention=multi_head"
    ):
        TalkingHeadsAttention(D, D, score=FollowingScore, num_heads=H)


@pytest.mark.parametrize("gate", ["elementwise", "headwise"])
@pytest.mark.parametrize("num_heads", [1, H])
@torch.no_grad()
def test_a_gate_multiplies_what_each_head_attended(gate, num_heads):
    gated = randomized(GatedAttention(D, D, score=ScaledDotScore, num_heads=num_heads, gate=gate))
    plain = Attention(D, D, score=ScaledDotScore, num_heads=num_heads).double()
    plain.load_state_dict(gated.state_dict(), strict=False)
    plain_heads = Attention(D, D, score=ScaledDotScore, num_heads=num_heads, projections=num_heads > 1).double()
    plain_heads.load_state_dict(gated.state_dict(), strict=False)
    if num_heads > 1:
        plain_heads.output_projection.weight.copy_(torch.eye(D))
    query, keys, values = inputs_of()
    of_heads, expected_weights = plain_heads(query, keys, values, some_mask(), need_weights=True)
    numbers = 1 / (1 + torch.exp(-query @ gated.gate_projection.weight.T))
    expected = of_heads * (numbers if gate == "elementwise" else numbers.repeat_interleave(D // num_heads, dim=-1))
    expected = gated.output_projection(expected) if num_heads > 1 else expected
    for need_weights in (False, True):
        context, weights = gated(query, keys, values, some_mask(), need_weights)
        torch.testing.assert_close(context, expected)
    torch.testing.assert_close(weights, expected_weights)
    gated.gate_projection.weight.zero_()
    torch.testing.assert_close(gated(query, keys, values)[0], plain(query, keys, values)[0] / 2)


def test_a_gate_keeps_the_fused_path(build):
    assert build("gated").chosen_path().name == "sdpa"


@pytest.mark.parametrize("score", [FollowingScore, ScaledDotScore])
@torch.no_grad()
def test_gated_steps_of_a_decoder_equal_all_queries_at_once(score):
    attention, (query, keys, values) = randomized(GatedAttention(D, D, score=score)), inputs_of()
    mask = torch.ones(B, 1, K, dtype=torch.bool)
    whole, weights = attention(query, keys, values, mask, need_weights=True)
    memory = attention.prepare(keys, values, mask)
    history, steps = attention.start(memory), []
    for step in query.split(1, dim=1):
        context, row, history = attention.advance(step, memory, history, need_weights=True)
        steps.append((context, row))
    torch.testing.assert_close(torch.cat([context for context, _ in steps], dim=1), whole)
    torch.testing.assert_close(torch.cat([row for _, row in steps], dim=-2), weights)


@pytest.mark.parametrize("heads", [{"num_heads": 2}, {"num_heads": 2, "num_key_heads": 1}])
@pytest.mark.parametrize("need_weights", [False, True])
def test_exclusive_attention_passes_on_what_is_orthogonal_to_the_own_value(heads, need_weights):
    """Zhai 2026: z_i = y_i - (y_i . v_i) v_i / |v_i|^2, by hand for each head, and its gradients."""
    attention = randomized(ExclusiveAttention(D, D, score=ScaledDotScore, pattern=CausalPattern, **heads))
    sequence = inputs_of()[1].requires_grad_()
    found, weights = attention(sequence, sequence, None, None, need_weights)
    _, maps = attention(sequence, sequence, None, None, True)
    values = attention.value_projection(sequence).unflatten(-1, (-1, D // 2)).transpose(1, 2).expand(B, 2, K, D // 2)
    query = attention.query_projection(sequence).unflatten(-1, (2, -1)).transpose(1, 2)
    keys = attention.key_projection(sequence).unflatten(-1, (-1, D // 2)).transpose(1, 2)
    scores = (query @ keys.mT / (D // 2) ** 0.5).masked_fill(~torch.ones(K, K, dtype=torch.bool).tril(), -torch.inf)
    torch.testing.assert_close(maps, scores.softmax(-1))
    read = scores.softmax(-1) @ values
    unit = values / values.norm(dim=-1, keepdim=True)
    left = read - (read * unit).sum(-1, keepdim=True) * unit
    expected = attention.output_projection(left.transpose(1, 2).flatten(-2))
    torch.testing.assert_close(found, expected)
    assert (weights is None) != need_weights
    torch.testing.assert_close(
        torch.autograd.grad(found.square().sum(), sequence, retain_graph=True),
        torch.autograd.grad(expected.square().sum(), sequence),
    )
    _, _, past = attention.proceed(sequence[:, :-1], attention.begin())
    torch.testing.assert_close(attention.proceed(sequence[:, -1:], past)[0], found[:, -1:])


@torch.no_grad()
def test_a_query_that_may_not_see_itself_excludes_nothing():
    attention = randomized(ExclusiveAttention(D, D, score=ScaledDotScore))
    plain = randomized(Attention(D, D, score=ScaledDotScore))
    sequence, mask = inputs_of()[1], torch.ones(K, K, dtype=torch.bool)
    mask[1, 1] = False
    found, read = attention(sequence, sequence, None, mask)[0], plain(sequence, sequence, None, mask)[0]
    torch.testing.assert_close(found[:, 1], read[:, 1])
    torch.testing.assert_close((found * sequence)[:, 2].sum(-1), torch.zeros(B, dtype=torch.float64))
    with pytest.raises(ValueError, match="has no value of its own: use attention/score=scaled_dot"):
        ExclusiveAttention(D, D, score=CoverageScore)


@pytest.mark.parametrize("name", ["grouped_query", "multi_query"])
def test_one_query_over_shared_heads_copies_none_of_them(build, name, monkeypatch):
    attention, (_, keys, values) = build(name), inputs_of()
    query = inputs_of()[0][:, :1].requires_grad_()
    for mask in (None, some_mask()[:, :1]):
        memory = attention.prepare(keys, values, mask)
        expected, _ = attention.attend(query, memory, None, need_weights=True)
        with monkeypatch.context() as patch:
            patch.setattr(attention, "_for_each_head", None)  # what copies
            found, _ = attention.attend(query, memory)
        torch.testing.assert_close(found, expected)
        wanted = torch.autograd.grad(expected.square().sum(), query)
        torch.testing.assert_close(torch.autograd.grad(found.square().sum(), query), wanted)
    of_heads = torch.rand(B, H, 1, K, generator=torch.Generator().manual_seed(2)) < 0.7
    narrow = [attention(query, keys, values, None, weights, head_mask=of_heads)[0] for weights in (False, True)]
    torch.testing.assert_close(*narrow)
