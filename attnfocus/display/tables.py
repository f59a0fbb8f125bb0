"""A table on a screen: lines of plain text in a pipe, a few short lines per row where the screen is too narrow."""

from rich import box
from rich.console import Console
from rich.table import Table

from attnfocus.display.console import break_words, is_plain, say


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
