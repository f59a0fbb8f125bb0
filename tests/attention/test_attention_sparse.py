"""Sparse weights by hand, by another implementation, and where their threshold is hard to find.

Shapes: Q queries, K keys. float64 unless a test is about precision.
"""

import math

import entmax as other
import pytest
import torch

from attnfocus.attention import Entmax, Entmax15, Sparsemax
from attnfocus.attention.normalizers.entmax import EntmaxFunction

SPARSE = [Sparsemax, Entmax15, Entmax]


def random(*shape, seed=0, scale=2.0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_sparse_weights_by_hand():
    """scores -2, 0, 1/2.

    sparsemax: with two keys tau = (0 + 1/2 - 1) / 2 = -1/4, which is above -2: weights 0, 1/4, 3/4.
    1.5-entmax: (0 - tau)^2 + (1/4 - tau)^2 = 1, or 2 tau^2 - tau / 2 - 15/16 = 0, has tau = (1/4 - sqrt(31/16)) / 2 =
    -0.57, which is above -1: weights 0, tau^2, (1/4 - tau)^2.
    """
    scores = torch.tensor([[[-2.0, 0.0, 0.5]]], dtype=torch.float64)
    torch.testing.assert_close(Sparsemax(num_heads=1)(scores, None).flatten().tolist(), [0.0, 0.25, 0.75])
    tau = (0.25 - math.sqrt(31 / 16)) / 2
    expected = [0.0, tau**2, (0.25 - tau) ** 2]
    assert [round(weight, 4) for weight in expected] == [0.0, 0.326, 0.674]
    for cls in (Entmax15, Entmax):
        torch.testing.assert_close(cls(num_heads=1).double()(scores, None).flatten().tolist(), expected)


@pytest.mark.parametrize("size", [1, 2, 7, 100, 1000])
@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])
def test_sparse_weights_and_gradients_equal_the_entmax_package(size, scale):
    chosen = random(1, 20, size, seed=3)
    theirs = {
        Sparsemax: other.sparsemax,
        Entmax15: other.entmax15,
        Entmax: lambda scores: other.entmax_bisect(scores, alpha, n_iter=100),
    }
    for cls, function in theirs.items():
        normalizer = cls(num_heads=1).double()
        if cls is Entmax:
            torch.nn.init.constant_(normalizer.pre_alpha, -0.7)  # an alpha that has no formula of its own
        alpha = normalizer.alpha.detach().requires_grad_() if cls is Entmax else None
        mine, their = (random(1, 20, size, seed=size, scale=scale).requires_grad_() for _ in range(2))
        ours, expected = normalizer(mine, None), function(their)
        torch.testing.assert_close(ours, expected, atol=1e-9, rtol=0)
        (ours * chosen).sum().backward()
        (expected * chosen).sum().backward()
        torch.testing.assert_close(mine.grad, their.grad, atol=1e-6, rtol=1e-6)
        if cls is Entmax:  # d alpha / d a = 0.99 sigmoid(a) (1 - sigmoid(a))
            inner = torch.sigmoid(normalizer.pre_alpha)
            through = alpha.grad * 0.99 * inner * (1 - inner)
            torch.testing.assert_close(normalizer.pre_alpha.grad, through, atol=1e-5, rtol=1e-5)


