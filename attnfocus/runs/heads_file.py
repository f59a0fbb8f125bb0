"""heads.json: what each head of a run does, and what the run loses without it."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from attnfocus.explanation.head_table import HeadTable
from attnfocus.files import write_json_atomically
from attnfocus.layout import HEADS_FILE
from attnfocus.records import to_record
from attnfocus.regular_files import read_file

MAX_BYTES = 2**24

logger = logging.getLogger(__name__)


def save_heads(run_dir: Path, table: HeadTable, step: int) -> None:
    """Writes the table, and the step of the checkpoint.

    A disk that is full or not ours costs the file alone, and is told.
    """
    path = run_dir / HEADS_FILE
    try:
        write_json_atomically(path, {**table.facts(), "step": step})
    except OSError as error:
        logger.warning("%s could not be written (%s)", path, error.strerror or error)


def load_heads(run_dir: Path, step: int | None) -> HeadTable | None:
    """The table; None where there is none, or it is damaged or of another checkpoint than that step's."""
    try:
        saved: Any = json.loads(read_file(run_dir / HEADS_FILE, MAX_BYTES))
        if not isinstance(saved, dict) or saved.get("step") != step:
            return None
        table = to_record(HeadTable, saved, ignore_unknown=True)
    except (OSError, ValueError, RecursionError):
        return None
    return replace(table, heads=tuple(table.heads))
