"""Classes on a screen: how well each was told from the others, and what was taken for what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from attnfocus.display.tables import aligned
from attnfocus.display.text import number, shorten

MAX_CLASSES = 20  # that a screen can hold
WORST = 5  # of more classes, those that are shown
MAX_LABEL = 12  # columns
FIGURES = ("rows", "precision", "recall", "f1")


@dataclass(frozen=True)
class ClassTable:
    """The answers of one evaluation.

    Attributes:
        matrix: how often each answer (columns) was given to each true class (rows).
        classes: of each label, in their order, label, rows, precision, recall, f1; None where one is not defined.
    """

    labels: Sequence[str]
    matrix: Sequence[Sequence[int]]
    classes: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, extras: Mapping[str, Any]) -> "ClassTable | None":
        """What the extras of an evaluation hold of classes; None if they hold nothing."""
        if not {"confusion_matrix", "labels", "classes"} <= extras.keys():
            return None
        return cls(extras["labels"], extras["confusion_matrix"], extras["classes"])

    def lines(self, width: int) -> list[str]:
        """A header and a line for each class, of more than 20 for the worst; as many columns as fit into `width`."""
        shown = self.classes if len(self.classes) <= MAX_CLASSES else self._worst()
        rows = [["class", *FIGURES, "taken for"]]
        rows += [[shorten(each["label"], MAX_LABEL), *_figures(each), self._taken_for(each["label"])] for each in shown]
        for columns in ((0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4), (0, 1, 4), (0, 4)):
            lines = aligned([[row[column] for column in columns] for row in rows])
            if max(map(cell_len, lines)) <= width:
                break
        left = len(self.classes) - len(shown)
        return [*lines, f"and {left} classes with a higher F1"] if left else lines

    def matrix_lines(self) -> list[str]:
        """The matrix: a row for each true class, a column for each answer."""
        names = [shorten(label, MAX_LABEL) for label in self.labels]
        rows = [["true \\ answer", *names]]
        rows += [[name, *map(str, counts)] for name, counts in zip(names, self.matrix, strict=True)]
        return aligned(rows)

    def _worst(self) -> list[Mapping[str, Any]]:
        """Those of the classes with rows that were told from others the least, the worst first."""
        return sorted((each for each in self.classes if each["rows"]), key=lambda each: each["f1"])[:WORST]

    def _taken_for(self, label: str) -> str:
        """The wrong answer that the class got most often: `no (3)`."""
        place = self.labels.index(label)
        wrong = {other: count for other, count in enumerate(self.matrix[place]) if other != place and count}
        if not wrong:
            return ""
        most = max(wrong, key=lambda other: wrong[other])
        return f"{shorten(self.labels[most], MAX_LABEL)} ({wrong[most]:,})"


def _figures(of_class: Mapping[str, Any]) -> list[str]:
    return ["-" if of_class[name] is None else number(of_class[name]) for name in FIGURES]
