"""What the tests of positions, segments and spans share."""

import math

import torch

from attnfocus.attention import Places


def filled(module, seed=7):
    """In float64, for evaluation, with random parameters: many start at 0, which would hide a mistake."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter.normal_(std=0.5, generator=generator)
    return module.eval()


def random(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def placed_scores(position, query, keys):
    """Inner products of what `position` makes of query (..., H, Q, d) and keys (..., H, K, d), with its bias."""
    places = Places.of(query.shape[-2], keys.shape[-2], query.device)
    query, keys = position.place_queries(query, places.queries[0].item()), position.place_keys(keys, 0)
    bias = position.bias(query, places.offsets)
    scores = query @ keys.transpose(-1, -2) / math.sqrt(query.shape[-1])
    assert (bias is not None) == position.has_bias
    return scores if bias is None else scores + bias


def offsets_of(queries, keys):
    return Places.of(queries, keys, torch.device("cpu")).offsets


def outcome(attention, sequence, mask=None, need_weights=False):
    """Self-attention's context, and gradients of the sequence and of all parameters."""
    sequence = sequence.clone().requires_grad_()
    attention.zero_grad(set_to_none=True)
    context, _ = attention(sequence, sequence, None, mask, need_weights)
    context.mul(torch.arange(context.numel(), dtype=context.dtype).view_as(context).cos()).sum().backward()
    return context.detach(), [sequence.grad, *(parameter.grad for parameter in attention.parameters())]
