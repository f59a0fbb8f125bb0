"""Whether attention weights tell what an output rests on: tests that take inputs away, or put other weights in.

Shapes: B examples, T outputs of an example, N outputs of all examples, M rows of one call, H heads, Q queries, K keys,
C classes. Masks are bool, True = real, or allowed.

Weights that do not sum to 1 keep their sums in whatever stands in their place.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from attnfocus.focus.attributions import rows_at_once
from attnfocus.focus.disagreement import jensen_shannon
from attnfocus.stages import counted

BINS = (0.01, 0.05, 0.1, 0.2, 0.5)  # DeYoung et al. 2020, sec. 5
Weights = Mapping[str, Tensor]  # name of an attention -> (B, H, Q, K)


class Erasure(NamedTuple):
    """Drops of an output's probability, each (N,), means over the bins."""

    comprehensiveness: Tensor  # without the most important positions: high if they were needed
    sufficiency: Tensor  # with them alone: low if they were enough


def erasure(
    probabilities: Callable[[Tensor, Tensor], Tensor],
    importance: Tensor,
    mask: Tensor,
    generator: torch.Generator,
    bins: Sequence[float] = BINS,
) -> Erasure:
    """p(x) - p(x without the top positions), and p(x) - p(the top positions alone)   (DeYoung et al. 2020, sec. 5,
    arXiv:1911.03429, area over the perturbation curve)

    The top of a bin b are the ceil(b K) positions of most importance; ties are broken at random.

    Args:
        probabilities: (kept (M, K) bool, rows (M,)) -> probability (M,) of output `rows` given the kept ones alone.
        importance: (N, K).
        mask: (N, K).
    """
    places = ranks(importance, mask, generator)
    lengths = mask.sum(dim=1)
    whole = _in_parts(probabilities, mask)
    without, alone = torch.zeros_like(whole), torch.zeros_like(whole)
    done: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}  # bins of a short input are often the same
    for share in bins:
        count = (share * lengths).ceil()
        key = tuple(count.tolist())
        if key not in done:
            top = mask & (places < count.unsqueeze(1))
            done[key] = _in_parts(probabilities, mask & ~top), _in_parts(probabilities, top)
        without += whole - done[key][0]
        alone += whole - done[key][1]
    return Erasure(without / len(bins), alone / len(bins))


def _in_parts(probabilities: Callable[[Tensor, Tensor], Tensor], kept: Tensor) -> Tensor:
    rows = torch.arange(len(kept), device=kept.device).split(rows_at_once(kept.shape[1]))
    return torch.cat([probabilities(kept[part], part) for part in rows])


