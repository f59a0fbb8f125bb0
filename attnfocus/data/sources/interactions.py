"""Who took which item when: histories of users, for the recommendation of the next item."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from attnfocus.data.reading.data_files import find_files
from attnfocus.data.reading.download import find_by_hand
from attnfocus.data.reading.layout import Format, Layout
from attnfocus.data.reading.lines import BadRows, OnBadRow, read_lines
from attnfocus.data.reading.tables import Record, Table
from attnfocus.data.rows import RawData, Row
from attnfocus.data.sources.files import Files
from attnfocus.data.sources.named_pairs import UNDAMAGED
from attnfocus.errors import ConfigError, DataError
from attnfocus.marks import FilePath

HELD_OUT = 3  # interactions that a user must have for the last two to be held out
TIME_NAMES = ("time", "timestamp", "datetime", "date", "order")
TABLE_NEEDED = (
    "Give a table (csv, tsv or jsonl) with a user and an item in each row, for example dataset.train=ratings.csv. Its "
    "columns are user, item and perhaps time; other names: dataset.user_column=NAME dataset.item_column=NAME "
    "dataset.time_column=NAME."
)
_BLANKS = re.compile(r"\s+")


class Histories:
    """Items of each user in order of time, as rows: a history is the names of its items with a blank between two.

    The last item of a user is the answer of a row of test, the last but one that of a row of valid; train has what
    stands before them (Kang & McAuley 2018, sec. IV-A, arXiv:1808.09781). Users with fewer than three items train only.
    """

    task: ClassVar[str] = "ranking"

    def __init__(self) -> None:
        self._items: dict[str, list[tuple[float, str]]] = {}
        self._written: dict[str, str] = {}

    def add(self, user: str, item: str, time: float = 0.0) -> None:
        """One interaction. Those of the same time stay in the order in which they come.

        Raises:
            ValueError: two items differ in blanks alone.
        """
        name = _BLANKS.sub("_", item)
        if self._written.setdefault(name, item) != item:
            raise ValueError(f"the items {self._written[name]!r} and {item!r} are both written {name}")
        self._items.setdefault(user, []).append((time, name))

    def __len__(self) -> int:
        return len(self._items)

    def raw_data(self, notes: Sequence[str] = ()) -> RawData:
        """The three splits, users in the order in which they came first; valid and test only if anyone is in them."""
        splits: dict[str, list[Row]] = {"train": [], "valid": [], "test": []}
        for user, taken in self._items.items():
            items = [name for _, name in sorted(taken, key=lambda each: each[0])]  # stable
            held_out = len(items) >= HELD_OUT
            splits["train"].append(history(f"train:{user}", items[:-2] if held_out else items))
            if held_out:
                splits["valid"].append(history(f"valid:{user}", items[:-1], asked=True))
                splits["test"].append(history(f"test:{user}", items, asked=True))
        found = {split: rows for split, rows in splits.items() if rows or split == "train"}
        few, total = len(splits["train"]) - len(splits["test"]), sum(map(len, self._items.values()))
        of_all = f"{total:,} interactions of {len(self):,} users with {len(self._written):,} items"
        return RawData(found, [*notes, f"{of_all}; {few:,} users with fewer than {HELD_OUT} train only"])


def history(id: str, items: Sequence[str], *, asked: bool = False) -> Row:
    """A row of these items; `asked`: the last one is its answer."""
    text = " ".join(items)
    if not asked:
        return Row(id, text, "")
    return Row(id, text, items[-1], answers=((len(text) - len(items[-1]), len(text)),))


class Interactions:
    """A user's own table: in each row a user, an item, and when it was.

    Args:
        train: path of the table, several paths, a pattern, or a folder of tables. The splits are parts of each history
            (see `Histories`).
        format, separator, header, encoding, on_bad_row: as in `ParallelText`.
        user_column, item_column: name, or number counted from 0; None: those that the first row calls so, else the
            first and the second.
        time_column: numbers, or dates in ISO 8601, by which a user's items are ordered; None: the column called time,
            timestamp, datetime, date or order, or if there is none the order of the rows.
    """

    task = Histories.task

    def __init__(
        self,
        *,
        train: Files = None,
        format: Format = "auto",
        separator: str | None = None,
        user_column: int | str | None = None,
        item_column: int | str | None = None,
        time_column: int | str | None = None,
        header: bool | None = None,
        encoding: str = "utf-8",
        on_bad_row: OnBadRow = "fail",
    ) -> None:
        if not train:
            raise ConfigError(f"dataset.train is not given. {TABLE_NEEDED}")
        self._train: FilePath | list[FilePath] = train
        columns = {"dataset.user_column": user_column, "dataset.item_column": item_column}
        if time_column is not None:
            columns["dataset.time_column"] = time_column
        self.layout = Layout(columns, format, separator, None, header, encoding)
        self._on_bad_row: OnBadRow = on_bad_row

    def files(self) -> list[Path]:
        """All files that `read` reads."""
        return find_files(self._train, "dataset.train")

    def read(self, data_dir: Path, seed: int) -> RawData:
        """The splits of the histories. `data_dir` and `seed` change nothing."""
        tables, notes = self.layout.tables({"train": self.files()})
        bad, histories = BadRows(self._on_bad_row), Histories()
        times = [self._with_time(table) for table in tables["train"]]
        if len({len(table.columns) for table in times}) > 1:
            raise DataError("dataset.time_column: some of the tables have a column of times, some have none. Name it.")
        for table in times:
            for record in table.records(bad):
                _add(histories, record, table, bad)
        if not len(histories) and not bad.total:
            raise DataError(f"dataset.train={self._train}: the file has no rows. Give a file that has some.")
        by_time = len(times[0].columns) > 2
        order = f"by {times[0].columns[2]}" if by_time else "as the rows stand; dataset.time_column=NAME orders them"
        return histories.raw_data([*bad.finish(), *notes, f"items of a user are ordered {order}"])

    def _with_time(self, table: Table) -> Table:
        """The table with its column of times, if there is one."""
        if len(table.columns) > 2 or any(isinstance(column, int) for column in table.columns):
            return table
        names = {name.strip().casefold(): name for name in table.first_row()}
        found = next((names[name] for name in TIME_NAMES if name in names), None)
        keys = (*table.keys, "dataset.time_column")
        return table if found is None else replace(table, columns=(*table.columns, found), keys=keys)


def _add(histories: Histories, record: Record, table: Table, bad: BadRows) -> None:
    user, item = (value.strip() for value in record.values[:2])
    time = 0.0
    if len(record.values) > 2:
        found = seconds(record.values[2])
        if found is None:
            shown = repr(record.values[2][:40])
            bad.add(table.path, *table.place(record, 2), f"{shown} is no number and no date such as 2024-05-31 13:45")
            return
        time = found
    try:
        histories.add(user, item, time)
    except ValueError as error:
        bad.add(table.path, *table.place(record, 1), str(error))


def seconds(text: str) -> float | None:
    """A number as it is, a date in seconds since 1970 (UTC where it names no zone); None: it is neither."""
    text = text.strip()
    try:
        found = float(text)
        return found if abs(found) < float("inf") else None
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=moment.tzinfo)
    zone = moment.utcoffset()
    return since.total_seconds() - (zone.total_seconds() if zone is not None else 0.0)


class VideoGames:
    """Reviews of video games, 287,107 of 31,013 users and 23,715 games, in order of time (McAuley et al. 2015).

    File `Video.txt` in `amazon_video_games/`, as prepared for SASRec (arXiv:1808.09781): `user item` in each line.
    """

    task = Histories.task

    def read(self, data_dir: Path, seed: int) -> RawData:
        how = "It is data/Video.txt of https://github.com/kang205/SASRec."
        (path,) = find_by_hand("video_games", data_dir / "amazon_video_games", ["Video.txt"], how)
        bad, histories = BadRows(remedy=UNDAMAGED), Histories()
        for user, item in _pairs(read_lines(path, "utf-8", bad), path, bad):
            histories.add(user, item)
        return histories.raw_data(bad.finish())


def _pairs(lines: Iterable[str | None], path: Path, bad: BadRows) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        parts = (line or "").split()
        if len(parts) == 2:
            yield parts[0], parts[1]
        else:
            bad.add(path, number, 1, "not a user and an item")
