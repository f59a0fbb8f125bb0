"""Published tests of weights by hand, on weights whose role is known, and against scipy."""

import math

import pytest
import torch
from scipy.spatial.distance import jensenshannon

from attnfocus.focus import erasure as checks


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def values_kept(kept, rows):
    """A probability to which position j of 10 adds (10 - j) / 55."""
    return (kept * torch.arange(10, 0, -1)).sum(dim=1) / 55


def test_erasure_by_hand():
    # The tops of 10 positions: 1, 1, 1, 2 and 5 of them, worth 10, 10, 10, 19 and 40 of 55.
    mask = torch.ones(1, 10, dtype=torch.bool)
    found = checks.erasure(values_kept, torch.arange(10.0, 0, -1).unsqueeze(0), mask, generator())
    assert found.comprehensiveness.item() == pytest.approx((10 + 10 + 10 + 19 + 40) / 5 / 55)
    assert found.sufficiency.item() == pytest.approx((45 + 45 + 45 + 36 + 15) / 5 / 55)


def test_the_worst_order_gains_less_than_chance():
    mask = torch.ones(200, 10, dtype=torch.bool)
    best, worst, alike = (
        checks.erasure(values_kept, each.expand(200, 10), mask, generator()).comprehensiveness.mean()
        for each in (torch.arange(10.0, 0, -1), torch.arange(10.0), torch.zeros(10))
    )
    assert worst < alike < best
    assert alike.item() == pytest.approx((1 + 1 + 1 + 2 + 5) / 5 / 10, abs=0.02)  # ties are broken at random


def test_padding_is_never_a_top_position():
    mask = torch.tensor([[True] * 3 + [False] * 7])
    asked = []

    def probabilities(kept, rows):
        asked.append(kept)
        return kept.float().sum(dim=1)

    checks.erasure(probabilities, torch.arange(10.0).unsqueeze(0), mask, generator())
    assert not torch.cat(asked)[:, 3:].any()


def test_agreement_of_rankings():
    mask = torch.tensor([[True, True, True, False]] * 3)
    first = torch.tensor([[1.0, 2.0, 3.0, 9.0]] * 3)
    second = torch.tensor([[1.0, 5.0, 7.0, 0.0], [3.0, 2.0, 1.0, 10.0], [1.0, 1.0, 1.0, 1.0]])
    found = checks.rank_agreement(first, second, mask)
    assert found[:2].tolist() == [1.0, -1.0]
    assert found[2].isnan()


def test_change_and_distance_are_the_formulas():
    p, q = (torch.rand(5, 7, dtype=torch.float64, generator=generator(seed)).softmax(-1) for seed in (1, 2))
    pairs = zip(p.tolist(), q.tolist(), strict=True)
    expected = [0.5 * sum(abs(a - b) for a, b in zip(*pair, strict=True)) for pair in pairs]
    torch.testing.assert_close(checks.change_of_output(p.log(), q.log()).tolist(), expected)
    expected = [jensenshannon(one, other) ** 2 for one, other in zip(p.numpy(), q.numpy(), strict=True)]
    torch.testing.assert_close(checks.jensen_shannon(p, 3 * q).tolist(), [float(each) for each in expected])
    apart = checks.jensen_shannon(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    assert apart.item() == pytest.approx(math.log(2))


@pytest.fixture
def weights():
    made = torch.rand(2, 3, 4, 6, generator=generator(3)) + 0.1
    allowed = torch.arange(6) < torch.tensor([4, 6])[:, None, None, None]
    return made * allowed, allowed


def test_permuted_weights_are_the_same_elsewhere(weights):
    given, allowed = weights
    found = checks.permuted(given, allowed, generator())
    torch.testing.assert_close(found.sort(dim=-1).values, given.sort(dim=-1).values)
    assert found[0, ..., 4:].eq(0).all()
    assert (found != given).float().mean() > 0.5


@pytest.mark.parametrize("scale", [1.0, -0.5])
def test_what_stands_in_for_weights_keeps_their_sums(weights, scale):
    given, allowed = weights[0] * scale, weights[1]
    same = checks.uniform(given, allowed)
    torch.testing.assert_close(same.sum(dim=-1), given.sum(dim=-1))
    torch.testing.assert_close(same[0, 0, 0, :4], given[0, 0, 0].sum().expand(4) / 4)
    drawn = checks.random_weights(given, allowed, generator())
    torch.testing.assert_close(drawn.sum(dim=-1), given.sum(dim=-1))
    assert same[0, ..., 4:].eq(0).all()
    assert drawn[0, ..., 4:].eq(0).all()


def adversary(values, own, epsilon=0.05):
    """The search for a model of two classes: log-odds are what the weights take of the values (K,)."""
    allowed = {"pooling": torch.ones_like(own["pooling"], dtype=torch.bool)}

    def log_probabilities(given):
        logit = ({**own, **given}["pooling"] * values).sum(dim=(1, 2, 3))
        return torch.stack((logit, torch.zeros_like(logit)), dim=-1).log_softmax(dim=-1).unsqueeze(1)

    return checks.adversarial(log_probabilities, own, allowed, generator(), epsilon=epsilon)


def test_an_adversary_goes_far_where_weights_do_not_matter():
    own = {"pooling": torch.tensor([1.0, 0, 0, 0]).expand(3, 1, 1, 4)}
    found = adversary(torch.ones(4), own)
    assert (found.distance > 0.6).all()  # of ln 2 = 0.69
    assert (found.change < 1e-6).all()


def test_an_adversary_stays_near_where_weights_are_all():
    own = {"pooling": torch.tensor([1.0, 0, 0, 0]).expand(3, 1, 1, 4)}
    found = adversary(torch.tensor([6.0, -6.0, -6.0, -6.0]), own)
    assert (found.distance < 0.2).all()
    assert (found.change <= 0.05).all()


def test_queries_without_weights_do_not_count_in_the_distance():
    own = {"cross": torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])}
    other = {"cross": torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])}
    assert checks.distances(own, other, 1).tolist() == [[pytest.approx(math.log(2))]]
    assert checks.distances(own, other, 2).tolist() == [[pytest.approx(math.log(2)), 0.0]]
