"""The numbers of a test of weights: their values and intervals, and what each means in a few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from attnfocus.focus.samples import ERASURES, RANKINGS, WAYS, Floats, means
from attnfocus.focus.verdict import INTERVAL, Estimates

PREFIX = "faithfulness/"
Better = Literal["higher", "lower", ""]


class Measure(NamedTuple):
    """`better`: which way speaks for the weights; empty: neither."""

    better: Better
    words: str


class Group(NamedTuple):
    """`way`: of `focus.samples.WAYS`, where the measures are effects of it."""

    title: str
    measures: Mapping[str, Measure]
    way: str | None = None


_DECIDES = {
    "skill": Measure("higher", "gain over random positions, as a share of the gain of the best known positions"),
    "skill_removed": Measure("higher", "... where positions are removed"),
    "skill_kept": Measure("higher", "... where they are kept alone"),
    "gain": Measure("higher", "gain over random positions, as a share of what having no input changes"),
    "gain_removed": Measure("higher", "... where positions are removed"),
    "gain_kept": Measure("higher", "... where they are kept alone"),
    "gain_heaviest": Measure("higher", "... of the positions with half of the weight, in the better way"),
    "changed_removed_weights": Measure("higher", "answers that change without the positions, masked"),
    "changed_removed_random": Measure("", "... as many at random"),
    "changed_kept_weights": Measure("lower", "answers that change with the positions alone, the rest masked"),
    "changed_kept_random": Measure("", "... as many at random"),
    "reach": Measure("", "lead lost without any input: what there is to gain"),
    "dependent": Measure("", "share of answers that change without any input"),
    "half_weight": Measure("lower", "positions that hold half of the weight: 0 one of them, 0.5 all are alike"),
    "mean_recall": Measure("", "right answers, mean over the classes"),
}
OF_RANKINGS = {
    "weights": "most weight",
    "leave_one_out": "most effect when left out one by one",
    "integrated_gradients": "largest integrated gradients",
    "random": "at random",
}
OF_ERASURES = {
    "cut": "cut out of the input",
    "masked": "a mean vector in their place",
    "swapped": "another text's in their place",
}
_SHUFFLED = {
    "permuted_flips": Measure("", "answers that change when each query's weights are shuffled"),
    "permuted_change": Measure("", "... total variation distance of the outputs, 0 to 1"),
    "uniform_flips": Measure("", "answers that change with the same weight everywhere"),
    "uniform_change": Measure("", "... total variation distance"),
    "random_flips": Measure("", "answers that change with any weights"),
    "random_change": Measure("", "... total variation distance"),
    "adversarial_distance": Measure("", "how far other weights may be that leave an output as it is, 0 to 0.69"),
    "random_distance": Measure("", "how far any weights are, whatever they do"),
}
_PUBLISHED = {
    "comprehensiveness": Measure("higher", "probability lost without the positions of most weight (ERASER)"),
    "comprehensiveness_gradient": Measure("", "... of the largest gradient x input"),
    "comprehensiveness_random": Measure("", "... at random"),
    "sufficiency": Measure("lower", "probability lost with the positions of most weight alone (ERASER)"),
    "sufficiency_gradient": Measure("", "... of the largest gradient x input"),
    "sufficiency_random": Measure("", "... at random"),
    "agreement_gradient": Measure("", "Kendall's tau of weights and gradient x input"),
    "agreement_leave_one_out": Measure("", "... and leave-one-out"),
    "agreement_random": Measure("", "... and random numbers"),
}
_EVIDENCE = {
    f"evidence_{measure}_{name}": Measure("higher" if name == "attention" else "", f"{words} ({name})")
    for measure, words in (
        ("pointing_game", "how often the first position is known evidence"),
        ("mass_inside", "share that lies on known evidence"),
    )
    for name in ("attention", "gradient", "random")
}


def name_of_effect(erasure: str, way: str, ranking: str) -> str:
    """Lead lost by removing, or left by keeping alone, the positions that a ranking puts first."""
    return f"{'lost' if way == 'removed' else 'left'}_{erasure}_{ranking}"


def _effects(way: str) -> dict[str, Measure]:
    return {
        name_of_effect(erasure, way, ranking): Measure(
            "higher" if ranking == "weights" else "", f"{OF_RANKINGS[ranking]}; {OF_ERASURES[erasure]}"
        )
        for erasure in ERASURES
        for ranking in RANKINGS
    }


GROUPS = (
    Group("The verdict rests on", _DECIDES),
    Group("Lead that an answer loses without positions of", _effects("removed"), "removed"),
    Group("Lead that an answer keeps with nothing but positions of", _effects("kept"), "kept"),
    Group("Other weights in the place of these", _SHUFFLED),
    Group("Against known evidence", _EVIDENCE),
    Group("Measures of papers, by the model's own probabilities", _PUBLISHED),
)


def estimated(of: Estimates) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """What the verdict rests on: `faithfulness/<measure>` -> value, and -> the ends of its interval."""
    metrics, intervals = {}, {}
    if not len(of.samples):
        return {}, {}
    for name, values in _columns(of):
        known = values[1:][np.isfinite(values[1:])]
        if np.isfinite(values[0]) and len(known):
            metrics[PREFIX + name] = float(values[0])
            low, high = np.percentile(known, INTERVAL)
            intervals[PREFIX + name] = (float(low), float(high))
    return metrics, intervals


def _columns(of: Estimates) -> Iterator[tuple[str, Floats]]:
    for name, both in (("skill", of.skills), ("gain", of.gains)):
        yield name, getattr(of, name)
        for number, way in enumerate(WAYS):
            yield f"{name}_{way}", both[:, number]
    yield "gain_heaviest", of.heaviest
    yield "reach", np.where(of.is_used, of.reach, np.inf).min(axis=1) if of.is_used.any() else of.reach.max(axis=1)
    yield "dependent", of.dependent
    yield "half_weight", of.half
    if of.recall is not None:
        yield "mean_recall", of.recall
    changed = means(of.draws, of.samples.changed).mean(axis=-1)
    masked = ERASURES.index("masked")
    for number, way in enumerate(WAYS):
        for place, erasure in enumerate(ERASURES):
            for column, ranking in enumerate(RANKINGS):
                yield name_of_effect(erasure, way, ranking), of.effects[:, place, number, column]
        for ranking in ("weights", "random"):
            yield f"changed_{way}_{ranking}", changed[:, masked, number, RANKINGS.index(ranking)]


def grouped(metrics: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> list[dict[str, Any]]:
    """For people and JSON: title -> measures with their values, intervals, directions and words."""
    found = []
    for title, measures, way in GROUPS:
        known = [
            {
                "name": name,
                "value": metrics[PREFIX + name],
                "interval": intervals.get(PREFIX + name),
                "better": measure.better,
                "words": measure.words,
            }
            for name, measure in measures.items()
            if PREFIX + name in metrics
        ]
        if known:
            found.append({"title": title, "way": way, "measures": known})
    return found
