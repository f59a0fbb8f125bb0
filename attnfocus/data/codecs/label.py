"""What codecs of classes have in common."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.codecs.base import Codec
from attnfocus.data.rows import Row
from attnfocus.data.text_rows import targets_of
from attnfocus.errors import DataError

NO_LABEL = -1  # the target of an input that is only to be predicted: no class, so that a loss on it fails
MAX_LABELS_LISTED = 10


class LabelCodec(Codec):
    """What codecs with a class as their target have in common. `labels` in the order of the classes."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._classes = {label: number for number, label in enumerate(self.labels)}
        if len(self._classes) != len(self.labels) or not self.labels:
            raise ValueError("labels must be different from one another, and at least one")

    @classmethod
    def label(cls, row: Row) -> str | None:
        return row.target

    @classmethod
    def labels_of(cls, rows: Sequence[Row]) -> tuple[str, ...]:
        """The labels of training rows, in order.

        Raises:
            DataError: there is only one.
        """
        labels = ordered({row.target for row in rows})
        if len(labels) < 2:
            raise DataError(
                f"dataset: all {len(rows)} training rows have the label {labels[0]!r}: there is nothing to learn.\n"
                "Give rows of at least two labels, or the right dataset.label_column."
            )
        return labels

    def class_of(self, row: Row) -> int:
        """The number of the row's class.

        Raises:
            DataError: the label is unknown; names the nearest.
        """
        number = self._classes.get(row.target)
        if number is None:
            near = difflib.get_close_matches(row.target, self.labels, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            shown = ", ".join(self.labels[:10]) + (", ..." if len(self.labels) > 10 else "")
            raise DataError(f"row {row.id}: unknown label {row.target!r}.{hint}\nThe labels of train are: {shown}.")
        return number

    def classes_of(self, rows: Sequence[Row]) -> NDArray[np.int64]:
        """(N,): the numbers of the rows' classes; for rows of texts none has to be made.

        Raises:
            DataError: as `class_of`, of the first row with an unknown label.
        """
        numbers = (self._classes.get(target, NO_LABEL) for target in targets_of(rows))
        classes = np.fromiter(numbers, np.int64, len(rows))
        for number in np.flatnonzero(classes == NO_LABEL).tolist():
            self.class_of(rows[number])
        return classes

    def is_known(self, target: str) -> bool:
        return target in self._classes

    def check(self, split: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
        super().check(split, rows, notes)
        unknown = ordered({row.target for row in rows} - set(self.labels))
        if unknown:
            raise DataError(
                f"dataset: {split} has labels that the model does not know: {_listed(unknown)}.\n"
                f"It knows {_listed(self.labels)}.\n"
                + "\n".join(["Use the data that it was trained on, or remove these rows.", *notes])
            )


def ordered(labels: Collection[str]) -> tuple[str, ...]:
    """Numbers by size, names by alphabet."""
    if all(label.isdecimal() for label in labels):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))


def saved_labels(content: dict[str, Any]) -> list[str]:
    """The labels in a codec's main file.

    Raises:
        ValueError: they are no list of texts.
    """
    labels = content["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels are not a list of texts")
    return labels


def _listed(labels: Collection[str]) -> str:
    shown = ", ".join(list(labels)[:MAX_LABELS_LISTED])
    return shown if len(labels) <= MAX_LABELS_LISTED else f"{shown}, ... ({len(labels)})"
