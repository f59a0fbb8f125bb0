"""At which place an item stands among all others, and what recommendation makes of it.

Shapes: N histories, V vocabulary, K candidates.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CUTOFFS = (5, 10, 20)
NUM_SAMPLED = 100  # negatives of the sampled protocol (arXiv:1808.09781, sec. IV-B)
SAMPLING_SEED = 0  # of these: a function of it and the row's id


def ranks(scores: Tensor, answers: Tensor, left_out: Sequence[Sequence[int]] = ()) -> Tensor:
    """The place of each answer by its score, the best 1; another item with the same score counts half: (N,) float64.

    Args:
        scores: (N, V); changed: what is left out becomes -inf.
        answers: (N,).
        left_out: of each history the items that take no place; the answer is never one of them.
    """
    own = scores.gather(1, answers.unsqueeze(1))
    leave_out(scores, left_out)
    higher = (scores > own).sum(dim=1)
    scores.scatter_(1, answers.unsqueeze(1), -torch.inf)
    alike = (scores == own).sum(dim=1)
    return 1 + higher.double() + alike.double() / 2


def leave_out(scores: Tensor, left_out: Sequence[Sequence[int]]) -> None:
    """-inf for some items of each history: scores (N, V), in place."""
    put(scores, left_out, -torch.inf)


def put(scores: Tensor, items: Sequence[Sequence[int]], value: float) -> None:
    """One score for some items of each history: scores (N, V), in place."""
    rows = [number for number, of_row in enumerate(items) for _ in of_row]
    if rows:
        index = torch.tensor([rows, [item for of_row in items for item in of_row]], device=scores.device)
        scores[index[0], index[1]] = value


def sampled_ranks(scores: Tensor, answers: Tensor, negatives: Tensor) -> Tensor:
    """The same among the answer and some negatives (N, K), as far as these are no -1: (N,) float64."""
    own = scores.gather(1, answers.unsqueeze(1))
    others = scores.gather(1, negatives.clamp(min=0)).masked_fill(negatives < 0, -torch.inf)
    return 1 + (others > own).sum(dim=1).double() + (others == own).sum(dim=1).double() / 2


def negatives_of(id: str, items: NDArray[np.int64], known: Sequence[int], count: int) -> NDArray[np.int64]:
    """`count` different items that a user does not know, drawn by the row's id alone; -1 where there are too few."""
    random = np.random.default_rng([SAMPLING_SEED, zlib.crc32(id.encode())])
    taken, found = set(known), list[int]()
    if len(items) - len(taken) <= 2 * count:  # few are left: from a list of them
        left = np.setdiff1d(items, np.fromiter(taken, np.int64, len(taken)))
        found = random.permutation(left)[:count].tolist()
        return np.array(found + [-1] * (count - len(found)), dtype=np.int64)
    while len(found) < count:
        for item in items[random.integers(len(items), size=count)].tolist():
            if item not in taken and len(found) < count:
                taken.add(item)
                found.append(item)
    return np.array(found, dtype=np.int64)


def ranking_metrics(found: Sequence[float], prefix: str = "", cutoffs: Sequence[int] = CUTOFFS) -> dict[str, float]:
    """Means over places (inf: an item that the model cannot name).

    hit_rate_k: share of places up to k (HR@k; recall, as there is one answer). ndcg_k: 1 / log2(1 + place) up to k, 0
    beyond (Järvelin & Kekäläinen 2002, with one relevant item). mrr: mean of 1 / place.
    """
    count = len(found)
    metrics = {}
    for k in cutoffs:
        metrics[f"{prefix}hit_rate_{k}"] = sum(place <= k for place in found) / count
        metrics[f"{prefix}ndcg_{k}"] = math.fsum(1 / math.log2(1 + place) for place in found if place <= k) / count
    metrics[f"{prefix}mrr"] = math.fsum(1 / place for place in found) / count
    return metrics
