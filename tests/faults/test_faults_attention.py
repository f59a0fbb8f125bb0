"""Masks of shapes that mean something else, and garbage in the padding of a sequence that looks at itself.

Shapes: B items, H heads, Q queries, K keys, D sizes. Masks are bool, True = may attend.
"""

import math
import re

import pytest
import torch
from presets_support import PRESETS, attentions, composed

from attnfocus.attention import Attention, BaseAttention, ScaledDotScore
from attnfocus.config.targets import make_factory

B, H, L, D = 4, 2, 4, 8
PADDING = torch.arange(L) < torch.tensor([4, 2, 1, 3]).view(B, 1, 1)  # (B, 1, K)


def made(preset: str) -> BaseAttention:
    torch.manual_seed(0)
    attention: BaseAttention = make_factory(composed(f"attention={preset}"))(query_dim=D, key_dim=D)
    return attention.eval()


def sequence() -> torch.Tensor:
    return torch.randn(B, L, D, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("preset", PRESETS)
def test_64_a_mask_that_reads_as_another_is_refused_with_what_is_wanted(preset: str, need_weights: bool) -> None:
    attention, vectors = made(preset), sequence()
    of_items = PADDING.squeeze(1)  # (B, K) where (Q, K) is meant, and B == Q
    with pytest.raises(ValueError, match=r"mask \(4, 4\) reads as .* give \(4, 1, 4\) for padding, or \(1, 4, 4\)"):
        attention(vectors, vectors, None, of_items, need_weights)
    with pytest.raises(
        ValueError, match=r"mask \(4, 1, 1, 4\) does not fit .*\(4, 4, 4\).* name of its own: head_mask"
    ):
        attention(vectors, vectors, None, PADDING.unsqueeze(1), need_weights)
    context, _ = attention(vectors, vectors, None, PADDING, need_weights)  # what is wanted works
    assert context.shape == (B, L, attention.output_dim)


def plain() -> Attention:
    torch.manual_seed(0)
    return Attention(D, D, score=ScaledDotScore, num_heads=H).eval()


WRONG = {
    "of too few items": (
        torch.ones(3, 1, 5),
        r"mask (3, 1, 5) does not fit 3 queries and 5 keys of (2,) items: give (2, 3, 5)",
    ),
    "of too many keys": (
        torch.ones(2, 1, 6),
        r"give (2, 3, 5), with 1 for a dimension that plays no part, such as (2, 1, 5)",
    ),
    "of too few queries": (torch.ones(2, 5), r"mask (2, 5) reads as (..., K), one for each item"),
    "of other queries": (torch.ones(4, 5), r"mask (4, 5) does not fit 3 queries and 5 keys"),
    "of nothing": (torch.ones(()), r"mask () does not fit"),
}


@pytest.mark.parametrize("case", WRONG)
def test_64_a_mask_of_wrong_lengths_gets_words_of_ours(case: str) -> None:
    mask, message = WRONG[case][0].bool(), WRONG[case][1]
    attention, query, keys = plain(), torch.randn(2, 3, D), torch.randn(2, 5, D)
    with pytest.raises(ValueError, match=re.escape(message)):
        attention(query, keys, None, mask)
    with pytest.raises(ValueError, match=re.escape(message)):
        attention.attend(query, attention.prepare(keys), mask)


def test_64_a_mask_of_the_keys_alone_is_looked_at_before_any_query() -> None:
    attention, keys = plain(), torch.randn(2, 5, D)
    for shape in ((2, 1, 1, 5), (3, 1, 5), (2, 1, 4), (4,)):
        with pytest.raises(ValueError, match=r"does not fit keys \(2, 5, 8\): give \(2, 1, 5\) for padding"):
            attention.prepare(keys, None, torch.ones(shape, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"5 keys \(2, 5, 8\) and 4 values \(2, 4, 8\): each key needs a value"):
        attention.prepare(keys, keys[:, :4])
    memory = attention.prepare(keys, None, torch.ones(2, 5, dtype=torch.bool))  # of two queries, for all it knows
    with pytest.raises(ValueError, match=r"give \(2, 1, 5\) for padding"):
        attention.attend(torch.randn(2, 3, D), memory)
    with pytest.raises(ValueError, match=r"queries of \(3,\) items and keys of \(2,\)"):
        attention(torch.randn(3, 4, D), keys)


def test_64_masks_that_can_be_read_in_one_way_still_broadcast() -> None:
    attention, query, keys = plain(), torch.randn(2, 3, D), torch.randn(2, 5, D)
    mask = torch.rand(3, 5, generator=torch.Generator().manual_seed(2)) < 0.7
    wanted, _ = attention(query, keys, None, mask.expand(2, 3, 5))
    torch.testing.assert_close(attention(query, keys, None, mask)[0], wanted)  # (Q, K), as Q is not B
    torch.testing.assert_close(attention(query, keys, None, mask[None])[0], wanted)
    shared, padding = keys[0], torch.arange(5) < torch.tensor([[[5]], [[2]]])  # items that share their keys
    both, _ = attention(query, keys[:1].expand(2, 5, D), None, padding)
    torch.testing.assert_close(attention(query, shared, None, padding)[0], both)
    torch.testing.assert_close(attention(query, keys[:1], None, padding)[0], both)


@pytest.mark.parametrize("preset", PRESETS)
def test_64_heads_have_masks_of_their_own_by_name_or_are_refused_by_name(preset: str) -> None:
    attention, vectors = made(preset), sequence()
    heads = attention.num_heads
    mask = torch.rand(B, heads, L, L, generator=torch.Generator().manual_seed(3)) < 0.7
    with pytest.raises(ValueError, match="head_mask"):
        attention(vectors, vectors, head_mask=mask[0, 0])  # no axis of the heads
    if attention.head_mask_problem is not None:
        with pytest.raises(ValueError, match=rf"head_mask: {type(attention).__name__} .*attention=multi_head"):
            attention(vectors, vectors, head_mask=mask)
        return
    with pytest.raises(ValueError, match=rf"head_mask .* does not fit {heads} heads .*A mask for all heads is mask"):
        attention(vectors, vectors, head_mask=torch.ones(B, heads + 1, L, L, dtype=torch.bool))
    _, weights = attention(vectors, vectors, None, None, True, head_mask=mask)
    assert (weights[~mask] == 0).all()
    of_all, _ = attention(vectors, vectors, head_mask=mask[:1, :1])
    torch.testing.assert_close(of_all, attention(vectors, vectors, None, mask[:1, 0])[0])
    narrowed, _ = attention.attend(vectors, attention.prepare(vectors, None, PADDING), head_mask=mask)
    torch.testing.assert_close(narrowed, attention(vectors, vectors, head_mask=mask & PADDING.unsqueeze(1))[0])


@pytest.mark.parametrize("garbage", [math.nan, math.inf, torch.finfo(torch.float32).max])
@pytest.mark.parametrize("preset", [name for name, attention in attentions().items() if not attention.decoders_only])
def test_65_garbage_in_the_padding_of_a_sequence_that_looks_at_itself_is_harmless(preset: str, garbage: float) -> None:
    attention, clean = made(preset), sequence()
    hidden = ~PADDING.transpose(-1, -2)
    found = []
    for vectors in (clean, clean.masked_fill(hidden, garbage)):
        leaf = vectors.clone().requires_grad_()
        context, _ = attention(leaf, leaf, None, PADDING)
        loss = context.masked_fill(hidden, 0.0).square().sum()
        gradients = torch.autograd.grad(
            loss, [leaf, *attention.parameters()], allow_unused=True, materialize_grads=True
        )
        assert context.isfinite().all()
        found.append([context.masked_fill(hidden, 0.0), *gradients])
    torch.testing.assert_close(found[1], found[0])
    assert all(tensor.isfinite().all() for tensor in found[1])


def test_65_a_position_that_nobody_sees_may_look_nevertheless() -> None:
    """Clearing its query would change what it finds: only what is no number, or far too large, is taken away."""
    attention, vectors = plain(), 100 * sequence()
    mask = torch.ones(1, 1, L, dtype=torch.bool)
    mask[..., 0] = False
    context, _ = attention(vectors, vectors, None, mask)
    apart, _ = attention(vectors.clone(), vectors, None, mask)
    assert torch.equal(context, apart)
    spoiled = vectors.index_fill(1, torch.tensor([1]), torch.nan)  # a query that is no padding
    assert attention(spoiled, spoiled, None, mask)[0][:, 1].isnan().all()
