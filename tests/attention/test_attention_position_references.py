"""Positions against other implementations, and against numbers that their papers give.

Shapes: B items, H heads, Q queries, K keys, D sizes. float64.
"""

import math

import pytest
import torch
from position_trials import filled, offsets_of, placed_scores, random
from torch.nn import functional as F

from attnfocus.attention import (
    AlibiPosition,
    Attention,
    DotScore,
    RotaryPosition,
    ShawPosition,
    SinusoidalPosition,
    T5Position,
    TransformerXLPosition,
)

B, K, D, H = 2, 7, 12, 3


@pytest.mark.parametrize("base", [10000.0, 500.0])
@torch.no_grad()
def test_rotary_equals_x_transformers(base):
    from x_transformers.x_transformers import RotaryEmbedding, apply_rotary_pos_emb

    frequencies, scale = RotaryEmbedding(8, base=base).double().forward_from_seq_len(K)
    vectors = random(B, H, K, 8)
    ours = RotaryPosition(num_heads=H, head_dim=8, base=base)
    torch.testing.assert_close(
        ours.place_keys(vectors, 0), apply_rotary_pos_emb(vectors, frequencies, scale), atol=1e-5, rtol=0
    )
    late = apply_rotary_pos_emb(vectors[..., -2:, :], frequencies, scale)
    torch.testing.assert_close(ours.place_queries(vectors[..., -2:, :], K - 2), late, atol=1e-5, rtol=0)


