"""What is said of rows that a run was not trained on."""

from typing import Any

from attnfocus.data.preparation import NewRows
from attnfocus.display.text import number, shorten
from attnfocus.runs.folder import load_fingerprints
from attnfocus.runs.run import Run
from attnfocus.tasks import Evaluation

MAX_LABELS_LISTED = 5


def notes_of(new: NewRows, split: str, trained: Run, evaluation: Evaluation) -> list[str]:
    """How many rows there were, those of unknown labels, and whether they are the run's own after all."""
    notes = list(new.prepared.report)
    known, left_out = len(new.prepared.splits[split]), sum(new.unknown.values())
    if new.unknown:
        listed = ", ".join(
            f"{shorten(label, 30)} {count}" for label, count in list(new.unknown.items())[:MAX_LABELS_LISTED]
        )
        more = ", ..." if len(new.unknown) > MAX_LABELS_LISTED else ""
        notes.append(
            f"warning: {left_out} of {known + left_out} rows have labels that this run does not know ({listed}{more}): "
            f"left out of the metrics.{_counted_as_wrong(trained, evaluation, known, left_out)}"
        )
    if load_fingerprints(trained.path).get(split) == new.prepared.fingerprints[split]:
        notes.append(f"these are the rows of the run's own {split} split")
    return notes


def _counted_as_wrong(trained: Run, evaluation: Evaluation, known: int, left_out: int) -> str:
    metric = trained.task.right_metric
    if metric is None or metric not in evaluation.metrics:
        return ""
    value = evaluation.metrics[metric] * known / (known + left_out)
    return f" With them counted as wrong, {metric} is {number(value)}."


def rows_facts(new: NewRows, split: str) -> dict[str, Any]:
    """The same for programs."""
    return {"num_rows": len(new.prepared.splits[split]), "unknown_labels": dict(new.unknown)}
