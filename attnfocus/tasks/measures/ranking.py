"""At which place an item stands among all others, and what recommendation makes of it.

Shapes: N histories, V vocabulary, K candidates.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CUTOFFS = (5, 10, 20)
NUM_SAMPLED = 100  # negatives of the sampled protocol (arXiv:1808.09781, sec. IV-B)
SAMPLING_SEED = 0  # of these: a function of it and the row's id


def ranks(scores: Tensor, answers: Tensor, left_out: Sequence[Collection[int]] = ()) -> Tensor:
    """The place of each answer by its score, the best 1; another item with the same score counts half: (N,) float64.

    Args:
        scores: (N, V).
        answers: (N,).
        left_out: of each history the items that take no place; the answer is never one of them.
    """
    own = scores.gather(1, answers.unsqueeze(1))  # (N, 1)
    higher, alike = _higher_and_alike(scores, own)
    alike = alike - (own == own).sum(dim=1)  # itself
    return _places(higher, alike, own.squeeze(1), left_out, lambda rows, items: scores[rows, items])


def _higher_and_alike(scores: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """How many of scores (N, V) are above, and how many are equal to those of the same row of `own` (N, 1): (N,) each.

    On a CPU row by row, in its cache: the masks of whole batches take seven times as long.
    """
    if scores.device.type != "cpu":
        return (scores > own).sum(dim=1), (scores == own).sum(dim=1)
    pairs = zip(scores.detach().numpy(), own.detach().numpy(), strict=True)
    found = [(np.count_nonzero(row > one), np.count_nonzero(row == one)) for row, one in pairs]
    higher, alike = torch.tensor(found, dtype=torch.int64).reshape(-1, 2).unbind(dim=1)
    return higher, alike


def shared_ranks(scores: Tensor, answers: Tensor, left_out: Sequence[Collection[int]] = ()) -> Tensor:
    """`ranks` where all histories have the same scores (V,), without any table of all of them."""
    own, ordered = scores[answers], scores.sort().values
    below, up_to = (torch.searchsorted(ordered, own, right=right) for right in (False, True))
    return _places(len(scores) - up_to, up_to - below - 1, own, left_out, lambda rows, items: scores[items])


def _places(
    higher: Tensor,
    alike: Tensor,
    own: Tensor,
    left_out: Sequence[Collection[int]],
    scores_of: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """`ranks`, of how many items are higher (N,) and alike (N,); what is left out was counted, too, and is taken off.

    Args:
        own: (N,) scores of the answers.
        scores_of: rows and items -> the scores of these.
    """
    index = _index([set(items) for items in left_out], own.device)
    if index is not None:
        rows, items = index
        theirs, answer = scores_of(rows, items), own[rows]
        higher = higher.index_add(0, rows, -(theirs > answer).long())
        alike = alike.index_add(0, rows, -(theirs == answer).long())
    return 1 + higher.double() + alike.double() / 2


def leave_out(scores: Tensor, left_out: Sequence[Collection[int]]) -> None:
    """-inf for some items of each history: scores (N, V), in place."""
    index = _index(left_out, scores.device)
    if index is not None:
        scores[index[0], index[1]] = -torch.inf


def _index(items: Sequence[Collection[int]], device: torch.device) -> Tensor | None:
    """Rows and columns of some items of each history, (2, number of them); None: there are none."""
    rows = [number for number, of_row in enumerate(items) for _ in of_row]
    return torch.tensor([rows, [item for of_row in items for item in of_row]], device=device) if rows else None


def sampled_ranks(scores: Tensor, answers: Tensor, negatives: Tensor) -> Tensor:
    """The same among the answer and some negatives (N, K), as far as these are no -1: (N,) float64."""
    others = scores.gather(1, negatives.clamp(min=0)).masked_fill(negatives < 0, -torch.inf)
    return ranks_among(scores.gather(1, answers.unsqueeze(1)).squeeze(1), others)


def ranks_among(own: Tensor, others: Tensor) -> Tensor:
    """The place of scores (N,) among others (N, K): (N,) float64."""
    own = own.unsqueeze(1)
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
        drawn = items[random.integers(len(items), size=count)].tolist()
        if not found and len(set(drawn) - taken) == count:  # none is known, or there twice
            return np.array(drawn, dtype=np.int64)
        for item in drawn:
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