@torch.no_grad()
def test_rotary_equals_llama_after_its_permutation():
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    query, keys = random(B, H, K, 8), random(B, H, K, 8, seed=4)
    cosine, sine = LlamaRotaryEmbedding(LlamaConfig(hidden_size=8 * H, num_attention_heads=H))(
        query, torch.arange(K).unsqueeze(0)
    )
    as_llama = RotaryPosition(num_heads=H, head_dim=8, pairing="half")
    unchanged = apply_rotary_pos_emb(query, keys, cosine, sine)
    for one, other in zip((as_llama.place_queries(query, 0), as_llama.place_keys(keys, 0)), unchanged, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    halves = torch.cat((torch.arange(0, 8, 2), torch.arange(1, 8, 2)))  # Llama pairs number f with f + d / 2
    theirs = apply_rotary_pos_emb(query[..., halves], keys[..., halves], cosine, sine)
    position = RotaryPosition(num_heads=H, head_dim=8)
    ours = position.place_queries(query, 0), position.place_keys(keys, 0)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one[..., halves], other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("scaling", ["linear", "yarn"])
@pytest.mark.parametrize(("factor", "length", "base"), [(4.0, 256, 10000.0), (16.0, 4096, 500000.0), (2.0, 40, 30.0)])
@pytest.mark.parametrize("fraction", [1.0, 0.5])
@torch.no_grad()
def test_scaled_rotary_equals_transformers(scaling, factor, length, base, fraction):
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    scaled = {"factor": factor, "original_max_position_embeddings": length, "rope_theta": base}
    config = LlamaConfig(
        hidden_size=64 * H,
        num_attention_heads=H,
        rope_parameters={"rope_type": scaling, "partial_rotary_factor": fraction, **scaled},
    )
    places = torch.tensor([[0, 1, 7, 300, 5000]])
    cosine, sine = LlamaRotaryEmbedding(config)(torch.zeros(1, dtype=torch.float64), places)
    options = {"scaling": scaling, "factor": factor, "original_length": length, "base": base, "fraction": fraction}
    position = RotaryPosition(num_heads=H, head_dim=64, pairing="half", **options)
    turning = torch.cat((torch.ones(position.size // 2), torch.zeros(64 - position.size // 2))).double()
    for number, place in enumerate(places[0].tolist()):  # (1, 0) turns to (cos, sin)
        turned = position.place_keys(turning.unsqueeze(0), place)[0]
        torch.testing.assert_close(
            turned[: position.size // 2], cosine[0, number, : position.size // 2], atol=2e-3, rtol=0
        )
        torch.testing.assert_close(
            turned[position.size // 2 : position.size], sine[0, number, : position.size // 2], atol=2e-3, rtol=0
        )
        assert turned[position.size :].eq(0).all()


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (8, 20), (12, 33), (64, 1000), (6, 9)])
@torch.no_grad()
def test_t5_buckets_and_bias_equal_transformers(bidirectional, num_buckets, max_distance):
    from transformers import T5Config
    from transformers.models.t5.modeling_t5 import T5Attention

    config = T5Config(
        d_model=D,
        d_kv=D // H,
        num_heads=H,
        relative_attention_num_buckets=num_buckets,
        relative_attention_max_distance=max_distance,
        is_decoder=not bidirectional,
    )
    theirs = T5Attention(config, has_relative_attention_bias=True, layer_idx=0).double()
    ours = T5Position(
        num_heads=H, head_dim=4, num_buckets=num_buckets, max_distance=max_distance, bidirectional=bidirectional
    ).double()
    ours.table.copy_(theirs.relative_attention_bias.weight)
    offsets = torch.arange(-2000, 2001)
    expected = theirs.relative_attention_bias(
        T5Attention._relative_position_bucket(offsets, bidirectional, num_buckets, max_distance)
    )
    assert torch.equal(ours.bias(random(H, 1, 4), offsets.unsqueeze(0)).squeeze(-2).t(), expected)
    table = theirs.compute_bias(K, K)[0]
    assert torch.equal(ours.bias(random(H, K, 4), offsets_of(K, K)), table)


@torch.no_grad()
def test_t5_attention_equals_transformers():
    from transformers import T5Config
    from transformers.models.t5.modeling_t5 import T5Attention

    theirs = filled(T5Attention(T5Config(d_model=D, d_kv=D // H, num_heads=H), True, layer_idx=0)).eval()
    ours = filled(Attention(D, D, score=DotScore, num_heads=H, position=T5Position))  # T5 does not divide by sqrt(d)
    for layer, weight in (
        (ours.query_projection, theirs.q.weight),
        (ours.key_projection, theirs.k.weight),
        (ours.value_projection, theirs.v.weight),
        (ours.output_projection, theirs.o.weight),
    ):
        layer.weight.copy_(weight)
        if layer.bias is not None:
            layer.bias.zero_()
    ours.position.table.copy_(theirs.relative_attention_bias.weight)
    sequence = random(B, 30, D)
    torch.testing.assert_close(ours(sequence, sequence)[0], theirs(sequence)[0])


@pytest.mark.parametrize("num_heads", range(1, 18))
@torch.no_grad()
def test_alibi_equals_x_transformers(num_heads):
    from x_transformers.x_transformers import AlibiPositionalBias

    expected = AlibiPositionalBias(num_heads)(4, K)
    bias = AlibiPosition(num_heads=num_heads, head_dim=4).bias(torch.zeros(num_heads, 4, 4), offsets_of(4, K))
    torch.testing.assert_close(bias, expected)


@pytest.mark.parametrize("num_heads", [3, 4, 8, 12])
@torch.no_grad()
def test_causal_alibi_weighs_as_bloom(num_heads):
    """Bloom adds slope * j to row i, not - slope * (i - j): under softmax the same."""
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    scores, future = random(num_heads, K, K), torch.ones(K, K).triu(1).bool()
    theirs = build_alibi_tensor(torch.ones(1, K, dtype=torch.long), num_heads, torch.float64)
    ours = AlibiPosition(num_heads=num_heads, head_dim=4).bias(random(num_heads, K, 4), offsets_of(K, K))
    weights = [F.softmax((scores + bias).masked_fill(future, -math.inf), dim=-1) for bias in (ours, theirs)]
    torch.testing.assert_close(weights[0], weights[1], atol=1e-6, rtol=0)


def test_alibi_slopes_are_those_of_the_paper():
    """For 8 heads 1/2, 1/4, ..., 1/256 (its sec. 3); for 6 heads those of 4 and the 1st and 3rd of 8."""
    of_eight = [2.0**-power for power in range(1, 9)]
    found = {h: AlibiPosition(num_heads=h, head_dim=2).slopes(torch.device("cpu"), torch.float64) for h in (6, 8)}
    assert found[8].flatten().tolist() == of_eight
    assert found[6].flatten().tolist() == [2**-2, 2**-4, 2**-6, 2**-8, of_eight[0], of_eight[2]]


@torch.no_grad()
def test_transformer_xl_equals_xlnet():
    """XLNet kept Transformer-XL's attention: r is (distances, 1, H, d), from K down to 1 - Q, and shifted."""
    from transformers import XLNetConfig
    from transformers.models.xlnet.modeling_xlnet import XLNetRelativeAttention

    queries, d_model = 4, D
    ours = filled(TransformerXLPosition(num_heads=H, head_dim=D // H))
    theirs = XLNetRelativeAttention(XLNetConfig(d_model=d_model, n_head=H, d_inner=8, n_layer=1, dropout=0.0)).double()
    theirs.r_w_bias.copy_(ours.content_bias.squeeze(1))
    theirs.r_r_bias.copy_(ours.position_bias.squeeze(1))
    frequencies = 1 / 10000 ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    angles = torch.arange(K, -queries, -1.0, dtype=torch.float64)[:, None] * frequencies
    waves = torch.cat((angles.sin(), angles.cos()), dim=-1)  # (K + Q, D)
    of_distance = torch.einsum("lr,hdr->lhd", waves, ours.weight).unsqueeze(1)
    query, keys, values = (random(n, B, H, D // H, seed=n) for n in (queries, K, K + 1))
    _, expected = theirs.rel_attn_core(query, keys, values[:K], of_distance, output_attentions=True)
    scores = placed_scores(ours, query.permute(1, 2, 0, 3), keys.permute(1, 2, 0, 3))
    torch.testing.assert_close(scores.softmax(-1), expected.permute(2, 3, 0, 1))


def test_sinusoids_are_those_of_the_embeddings():
    from attnfocus.models.embeddings import sinusoids

    for size in (6, 7):
        ours = SinusoidalPosition(num_heads=1, head_dim=size).place_keys(torch.zeros(1, 300, size), 0)
        torch.testing.assert_close(ours[0], sinusoids(300, size))


@torch.no_grad()
def test_shaw_beyond_its_distance_is_one_vector():
    made = filled(ShawPosition(num_heads=1, head_dim=4, max_distance=2))
    bias = made.bias(random(1, 1, 4).expand(1, 9, 4), offsets_of(9, 9))[0, 4]  # query 4 of 9
    assert (bias[:3] == bias[0]).all()
    assert (bias[6:] == bias[8]).all()
    assert len({round(number, 9) for number in bias.tolist()}) == 5
