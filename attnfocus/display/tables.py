"""A table on a screen: lines of plain text in a pipe, a few short lines per row where the screen is too narrow."""

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table

from attnfocus.display.console import break_words, is_plain, say


def aligned(rows: Sequence[Sequence[str]], num_left: int = 1) -> list[str]:
    """Rows as lines without blanks at their ends: the first `num_left` columns to the left, the others to the right."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            set_cell_size(text, width) if place < num_left else " " * (width - cell_len(text)) + text
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip(" "))
    return lines


def new_table(console: Console) -> Table:
    plain = is_plain(console)
    return Table(box=None if plain else box.SIMPLE_HEAD, pad_edge=False, header_style="" if plain else "dim")


def print_table(console: Console, table: Table) -> None:
    """The table when it fits; otherwise its rows as lines of `header value`, the first column without header."""
    width = console.measure(table, options=console.options.update(width=100_000)).maximum
    if width <= console.width:
        # A plain table would be padded to its full width with spaces.
        with console.capture() as capture:
            console.print(table)
        lines = "\n".join(line.rstrip() for line in capture.get().splitlines())
        console.out(lines, highlight=False) if is_plain(console) else console.print(table)
        return
    numbers, *columns = ((str(column.header), [str(cell) for cell in column.cells]) for column in table.columns)
    for row in range(table.row_count):
        parts = [f"{header} {cells[row]}" for header, cells in columns if cells[row]]
        for line in break_words("  ".join([numbers[1][row], *parts]), console.width, between="  "):
            say(console, line)
