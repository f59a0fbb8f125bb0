"""Two runs on the same test examples, and the difference of two configurations over their seeds."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import numpy as np

from attnfocus.runs.predictions_file import Answer
from attnfocus.tasks import Task

CONFIDENCE = 0.95


def are_right(answers: Sequence[Answer], task: type[Task]) -> list[bool]:
    """Which answers are right, by the task's own rule."""
    return [task.is_right(answer.prediction, answer.target) for answer in answers]


def p_values(
    task: type[Task],
    baseline: Sequence[Answer],
    other: Sequence[Answer],
    num_resamples: int,
    evaluated: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """Metric -> two-sided p of the hypothesis that both runs are equally good on such examples.

    McNemar's exact test for the share of right answers; the paired bootstrap for metrics of texts (BLEU, chrF);
    a paired randomization test for errors of numbers.

    Args:
        baseline, other: answers to the same examples in the same order.
        num_resamples: of the bootstrap.
        evaluated: what the baseline's summary says of its test.
    """
    references = [answer.target for answer in baseline]
    scorers = task.text_scorers(references, evaluated or {})
    p_of: dict[str, float] = {}
    if scorers:
        outputs, others = ([answer.prediction for answer in answers] for answers in (baseline, other))
        p_of = bootstrap_p(scorers, outputs, others, references, num_resamples)
    if task.right_metric is None:
        ours, theirs = (task.paired_errors([each.prediction for each in of], references) for of in (baseline, other))
        p_of |= {metric: sign_flip_p(ours[metric], theirs[metric], num_resamples) for metric in ours}
    else:
        p_of[task.right_metric] = mcnemar_p(are_right(baseline, task), are_right(other, task))
    return p_of


def sign_flip_p(baseline: Sequence[float], other: Sequence[float], num_resamples: int) -> float:
    """Fisher's paired randomization test of two means (Fisher 1935; Yeh 2000, C00-2137): were the figures of each
    example drawn by lot for one run or the other, how often would the means be as far apart as they are?

    Args:
        baseline, other: what each example adds to the mean, in the same order.
        num_resamples: random signs of the differences, of a fixed seed; the smallest p is 1 / (num_resamples + 1).
    """
    differences = np.subtract(other, baseline)
    if not differences.any():
        return 1.0
    random, found = np.random.default_rng(0), abs(differences.sum()) * (1 - 1e-12)
    signs = (random.integers(0, 2, len(differences)) * 2 - 1 for _ in range(num_resamples))
    as_far = sum(abs(differences @ each) >= found for each in signs)
    return float((as_far + 1) / (num_resamples + 1))


def mcnemar_p(baseline: Sequence[bool], other: Sequence[bool]) -> float:
    """McNemar (1947), exact: of the examples that one alone has right, is either's share other than 1/2?"""
    pairs = list(zip(baseline, other, strict=True))
    lost, won = pairs.count((True, False)), pairs.count((False, True))
    count = lost + won
    term = tail = 1  # whole numbers: the ways to choose so many of `count`, and up to so many
    for place in range(min(lost, won)):
        term = term * (count - place) // (place + 1)
        tail += term
    return min(1.0, 2 * tail / 2**count)  # both sides of the distribution are alike


def bootstrap_p(
    scorers: Mapping[str, Any],
    baseline: Sequence[str],
    other: Sequence[str],
    references: Sequence[str],
    num_resamples: int,
) -> dict[str, float]:
    """sacrebleu's paired bootstrap test (Koehn 2004, W04-3250) of its metrics, with its fixed seed."""
    from sacrebleu.significance import PairedTest

    systems: list[tuple[str, Sequence[str]]] = [("baseline", baseline), ("other", other)]
    _, scores = PairedTest(systems, dict(scorers), [list(references)], test_type="bs", n_samples=num_resamples)()
    results: list[Any] = [scores[name] for name in scores if name != "System"]  # in the order of the scorers
    # sacrebleu calls no difference at all significant: nothing exceeds it, so its p is the smallest there is.
    return {
        metric: 1.0 if ours.score == theirs.score else float(theirs.p_value)
        for metric, (ours, theirs) in zip(scorers, results, strict=True)
    }


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for their number, in their order: the chance that any of them is wrong stays below 5 % where
    each that is below 0.05 is believed (Holm 1979, Scand. J. Statist. 6). It holds however the tests depend on one
    another, as those against one baseline do.
    """
    order = sorted(range(len(values)), key=lambda place: values[place])
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = largest
    return adjusted


def mean_interval(differences: Sequence[float]) -> tuple[float, float] | None:
    """95 % confidence interval of the mean, by Student's t over the seeds; None where they show no spread.

    Each seed gives one difference, so no test set is counted twice (Dror et al. 2018, P18-1128, on paired t;
    Reimers & Gurevych 2017, arXiv:1707.09861, on why seeds).
    """
    from scipy.special import stdtrit  # scipy.stats has the same, and takes over a second to import

    if len(set(differences)) < 2:
        return None
    count, center = len(differences), mean(differences)
    reach = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * stdev(differences) / count**0.5
    return center - reach, center + reach
