"""A comparison on a screen: tables that fit its width; what does not fit is named, with where it can be seen."""

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console

from attnfocus.commands.compare.sections import Section, Spread, name_of, shown_metrics
from attnfocus.commands.compare.table import (
    ARROWS,
    difference_cells,
    label_cells,
    legend,
    number_cells,
    remarks,
)
from attnfocus.display.console import say, writable
from attnfocus.display.heads import counts_text
from attnfocus.display.tables import aligned
from attnfocus.focus.head_kinds import DIFFUSE, MIXED

MAX_WIDTH = 160  # of a table in a pipe or on a wider screen: the eye loses longer lines
MAX_TRANSPOSED = 4  # configurations that become columns where the table is too wide
GAP = 2  # blanks between columns, as `aligned` has them
SHARE_OF_LABELS = 0.5  # of the width; labels that take more are numbered, and listed below the table

Cells = list[list[str]]


def print_comparison(console: Console, sections: Sequence[Section]) -> None:
    """Prints both tables of each section, then what the numbers are, and what is missing."""
    for section in sections:
        say(console, f"\n{_written(console, section.title)}", style="bold")
        _print_results(console, section)
        _print_heads(console, section)
        if section.differences:
            say(console, f"\nagainst {_written(console, section.rows[0].name)}", style="bold")
            _print_differences(console, section)
        for remark in remarks(section):
            say(console, remark, style="yellow")
    say(console, f"\n{_written(console, legend(sections))}", style="dim")


def _print_results(console: Console, section: Section) -> None:
    width = min(console.width, MAX_WIDTH)
    names, labels = label_cells(section)
    headers, numbers = number_cells(section)
    whole = _written_cells(console, _beside([names, *labels], [headers, *numbers]))
    if _width(whole) <= width:
        _say_lines(console, whole, len(names))
        return
    shown_names = _written_cells(console, [[row.name] for row in section.rows])
    columns = [["", *(name for (name,) in shown_names)], *zip(headers, *numbers, strict=True)]
    transposed = _written_cells(console, [list(column) for column in columns])
    if len(section.rows) <= MAX_TRANSPOSED and _width(transposed) <= width:
        _say_lines(console, transposed, 1)
        return
    left, listed = _fitting_labels(whole, len(names), [name for (name,) in shown_names], width)
    right = _written_cells(console, [headers, *numbers])
    kept = next((n for n in range(len(headers), 1, -1) if _width(_beside(left, right, n)) <= width), 1)
    _say_lines(console, _beside(left, right, kept), len(left[0]))
    for line in listed:
        say(console, line)
    if kept < len(headers):
        left_out = _written(console, ", ".join(["runs", *map(name_of, shown_metrics(section))][kept:]))
        say(console, f"not shown in {width} columns: {left_out}. results.csv has them.", style="dim")


def _print_heads(console: Console, section: Section) -> None:
    """How many heads of each configuration are of which kind, and from when on."""
    for row in section.rows:
        if row.head_counts:
            line = f"heads of {row.name}: {counts_text(row.head_counts)}"
            say(console, _written(console, line), style="dim", wrap=False)
        since = {kind: each for kind, each in row.heads_from.items() if kind not in (DIFFUSE, MIXED)}
        if since:
            line = f"heads of {row.name} over training: {_since(since, len(row.runs))}"
            say(console, _written(console, line), style="dim", wrap=False)


def _since(steps: Mapping[str, Spread], num_runs: int) -> str:
    """`induction from step 150`, the first kind first; means over the runs."""
    found = []
    for kind, each in sorted(steps.items(), key=lambda pair: pair[1].mean):
        some = "" if each.count == num_runs else f" ({each.count} of {num_runs} runs)"
        found.append(f"{kind} from step {each.mean:,.0f}{some}")
    return ", ".join(found)


def _beside(left: Sequence[Sequence[str]], right: Sequence[Sequence[str]], kept: int | None = None) -> Cells:
    """Rows with their headers; of the right side the first `kept` columns."""
    return [[*labels, *numbers[:kept]] for labels, numbers in zip(left, right, strict=True)]


def _fitting_labels(whole: Cells, num_labels: int, names: Sequence[str], width: int) -> tuple[Cells, list[str]]:
    """The labels with their header; numbers in their place, and lines that say what they mean, if they are long."""
    labels = [row[:num_labels] for row in whole]
    if _width(labels) <= width * SHARE_OF_LABELS:
        return labels, []
    numbers = [["#"], *([str(place)] for place in range(1, len(labels)))]
    return numbers, [f"{place:>3}  {name}" for place, name in enumerate(names, 1)]


def _print_differences(console: Console, section: Section) -> None:
    """Name, metric, difference, interval, p, and seeds where there is room; below 60 columns the name by itself."""
    width = min(console.width, MAX_WIDTH)
    headers, rows = difference_cells(section)
    table = _written_cells(console, [headers, *rows])
    for order in ((0, 1, 2, 3, 4, 5), (0, 1, 2, 3, 5), (0, 1, 2, 3)):
        cells = [[row[place] for place in order] for row in table]
        if _width(cells) <= width:
            _say_lines(console, cells, 2)
            _say_left_out(console, [headers[place] for place in range(6) if place not in order], width)
            return
    for orders in ((1, 2, 3, 5), (1, 2, 3), (1, 2)):
        cells = [[row[place] for place in orders] for row in table]
        if _width(cells) + GAP <= width:
            break
    lines = aligned(cells, 1)
    say(console, f"  {lines[0]}", style="dim")
    last = None
    for row, line in zip(table[1:], lines[1:], strict=True):
        if row[0] != last:
            say(console, row[0])
        last = row[0]
        say(console, f"  {line}", wrap=False)
    _say_left_out(console, [headers[place] for place in range(1, 6) if place not in orders], width)


def _say_left_out(console: Console, names: Sequence[str], width: int) -> None:
    if names:
        shown = "; ".join(names)
        say(console, f"not shown in {width} columns: {shown}. differences.csv has them.", style="dim")


def _say_lines(console: Console, rows: Cells, num_left: int) -> None:
    for place, line in enumerate(aligned(rows, num_left)):
        say(console, line, style="dim" if place == 0 else "", wrap=False)


def _width(rows: Cells) -> int:
    columns = list(zip(*rows, strict=True))
    return sum(max(map(cell_len, column)) for column in columns) + GAP * (len(columns) - 1)


def _written_cells(console: Console, rows: Sequence[Sequence[str]]) -> Cells:
    return [[_written(console, cell) for cell in row] for row in rows]


def _written(console: Console, text: str) -> str:
    """The text as the stream can write it; arrows become words where it has none."""
    encoding = getattr(console.file, "encoding", None) or "utf-8"
    try:
        "".join(ARROWS.values()).encode(encoding)
    except UnicodeEncodeError:
        for direction, arrow in ARROWS.items():
            text = text.replace(arrow, f"({direction})") if arrow else text
    return writable(console, text)
