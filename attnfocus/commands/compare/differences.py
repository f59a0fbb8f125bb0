"""How far a configuration is from the baseline, seed by seed, and whether its test answers say so."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from attnfocus.commands.compare.configurations import Configuration
from attnfocus.commands.compare.runs import ComparedRun
from attnfocus.commands.compare.sections import Difference
from attnfocus.commands.compare.significance import are_right, holm, mean_interval, p_values
from attnfocus.layout import ANSWERS_FILE, FINGERPRINTS_FILE
from attnfocus.runs.folder import WITH_NAMES
from attnfocus.runs.predictions_file import Answer, load_answers

TOLERANCE = 1e-6  # a metric of a summary has seven digits


class UntestedError(Exception):
    """Why two runs cannot be tested against each other."""


def differences_to(
    baseline: Configuration,
    others: Iterable[tuple[str, Configuration]],
    num_resamples: int,
    deadline: float = math.inf,
) -> list[Difference]:
    """Of each of the others, by their names; p is corrected for their number. Answers of the baseline are read once.

    After `deadline` (of `time.monotonic`) no test begins, and the differences that have none say so.
    """

    @cache
    def answers_of(seed: int) -> Sequence[Answer]:
        return _answers(baseline.by_seed[seed])

    def baseline_answers(seed: int) -> Sequence[Answer]:
        if time.monotonic() > deadline:
            raise UntestedError("there was no time left for its test; attnfocus compare takes its time")
        return answers_of(seed)

    found = [_differences_of(name, baseline, other, num_resamples, baseline_answers) for name, other in others]
    return _corrected([difference for of_one in found for difference in of_one])


def _differences_of(
    name: str,
    baseline: Configuration,
    other: Configuration,
    num_resamples: int,
    answers_of: Callable[[int], Sequence[Answer]],
) -> list[Difference]:
    """One difference for each metric that can be tested, seed by seed; a remark where something cannot be.

    `answers_of` gives those of the baseline, by the seed.
    """
    seeds = [seed for seed in baseline.by_seed if seed in other.by_seed]
    pairs = {seed: (baseline.by_seed[seed], other.by_seed[seed]) for seed in seeds}
    task = baseline.runs[0].task_class
    if task is None:
        package = baseline.runs[0].task.split(".")[0]
        why = f"not tested: the task is of a package of your own. Add trust=[{package}] to the command"
        return [Difference(name, baseline.runs[0].task, remark=why)]
    apart = [str(seed) for seed, (left, right) in pairs.items() if not _same_test_rows(left, right)]
    if not pairs or apart:
        why = "no seed in common with the baseline"
        if apart:
            why = f"other test examples (seed {', '.join(apart)}: data/{FINGERPRINTS_FILE} differ or are missing)"
        return [Difference(name, metric, remark=f"not compared: {why}") for metric in task.tested]
    found: dict[str, dict[int, float]] = {metric: {} for metric in task.tested}
    remarks: dict[str, None] = {}
    for seed, pair in pairs.items():
        try:
            ours, theirs = answers_of(seed), _answers(pair[1])
            if [_example(answer) for answer in ours] != [_example(answer) for answer in theirs]:
                raise UntestedError(f"{ANSWERS_FILE} of {pair[0].path} and {pair[1].path} are of other examples")
            tested = p_values(task, ours, theirs, num_resamples, pair[0].evaluated)
        except UntestedError as error:
            remarks[f"no p for seed {seed}: {error}"] = None
            continue
        for metric, p in tested.items():
            found[metric][seed] = p
    differences = []
    differing: dict[str, str] = {}
    for left, right in pairs.values():
        differing |= task.incomparable(left.evaluated, right.evaluated)
    for metric, p_of_seeds in found.items():
        if metric in differing:
            differences.append(Difference(name, metric, remark=f"not compared: {differing[metric]}"))
            continue
        by_seed = _differences(f"test/{metric}", pairs)
        interval = mean_interval(list(by_seed.values()))
        differences.append(Difference(name, metric, by_seed, interval, p_of_seeds, "; ".join(remarks)))
    return differences


def _corrected(differences: Sequence[Difference]) -> list[Difference]:
    """With each p corrected for how many configurations are compared by this metric and seed."""
    found: dict[tuple[str, int], dict[int, float]] = {}
    for place, each in enumerate(differences):
        for seed, p in each.p_values.items():
            found.setdefault((each.metric, seed), {})[place] = p
    by_place: dict[int, dict[int, float]] = {}
    for (_, seed), values in found.items():
        for place, p in zip(values, holm(list(values.values())), strict=True):
            by_place.setdefault(place, {})[seed] = p
    return [
        replace(each, corrected={seed: by_place[place][seed] for seed in each.p_values})
        for place, each in enumerate(differences)
    ]


def _differences(key: str, pairs: Mapping[int, tuple[ComparedRun, ComparedRun]]) -> dict[int, float]:
    """Seed -> the metric of the second run less that of the first, where both have it."""
    return {
        seed: other.metrics[key] - baseline.metrics[key]
        for seed, (baseline, other) in pairs.items()
        if key in baseline.metrics and key in other.metrics
    }


def _same_test_rows(left: ComparedRun, right: ComparedRun) -> bool:
    """By one of the marks that both have: those of older runs tell of the names of rows too."""
    marks = [{run.digests.get(name) for name in ("test", f"test{WITH_NAMES}")} - {None} for run in (left, right)]
    return bool(marks[0] & marks[1])


def _example(answer: Answer) -> tuple[str, str]:
    """Which row it answers: without its split, as runs of before call the rows that were drawn for test `train:12`."""
    return answer.id.removeprefix("train:").removeprefix("test:"), answer.target


def _answers(run: ComparedRun) -> Sequence[Answer]:
    """The answers of a run to its test examples.

    Raises:
        UntestedError: they are not there, damaged, or not of its summary.
    """
    way_out = f"attnfocus evaluate run={run.path} writes it"
    try:
        answers = load_answers(run.path)
    except FileNotFoundError as error:
        raise UntestedError(f"{run.path} has no {ANSWERS_FILE}; {way_out}") from error
    except (OSError, ValueError) as error:
        raise UntestedError(f"{run.path / ANSWERS_FILE} cannot be read; {way_out}") from error
    task = run.task_class
    assert task is not None
    if task.right_metric is None:
        return answers
    right = are_right(answers, task)
    said = run.metrics.get(f"test/{task.right_metric}")
    if not right or said is None or abs(sum(right) / len(right) - said) > TOLERANCE:
        raise UntestedError(f"{run.path / ANSWERS_FILE} is not what the summary tells of; {way_out}")
    return answers
