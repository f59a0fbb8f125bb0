"""Run directories as `compare` reads them, written by hand: no model is trained."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from attnfocus.commands.compare.command import compared, ordered_configurations
from attnfocus.commands.compare.runs import find_runs, read_runs
from attnfocus.commands.compare.sections import Section

CHOICES = {"model": "pooling_classifier", "attention": "dot", "dataset": "identity"}


def configuration(**options: Any) -> dict[str, Any]:
    """A small configuration; `options` replace values by dotted key written with `__`."""
    config: dict[str, Any] = {
        "seed": 1,
        "device": "auto",
        "paths": {"outputs": "outputs"},
        "optimizer": {"_target_": "attnfocus.training.adam", "lr": 0.1},
        "attention": {
            "_target_": "attnfocus.attention.Attention",
            "score": {"_target_": "attnfocus.attention.DotScore"},
        },
        "dataset": {"_target_": "attnfocus.data.Identity", "task": "classification"},
        "trainer": {"max_epochs": 1, "log_every_steps": 50},
        "choices": dict(CHOICES),
    }
    for key, value in options.items():
        *sections, name = key.split("__")
        node = config
        for section in sections:
            node = node[section]
        node[name] = value
    return config


def additive(hidden_size: int) -> dict[str, Any]:
    """What `attention=additive` changes of `configuration`."""
    score = {"_target_": "attnfocus.attention.AdditiveScore", "hidden_size": hidden_size}
    return {"attention__score": score, "choices__attention": "additive"}


def write_run(
    folder: Path,
    right: Sequence[bool] | None = (True, False),
    *,
    digest: str = "abc",
    summary: Mapping[str, Any] | None = None,
    **options: Any,
) -> Path:
    """A finished classifier that has these test examples right; None: its answers were not kept."""
    (folder / "data").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration(**options), allow_unicode=True), encoding="utf-8")
    (folder / "data" / "fingerprints.json").write_text(json.dumps({"test": digest}))
    accuracy = 0.5 if right is None else sum(right) / len(right)
    facts = {
        "status": "completed",
        "device": "cpu",
        "seconds": 2.5,
        "parameters": 10,
        "words_per_second": 100.0,
        "best": {"metric": "accuracy", "value": accuracy, "step": 3},
        "test": {"loss": 1.0, "accuracy": accuracy, "confusion_matrix": [[1]]},
    }
    (folder / "summary.json").write_text(json.dumps({**facts, **(summary or {})}))
    if right is not None:
        lines = [{"id": str(n), "prediction": str(int(is_right)), "target": "1"} for n, is_right in enumerate(right)]
        (folder / "predictions-test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def sections(*places: Path, baseline: Path | None = None) -> list[Section]:
    runs, _ = read_runs(find_runs([str(place) for place in places]))
    return compared(ordered_configurations(runs, baseline), num_resamples=100)
