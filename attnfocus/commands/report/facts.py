"""What the script of a report reads besides its examples: numbers and texts, nothing drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from attnfocus.commands.report.answers import Row, facts_of, intervals, most_confused
from attnfocus.commands.report.evidence import Evidence, Looked
from attnfocus.commands.report.examples import Examples
from attnfocus.commands.report.material import Material
from attnfocus.config.key_table import flat
from attnfocus.data.statistics import SplitStatistics
from attnfocus.display.classes import ClassTable
from attnfocus.display.curves import thinned
from attnfocus.display.text import metric_name
from attnfocus.files import strict_json
from attnfocus.marks import Mark
from attnfocus.redaction import redact
from attnfocus.runs.config import RunConfig
from attnfocus.runs.data_summary import majority_accuracy, unit_of
from attnfocus.runs.evaluation import validated
from attnfocus.training import monitored
from attnfocus.visible import visible

MAX_LABELS = 30  # of a matrix of classes
MAX_POINTS = 300  # of a curve
MAX_CLASSES = 20  # of a table of the data


def example_facts(examples: Examples, listed: Sequence[Row], looked: Looked) -> dict[str, Any]:
    """What the report says of its examples, and of the rows that it lists, some of which are examples.

    Args:
        looked: what of the wrong rows looked at the evidence.
    """
    places = {name: place for place, name in enumerate(examples.ids)}
    return {
        "groups": examples.groups,
        "left_out": {**examples.left_out, "reason": visible(examples.reason)},
        "answers": [
            {**facts_of(row, places.get(row.id)), "evidence": _evidence(looked.of_rows.get(row.id))} for row in listed
        ],
        "evidence": {
            "known": len(looked.of_rows),
            "read": sum(each.is_read for each in looked.of_rows.values()),
            "left": looked.left_out,
        },
    }


def _evidence(each: Evidence | None) -> list[Any] | None:
    return None if each is None else [round(each.share, 4), round(each.uniform, 4), each.is_read]


def report_facts(material: Material) -> dict[str, Any]:
    """Everything besides, in types that JSON has."""
    answers = material.answers
    shown: dict[str, Any] = {
        "run": _run(material),
        "metrics": _metrics(material),
        "best": None if material.summary.best is None else asdict(material.summary.best),
        "splits": {name: each.num_rows for name, each in material.statistics.items()},
        "validated": validated(material.prepared),
        "curves": _curves(material),
        "confusion": _confusion(material),
        "counts": {
            "all": len(answers.rows),
            "wrong": sum(not row.is_right for row in answers.rows),
            "skipped": answers.skipped,
            "is_whole": answers.is_whole,
        },
        "is_written": material.trained.task.writes,
        "heads": _heads(material),
        "labels": {name: visible(label) for name, label in material.trained.model.labels().items()},
        "data": {name: _split(each) for name, each in material.statistics.items()},
        "unit": unit_of(material.prepared),
        "config": _changed(material),
    }
    found: dict[str, Any] = strict_json(shown)
    return found


def _run(material: Material) -> dict[str, Any]:
    plain = asdict(material.summary)
    names = ("status", "reason", "started", "command", "device", "threads", "git", "versions", "parameters")
    return {
        **redact({name: plain[name] for name in (*names, "seconds", "steps", "epochs", "words_per_second")}),
        "folder": visible(material.run_dir.name),
        "beam": material.config.setup.config.decoding.beam_size,
    }


def _monitored(material: Material) -> tuple[str, str]:
    best = material.summary.best
    if best is not None:
        return best.metric, material.summary.directions.get(best.metric, "")
    return monitored(material.config.setup.config.trainer, material.trained.task)


def _metrics(material: Material) -> list[dict[str, Any]]:
    """Of each metric its value on valid at the best step and on test, and what simpler answers get."""
    summary = material.summary
    best, test = summary.best, summary.test
    valid: Mapping[str, Any] = next(
        (line for line in material.lines if line["split"] == "valid" and best and line["step"] == best.step), {}
    )
    directions = {**material.config.setup.directions, **summary.directions}
    names = [name for name in directions if isinstance(test.get(name), int | float) or valid.get(name) is not None]
    first = best.metric if best else ""
    names.sort(key=lambda name: (name == "loss", name != first, name.count("/")))
    ends = intervals(material.answers.rows, test, test) if material.answers.is_whole else {}
    baselines = {"majority": majority_accuracy(material.statistics)}
    if summary.baseline and isinstance(summary.baseline.get("accuracy"), dict):
        baselines["linear"] = summary.baseline["accuracy"]
    return [
        {
            "name": metric_name(name),
            "better": directions[name],
            "valid": valid.get(name),
            "test": test.get(name),
            "ends": ends.get(name),
            "baselines": {key: each for key, each in baselines.items() if each} if name == "accuracy" else {},
        }
        for name in names
    ]


def _curves(material: Material) -> list[dict[str, Any]]:
    """The loss of train and valid, and the monitored metric, else the task's first, on valid."""
    metric, _ = _monitored(material)
    if metric == "loss":
        logged = {name for line in material.lines if line["split"] == "valid" for name in line}
        usual = ("accuracy", "bleu", *material.config.setup.directions)
        metric = next((name for name in usual if name in logged), metric)
    shares = material.trained.task.shares
    found = []
    for name in dict.fromkeys(("loss", metric)):
        series = {split: _series(material, split, name) for split in ("train", "valid")}
        series = {split: each for split, each in series.items() if each["steps"]}
        if series:
            found.append({"name": metric_name(name), "share": name in shares, "of": series})
    return found


