"""Configurations side by side, for programs: CSV, and plain values for JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from attnfocus.commands.compare.sections import Section, direction_of
from attnfocus.files import csv_text, path_from


def results_csv(sections: Sequence[Section], folder: Path) -> str:
    """A row for each configuration: labels, runs, seeds, mean and standard deviation of every metric, directories.

    The directories are named as from `folder`.
    """
    every = [row for section in sections for row in section.rows]
    keys = list(dict.fromkeys(key for row in every for key in row.labels))
    metrics = list(dict.fromkeys(name for row in every for name in row.values))
    columns = [column for name in metrics for column in (name, f"{name} sd")]
    lines: list[Sequence[object]] = [["task", "dataset", *keys, "runs", "seeds", *columns, "run_dirs"]]
    for section in sections:
        for row in section.rows:
            spreads = [row.spread(name) for name in metrics]
            numbers = [value for each in spreads for value in ((each.mean, each.deviation) if each else (None, None))]
            labels = [row.labels.get(key) for key in keys]
            seeds, folders = " ".join(map(str, row.seeds)), ";".join(path_from(folder, path) for path in row.run_dirs)
            lines.append([section.task, section.dataset, *labels, len(row.seeds), seeds, *numbers, folders])
    return csv_text(lines)


def tidy_csv(sections: Sequence[Section], folder: Path) -> str:
    """A row for each run and metric: task, dataset, configuration, labels, seed, metric, which way is better, value."""
    every = [row for section in sections for row in section.rows]
    keys = list(dict.fromkeys(key for row in every for key in row.labels))
    head = ["task", "dataset", "configuration", *keys, "seed", "metric", "better", "value", "run_dir"]
    lines: list[Sequence[object]] = [head]
    for section in sections:
        for row in section.rows:
            start = [section.task, section.dataset, row.name, *(row.labels.get(key) for key in keys)]
            for seed, path, metrics in zip(row.seeds, row.run_dirs, row.runs, strict=True):
                place = path_from(folder, path)
                lines += [
                    [*start, seed, name, direction_of(section, name), value, place] for name, value in metrics.items()
                ]
    return csv_text(lines)


def differences_csv(sections: Sequence[Section]) -> str:
    """A row for each configuration, metric and seed: the difference, its p alone and
    corrected for the number of configurations; and over the seeds mean and interval."""
    head = ["task", "dataset", "baseline", "configuration", "metric", "seed", "difference", "p"]
    lines: list[Sequence[object]] = [[*head, "p_holm", "mean", "low", "high", "remark"]]
    for section in sections:
        start = [section.task, section.dataset, section.rows[0].name]
        for each in section.differences:
            over_seeds = [mean(each.by_seed.values()) if each.by_seed else None, *(each.interval or (None, None))]
            for seed, value in each.by_seed.items() or [(None, None)]:
                found = [None, None] if seed is None else [each.p_values.get(seed), each.corrected.get(seed)]
                own = [seed, value, *found]
                lines.append([*start, each.name, each.metric, *own, *over_seeds, each.remark])
    return csv_text(lines)


def as_facts(sections: Sequence[Section], left_out: Mapping[Path, str], folder: Path) -> dict[str, Any]:
    """Everything, for programs: the values of each run, the differences of each seed; directories as from `folder`."""
    return {
        "sections": [
            {
                "task": section.task,
                "dataset": section.dataset,
                "configurations": [
                    {
                        "name": row.name,
                        "labels": row.labels,
                        "seeds": row.seeds,
                        "run_dirs": [path_from(folder, path) for path in row.run_dirs],
                        "values": row.values,
                        "mean": {name: spread.mean for name in row.values if (spread := row.spread(name))},
                        "sd": {name: spread.deviation for name in row.values if (spread := row.spread(name))},
                    }
                    for row in section.rows
                ],
                "differences": [vars(difference) for difference in section.differences],
            }
            for section in sections
        ],
        "left_out": {path_from(folder, path): reason for path, reason in left_out.items()},
    }
