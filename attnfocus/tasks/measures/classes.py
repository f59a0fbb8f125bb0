"""What answers that are classes come to: metrics, a row for each class, the matrix, the answer that needs no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

Counts = Sequence[Sequence[int]]  # true class, answer


def class_metrics(answers: Tensor, expected: Tensor, num_classes: int) -> tuple[dict[str, float], list[list[int]]]:
    """answers (N,), expected (N,) -> metrics, and the confusion matrix (true class, answer)."""
    from torchmetrics.functional import classification as metrics

    values = {
        "accuracy": metrics.multiclass_accuracy(answers, expected, num_classes, average="micro"),
        "macro_precision": metrics.multiclass_precision(answers, expected, num_classes, average="macro"),
        "macro_recall": metrics.multiclass_recall(answers, expected, num_classes, average="macro"),
        "macro_f1": metrics.multiclass_f1_score(answers, expected, num_classes, average="macro"),
    }
    matrix: list[list[int]] = metrics.multiclass_confusion_matrix(answers, expected, num_classes).tolist()
    # torchmetrics divides in float32: what follows the seventh digit is noise
    return {name: round(float(value), 7) for name, value in values.items()}, matrix


def by_class(matrix: Counts, labels: Sequence[str]) -> list[dict[str, str | float | None]]:
    """Of each class label, rows, precision, recall and f1, whose means over the classes are the macro averages.

    A class that no row has and no answer names has None for these; one that only rows or only answers have has 0.
    """
    answered = [sum(column) for column in zip(*matrix, strict=True)]
    return [
        {
            "label": label,
            "rows": sum(row),
            "precision": _share(row[number], answered[number], sum(row)),
            "recall": _share(row[number], sum(row), answered[number]),
            "f1": _share(2 * row[number], sum(row) + answered[number], 0),
        }
        for number, (label, row) in enumerate(zip(labels, matrix, strict=True))
    ]


def _share(part: int, whole: int, other: int) -> float | None:
    """part / whole; 0 where there is no whole but an `other`, None where there is neither."""
    return round(part / whole, 7) if whole else 0.0 if other else None


def majority(counts: Mapping[str, int]) -> tuple[str, float]:
    """The commonest label, the first of several, and the share of the rows that have it: the accuracy without a model.

    Args:
        counts: label -> number of rows, of which there is one at least.
    """
    label = max(counts, key=lambda name: counts[name])
    return label, counts[label] / sum(counts.values())
