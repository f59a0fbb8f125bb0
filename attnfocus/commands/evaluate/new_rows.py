"""What is said of rows that a run was not trained on."""

from typing import Any

from attnfocus.data.preparation import NewRows
from attnfocus.display.text import number
from attnfocus.errors import CheckpointError
from attnfocus.runs.folder import load_fingerprints
from attnfocus.runs.run import Run
from attnfocus.tasks import Evaluation


def notes_of(new: NewRows, split: str, trained: Run, evaluation: Evaluation) -> list[str]:
    """How many rows there were, those of unknown labels, and whether they are the run's own after all."""
    notes = list(new.notes)
    metric = trained.task.right_metric
    if new.unknown and metric in evaluation.metrics:
        value = evaluation.metrics[metric] * new.num_known / (new.num_known + new.num_unknown)
        notes.append(f"With those counted as wrong, {metric} is {number(value)}.")
    if _is_own(new, split, trained):
        notes.append(f"these are the rows of the run's own {split} split")
    return notes


def _is_own(new: NewRows, split: str, trained: Run) -> bool:
    try:
        mark = load_fingerprints(trained.path).get(split)
        return mark in (new.prepared.fingerprints[split], new.prepared.named_fingerprints.get(split))
    except CheckpointError:  # a run without them does not know
        return False


def rows_facts(new: NewRows) -> dict[str, Any]:
    """The same for programs."""
    return {"num_rows": new.num_known, "unknown_labels": dict(new.unknown)}
