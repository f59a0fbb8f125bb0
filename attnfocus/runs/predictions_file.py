"""predictions-test.jsonl: what a run answered to each test example, so that runs can be compared example by example."""

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

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


def save_answers(run_dir: Path, predictions: Sequence[Prediction]) -> None:
    """Writes a line of JSON for each example: id, prediction, target. The file is whole or not there.

    A full disk is told and does not fail the run; an older file, which would belong to other weights, then goes.
    """
    path = run_dir / ANSWERS_FILE
    lines = [{"id": each.id, "prediction": each.text, "target": each.target} for each in predictions]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    try:
        replace_file(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        logger.warning("%s could not be written (%s)", path, error.strerror or error)
        with suppress(OSError):
            path.unlink(missing_ok=True)


def load_answers(run_dir: Path) -> tuple[Answer, ...]:
    """The lines of the file, in its order.

    Raises:
        OSError: it is not there or cannot be read.
        ValueError: it is damaged.
    """
    lines = read_lines(run_dir / ANSWERS_FILE, MAX_LINE_BYTES)
    try:
        return tuple(_answer(json.loads(line)) for line in lines if line.strip())
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__} in a line of {ANSWERS_FILE}") from error


def _answer(line: dict[str, object]) -> Answer:
    return Answer(str(line["id"]), str(line["prediction"]), str(line["target"]))
