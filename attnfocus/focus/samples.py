"""What a test of weights has found on each example, and means of it with their spread over examples.

Shapes: n examples, E erasures, W ways, R rankings, S shares, B samples of a bootstrap, the whole first (1 + B rows).
NaN stands for what could not be measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

ERASURES = ("cut", "masked", "swapped")  # out of the input; a mean vector in place; those of another text in place
WAYS = ("removed", "kept")  # without the positions; with them alone
RANKINGS = ("weights", "leave_one_out", "integrated_gradients", "random")
SHARES = (0.5, 0.9)  # of an output's weight, held by the positions taken

_DECIMALS = 5  # in JSON
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Samples:
    """Means over the outputs of each example.

    Attributes:
        left: (n, E, W, R, S) share of its lead that an answer still has, 0 to 1.
        changed: (n, E, W, R, S) share of the outputs that have another answer then.
        nothing, nothing_changed: (n, E) the same with no position at all.
        half: (n,) share of the other positions that it takes beside the first to hold half of the weight: 0 one
            position, 0.5 all alike.
        answers: (n,) a number for each different answer.
        targets: (n,) the class in the data; -1: the answer is no class.
        right: (n, 2) share of the tokens of the right answer that an answer has, and of those of other inputs
            (`focus.right_tokens`); NaN: not compared.
        shuffled_changed: share of the outputs that have another answer with shuffled weights; NaN: not measured.
    """

    left: Floats
    changed: Floats
    nothing: Floats
    nothing_changed: Floats
    half: Floats
    answers: NDArray[np.int64]
    targets: NDArray[np.int64]
    right: Floats
    shuffled_changed: float = float("nan")

    def __len__(self) -> int:
        return len(self.half)

    @classmethod
    def together(cls, parts: Sequence[Samples]) -> Samples:
        """One after another; the answers under shuffled weights are those of the first that has them."""
        arrays = {name: np.concatenate([getattr(each, name) for each in parts]) for name in _ARRAYS}
        known = [each.shuffled_changed for each in parts if each.shuffled_changed == each.shuffled_changed]
        return cls(**arrays, shuffled_changed=known[0] if known else float("nan"))

    def with_shuffled(self, changed: float) -> Samples:
        """The same, with the share of answers that shuffled weights change."""
        return replace(self, shuffled_changed=changed)

    def facts(self) -> dict[str, Any]:
        """For JSON; null is what could not be measured."""
        return {
            **{name: _listed(getattr(self, name)) for name in _ARRAYS},
            "shuffled_changed": _listed(np.array(self.shuffled_changed)),
        }

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Samples:
        """From what `facts` gave. Those of before `right` was measured have none of it."""
        facts = {"right": [[None, None]] * len(facts["half"]), **facts}
        arrays: dict[str, Any] = {
            name: np.array(facts[name], np.int64 if name in _INTEGERS else np.float64) for name in _ARRAYS
        }
        return cls(**arrays, shuffled_changed=float(np.array(facts["shuffled_changed"], np.float64)))


_INTEGERS = ("answers", "targets")
_ARRAYS = ("left", "changed", "nothing", "nothing_changed", "half", *_INTEGERS, "right")


def _listed(values: NDArray[Any]) -> Any:
    if values.dtype.kind != "f":
        return values.tolist()
    return np.where(np.isnan(values), None, values.round(_DECIMALS)).tolist()  # type: ignore[call-overload]


def draws_of(num_examples: int, num_draws: int, seed: int) -> Floats:
    """How often each example is taken: (1 + B, n). The first row takes each once, the others draw with replacement."""
    if not num_examples:
        return np.ones((1 + num_draws, 0))
    generator = np.random.default_rng(seed)
    shares = np.full(num_examples, 1 / num_examples)
    drawn = generator.multinomial(num_examples, shares, size=num_draws)
    return np.concatenate((np.ones((1, num_examples)), drawn))


def means(draws: Floats, values: Floats) -> Floats:
    """Of each draw, over the examples in which a value was measured: (1 + B, n), (n, ...) -> (1 + B, ...)."""
    flat = values.reshape(len(values), -1)
    known = np.isfinite(flat)
    counts = draws @ known
    totals = draws @ np.where(known, flat, 0.0)
    found = np.where(counts > 0, totals / np.where(counts > 0, counts, 1), np.nan)
    return found.reshape(len(draws), *values.shape[1:])


def mean_recalls(draws: Floats, answers: NDArray[np.int64], targets: NDArray[np.int64]) -> Floats | None:
    """Of each draw the mean over the classes of how many of their examples are answered right: (1 + B,).

    Returns:
        None where the answers are no classes, or the data has fewer than two of them.
    """
    classes = np.unique(targets)
    if len(classes) < 2 or (targets < 0).any():
        return None
    recalls = [means(draws, np.where(targets == each, targets == answers, np.nan)) for each in classes]
    return np.nanmean(np.stack(recalls), axis=0)


def ratio(first: Floats, second: Floats) -> Floats:
    """NaN where the second is no more than 0."""
    positive = second > 0
    return np.where(positive, first / np.where(positive, second, 1), np.nan)
