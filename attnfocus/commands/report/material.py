"""What a report is made of: a run directory with its files, the model that answers, and the data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from attnfocus.commands.report.answers import Answers, read_answers
from attnfocus.data.preparation import Prepared
from attnfocus.data.statistics import SplitStatistics
from attnfocus.errors import CheckpointError
from attnfocus.inspection.examples import Trained
from attnfocus.layout import METRICS_FILE, SUMMARY_FILE
from attnfocus.redaction import redact
from attnfocus.regular_files import read_file
from attnfocus.runs.config import RunConfig
from attnfocus.runs.summary import MAX_BYTES
from attnfocus.tracking.metrics_file import logged_lines


@dataclass(frozen=True)
class Material:
    """One run.

    Attributes:
        run_dir: where summary.json, metrics.jsonl and predictions-test.jsonl are read.
        config: its configuration.
        trained: the model with the weights that were tested.
        prepared: the data, with all splits.
        statistics: of each split.
        step: of the checkpoint.
        checkpoint: its name, `best` or `last`.
        seconds: within which examples are asked for; None: no limit.
    """

    run_dir: Path
    config: RunConfig
    trained: Trained
    prepared: Prepared
    statistics: Mapping[str, SplitStatistics]
    step: int
    checkpoint: str = "best"
    seconds: float | None = None

    @cached_property
    def summary(self) -> dict[str, Any]:
        """summary.json, without secrets; empty where it cannot be read."""
        try:
            found = json.loads(read_file(self.run_dir / SUMMARY_FILE, MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return redact(found) if isinstance(found, dict) else {}

    @cached_property
    def test(self) -> dict[str, Any]:
        """What the summary says of the test split."""
        found = self.summary.get("test")
        return found if isinstance(found, dict) else {}

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """metrics.jsonl; empty where it cannot be read."""
        try:
            return logged_lines(self.run_dir / METRICS_FILE)
        except CheckpointError:
            return []

    @cached_property
    def answers(self) -> Answers:
        """What was answered to the rows of the test split."""
        return read_answers(self.run_dir, is_written=self.trained.task.writes)
