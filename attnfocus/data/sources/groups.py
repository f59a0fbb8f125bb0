"""Rows of tables that say whom or what they are of: those of one group are never drawn into two splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from attnfocus.data.reading.data_files import prefixes
from attnfocus.data.reading.lines import BadRows
from attnfocus.data.reading.tables import Record, Table
from attnfocus.data.rows import Row


def grouped(
    split: str,
    tables: Sequence[Table],
    group: int | str,
    bad: BadRows,
    is_used: Callable[[Record, Table, BadRows], bool] | None = None,
    *,
    are_labels: bool = False,
) -> Iterator[Row]:
    """The rows of a split, of a text, a target and a group each; one whose group is empty is a bad row.

    Args:
        is_used: whether a row is; if not it has been named; None: all are.
        are_labels: targets are labels, around which blanks mean nothing.
    """
    for prefix, table in zip(prefixes(split, [table.path for table in tables]), tables, strict=True):
        whole = with_group(table, group)
        for record in whole.records(bad):
            if is_used is None or is_used(record, whole, bad):
                text, target, of = record.values
                yield Row(f"{prefix}{record.number}", text, target.strip() if are_labels else target, group=of.strip())


def with_group(table: Table, group: int | str) -> Table:
    """The table with one more column, the last."""
    return replace(table, columns=(*table.columns, group), keys=(*table.keys, "dataset.group_column"))