def _series(material: Material, split: str, name: str) -> dict[str, list[Any]]:
    lines = [line for line in material.lines if line["split"] == split and line.get(name) is not None]
    lines = thinned(lines, MAX_POINTS)
    return {"steps": [line["step"] for line in lines], "values": [line[name] for line in lines]}


def _confusion(material: Material) -> dict[str, Any] | None:
    table = ClassTable.of(material.summary.test)
    if table is None:
        return None
    places = list(range(len(table.labels)))
    if len(places) > MAX_LABELS:
        places = most_confused(table.matrix, MAX_LABELS)
    return {
        "labels": [visible(str(table.labels[place])) for place in places],
        "matrix": [[table.matrix[row][column] for column in places] for row in places],
        "rows": [sum(table.matrix[row]) for row in places],
        "of": len(table.labels),
    }


def _heads(material: Material) -> dict[str, dict[str, list[Any]]]:
    """Attention -> measure -> a value for each head, over the test split; else over the last evaluation of valid."""
    found = material.summary.test.get("focus_heads")
    return found if isinstance(found, dict) else {}


def _split(each: SplitStatistics) -> dict[str, Any]:
    classes = sorted(each.classes.items(), key=lambda pair: -pair[1])
    return {
        "rows": each.num_rows,
        "lengths": {
            side: {"median": sizes.median, "most": sizes.quantile(0.95), "longest": sizes.longest}
            for side, sizes in each.lengths.items()
        },
        "unknown": dict(each.unknown),
        "classes": [[visible(label), count] for label, count in classes[:MAX_CLASSES]],
        "of_classes": len(classes),
    }


def _changed(material: Material) -> list[list[Any]]:
    """Key, value and default of every option that is not what it is by default, without secrets."""
    config = material.config
    options, defaults = flat(redact(config.saved())), config.keys.defaults
    changed = {key: value for key, value in options.items() if key not in defaults or defaults[key] != value}
    return [
        [visible(key), visible(str(value)), visible(str(defaults[key])) if key in defaults else None]
        for key, value in sorted(changed.items())
        if value not in ({}, []) and not _is_known(key, value, config)
    ]


def _is_known(key: str, value: Any, config: RunConfig) -> bool:
    """Of the command, a place of this machine, or what the names of the choices at the top say already."""
    if key.rpartition(".")[2] == "_target_":
        return str(value).startswith("attnfocus.")
    is_of_all = key not in config.keys.defaults and config.keys.has(key, Mark.NO_EFFECT)
    return is_of_all or key.startswith(("paths.", "choices.")) or config.keys.has(key, Mark.OF_COMMAND)
