"""summary.json as others read it: how a run ended, and its figures."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attnfocus.errors import CheckpointError
from attnfocus.events import Best, Direction
from attnfocus.files import write_json_atomically
from attnfocus.layout import SUMMARY_FILE
from attnfocus.limits import NonNegativeFloat, NonNegativeInt
from attnfocus.records import to_record
from attnfocus.redaction import redact
from attnfocus.regular_files import read_file

MAX_BYTES = 2**26  # a confusion matrix has the square of the labels


@dataclass(frozen=True)
class Commit:
    commit: str
    dirty: bool


@dataclass(frozen=True)
class Summary:
    """What is read of the file; the rest of it is for people.

    Attributes:
        status: `running`, `completed`, `interrupted`, `failed`, or one that a listener has ended the run with; empty
            where there is no summary.
        test: metrics of the test split, and what belongs to them: matrices, labels, signatures.
        directions: metric -> which way is better.
        choices: group -> the choice that the run was made with.
        started, command: when and by which command it began, or went on.
        baseline: what a linear model gets on the same data: `accuracy`, a share for each split.
    """

    status: str = ""
    reason: str | None = None
    error: str | None = None
    seconds: NonNegativeFloat | None = None
    words_per_second: NonNegativeFloat | None = None
    parameters: NonNegativeInt | None = None
    best: Best | None = None
    test: dict[str, Any] = field(default_factory=dict)
    directions: dict[str, Direction] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)
    device: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    git: Commit | None = None
    started: str | None = None
    command: str | None = None
    threads: dict[str, Any] = field(default_factory=dict)
    steps: NonNegativeInt | None = None
    epochs: NonNegativeInt | None = None
    baseline: dict[str, Any] | None = None

    @property
    def test_metrics(self) -> dict[str, float]:
        """The numbers among what `test` holds."""
        pairs = self.test.items()
        return {name: value for name, value in pairs if isinstance(value, int | float) and not isinstance(value, bool)}


def write_summary(run_dir: Path, facts: Mapping[str, Any]) -> None:
    """Writes the file, whole, without secrets."""
    write_json_atomically(run_dir / SUMMARY_FILE, redact(facts))


def load_summary(run_dir: Path) -> Summary:
    """The summary of a run.

    Raises:
        FileNotFoundError: there is none.
        CheckpointError: it is damaged; names file and key.
    """
    path = run_dir / SUMMARY_FILE
    try:
        values = json.loads(read_file(path, MAX_BYTES))
        if isinstance(values, dict) and "status" not in values:
            raise ValueError("status: is missing")
        return to_record(Summary, values, ignore_unknown=True)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from None


def best_of(run_dir: Path) -> Best | None:
    """The best evaluation of a run, by its monitored metric; None where its summary says none or cannot be read."""
    try:
        return load_summary(run_dir).best
    except (FileNotFoundError, CheckpointError):
        return None
