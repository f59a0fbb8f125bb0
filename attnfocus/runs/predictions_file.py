"""predictions-test.jsonl: what a run answered to each test example, so that runs can be compared example by example."""

import json
import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnfocus.layout import ANSWERS_FILE
from attnfocus.regular_files import read_lines, replace_file
from attnfocus.tasks import Prediction

MAX_LINE_BYTES = 2**24  # a text and two answers

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """One line of the file. `prediction` is the output text, or the label."""

    id: str
    prediction: str
    target: str


def facts_of(prediction: Prediction) -> dict[str, object]:
    """A prediction as JSON: id, source, prediction, target, and why it was skipped, or else how sure the model was.

    `probability` is that of the prediction, `probabilities` those of all classes where answers are classes; `unknown`
    is the share of the input's tokens that the model does not know, where an input has tokens.
    """
    named = {"id": prediction.id, "source": prediction.source, "prediction": prediction.text}
    facts: dict[str, object] = {**named, "target": prediction.target}
    if prediction.is_number:
        facts["prediction"] = float(prediction.text)
    if prediction.skipped is not None:
        return {**facts, "skipped": prediction.skipped}
    if math.isfinite(prediction.score):
        facts["probability"] = rounded(prediction.probability)
    if prediction.labels:
        facts["probabilities"] = {label: rounded(share) for label, share in prediction.probabilities.items()}
    if prediction.unknown is not None:
        facts["unknown"] = round(prediction.unknown, 4)
    return facts


def rounded(probability: float) -> float:
    """To six significant digits: the rest is noise of float32."""
    return float(f"{probability:.6g}")


def save_answers(run_dir: Path, predictions: Sequence[Prediction], *, input_kind: str = "text") -> None:
    """Writes a line of JSON for each example, see `facts_of`; the source is left out where it is no text but vectors.

    The file is whole or not there. A full disk is told and does not fail the run; an older file, which would belong to
    other weights, then goes.
    """
    path = run_dir / ANSWERS_FILE
    try:
        write_answers(path, predictions, input_kind=input_kind)
    except OSError as error:
        logger.warning("%s could not be written (%s)", path, error.strerror or error)
        with suppress(OSError):
            path.unlink(missing_ok=True)


def write_answers(path: Path, predictions: Sequence[Prediction], *, input_kind: str = "text") -> None:
    """The lines of `save_answers`, in any file.

    Raises:
        OSError: it cannot be written.
    """
    lines = [facts_of(prediction) for prediction in predictions]
    if input_kind != "text":
        lines = [{name: value for name, value in line.items() if name != "source"} for line in lines]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    replace_file(path, text.encode("utf-8", "backslashreplace"))


def load_answers(run_dir: Path) -> tuple[Answer, ...]:
    """The lines of the file, in its order.

    Raises:
        OSError: it is not there or cannot be read.
        ValueError: it is damaged.
    """
    names = ("id", "prediction", "target")
    return tuple(Answer(**{name: str(row[name]) for name in names}) for row in answered_rows(run_dir))


def answered_rows(run_dir: Path) -> Iterator[dict[str, Any]]:
    """The lines of the file one after another, as `facts_of` has made them.

    Raises:
        OSError: it is not there or cannot be read.
        ValueError: it is damaged.
    """
    for line in read_lines(run_dir / ANSWERS_FILE, MAX_LINE_BYTES):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except RecursionError as error:
            raise ValueError(f"a line of {ANSWERS_FILE} is nested too deeply") from error
        if not isinstance(row, dict) or not {"id", "prediction", "target"} <= row.keys():
            raise ValueError(f"a line of {ANSWERS_FILE} lacks id, prediction or target")
        yield row
