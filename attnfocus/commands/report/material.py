"""What a report is made of: a run directory with its files, the model that answers, and the data."""

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
from attnfocus.layout import METRICS_FILE
from attnfocus.runs.config import RunConfig
from attnfocus.runs.summary import Summary, load_summary
from attnfocus.tracking.metrics_file import Logged, logged


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
    def summary(self) -> Summary:
        """summary.json; empty where it cannot be read."""
        try:
            return load_summary(self.run_dir)
        except (FileNotFoundError, CheckpointError):
            return Summary()

    @cached_property
    def logged(self) -> Logged:
        """metrics.jsonl; empty where it cannot be read."""
        try:
            return logged(self.run_dir / METRICS_FILE)
        except CheckpointError:
            return Logged()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Those of metrics.jsonl."""
        return self.logged.lines

    @cached_property
    def answers(self) -> Answers:
        """What was answered to the rows of the test split."""
        return read_answers(self.run_dir, is_written=self.trained.task.writes)
