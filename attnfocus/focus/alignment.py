"""Hard alignments from attention weights, and how far they are from known ones.

Shapes: ... leading dims, Q queries (target tokens), K keys (source tokens). Links are bool (..., Q, K), True where a
target token is linked with a source token. Masks as in `focus.measures`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from attnfocus.focus.measures import attends, shares


def argmax_links(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """Each query with the key that it weighs most (the first of equal ones); none where it attends to nothing."""
    parts = shares(weights, mask)
    if parts.shape[-1] == 0:
        return parts.bool()
    best = torch.zeros_like(parts, dtype=torch.bool).scatter(-1, parts.argmax(dim=-1, keepdim=True), True)
    return best & attends(parts).unsqueeze(-1)


def threshold_links(weights: Tensor, mask: Tensor | None = None, *, threshold: float) -> Tensor:
    """Each query with every key that has at least `threshold` of its weight (0 < threshold <= 1).

    Raises:
        ValueError: a threshold that links everything, or nothing.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}")
    return shares(weights, mask) >= threshold


def mutual_links(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """The links of `argmax_links` whose key, too, gets most of its weight from that query: intersection.

    As two alignments in opposite directions are intersected (Och and Ney 2003, sec. 2.2): fewer links, surer ones.
    """
    parts = shares(weights, mask)
    return argmax_links(parts) & argmax_links(parts.transpose(-1, -2)).transpose(-1, -2)


@dataclass(frozen=True)
class AlignmentCounts:
    """How many links there are, and of them right ones; counts of batches add up."""

    links: int = 0  # |A|
    sure: int = 0  # |S|
    sure_found: int = 0  # |A and S|
    possible_found: int = 0  # |A and P|

    def __add__(self, other: "AlignmentCounts") -> "AlignmentCounts":
        return AlignmentCounts(
            self.links + other.links,
            self.sure + other.sure,
            self.sure_found + other.sure_found,
            self.possible_found + other.possible_found,
        )

    @property
    def error_rate(self) -> float:
        """1 - (|A and S| + |A and P|) / (|A| + |S|), Och and Ney 2003 (J03-1002), eq. 25. NaN without links.

        0: all sure links found and none that is not possible; 1: none right.
        """
        total = self.links + self.sure
        return 1 - (self.sure_found + self.possible_found) / total if total else float("nan")


def alignment_counts(links: Tensor, sure: Tensor, possible: Tensor) -> AlignmentCounts:
    """Counts of links against known ones, all bool (..., Q, K); a sure link is a possible one, said so or not."""
    found = (links, sure, links & sure, links & (possible | sure))
    return AlignmentCounts(*(int(each.sum()) for each in found))


def alignment_error_rate(links: Tensor, sure: Tensor, possible: Tensor) -> float:
    """See `AlignmentCounts.error_rate`."""
    return alignment_counts(links, sure, possible).error_rate
