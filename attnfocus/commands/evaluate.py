"""`attnfocus evaluate run=DIR split=test`: the metrics of the summary, again."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from attnfocus.commands.answers import save_answers
from attnfocus.commands.run import load
from attnfocus.commands.schema import DecodingOverride, EvaluateConfig
from attnfocus.config.read import check
from attnfocus.errors import ConfigError
from attnfocus.report.console import open_console
from attnfocus.report.evaluation import print_evaluation


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Prints the metrics of one split.

    Returns:
        The exit code.
    """
    if not values.get("run"):
        raise ConfigError("run: name the run directory, for example run=outputs/DATE/RUN.")
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
        save_answers(trained.path, evaluation.predictions)  # as training does: a run of an older version gets them too
    if config.format == "json":
        facts = {"run": str(trained.path), "split": config.split, "step": trained.step, "metrics": evaluation.metrics}
        print(json.dumps({**facts, **evaluation.extras, "focus_heads": evaluation.heads}, ensure_ascii=False))
    else:
        title = f"{config.split}, {config.checkpoint} checkpoint (step {trained.step})"
        print_evaluation(open_console(sys.stdout), title, config.split, evaluation.metrics, evaluation.extras)
    return 0