def hard_rows(size):
    """Rows on which a search for the threshold is slow: steps of all sizes, one key ahead of many alike, ties."""
    index = torch.arange(size, dtype=torch.float64)
    rows = [-((index / size) ** power) for power in (0.1, 0.5, 1, 2, 10)]
    rows += [-(1 - ratio**index) for ratio in (0.3, 0.7, 0.97, 0.999)]
    rows += [-(ratio ** (size - 1 - index)) for ratio in (0.3, 0.7, 0.97, 0.999)]
    rows += [-scale * torch.log(index + 1) for scale in (0.01, 0.1, 1, 10)]
    rows += [torch.zeros(size, dtype=torch.float64), *random(4, size), *random(2, size, scale=0.01)]
    for ahead in (0.5, 0.99, 1.0):
        row = torch.full((size,), -ahead, dtype=torch.float64)
        row[: size // 16 + 1] += torch.linspace(0, 1e-2, size // 16 + 1, dtype=torch.float64)
        row[0] = 0
        rows += [row, 2 * row]
    return torch.stack(rows).unsqueeze(0)


def bisected(scores, alpha):
    """alpha-entmax by halving the interval of the threshold until no float lies inside."""
    scaled = (alpha - 1) * scores
    low, high = scaled.amax(-1, keepdim=True) - 1, scaled.amax(-1, keepdim=True)
    for _ in range(60):
        middle = (low + high) / 2
        above = (scaled - middle).clamp(min=0).pow(1 / (alpha - 1)).sum(-1, keepdim=True) >= 1
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return (scaled - low).clamp(min=0).pow(1 / (alpha - 1))


@pytest.mark.parametrize("size", [1, 2, 50, 2000, 16384])
@pytest.mark.parametrize("pre_alpha", [-20.0, -2.0, 0.0, 1.5, 4.0])
def test_the_threshold_is_found_in_the_hardest_rows(size, pre_alpha):
    normalizer, scores = Entmax(num_heads=1).double(), hard_rows(size)
    torch.nn.init.constant_(normalizer.pre_alpha, pre_alpha)
    tolerance = 1e-6 if size == 16384 else 1e-9
    with torch.no_grad():
        weights = normalizer(scores, None)
        torch.testing.assert_close(weights, bisected(scores, normalizer.alpha), atol=tolerance, rtol=0)
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
        torch.testing.assert_close(
            normalizer.float()(scores.float(), None).double(), bisected(scores, normalizer.alpha), atol=1e-5, rtol=0
        )


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 50, 2000, 16384])
def test_fixed_thresholds_are_found_in_the_hardest_rows(size):
    scores = hard_rows(size)
    for cls, alpha in ((Sparsemax, 2.0), (Entmax15, 1.5)):
        normalizer = cls(num_heads=1)
        torch.testing.assert_close(normalizer(scores, None), bisected(scores, alpha), atol=1e-9, rtol=0)
        torch.testing.assert_close(
            normalizer(scores.float(), None).double(), bisected(scores, alpha), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("pre_alpha", [-20.0, -6.0, 6.0, 40.0])
def test_alpha_at_its_ends_stays_exact(pre_alpha):
    """alpha of 1.01 and of 2, where the formula of its gradient loses or divides by what is nearly nothing."""
    normalizer, scores = Entmax(num_heads=1).double(), random(1, 3, 5, scale=1.0).requires_grad_()
    torch.nn.init.constant_(normalizer.pre_alpha, pre_alpha)
    alpha = normalizer.alpha.detach()

    def weights(alpha):
        return bisected(scores.detach(), alpha)

    leaf = alpha.clone().requires_grad_()
    found = EntmaxFunction.apply(scores, None, leaf)
    torch.testing.assert_close(found, weights(alpha), atol=1e-9, rtol=0)
    chosen, step = random(1, 3, 5, seed=8), 1e-6
    (found * chosen).sum().backward()
    slope = ((weights(alpha + step) - weights(alpha - step)) / (2 * step) * chosen).sum()
    torch.testing.assert_close(leaf.grad.squeeze(), slope, atol=1e-4, rtol=1e-4)
    precise = leaf.grad.clone()
    single = alpha.float().requires_grad_()
    (EntmaxFunction.apply(scores.detach().float(), None, single) * chosen.float()).sum().backward()
    torch.testing.assert_close(single.grad.double(), precise, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("cls", SPARSE)
def test_sparse_weights_have_exact_zeros_and_no_gradient_there(cls):
    scores = random(1, 50, 40, scale=3.0).requires_grad_()
    weights = cls(num_heads=1).double()(scores, None)
    assert ((weights == 0).sum(-1) > 10).all()
    (weights * random(1, 50, 40, seed=5)).sum().backward()
    assert (scores.grad[weights == 0] == 0).all()
    assert (scores.grad != 0).any()


def test_sparseness_grows_with_alpha_and_softmax_is_its_beginning():
    scores, normalizer = random(1, 30, 40), Entmax(num_heads=1).double()
    counts = []
    with torch.no_grad():
        for pre_alpha in (-20.0, -1.0, 0.0, 1.0, 40.0):
            normalizer.pre_alpha.fill_(pre_alpha)
            counts.append(int((normalizer(scores, None) > 1e-12).sum()))
        assert counts == sorted(counts, reverse=True)
        torch.testing.assert_close(normalizer(scores, None), Sparsemax(num_heads=1)(scores, None))
        normalizer.pre_alpha.fill_(-20.0)
        torch.testing.assert_close(normalizer(scores, None), scores.softmax(-1), atol=0.02, rtol=0)
