"""How much of the right answers a model's answers say, and how much of the right answers of other inputs they say.

What knows nothing of its input says as much of both: what is common everywhere, at the right place, and in the right
length. No probability is looked at, so a factor on the logits changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

NUM_OTHERS = 4  # inputs whose right answers each answer is held against

Tokens = Sequence[int]


def right_shares(
    answers: Sequence[Tokens], right: Sequence[Tokens], generator: np.random.Generator, *, in_place: bool
) -> NDArray[np.float64]:
    """Share of the tokens of the right answer that each answer has, and the mean of the same for those of other inputs.

    Two right answers of unequal length are both looked at as far as the shorter goes.

    Args:
        in_place: a token counts at its own place alone; else in the same order (the longest common subsequence).

    Returns:
        (n, 2), 0 to 1; NaN where no other input has another right answer.
    """
    found = np.full((len(answers), 2), np.nan)
    said = _in_place if in_place else common_in_order
    size = len(answers)
    moves = generator.permutation(np.arange(1, size))[:NUM_OTHERS].tolist() if size else []
    for number, (answer, own) in enumerate(zip(answers, right, strict=True)):
        others = [right[(number + move) % size] for move in moves]
        shares = [_both(said, answer, own, other) for other in others if own and other and list(own) != list(other)]
        if shares:
            found[number] = np.mean(shares, axis=0)
    return found


def _both(said: Callable[[Tokens, Tokens], int], answer: Tokens, own: Tokens, other: Tokens) -> tuple[float, float]:
    size = min(len(own), len(other))
    return said(answer, own[:size]) / size, said(answer, other[:size]) / size


def _in_place(answer: Tokens, right: Tokens) -> int:
    return sum(first == second for first, second in zip(answer, right, strict=False))


def common_in_order(first: Tokens, second: Tokens) -> int:
    """Length of the longest common subsequence, a row of the table at a time as the bits of one number (Hyyro 2004)."""
    places: dict[int, int] = defaultdict(int)
    for place, token in enumerate(first):
        places[token] |= 1 << place
    everything = (1 << len(first)) - 1
    row = everything  # a bit is 0 where the length grows
    for token in second:
        hits = row & places.get(token, 0)
        row = ((row + hits) | (row - hits)) & everything
    return len(first) - row.bit_count()
