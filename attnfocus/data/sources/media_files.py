"""Images and recordings of one's own: a folder with a folder for each class, or a table of paths and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from attnfocus.data.reading.data_files import MissingFileError
from attnfocus.data.reading.lines import BadRows, OnBadRow
from attnfocus.data.reading.media_files import IMAGE_ENDINGS, SOUND_ENDINGS, media_in
from attnfocus.data.rows import SPLITS, RawData, Row
from attnfocus.data.sources.groups import with_group
from attnfocus.errors import ConfigError, DataError, Problem
from attnfocus.marks import FilePath
from attnfocus.stages import stage

SPLIT_FOLDERS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
NEEDED = "Give dataset.train=FOLDER with a folder for each class, or a table with the columns path and label."
Named = tuple[str, Path, str, tuple[Path, int, int], str]  # id, path, label, place for messages, group


class MediaFiles:
    """Files that are an input each, which are opened when an example is taken.

    A row's input is the path. Each file is read once before training, to know that it is whole, of which size it is and
    which files are the same.

    Attributes:
        what: one of them is called in messages.
        endings: of their names.

    Args:
        train, valid, test: each a folder with a folder of files for each class, which names it; or a table (csv, tsv,
            jsonl, ...) with a path, from the table's folder, and a label in each row. A train with folders that are
            called train, valid and test has these splits. What is not given is drawn from train.
        path_column, label_column: names of the table's columns.
        group_column: of a table of train, whom or what a row is of; rows of one group are never drawn into two splits.
            None: each for itself.
        on_bad_row: fail: stop and name the files that are not whole; skip: leave them out.
    """

    task: ClassVar[Literal["classification"]] = "classification"
    what: ClassVar[str]
    endings: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        *,
        train: FilePath | None = None,
        valid: FilePath | None = None,
        test: FilePath | None = None,
        path_column: str = "path",
        label_column: str = "label",
        group_column: str | None = None,
        on_bad_row: OnBadRow = "fail",
    ) -> None:
        if not train:
            raise ConfigError(f"dataset.train is not given. {NEEDED}")
        self._given = {"train": train, "valid": valid, "test": test}
        self._columns, self._group = (path_column, label_column), group_column
        self._on_bad_row: OnBadRow = on_bad_row

    def look(self, path: Path) -> object:
        """Reads a file once.

        Raises:
            DataError: it is not whole.
        """
        raise NotImplementedError

    def read(self, data_dir: Path, seed: int) -> RawData:
        """The splits that are given. `data_dir` and `seed` change nothing."""
        return self._read(self._paths())

    def read_alone(self, split: str) -> RawData:
        """The one that is given for a split."""
        return self._read({split: self._existing(split)})

    def _read(self, paths: Mapping[str, Path]) -> RawData:
        from attnfocus.data.text_rows import packed  # with numpy; naming a data set costs nothing

        bad = BadRows(self._on_bad_row)
        found = {split: list(self._rows(split, path, bad)) for split, path in paths.items()}
        splits: dict[str, Sequence[Row]] = {split: packed(rows) for split, rows in found.items()}
        notes = bad.finish()
        empty = next((split for split, rows in splits.items() if not len(rows) and not bad.total), None)
        if empty is not None:
            raise DataError(
                f"dataset.{empty}={self._given[empty] or self._given['train']}: holds no {self.what}. {NEEDED}"
            )
        return RawData(splits, notes)

    def _paths(self) -> dict[str, Path]:
        """Split -> its folder or table."""
        given = {split: self._existing(split) for split, path in self._given.items() if path}
        train = given["train"]
        inner = {SPLIT_FOLDERS[each.name]: each for each in _folders(train) if each.name in SPLIT_FOLDERS}
        if "train" not in inner:
            return given
        found = {**inner, **given, "train": inner["train"]}
        return {split: found[split] for split in SPLITS if split in found}

    def _existing(self, split: str) -> Path:
        path = Path(self._given[split] or "").expanduser().resolve()
        if not path.exists():
            raise MissingFileError(f"dataset.{split}", f"dataset.{split}={self._given[split]}: does not exist.", NEEDED)
        return path

    def _rows(self, split: str, path: Path, bad: BadRows) -> Iterator[Row]:
        """The path and the label of each file that is whole."""
        group = self._group if split == "train" else None
        if group is not None and path.is_dir():
            text = f"dataset.group_column={group}: is a column of a table, and dataset.train={path} is a folder."
            raise ConfigError(Problem(f"{text} Use dataset.group_column=null.", "dataset.group_column", []))
        named = list(self._of_folder(path)) if path.is_dir() else list(self._of_table(path, bad, group))
        with stage(f"looking at the {self.what}s of {split}", len(named)) as looking:
            for name, file, label, place, of in named:
                looking.advance(1)
                try:
                    self.look(file)
                except DataError as error:
                    reason = str(error).partition("\n")[0].removeprefix(f"{file}: ")
                    bad.add(*place, reason if place[0] == file else f"{file}: {reason}")
                    continue
                yield Row(f"{split}:{name}", str(file), label, group=of)

    def _of_folder(self, path: Path) -> Iterator[Named]:
        classes = _folders(path)
        if not classes:
            raise DataError(
                f"{path}: has no folders, one for each class, with {self.what}s ({', '.join(self.endings)}) in them."
            )
        for folder in classes:
            for file in media_in(folder, self.endings):
                yield file.relative_to(path).as_posix(), file, folder.name, (file, 1, 1), ""

    def _of_table(self, path: Path, bad: BadRows, group: str | None) -> Iterator[Named]:
        from attnfocus.data.reading.tables import Table, table_format

        keys = ("dataset.path_column", "dataset.label_column")
        table = Table(path, self._columns, table_format(path), keys=keys)
        table = table if group is None else with_group(table, group)
        for record in table.records(bad):
            name, label, *of = record.values
            place = (path, *table.place(record, 0))
            if not label.strip():
                bad.add(*place, "no label")
                continue
            yield (
                str(record.number),
                (path.parent / Path(name).expanduser()).resolve(),
                label.strip(),
                place,
                "".join(of).strip(),
            )


class ImageFiles(MediaFiles):
    """Images (PNG, JPEG and what else Pillow reads) with a label each. Options as in `MediaFiles`."""

    what, endings = "image", IMAGE_ENDINGS

    def look(self, path: Path) -> object:
        from attnfocus.data.reading.image_files import seen_image  # with Pillow; naming a data set costs nothing

        return seen_image(path)


class SoundFiles(MediaFiles):
    """Recordings (wav; with soundfile flac, ogg, mp3 and others) with a label each. Options as in `MediaFiles`."""

    what, endings = "recording", SOUND_ENDINGS

    def look(self, path: Path) -> object:
        from attnfocus.data.reading.sound_files import seen_sound  # with numpy; naming a data set costs nothing

        return seen_sound(path)


def _folders(path: Path) -> list[Path]:
    """Those in a folder, in order; none of a file."""
    if not path.is_dir():
        return []
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
