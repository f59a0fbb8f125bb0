"""`attnfocus evaluate run=DIR split=test`: the metrics of the summary, again."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from attnfocus.commands.evaluate.table import print_evaluation, print_faithfulness
from attnfocus.config.read import check
from attnfocus.display.classes import ClassTable
from attnfocus.display.console import open_console
from attnfocus.limits import PositiveInt
from attnfocus.runs.class_files import save_classes
from attnfocus.runs.faithfulness_file import save_faithfulness
from attnfocus.runs.predictions_file import save_answers
from attnfocus.runs.run import load, require_run
from attnfocus.runs.schema import DataPath, DecodingOverride, RunChoice


@dataclass(kw_only=True)
class EvaluateConfig(RunChoice):
    """configs/evaluate.yaml."""

    split: Literal["train", "valid", "test"] = "test"
    format: Literal["table", "json"] = "table"
    faithfulness: bool = False
    faithfulness_examples: PositiveInt = 64
    paths: DataPath = field(default_factory=DataPath)
    decoding: DecodingOverride = field(default_factory=DecodingOverride)


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Prints the metrics of one split, and what faithfulness comes to where that is asked for.

    Returns:
        The exit code.
    """
    require_run(values)
    config = check(values, EvaluateConfig)
    trained = load(
        config.run,
        checkpoint=config.checkpoint,
        device=config.device,
        decoding=config.decoding,
        data=config.paths.data,
        trust=config.trust,
    )
    evaluation = trained.evaluate(config.split)
    if (config.split, config.checkpoint, config.decoding) == ("test", "best", DecodingOverride()):
        kind = trained.codec.input_kind  # saved as training does: a run of an older version gets them too
        save_answers(trained.path, evaluation.predictions, input_kind=kind)
        classes = ClassTable.of(evaluation.extras)
        if classes is not None:
            save_classes(trained.path, classes)
    console = open_console(sys.stdout)
    if config.format == "table":
        title = f"{config.split}, {config.checkpoint} checkpoint (step {trained.step})"
        print_evaluation(console, title, config.split, evaluation.metrics, evaluation.extras)
    tested = trained.faithfulness(config.split, config.faithfulness_examples) if config.faithfulness else None
    if tested is not None and (config.split, config.checkpoint) == ("test", "best"):
        save_faithfulness(trained.path, tested, trained.step)
    if config.format == "json":
        facts = {"run": str(trained.path), "split": config.split, "step": trained.step, "metrics": evaluation.metrics}
        more = {} if tested is None else {"faithfulness": tested.facts()}
        facts |= {**evaluation.extras, "focus_heads": evaluation.heads, **more}
        print(json.dumps(facts, ensure_ascii=False))
    elif tested is not None:
        print_faithfulness(console, tested)
    return 0
