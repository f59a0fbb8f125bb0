"""classes-test.csv and confusion-test.png: how well each class was told from the others on the test split."""

import logging
from contextlib import suppress
from pathlib import Path

from attnfocus.display.classes import FIGURES, ClassTable
from attnfocus.files import csv_text
from attnfocus.layout import CLASSES_FILE, CONFUSION_FIGURE
from attnfocus.regular_files import replace_file

logger = logging.getLogger(__name__)


def save_classes(run_dir: Path, table: ClassTable) -> None:
    """Writes a row for each class (label, rows, precision, recall, f1, and a column for each answer), and the figure.

    A full disk is told and does not fail the run; older files, which would belong to other weights, then go.
    """
    from attnfocus.display.canvas import to_png
    from attnfocus.display.figures import confusion_map

    paths = run_dir / CLASSES_FILE, run_dir / CONFUSION_FIGURE
    try:
        replace_file(paths[0], _csv(table).encode("utf-8", "backslashreplace"))
        replace_file(paths[1], to_png(confusion_map(table.matrix, table.labels))[0])
    except OSError as error:
        logger.warning("%s could not be written (%s)", paths[0], error.strerror or error)
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _csv(table: ClassTable) -> str:
    head = ["class", *FIGURES, *(f"answered {label}" for label in table.labels)]
    pairs = zip(table.classes, table.matrix, strict=True)
    return csv_text([head, *([each["label"], *(each[name] for name in FIGURES), *counts] for each, counts in pairs)])
