"""`attnfocus predict run=DIR`: one line in, one prediction out."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from attnfocus.config.read import check
from attnfocus.data.reading.inputs import open_input
from attnfocus.limits import PositiveInt
from attnfocus.marks import FilePath
from attnfocus.runs.predictions_file import facts_of
from attnfocus.runs.run import load, require_run
from attnfocus.runs.schema import DecodingOverride, RunChoice
from attnfocus.tasks import Prediction


@dataclass(kw_only=True)
class PredictConfig(RunChoice):
    """configs/predict.yaml."""

    input: FilePath = "-"
    format: Literal["text", "jsonl"] = "text"
    batch_size: PositiveInt = 64
    decoding: DecodingOverride = field(default_factory=DecodingOverride)


def run(values: Mapping[str, Any], overrides: Sequence[str]) -> int:
    """Reads lines, writes predictions to stdout as they are made: at once where no further line has arrived.

    Returns:
        The exit code.
    """
    require_run(values)
    config = check(values, PredictConfig)
    if config.input == "-" and sys.stdin.isatty():
        print("attnfocus: type a line for each prediction; Ctrl-D ends.", file=sys.stderr)
    with open_input(config.input) as lines:
        trained = load(
            config.run,
            checkpoint=config.checkpoint,
            device=config.device,
            decoding=config.decoding,
            trust=config.trust,
        )
        wants_weights, num_best = config.format == "jsonl", trained.setup.config.decoding.num_best
        num_skipped = num_unknown = 0
        for prediction in trained.predict(lines, need_weights=wants_weights, batch_size=config.batch_size):
            num_skipped += prediction.skipped is not None
            num_unknown += prediction.unknown == 1
            text = as_json(prediction) if config.format == "jsonl" else as_lines(prediction, num_best)
            sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
            sys.stdout.buffer.flush()
    if num_skipped:
        lines_were = "line was" if num_skipped == 1 else "lines were"
        why = "" if wants_weights else "; format=jsonl says why"
        print(f"attnfocus: {num_skipped} {lines_were} skipped{why}.", file=sys.stderr)
    if num_unknown:
        inputs_have = "input has" if num_unknown == 1 else "inputs have"
        print(f"attnfocus: {num_unknown} {inputs_have} unknown words alone: the answers say nothing.", file=sys.stderr)
    return 0


def one_line(text: str) -> str:
    """The text without line ends of any kind, so that line n of the output belongs to line n of the input."""
    return " ".join(text.splitlines())


def as_lines(prediction: Prediction, num_best: int) -> str:
    """As many lines as outputs were asked for, the best first; empty ones where there are fewer."""
    texts = [candidate.text for candidate in prediction.n_best] or [prediction.text]
    return "\n".join(one_line(text) for text in [*texts, *[""] * (num_best - len(texts))])


def as_json(prediction: Prediction) -> str:
    """A prediction with its probability (`score`: the logarithm), its alignment, and all outputs, as a line of JSON."""
    facts: dict[str, Any] = facts_of(prediction)
    if not prediction.target:
        del facts["target"]  # none is known
    if prediction.skipped is not None:
        return json.dumps(facts, ensure_ascii=False)
    facts["score"] = prediction.score
    if prediction.n_best:
        facts["n_best"] = [
            {"prediction": each.text, "score": each.score, "rank_score": each.rank_score} for each in prediction.n_best
        ]
    facts["tokens"] = list(prediction.key_tokens)
    weights = prediction.weights or {}
    facts["attention"] = {
        name: {"queries": list(prediction.query_tokens.get(name, ())), "weights": _rounded(array)}
        for name, array in weights.items()
    }
    return json.dumps(facts, ensure_ascii=False)


def _rounded(array: Any) -> Any:
    return array.astype(float).round(4).tolist()
