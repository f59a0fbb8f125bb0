"""Evaluations on the screen: a row of a table that grows as they come, or a plain line."""

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from attnfocus.display.console import writable
from attnfocus.display.text import focus_phrase, metric_name, number
from attnfocus.events import Best, Evaluated

_MARK = "best"
_GAP = "  "
_NUMBER_WIDTH = 8


class EvaluationTable:
    """Prints a row per evaluation, and the header whenever the columns change.

    A rich table must be whole before it is shown; these rows come minutes apart and stay in the scrollback.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._columns: list[tuple[str, int]] = []

    def add(self, event: Evaluated, best: Best | None) -> None:
        """Prints the row; the metric that `best` monitors comes first."""
        cells = [(name, writable(self._console, text), width) for name, text, width in _cells(event, best)]
        columns = [(name, max(cell_len(name), width)) for name, _, width in cells]
        columns = _fitting(columns, self._console.width - len(_GAP + _MARK) - 1)
        names = [name for name, _ in columns]
        if names != [name for name, _ in self._columns]:
            self._columns = columns
            header = _GAP.join(name.rjust(width) for name, width in columns)
            self._console.print(Text(header, style="dim"), soft_wrap=True)
        texts = {name: text for name, text, _ in cells}
        row = Text(_GAP.join(texts[name].rjust(width) for name, width in self._columns))
        if event.is_best:
            row.append(f"{_GAP}{_MARK}", style="green")
        elif event.split == "test":
            row.stylize("bold")
        self._console.print(row, soft_wrap=True)


def evaluation_line(event: Evaluated, best: Best | None) -> str:
    """`step 1,200  valid  bleu 31.24 best  loss 1.234  focus 3.1 of 14.0 positions`."""
    parts = [f"step {event.step:,}", event.split]
    for name in _metric_names(event, best):
        mark = f" {_MARK}" if event.is_best and best is not None and name == best.metric else ""
        parts.append(f"{metric_name(name)} {number(event.metrics[name])}{mark}")
    focus = focus_phrase(event.metrics)
    if focus:
        parts.append(f"focus {focus}")
    return _GAP.join(parts)


def _metric_names(event: Evaluated, best: Best | None) -> list[str]:
    """The monitored metric, then the others as they come; the measures of focus have a place of their own."""
    first = best.metric if best is not None else None
    names = [name for name in event.metrics if not name.startswith("focus/")]
    return sorted(names, key=lambda name: name != first)


def _cells(event: Evaluated, best: Best | None) -> list[tuple[str, str, int]]:
    """(column, text, least width) of every column, most important first."""
    cells = [("step", f"{event.step:,}", 9), ("split", event.split, 5)]
    cells += [(metric_name(name), number(event.metrics[name]), _NUMBER_WIDTH) for name in _metric_names(event, best)]
    focus = focus_phrase(event.metrics, unit="")
    return [*cells, ("focus", focus, 13)] if focus else cells


def _fitting(columns: list[tuple[str, int]], width: int) -> list[tuple[str, int]]:
    """The columns that fit: the first three always, the focus before the remaining metrics."""
    kept = columns[:3]
    for column in sorted(columns[3:], key=lambda column: column[0] != "focus"):
        if sum(size + len(_GAP) for _, size in [*kept, column]) <= width:
            kept.append(column)
    return [column for column in columns if column in kept]
