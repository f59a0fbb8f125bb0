"""`attnfocus evaluate run=DIR split=test`: the metrics of the summary, again; or those of other data."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from attnfocus.commands.evaluate.figure import figure_of
from attnfocus.commands.evaluate.new_rows import notes_of, rows_facts
from attnfocus.commands.evaluate.table import print_evaluation, print_faithfulness, print_heads
from attnfocus.config.read import check
from attnfocus.display.classes import ClassTable
from attnfocus.display.console import open_console, say
from attnfocus.explanation.faithfulness import require_probabilities
from attnfocus.files import write_json_atomically, writing
from attnfocus.limits import PositiveInt
from attnfocus.marks import FilePath
from attnfocus.runs.class_files import save_classes
from attnfocus.runs.faithfulness_file import save_faithfulness
from attnfocus.runs.heads_file import save_heads
from attnfocus.runs.loader import load
from attnfocus.runs.other_data import SPLITS_ALONE
from attnfocus.runs.predictions_file import save_answers, write_answers
from attnfocus.runs.schema import DataChoice, DecodingOverride, RunChoice
from attnfocus.tasks import Evaluation

METRICS_FILE, PREDICTIONS_FILE = "metrics.json", "predictions.jsonl"  # in `output`


@dataclass(kw_only=True)
class EvaluateConfig(RunChoice, DataChoice):
    """configs/evaluate.yaml."""

    split: Literal["train", "valid", "test"] = "test"
    format: Literal["table", "json"] = "table"
    faithfulness: bool = False
    faithfulness_examples: PositiveInt | None = None
    heads: bool = False
    heads_examples: PositiveInt = 64
    output: FilePath | None = None
    decoding: DecodingOverride = field(default_factory=DecodingOverride)


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Prints the metrics of one split, and what faithfulness comes to where that is asked for.

    Returns:
        The exit code.
    """
    config = check(values, EvaluateConfig)
    trained = load(
        config.run,
        checkpoint=config.checkpoint,
        device=config.device,
        decoding=config.decoding,
        data=config.paths.data,
        dataset=config.dataset.given,
        trust=config.trust,
    )
    if config.faithfulness:
        require_probabilities(trained.setup.task_class)
    new = trained.new_rows(config.split)
    for other in [split for split in SPLITS_ALONE if split in config.dataset.given and split != config.split]:
        say(
            open_console(sys.stderr), f"split={config.split}: dataset.{other} is not measured; split={other} does that."
        )
    evaluation = trained.evaluate(config.split)
    is_tested = new is None and (config.split, trained.checkpoint) == ("test", "best")
    if is_tested and config.decoding == DecodingOverride():
        kind = trained.codec.input_kind  # saved as training does: a run of an older version gets them too
        save_answers(trained.path, evaluation.predictions, input_kind=kind)
        classes = ClassTable.of(evaluation.extras)
        if classes is not None:
            save_classes(trained.path, classes)
    if new is not None:
        for note in notes_of(new, config.split, trained, evaluation):
            say(open_console(sys.stderr), note)
    console = open_console(sys.stdout)
    if config.format == "table":
        of_file = "" if new is None else f" of {_file_name(config.dataset.given[config.split])}"
        title = f"{config.split}{of_file}, {trained.checkpoint} checkpoint (step {trained.step})"
        print_evaluation(console, title, config.split, evaluation.metrics, evaluation.extras)
    tested = trained.faithfulness(config.split, config.faithfulness_examples) if config.faithfulness else None
    if tested is not None and is_tested:
        save_faithfulness(trained.path, tested, trained.step, figure_of(tested))
    heads = trained.heads(config.split, config.heads_examples, "mean") if config.heads else None
    if heads is not None and is_tested:
        save_heads(trained.path, heads, trained.step)
    facts = {"run": str(trained.path), "split": config.split, "step": trained.step, "metrics": evaluation.metrics}
    more = {} if tested is None else {"faithfulness": tested.facts()}
    more |= {} if heads is None else {"heads": heads.facts()}
    of_rows = {} if new is None else rows_facts(new)
    facts |= {**of_rows, **evaluation.extras, "focus_heads": evaluation.heads, **more}
    if config.output is not None:
        _save(Path(config.output).expanduser().resolve(), facts, evaluation)
    if config.format == "json":
        print(json.dumps(facts, ensure_ascii=False))
        return 0
    if tested is not None:
        print_faithfulness(console, tested)
    if heads is not None:
        print_heads(console, heads)
    return 0


def _file_name(given: str | list[str]) -> str:
    first, *more = [given] if isinstance(given, str) else given
    return f"{Path(first).name} and {len(more)} more" if more else Path(first).name


def _save(folder: Path, facts: Mapping[str, Any], evaluation: Evaluation) -> None:
    with writing("output", folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json_atomically(folder / METRICS_FILE, facts)
        write_answers(folder / PREDICTIONS_FILE, evaluation.predictions)
    for name in (METRICS_FILE, PREDICTIONS_FILE):
        say(open_console(sys.stderr), f"wrote {folder / name}", wrap=False)
