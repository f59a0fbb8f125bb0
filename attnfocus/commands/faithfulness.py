"""faithfulness.json: how far a run's attention weights can be read as an explanation, for `compare` to read."""

import json
import logging
from pathlib import Path

from attnfocus.report.summary import write_json_atomically
from attnfocus.tasks import Faithfulness

FAITHFULNESS_FILE = "faithfulness.json"

logger = logging.getLogger(__name__)


def save_faithfulness(run_dir: Path, tested: Faithfulness) -> None:
    """Writes the verdict and what it rests on. A disk that is full or not ours costs the file alone, and is told."""
    path = run_dir / FAITHFULNESS_FILE
    try:
        write_json_atomically(path, tested.facts())
    except OSError as error:
        logger.warning("%s could not be written (%s)", path, error.strerror or error)


def load_verdict(run_dir: Path) -> str | None:
    """What the file comes to, in plain words; None where it is not there or is damaged."""
    try:
        verdict = json.loads((run_dir / FAITHFULNESS_FILE).read_bytes())["verdict"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return verdict if isinstance(verdict, str) else None


def load_faithfulness(run_dir: Path) -> dict[str, float]:
    """The metrics of the file; none where it is not there or is damaged."""
    try:
        metrics = json.loads((run_dir / FAITHFULNESS_FILE).read_bytes())["metrics"]
        return {str(name): float(value) for name, value in metrics.items() if value is not None}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
