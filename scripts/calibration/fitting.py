"""Thresholds of the verdict, fitted on some families of planted tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from attnfocus.focus.samples import Samples, draws_of
from attnfocus.focus.verdict import Estimates, Thresholds, decided
from calibration.confusion import Record, is_clear
from calibration.verdicts import OWN

# What is tried of each threshold, one after the other, while all others stay.
TRIED: dict[str, tuple[float, ...]] = {
    "skill_yes": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "skill_no": (0.05, 0.15, 0.25, 0.35, 0.45),
    "weakest": (0.0, 0.1, 0.25, 0.4, 0.5),
    "gain": (0.0, 0.05, 0.1, 0.15, 0.2),
    "gain_no": (0.0, 0.02, 0.05),
    "only": (0.2, 0.3, 0.4),
    "room": (0.03, 0.05, 0.1, 0.15, 0.2),
    "even": (0.3, 0.35, 0.4, 0.45, 0.5),
}
TRUSTED, MISSED, UNDECIDED = 10.0, 3.0, 1.0  # what a run costs that is decided so
NUM_ROUNDS = 2
NUM_DRAWS = 40  # of the bootstrap, which decides here only whether a model has learned anything


class Case(NamedTuple):
    """What a verdict is made of, and whether the weights are right."""

    samples: Samples
    is_right: bool


def cases_of(records: Iterable[Record]) -> list[Case]:
    """The runs whose truth is clear."""
    return [
        Case(Samples.of(record["verdicts"][OWN]["samples"]), record["truth"]["answer"] == "right")
        for record in records
        if is_clear(record)
    ]


def fitted(cases: Sequence[Case], start: Thresholds | None = None) -> tuple[Thresholds, float]:
    """The thresholds of least cost, and that cost for each run. A value is changed only where that costs less."""
    best = start or Thresholds()
    least = cost(cases, best)
    for _ in range(NUM_ROUNDS):
        before = least
        for name, values in TRIED.items():
            for value in values:
                change: dict[str, Any] = {name: value}
                tried = replace(best, **change)
                if tried.skill_no >= tried.skill_yes:
                    continue
                found = cost(cases, tried)
                if found < least:
                    best, least = tried, found
        if least == before:
            break
    return best, least


def cost(cases: Sequence[Case], thresholds: Thresholds) -> float:
    """Mean over the runs."""
    total = 0.0
    for samples, is_right in cases:
        answer = decided(Estimates(samples, draws_of(len(samples), NUM_DRAWS, 0), thresholds)).answer
        if answer not in ("yes", "no"):
            total += UNDECIDED
        elif (answer == "yes") != is_right:
            total += MISSED if is_right else TRUSTED
    return total / len(cases) if cases else 0.0
