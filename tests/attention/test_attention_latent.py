"""Multi-head latent attention against the formulas of its paper, head by head in float64."""

import functools

import pytest
import torch

from attnfocus.attention import (
    Call,
    CosineScore,
    DotScore,
    LatentAttention,
    Monotonic,
    NoPosition,
    RotaryPosition,
    ScaledDotScore,
    Sparsemax,
    T5Position,
)

B, N, D, H = 2, 7, 16, 2
SIZE, TURNING, LATENT = D // H, 4, 8  # of the parts of a head, by default


def made(**options):
    torch.manual_seed(1)
    options = {"score": ScaledDotScore, "position": RotaryPosition, "num_heads": H, **options}
    attention = LatentAttention(query_dim=D, key_dim=D, **options).double().eval()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return attention


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def turned(vectors):
    """Row t of (N, r) turned by t, as complex numbers."""
    size = vectors.shape[-1]
    speeds = 10000.0 ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angles = torch.arange(len(vectors), dtype=torch.float64).unsqueeze(1) * speeds
    numbers = torch.view_as_complex(vectors.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(numbers * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


def formula(attention, states, values=None):
    """One item: eq. 9 to 11 and 14 to 19 of the paper, without compressed queries."""
    down, up_keys, up_values = (
        layer.weight for layer in (attention.key_projection, attention.key_expansion, attention.value_expansion)
    )
    latents = states @ down[:LATENT].T  # c_t^KV = W^DKV h_t
    of_values = latents if values is None else values @ down[:LATENT].T
    shared = turned(states @ down[LATENT:].T)  # k_t^R = RoPE(W^KR h_t)
    queries = attention.query_projection(states)
    contexts, maps = [], []
    for head in range(H):
        rows = slice(head * SIZE, (head + 1) * SIZE)
        own = queries[:, head * (SIZE + TURNING) : (head + 1) * (SIZE + TURNING)]
        query = torch.cat((own[:, :SIZE], turned(own[:, SIZE:])), dim=1)
        keys = torch.cat((latents @ up_keys[rows].T, shared), dim=1)
        weights = torch.softmax(query @ keys.T / (SIZE + TURNING) ** 0.5, dim=-1)
        contexts.append(weights @ (of_values @ up_values[rows].T))
        maps.append(weights)
    return attention.output_projection(torch.cat(contexts, dim=1)), torch.stack(maps)


@pytest.mark.parametrize("need_weights", [False, True])
def test_it_is_the_formula_of_the_paper_and_so_are_gradients(need_weights):
    attention, states, direction = made(), random(N, D).requires_grad_(), random(N, D, seed=5)
    expected, maps = formula(attention, states)
    found, weights = attention(states, states, None, None, need_weights)
    torch.testing.assert_close(found, expected)
    if need_weights:
        torch.testing.assert_close(weights, maps)
    leaves = [states, *attention.parameters()]
    wanted = torch.autograd.grad((expected * direction).sum(), leaves)
    torch.testing.assert_close(torch.autograd.grad((found * direction).sum(), leaves), wanted)
    values = random(N, D, seed=2)
    torch.testing.assert_close(attention(states, states, values)[0], formula(attention, states, values)[0])


@pytest.mark.parametrize("options", [{}, {"normalizer": Sparsemax, "score": functools.partial(DotScore, soft_cap=2.0)}])
def test_one_query_over_latents_gives_what_keys_and_values_give(options):
    attention, states = made(**options), random(B, N, D).requires_grad_()
    mask = torch.ones(B, 1, N, dtype=torch.bool)
    mask[1, 0, 3:] = False
    for values in (None, random(B, N, D, seed=2)):
        memory = attention.prepare(states, values, mask)
        whole, maps = attention.attend(states, memory, None, True)
        context, weights = attention.attend(states[:, -1:], memory, None, True)
        assert "over the latents" in attention.chosen_path(Call(num_queries=1)).reason
        torch.testing.assert_close((context, weights), (whole[:, -1:], maps[..., -1:, :]))
        wanted = torch.autograd.grad(whole[:, -1].square().sum(), states, retain_graph=True)
        torch.testing.assert_close(torch.autograd.grad(context.square().sum(), states), wanted)


@torch.no_grad()
def test_a_memory_holds_latents_and_the_part_that_turns():
    attention, states = made(latent_dim=5, rotary_dim=6), random(B, N, D)
    memory = attention.prepare(states)
    assert memory.keys.shape == (B, 1, N, 5 + 6)
    assert memory.values.numel() == 0
    past = attention.begin()
    parts = []
    for part in states.split([4, 1, 2], dim=1):
        context, _, past = attention.proceed(part, past)
        parts.append(context)
    for part, end in zip(parts, (4, 5, 7), strict=True):
        whole, _ = attention(states[:, :end], states[:, :end])
        torch.testing.assert_close(part, whole[:, end - part.shape[1] :])


def test_what_does_not_fit_is_refused_with_a_way_out():
    cases = [
        ({"score": CosineScore}, r"not by CosineScore: use attention/score=scaled_dot or dot"),
        ({"score": functools.partial(DotScore, qk_norm="l2")}, r"in decoding: use qk_norm=none, or attention="),
        ({"position": T5Position}, r"T5Position adds to scores: use attention/position=rotary or none"),
        ({"normalizer": Monotonic, "position": NoPosition}, r"Monotonic follows .*: use attention/normalizer=softmax"),
        ({"projections": False, "num_heads": 1}, r"use projections=true, or attention=scaled_dot"),
        ({"num_key_heads": 1}, r"use num_key_heads=null"),
        ({"value_dim": 4}, r"key_dim 16 and value_dim 4: use attention=multi_head"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            made(**options)
    with pytest.raises(ValueError, match=r"size 3 leaves one over"):
        made(position=functools.partial(RotaryPosition), rotary_dim=3)
