"""A user's own files, each an example: a folder with a folder for each class, or a table of paths and labels."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from attnfocus.data.reading.data_files import natural_order
from attnfocus.data.reading.layout import Layout
from attnfocus.data.reading.lines import BadRows, OnBadRow
from attnfocus.data.reading.sound_files import ENDINGS as SOUND_ENDINGS
from attnfocus.data.reading.sound_files import seen_sound
from attnfocus.data.rows import RawData
from attnfocus.errors import ConfigError, DataError, UserError
from attnfocus.files import reason_of
from attnfocus.marks import FilePath
from attnfocus.stages import stage

NUM_CLASSES_SHOWN = 5


class LabelledFiles:
    """What sets of a user's own files have in common. Splits that are not given are drawn from train.

    Args:
        train, valid, test: a folder that holds a folder of files for each class; or a table (csv, tsv, jsonl, ...) with
            the path of a file, absolute or from the table's own folder, and its label in each row.
        path_column, label_column: of a table: name, or number counted from 0; None: those that the first row calls so,
            else the first and the second.
        on_bad_row: `fail` names the files that cannot be used; `skip` leaves them out.
    """

    task: ClassVar[str] = "classification"
    what: ClassVar[str]  # they are called in messages
    endings: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        *,
        train: FilePath | None = None,
        valid: FilePath | None = None,
        test: FilePath | None = None,
        path_column: int | str | None = None,
        label_column: int | str | None = None,
        on_bad_row: OnBadRow = "fail",
    ) -> None:
        if not train:
            raise ConfigError(
                f"dataset.train is not given. Give a folder with a folder of {self.what} for each class, or a table "
                "with a path and a label in each row: dataset.train=PATH."
            )
        self._paths = {split: path for split, path in (("train", train), ("valid", valid), ("test", test)) if path}
        self._layout = Layout({"dataset.path_column": path_column, "dataset.label_column": label_column})
        self._on_bad_row: OnBadRow = on_bad_row

    def look(self, path: Path) -> object:
        """Looks at a file.

        Raises:
            DataError: it cannot be used.
        """
        raise NotImplementedError

    def read(self, data_dir: Path, seed: int) -> RawData:
        """The splits whose paths are given. `data_dir` and `seed` change nothing."""
        from attnfocus.data.text_rows import TextRows  # with numpy; naming a data set costs nothing

        bad, notes = BadRows(self._on_bad_row), list[str]()
        splits, labels = {}, set[str]()
        for split, given in self._paths.items():
            path = Path(given).expanduser().absolute()
            texts = self._of_folder(split, path, bad) if path.is_dir() else self._of_table(split, path, bad, notes)
            if labels:
                unknown = sorted({label for *_, label in texts} - labels)
                if unknown:
                    raise DataError(
                        f"dataset.{split}={given}: has labels that train does not have: "
                        f"{', '.join(unknown[:NUM_CLASSES_SHOWN])}.\nThose of train are "
                        f"{', '.join(sorted(labels)[:NUM_CLASSES_SHOWN])}, ..."
                    )
            else:
                labels = {label for *_, label in texts}
            splits[split] = TextRows.of(texts)
        return RawData(splits, [*bad.finish(), *notes])

    def _of_folder(self, split: str, folder: Path, bad: BadRows) -> list[tuple[str, str, str]]:
        try:
            classes = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
        except OSError as error:
            raise DataError(f"dataset.{split}={folder}: cannot be listed: {reason_of(error)}.") from error
        files = [(path, each.name) for each in classes for path in sorted(each.rglob("*"), key=natural_order)]
        files = [(path, label) for path, label in files if path.suffix.lower() in self.endings and path.is_file()]
        if not files:
            raise DataError(
                f"dataset.{split}={folder}: holds no folder for each class with {self.what} in it "
                f"({', '.join(self.endings)}).\nGive such a folder, or a table with a path and a label in each row."
            )
        rows = []
        with stage(f"looking at {self.what}", len(files)) as looking:
            for path, label in files:
                if self._is_usable(path, bad, path, 1, 1):
                    rows.append((f"{split}:{path.relative_to(folder).as_posix()}", str(path), label))
                looking.advance(1)
        return rows

    def _of_table(self, split: str, table: Path, bad: BadRows, notes: list[str]) -> list[tuple[str, str, str]]:
        if not table.is_file():
            raise DataError(
                f"dataset.{split}={table}: does not exist. Give a folder with a folder of {self.what} for each class, "
                "or a table with a path and a label in each row."
            )
        tables, of_layout = self._layout.tables({split: [table]})
        notes += of_layout
        rows = []
        (read,) = tables[split]
        for record in read.records(bad):
            path = table.parent / Path(record.values[0].strip()).expanduser()
            label = record.values[1].strip()
            if not label:
                bad.add(table, *read.place(record, 1), "no label")
            elif self._is_usable(path, bad, table, *read.place(record, 0)):
                rows.append((f"{split}:{record.number}", str(path), label))
        return rows

    def _is_usable(self, path: Path, bad: BadRows, place: Path, line: int, column: int) -> bool:
        """Whether a file can be read; if not, it is noted, by the place that names it."""
        try:
            self.look(path)
        except UserError as error:
            reason = str(error).partition("\n")[0]
            bad.add(place, line, column, reason.removeprefix(f"{path}: ") if place == path else reason)
            return False
        return True


class Audio(LabelledFiles):
    """Recordings with a label each: wav, and with soundfile (extra `audio`) flac, ogg, mp3 and others."""

    what = "recordings"
    endings = SOUND_ENDINGS

    def look(self, path: Path) -> object:
        return seen_sound(path)
