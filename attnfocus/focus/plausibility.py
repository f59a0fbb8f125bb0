"""How well the positions with most weight match those that people mark, or that are known to hold the evidence.

Shapes: L tokens.
"""

import math

from torch import Tensor


def token_f1(scores: Tensor, marked: Tensor, *, share: float) -> float:
    """F1 of the ceil(share L) tokens with the highest scores against the marked ones: 0 none, 1 all and no other.

    DeYoung et al. 2020 (arXiv:1911.03429, sec. 5), which take the mean share of a data set. Of equal scores the first
    count. 0 without a marked token.

    Args:
        scores: (L,), not NaN.
        marked: bool (L,).
        share: above 0, at most 1.

    Raises:
        ValueError: no token can be chosen, or more than there are.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    k = math.ceil(round(share * len(scores), 6))
    chosen = scores.sort(descending=True, stable=True).indices[:k]
    right = int(marked[chosen].sum())
    total = k + int(marked.sum())
    return 2 * right / total if total else 0.0


def pointing_game(scores: Tensor, marked: Tensor) -> float:
    """1 if the position with the highest score (L,) is marked (L,), else 0   (Zhang et al. 2018, sec. 4.1,
    arXiv:1608.00507, without their tolerance). Of equal scores the first counts."""
    return float(marked[scores.argmax()])


def mass_inside(scores: Tensor, marked: Tensor) -> float:
    """The share of the scores (L,), none below 0, that lies on marked positions; 0 if all are 0."""
    total = float(scores.sum())
    return float(scores[marked].sum()) / total if total > 0 else 0.0
