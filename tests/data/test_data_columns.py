"""Tables that are read as columns give the rows, notes and errors of tables that are read row by row."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attnfocus.data.reading import table_parts
from attnfocus.data.sources.files import LabelledText, ParallelText
from attnfocus.errors import UserError

NUM_TABLES = 300
BITS = ["a", "word", "é", "中文", "😀", "e\u0301", "  ", " ", "\u00a0", "\u3000", "'", "\\", "x y"]
BITS += ["\x1c", "\x0b", "\ufeff", "\u2028", "ab cd"]
PLAIN = ["a b", "c", "dé ü", "中 文"]


def odd_table(draw: random.Random) -> tuple[str, bytes]:
    """The ending of a table's name and its content: about half of them have something odd in most lines."""
    separator, end, is_odd = draw.choice("\t\t,;|"), draw.choice(["\n", "\n", "\n", "\r\n"]), draw.random() < 0.5
    num_columns = draw.choice([2, 2, 3])
    lines = [separator.join(["source", "target", "z"][:num_columns])] if draw.random() < 0.3 else []
    for _ in range(draw.randint(1, 30)):
        cells = [_odd_cell(draw) if is_odd else draw.choice(PLAIN) for _ in range(num_columns)]
        if is_odd:
            cells = _spoiled(cells, draw)
        lines.append(separator.join(cells))
        if is_odd and draw.random() < 0.05:
            lines.append("")
    content = end.join(lines).encode() + (end.encode() if draw.random() < 0.7 else b"")
    if draw.random() < 0.1:
        content = b"\xef\xbb\xbf" + content
    if is_odd and draw.random() < 0.1:
        content = content.replace(b"word", b"w\xff", 1)
    return "csv" if separator in ",;" else "tsv", content


def _odd_cell(draw: random.Random) -> str:
    return "".join(draw.choice(BITS) for _ in range(draw.randint(0 if draw.random() < 0.1 else 1, 5)))


def _spoiled(cells: list[str], draw: random.Random) -> list[str]:
    """A field too many, quotes, a quote without its other one, half a line end; each now and then."""
    first, *others = cells
    if draw.random() < 0.05:
        others.append("x")
    if draw.random() < 0.05:
        first = f'"{first}"'
    if draw.random() < 0.02:
        first = f'"{first}'
    if draw.random() < 0.02:
        first += "\r"
    return [first, *others]


def outcome(read: Callable[[], Any]) -> Any:
    try:
        raw = read()
    except UserError as error:
        return str(error)
    return raw.notes, {split: [(row.id, row.input, row.target) for row in rows] for split, rows in raw.splits.items()}


@pytest.mark.parametrize("kind", [ParallelText, LabelledText])
def test_columns_give_what_single_rows_give(kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of odd tables, in parts of any size, where bad rows are skipped and where they are errors."""
    num_parts, num_errors = 0, 0
    is_plain, column_part = table_parts._is_plain, table_parts.column_part

    def counted_part(*arguments: Any, **options: Any) -> Any:
        nonlocal num_parts
        part = column_part(*arguments, **options)
        num_parts += part is not None
        return part

    monkeypatch.setattr(table_parts, "column_part", counted_part)
    for number in range(NUM_TABLES):
        draw = random.Random(number)
        ending, content = odd_table(draw)
        path = tmp_path / f"table.{ending}"
        path.write_bytes(content)
        monkeypatch.setattr(table_parts, "PART_BYTES", draw.choice([1, 7, 50, 200, 1 << 20]))
        options = {"train": str(path), "on_bad_row": "fail" if number % 2 else "skip"}
        if number % 3 == 0:
            options["valid"] = str(path)
        monkeypatch.setattr(table_parts, "_is_plain", is_plain)
        by_columns = outcome(lambda options=options: kind(**options).read(tmp_path, 0))
        monkeypatch.setattr(table_parts, "_is_plain", lambda table: False)
        by_rows = outcome(lambda options=options: kind(**options).read(tmp_path, 0))
        assert by_columns == by_rows, (number, content)
        num_errors += isinstance(by_rows, str)
    assert num_parts > NUM_TABLES  # most are read as columns at all
    assert NUM_TABLES / 10 < num_errors < NUM_TABLES * 2 / 3
