"""What makes attention cheap changes no number: fewer passes, one map, no copy of a bias, float32 on a CPU.

Shapes: B items, H heads, Q queries, K keys.
"""

import sys

import pytest
import torch
from torch.nn import functional as F

from attnfocus.attention import (
    AlibiPosition,
    Attention,
    CausalPattern,
    Entmax,
    Entmax15,
    ScaledDotScore,
    Sink,
    Softmax,
    Sparsemax,
    T5Position,
)
from attnfocus.attention.normalizers import entmax
from attnfocus.attention.paths import items

B, L, D = 4, 150, 16


def made(**options):
    torch.manual_seed(1)
    attention = Attention(D, D, num_heads=2, **{"score": ScaledDotScore, **options}).double()
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return attention


def padding(*lengths):
    return (torch.arange(L) < torch.tensor(lengths).unsqueeze(-1)).unsqueeze(1)


def results(attention, mask, vectors):
    vectors = vectors.clone().requires_grad_()
    context, _ = attention(vectors, vectors, None, mask)
    context.square().sum().backward()
    found = [context.detach(), vectors.grad, *(each.grad for each in attention.parameters())]
    attention.zero_grad()
    return found


@pytest.mark.parametrize("cls", [Sparsemax, Entmax15, Entmax])
@pytest.mark.parametrize("num_keys", [127, 128, 300])
@pytest.mark.parametrize("scale", [0.01, 1.0, 20.0])
def test_sparse_rows_equal_the_fixed_steps_forward_and_backward(monkeypatch, cls, num_keys, scale):
    """Two heads of alphas of their own, more rows than one part holds, and rows with nothing to attend."""
    monkeypatch.setattr("attnfocus.attention.normalizers.sparse_rows.PART", 2**12)
    torch.manual_seed(0)
    normalizer = cls(num_heads=2).double()
    for parameter in normalizer.parameters():
        torch.nn.init.normal_(parameter, std=2.0)
    scores, chosen = scale * torch.randn(2, 2, 20, num_keys, dtype=torch.float64), torch.randn(2, 2, 20, num_keys)
    mask = torch.rand(2, 1, 20, num_keys) < 0.7
    mask[1, 0, 3] = False
    found = []
    for by_rows in (True, False):
        if not by_rows:
            monkeypatch.setattr(entmax, "_by_rows", lambda tensor: False)
        given = scores.clone().requires_grad_()
        weights = normalizer(given, mask)
        assert (weights[~mask.expand_as(weights)] == 0).all()
        assert (weights[1, :, 3] == 0).all()
        found.append([weights, *torch.autograd.grad((weights * chosen).sum(), [given, *normalizer.parameters()])])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("position", [AlibiPosition, T5Position])
@pytest.mark.parametrize("options", [{}, {"pattern": CausalPattern}, {"normalizer": Sink}])
def test_a_bias_beside_padding_item_by_item_equals_a_copy_for_each(monkeypatch, position, options):
    attention, vectors = made(position=position, **options), torch.randn(B, L, D, dtype=torch.float64)
    mask, calls = padding(L, 40, 0, 149), []
    sdpa = sys.modules["attnfocus.attention.paths.sdpa"]  # the package has a function of this name
    one = sdpa._kernel

    def noted(*given, **named):
        calls.append(given[1].shape)
        return one(*given, **named)

    monkeypatch.setattr(sdpa, "_kernel", noted)
    monkeypatch.setattr(items, "WORTH_IT", 1)
    ours = results(attention, mask, vectors)
    causal = "pattern" in options  # whose rule is in the mask, so that it is more than padding
    assert len(calls) == (1 if causal else 3)  # one item has nothing at all
    monkeypatch.setattr(items, "WORTH_IT", 2**60)
    for mine, theirs in zip(ours, results(attention, mask, vectors), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_mask_with_a_hole_or_a_bias_of_each_item_is_no_padding():
    vectors = torch.zeros(B, 2, L, 4)
    mask, bias = padding(L, 40, 3, 149).unsqueeze(1), torch.zeros(1, 2, L, L)
    work = items.Work(vectors, vectors, vectors, mask)
    assert [item.keys.shape[-2] for item in items.items_of(work, bias)] == [L, 40, 3, 149]
    assert items.items_of(work._replace(mask=mask.flip(-1)), bias) is None
    assert items.items_of(work, bias.expand(B, -1, -1, -1)) is None
    assert items.items_of(work._replace(mask=mask.expand(-1, 2, -1, -1)), bias) is None


def test_a_mask_that_hides_nothing_costs_nothing(monkeypatch):
    causal, one = [], F.scaled_dot_product_attention

    def noted(query, keys, values, mask, dropout, is_causal, **named):
        causal.append(is_causal and mask is None)
        return one(query, keys, values, mask, dropout, is_causal, **named)

    monkeypatch.setattr(F, "scaled_dot_product_attention", noted)
    attention, vectors = made(pattern=CausalPattern), torch.randn(B, L, D, dtype=torch.float64)
    whole, bare = (results(attention, mask, vectors) for mask in (padding(L, L, L, L), None))
    assert causal == [True, True]
    results(attention, padding(L, L, L, L - 1), vectors)
    assert causal == [True, True, False]
    for ours, theirs in zip(whole, bare, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("mask", [None, padding(L, L, L, L), padding(L, 40, 1, 149)])
@pytest.mark.parametrize("normalizer", [Softmax, Sparsemax, Entmax15, Entmax])
def test_the_plain_path_holds_one_map_for_the_gradient(mask, normalizer):
    attention, vectors = made(normalizer=normalizer, path="plain"), torch.randn(B, L, D, dtype=torch.float64)
    maps = set()

    def pack(tensor):
        if tensor.is_floating_point() and tensor.untyped_storage().nbytes() >= B * 2 * L * L * 8:
            maps.add(tensor.untyped_storage().data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        context, _ = attention(vectors.requires_grad_(), vectors, None, mask)
    context.sum().backward()
    assert len(maps) == 1


@pytest.mark.parametrize("is_autocast", [True, False])
def test_the_fused_kernel_computes_half_precision_in_float32_on_a_cpu(monkeypatch, is_autocast):
    seen, one = [], F.scaled_dot_product_attention

    def noted(query, *given, **named):
        seen.append(query.dtype)
        return one(query, *given, **named)

    monkeypatch.setattr(F, "scaled_dot_product_attention", noted)
    attention = made().float() if is_autocast else made().bfloat16()
    vectors = torch.randn(B, L, D, dtype=torch.float32 if is_autocast else torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16, enabled=is_autocast):
        context, _ = attention.train()(vectors, vectors)
    assert seen == [torch.float32]
    assert context.dtype == torch.bfloat16
    assert "in float32" in attention.trained_path.reason
    made_in_float32 = made().float().train()
    made_in_float32(vectors.float(), vectors.float())
    assert "float32" not in made_in_float32.trained_path.reason
