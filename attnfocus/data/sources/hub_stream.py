"""A column of texts of Hugging Face `datasets`, for language models. Extra `hub`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal

from attnfocus.data.reading.lines import BadRows
from attnfocus.data.rows import RawData
from attnfocus.data.sources.hub import HubSet, column_names, top_column
from attnfocus.data.text_stream import TextStream
from attnfocus.errors import DataError

KEY = "dataset.text_column"
USUAL = "text"


class HubRunningText(HubSet):
    """The texts of a column, to the letter, read row by row in each pass.

    Args:
        text_column: its name; a dotted path reaches inside a column. None: `text`, or the only column.
        documents: `rows`: each row is a text of its own; `whole`: all rows of a split are one text, with a line end
            after each that has none.
    """

    task: ClassVar[str] = "language_modeling"

    def __init__(
        self, *, text_column: str | None = None, documents: Literal["rows", "whole"] = "rows", **options: Any
    ) -> None:
        super().__init__(**options)
        self._columns = {KEY: text_column}
        self._documents: Literal["rows", "whole"] = documents

    def _read(self) -> RawData:
        found = self._load()
        given = self._given_splits(found)
        column, notes = self._text_column(column_names(found[given["train"]]))
        splits = {
            split: TextStream(split, partial(self._texts, split, found[name], column), self._documents)
            for split, name in given.items()
        }
        return RawData(splits, [*notes, *self._unused_splits(found, given)])

    def _text_column(self, known: list[str]) -> tuple[str, list[str]]:
        """The column that is meant, and what to say of it."""
        given = self._columns[KEY]
        if given is not None:
            top_column(KEY, given, known)
            return given, []
        if USUAL in known:
            return USUAL, []
        if len(known) == 1:
            return known[0], [f"{self.path}: {KEY}={known[0]}, its only column"]
        raise DataError(f"{KEY}: not given, and the columns are {', '.join(known)[:300]}. Give one of them.")

    def _texts(self, split: str, table: Any, column: str) -> Iterator[str]:
        bad, place = BadRows(self._on_bad_row), Path(f"{self.path}:{self._splits[split]}")
        ends = "" if self._documents == "rows" else "\n"
        with self._named_errors():
            table = table.select_columns([top_column(KEY, column, column_names(table))])
            for number, record in enumerate(islice(iter(table), self._max_rows), 1):
                text = _value(record, column)
                if isinstance(text, str):
                    yield text if text.endswith("\n") else f"{text}{ends}"
                    continue
                bad.add(place, number, 1, f"column {column} holds {type(text).__name__}, not a text")
                if self._on_bad_row == "fail":
                    raise bad.error()


def _value(record: Mapping[str, Any], column: str) -> object:
    """What a column holds, which a dotted path may reach inside."""
    if column in record:
        return record[column]
    found: Any = record
    for name in column.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
