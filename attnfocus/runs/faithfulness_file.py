"""faithfulness.json: how far a run's attention weights can be read as an explanation, for `compare` to read."""

import json
import logging
from pathlib import Path
from typing import Any

from attnfocus.explanation import Faithfulness
from attnfocus.files import write_json_atomically
from attnfocus.layout import FAITHFULNESS_FILE
from attnfocus.limits import Finite
from attnfocus.records import to_value
from attnfocus.regular_files import read_file

MAX_BYTES = 2**24

logger = logging.getLogger(__name__)


def save_faithfulness(run_dir: Path, tested: Faithfulness, step: int) -> None:
    """Writes the verdict, what it rests on, and the step of the checkpoint.

    A disk that is full or not ours costs the file alone, and is told.
    """
    path = run_dir / FAITHFULNESS_FILE
    try:
        write_json_atomically(path, {**tested.facts(), "step": step})
    except OSError as error:
        logger.warning("%s could not be written (%s)", path, error.strerror or error)


def load_verdict(run_dir: Path, step: int | None) -> str | None:
    """What the file comes to, in plain words; None where `load_faithfulness` would have nothing."""
    verdict = _saved(run_dir, step).get("verdict")
    return verdict if isinstance(verdict, str) else None


def load_faithfulness(run_dir: Path, step: int | None) -> dict[str, float]:
    """The metrics of the file; none where it is not there, is damaged, or is of another checkpoint than that step's."""
    try:
        metrics = to_value(_saved(run_dir, step).get("metrics", {}), dict[str, Finite | None], "metrics")
    except ValueError:
        return {}
    return {name: value for name, value in metrics.items() if value is not None}


def _saved(run_dir: Path, step: int | None) -> dict[str, Any]:
    try:
        saved = json.loads(read_file(run_dir / FAITHFULNESS_FILE, MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return saved if isinstance(saved, dict) and saved.get("step") == step else {}