def ranks(importance: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
    """Place of each position among those of its row, the most important 0: (N, K)."""
    shuffled = _random_like(importance, generator).argsort(dim=1)
    order = importance.masked_fill(~mask, -torch.inf).gather(1, shuffled).argsort(dim=1, descending=True, stable=True)
    return shuffled.gather(1, order).argsort(dim=1)


def rank_agreement(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """Kendall's tau-b of two rankings of the same positions, row by row: (N, K) twice -> (N,).

    NaN for a row that cannot be ranked: fewer than two positions, or all alike in one of the two.
    """
    from scipy.stats import kendalltau

    found = []
    for one, other, real in zip(first.cpu().numpy(), second.cpu().numpy(), mask.cpu().numpy(), strict=True):
        few = real.sum() < 2 or len(set(one[real])) < 2 or len(set(other[real])) < 2
        found.append(math.nan if few else float(kendalltau(one[real], other[real]).statistic))
    return torch.tensor(found)


def change_of_output(log_probabilities: Tensor, others: Tensor) -> Tensor:
    """Total variation distance 1/2 sum |p - q|, from 0 to 1   (Jain & Wallace 2019, sec. 3, arXiv:1902.10186)

    (..., C) twice -> (...).
    """
    return 0.5 * (log_probabilities.exp() - others.exp()).abs().sum(dim=-1)


def permuted(weights: Tensor, allowed: Tensor, generator: torch.Generator) -> Tensor:
    """The weights (..., Q, K) of each query dealt out anew among its allowed keys   (Jain & Wallace 2019, 4.2.1)"""
    allowed = allowed.expand(weights.shape)
    own = (~allowed).to(torch.uint8).argsort(dim=-1, stable=True)  # the allowed keys come first, in their order
    mixed = _random_like(weights, generator).masked_fill(~allowed, 2).argsort(dim=-1)  # or in any
    return torch.zeros_like(weights).scatter(-1, own, weights.gather(-1, mixed))


def uniform(weights: Tensor, allowed: Tensor) -> Tensor:
    """The same weight on every allowed key   (Wiegreffe & Pinter 2019, sec. 3.2, arXiv:1908.04626; they train so)"""
    return _with_sums_of(weights, allowed.expand(weights.shape).to(weights.dtype))


def random_weights(weights: Tensor, allowed: Tensor, generator: torch.Generator) -> Tensor:
    """Any weights on the allowed keys, all equally likely (uniform on the simplex)."""
    draws = -(1 - _random_like(weights, generator)).log()
    return _with_sums_of(weights, draws * allowed)


class Adversary(NamedTuple):
    """The farthest weights that were found to leave each output as it is."""

    distance: Tensor  # (B, T) Jensen-Shannon divergence from the model's own weights, see `distances`
    change: Tensor  # (B, T) of the output


def adversarial(
    log_probabilities: Callable[[Weights], Tensor],
    weights: Weights,
    allowed: Weights,
    generator: torch.Generator,
    *,
    epsilon: float = 0.05,
    num_steps: int = 60,
    lr: float = 0.3,
    penalty: float = 500.0,
    rows: Tensor | None = None,
) -> Adversary:
    """max JSD(weights, others)  so that  change of output <= epsilon   (Jain & Wallace 2019, sec. 4.2.2)

    For each output by itself, with Adam from random weights on, over the logits of the others; the condition is a
    penalty on what exceeds epsilon, as there. Of all steps the farthest that keeps the condition counts; the model's
    own weights, at distance 0, always do. What is found is a lower bound of what there is.

    Args:
        log_probabilities: others -> (B, T, C).
        allowed: name -> keys that may get weight, broadcastable to the weights.
        penalty: weight of the excess against the distance.
        rows: as in `distances`.
    """
    with torch.no_grad():
        own = log_probabilities({})
    logits = {}
    for name, each in weights.items():
        start = random_weights(each, allowed[name], generator)
        logits[name] = start.clamp_min(1e-6).log().requires_grad_()
    optimizer = torch.optim.Adam(list(logits.values()), lr=lr)
    best = Adversary(own.new_zeros(own.shape[:2]), own.new_zeros(own.shape[:2]))
    with torch.enable_grad():
        for _ in counted(range(num_steps), "looking for other weights", num_steps):
            others = {name: _softmax(each, weights[name], allowed[name]) for name, each in logits.items()}
            change = change_of_output(own, log_probabilities(others))  # (B, T)
            distance = distances(weights, others, own.shape[1], rows)
            better = (change <= epsilon) & (distance > best.distance)
            best = Adversary(
                torch.where(better, distance.detach(), best.distance), torch.where(better, change.detach(), best.change)
            )
            loss = (penalty * (change - epsilon).clamp_min(0) - distance).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return best


def distances(weights: Weights, others: Weights, num_outputs: int, rows: Tensor | None = None) -> Tensor:
    """Jensen-Shannon divergence of the weights by which each output is made: (B, T).

    The mean over attentions, heads and queries, of those that attend to anything: of several outputs each has a query
    of its own in every attention, a single one is made by all queries.

    Args:
        rows: (B, T) the query of each output, where queries are not the outputs in their order.
    """
    total: Tensor | float = 0.0
    count: Tensor | float = 0.0

    def of_outputs(each: Tensor) -> Tensor:
        """(B, H, Q) -> (B, T)"""
        if rows is not None:
            return each.sum(dim=1).gather(1, rows)
        return each.sum(dim=(1, 2) if num_outputs == 1 else (1,)).view(len(each), num_outputs)

    for name, each in weights.items():
        attends = (each != 0).any(dim=-1)  # (B, H, Q)
        total = total + of_outputs(jensen_shannon(each, others[name]) * attends)
        count = count + of_outputs(attends)
    assert isinstance(total, Tensor)
    assert isinstance(count, Tensor)
    return total / count.clamp_min(1)


def _softmax(logits: Tensor, weights: Tensor, allowed: Tensor) -> Tensor:
    lowest = torch.finfo(logits.dtype).min
    return _with_sums_of(weights, logits.masked_fill(~allowed, lowest).softmax(dim=-1) * allowed)


def _with_sums_of(weights: Tensor, others: Tensor) -> Tensor:
    """Others (..., K) scaled so that their sums are those of the weights."""
    total = others.sum(dim=-1, keepdim=True)
    return others / torch.where(total > 0, total, 1.0) * weights.sum(dim=-1, keepdim=True)


def _random_like(values: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1) from a generator on the CPU, so that every device draws the same."""
    return torch.rand(values.shape, generator=generator, dtype=torch.float32).to(values.device, values.dtype)
