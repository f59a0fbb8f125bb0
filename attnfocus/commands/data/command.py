"""`attnfocus data dataset=...`: reads a data set as training would, and shows what is in it; nothing is trained."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from attnfocus.commands.data.figures import drawings_of
from attnfocus.commands.data.table import Look, facts_of, print_look
from attnfocus.commands.data.unknown import frequent_unknown
from attnfocus.config.check import Checker
from attnfocus.config.read import save_yaml
from attnfocus.config.targets import make_factory
from attnfocus.data.preparation import Prepared, prepare
from attnfocus.display.console import open_console, say
from attnfocus.display.drawings import write_drawings
from attnfocus.display.figure_choices import FigureOptions
from attnfocus.errors import ConfigError
from attnfocus.files import strict_json, write_json_atomically, writing
from attnfocus.layout import DATA_FILE
from attnfocus.limits import PositiveInt
from attnfocus.redaction import redact
from attnfocus.runs.assembly import check_train, folder_of_data
from attnfocus.runs.claim import new_run_dir
from attnfocus.runs.data_summary import WARNING, statistics_of, summary_lines, unit_of
from attnfocus.runs.dataset import CheckedDataset, check_dataset
from attnfocus.runs.evaluation import validated
from attnfocus.runs.schema import TrainConfig

RESULTS_FILE = "data.json"
OWN = ("format", "files", "style", "width")  # keys that training does not have
SAVED = ("dataset", "seed", "paths", "choices")  # the keys that say what was looked at


@dataclass(kw_only=True)
class DataConfig(FigureOptions, TrainConfig):
    """configs/data.yaml: all that `train` takes, so that a command of the one is a command of the other."""

    format: Literal["table", "json"] = "table"
    max_jobs: PositiveInt = 1000


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Reads the data, writes figures and data.json, prints tables.

    Returns:
        The exit code.
    """
    config, dataset = _checked(values)
    if any(text.startswith("model=") for text in overrides):  # else nobody has said what is to be trained
        check_train({key: value for key, value in values.items() if key not in OWN}, config.trust)
    name = config.choices.get("dataset", "own")
    say(open_console(), f"dataset={name}", style="bold")
    prepared = _prepared(config, dataset)
    prepared.report.extend(_remarks(config, dataset, prepared))
    statistics = statistics_of(prepared)
    lines = summary_lines(prepared, statistics, dataset.options, config.trainer)
    warnings = [line for line in [*prepared.report, *lines] if line.startswith(WARNING)]
    report = [line for line in prepared.report if not line.startswith(WARNING)]
    look = Look(name, prepared, unit_of(prepared), statistics, frequent_unknown(prepared), report, warnings)
    folder = new_run_dir(config.run_dir, str(Path(config.paths.outputs) / "data"), name)
    with writing("run_dir" if config.run_dir else "paths.outputs", folder):
        _write(folder, look, {key: values[key] for key in SAVED})
        write_drawings(folder, drawings_of(look), config)
    if config.format == "json":
        print(json.dumps(strict_json(facts_of(look)), ensure_ascii=False, indent=2))
    else:
        print_look(open_console(sys.stdout), look)
    say(open_console(), f"\nresults  {folder}", wrap=False)
    return 0


def check_data(values: Mapping[str, Any]) -> None:
    """What can be checked before data are read.

    Raises:
        ConfigError: every problem at once.
    """
    _checked(values)


def _checked(values: Mapping[str, Any]) -> tuple[DataConfig, CheckedDataset]:
    trusted = tuple(values.get("trust", ()))
    checker = Checker(trusted)
    config = checker.dataclass("", values, DataConfig)
    dataset = None if config is None else check_dataset(config.dataset, checker)
    if config is None or dataset is None or checker.problems:
        raise ConfigError(checker.problems)
    config.check_width()
    if config.resume or config.sweep.resume:
        raise ConfigError("resume: data looks at a data set, and no run goes on. Give the dataset=... of that run.")
    return config, dataset


def _prepared(config: DataConfig, dataset: CheckedDataset) -> Prepared:
    try:
        source = make_factory(dataset.source, config.trust)()
    except ValueError as error:
        raise ConfigError(f"dataset: {error}") from None
    problem = dataset.task_problem(source)
    if problem is not None:
        raise ConfigError(problem)
    return prepare(source, dataset.options, folder_of_data(config.paths), config.seed, dataset.codecs)


def _remarks(config: DataConfig, dataset: CheckedDataset, prepared: Prepared) -> list[str]:
    """What training would say of the metrics that these rows can have."""
    trainer = config.trainer
    own: dict[str, Any] = {} if trainer.bleu_tokenizer is None else {"bleu_tokenizer": trainer.bleu_tokenizer}
    task = dataset.task_class(prepared.codec, **own)
    rows = prepared.splits[validated(prepared)].rows
    return task.remarks(rows, trainer.monitor or task.monitor_for(rows), config.decoding)


def _write(folder: Path, look: Look, values: Mapping[str, Any]) -> None:
    save_yaml(folder / DATA_FILE, redact(values))
    write_json_atomically(folder / RESULTS_FILE, facts_of(look))
