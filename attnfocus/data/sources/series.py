"""Signals of one's own in tables and arrays, and recordings of brain waves by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from attnfocus.data.reading.data_files import find_files, prefixes
from attnfocus.data.reading.download import find_by_hand
from attnfocus.data.reading.lines import BadRows, OnBadRow
from attnfocus.data.rows import RawData, Row
from attnfocus.errors import ConfigError, DataError
from attnfocus.limits import PositiveInt
from attnfocus.marks import FilePath

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnfocus.data.reading.tables import Record, Table

NEEDED = (
    "Give a long table (a row for each sample, with the columns id and label), a wide one (a row for each series, with "
    "the column label), or an npz file with the arrays inputs (N, samples[, channels]) and targets (N,)."
)
Layout = Literal["auto", "long", "wide"]
EEG_CHANNELS = (
    "Attention",
    "Meditation",
    "Raw",
    "Delta",
    "Theta",
    "Alpha1",
    "Alpha2",
    "Beta1",
    "Beta2",
    "Gamma1",
    "Gamma2",
)
BANDS = EEG_CHANNELS[3:]  # powers over some orders of magnitude
EEG_LABELS = {"self": "SelfDefinedConfusion", "lesson": "PreDefinedConfusion"}


@dataclass
class _Series:
    """A signal while its samples are read."""

    target: str
    group: str
    samples: list[list[float]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def ordered(self) -> list[list[float]]:
        """The samples in the order of their times, where there are times; equal ones in their order."""
        if not self.times:
            return self.samples
        return [self.samples[place] for place in sorted(range(len(self.times)), key=self.times.__getitem__)]


class SeriesFiles:
    """Signals of one or more channels, each with a label or, for `dataset.task=regression`, a number.

    Args:
        train, valid, test: tables (csv, tsv, jsonl, ...), or npz files with the arrays `inputs` (N, samples) or
            (N, samples, channels), `targets` (N,) and perhaps `groups` (N,). What is not given is drawn from train.
        layout: of a table: long, a row for each sample; wide, a row for each series of one channel; auto: long exactly
            when it has the column `id_column`.
        id_column: of a long table: what says which series a sample belongs to.
        time_column: of a long table: by what the samples of a series are ordered; None: as they stand.
        channels: of a long table, its channels, of a wide one, its samples in order; None: all other columns.
        label_column: the label, or the number; the same for all samples of a series.
        group_column: whom a series is of; series of one group are never drawn into two splits. None: each for itself.
        window: samples of an example; None: the whole series. Windows of a series stay in one split.
        step: samples from the start of a window to that of the next; None: `window`, so that none overlap.
        on_bad_row: fail: stop and name the rows with missing values or what is no number; skip: leave these rows out.
    """

    task: str = "classification"

    def __init__(
        self,
        *,
        train: FilePath | list[FilePath] | None = None,
        valid: FilePath | list[FilePath] | None = None,
        test: FilePath | list[FilePath] | None = None,
        layout: Layout = "auto",
        id_column: str = "id",
        time_column: str | None = None,
        channels: list[str] | None = None,
        label_column: str = "label",
        group_column: str | None = None,
        window: PositiveInt | None = None,
        step: PositiveInt | None = None,
        on_bad_row: OnBadRow = "fail",
    ) -> None:
        if not train:
            raise ConfigError(f"dataset.train is not given. {NEEDED}")
        if step is not None and window is None:
            raise ConfigError(f"dataset.step={step}: is between windows, and there is one for each series. Set window.")
        self._paths: dict[str, Any] = {"train": train, "valid": valid, "test": test}
        self._layout, self._id, self._time, self._channels = layout, id_column, time_column, channels
        self._label, self._group, self._window, self._step = label_column, group_column, window, step or window
        self._on_bad_row: OnBadRow = on_bad_row

    def for_task(self, task: str) -> Self:
        """The same signals with labels that are read as numbers, for `regression`."""
        own = copy(self)
        own.task = task
        return own

    def read(self, data_dir: Path, seed: int) -> RawData:
        """The splits whose paths are given. `data_dir` and `seed` change nothing."""
        return self.read_alone(*self._paths)

    def read_alone(self, *splits: str) -> RawData:
        """Those of these splits whose paths are given."""
        bad, found = BadRows(self._on_bad_row), dict[str, list[Row]]()
        for split in splits:
            if self._paths[split]:
                paths = find_files(self._paths[split], f"dataset.{split}")
                found[split] = [
                    row
                    for prefix, path in zip(prefixes(split, paths), paths, strict=True)
                    for row in self._rows(prefix, path, bad)
                ]
        notes = bad.finish()
        empty = next((split for split, rows in found.items() if not rows and not bad.total), None)
        if empty is not None:
            raise DataError(f"dataset.{empty}={self._paths[empty]}: holds no series. {NEEDED}")
        return RawData(found, notes)

    def _rows(self, prefix: str, path: Path, bad: BadRows) -> Iterator[Row]:
        signals = self._of_arrays(path) if path.suffix == ".npz" else self._of_table(path, bad)
        for name, samples, target, group in signals:
            whole = Row(f"{prefix}{name}", samples, target, group=group)
            yield from windows(whole, self._window, self._step)

    def _of_arrays(self, path: Path) -> Iterator[tuple[str, NDArray[Any], str, str]]:
        from attnfocus.data.reading.signal_files import as_numbers, read_arrays

        arrays = read_arrays(path, ("inputs", "targets"), ("groups",))
        inputs, targets = as_numbers(arrays["inputs"], path), arrays["targets"]
        groups = arrays.get("groups", [""] * len(inputs))
        if inputs.ndim not in (2, 3) or not len(inputs) == len(targets) == len(groups):
            raise DataError(
                f"{path}: inputs of {inputs.shape} and {len(targets)} targets do not belong together. {NEEDED}"
            )
        for number, (signal, target, group) in enumerate(zip(inputs, targets, groups, strict=True), 1):
            yield str(number), signal if signal.ndim == 2 else signal[:, None], str(target), str(group)

    def _of_table(self, path: Path, bad: BadRows) -> Iterator[tuple[str, NDArray[Any], str, str]]:
        from attnfocus.data.reading.tables import Table, table_format

        form = table_format(path)
        names = [name.strip() for name in Table(path, (0,), form).first_row()]
        is_long = self._id in names if self._layout == "auto" else self._layout == "long"
        own = {"label_column": self._label}
        own |= {"id_column": self._id} if is_long else {}
        own |= {"time_column": self._time} if is_long and self._time else {}
        own |= {"group_column": self._group} if self._group else {}
        channels = self._channels or [name for name in names if name not in own.values()]
        if not channels:
            raise DataError(f"{path}: has no column of values beside {', '.join(own.values())}. {NEEDED}")
        keys = (*(f"dataset.{key}" for key in own), *["dataset.channels"] * len(channels))
        table = Table(path, (*own.values(), *channels), form, keys=keys)
        read = self._of_long if is_long else self._of_wide
        return read(table, list(own), bad)

    def _of_long(self, table: Table, own: Sequence[str], bad: BadRows) -> Iterator[tuple[str, NDArray[Any], str, str]]:
        import numpy as np

        found = dict[str, _Series]()
        for record, named, numbers in self._numbers(table, own, bad):
            known = found.setdefault(named["id_column"], _Series(named["label_column"], named.get("group_column", "")))
            wanted = {"label_column": known.target, "group_column": known.group}
            wrong = next((key for key, value in wanted.items() if named.get(key, "") != value), None)
            if wrong is not None:
                reason = f"{named[wrong]!r}, where series {named['id_column']} has {wanted[wrong]!r} before"
                bad.add(table.path, *table.place(record, own.index(wrong)), reason)
                continue
            known.samples.append(numbers)
            if "time_column" in named:
                known.times.append(float(named["time_column"]))
        for name, series in found.items():
            yield name, np.array(series.ordered(), dtype=np.float32), series.target, series.group

    def _of_wide(self, table: Table, own: Sequence[str], bad: BadRows) -> Iterator[tuple[str, NDArray[Any], str, str]]:
        import numpy as np

        for record, named, numbers in self._numbers(table, own, bad):
            samples = np.array(numbers, dtype=np.float32)[:, np.newaxis]
            yield str(record.number), samples, named["label_column"], named.get("group_column", "")

    def _numbers(
        self, table: Table, own: Sequence[str], bad: BadRows
    ) -> Iterator[tuple[Record, Mapping[str, str], list[float]]]:
        """Each row with its named values and its numbers; those with another value than a finite number are bad."""
        from attnfocus.data.codecs.number import parsed

        numeric = ({"time_column"} | ({"label_column"} if self.task == "regression" else set())) & set(own)
        for record in table.records(bad):
            numbers = [parsed(value) for value in record.values[len(own) :]]
            named = {key: value.strip() for key, value in zip(own, record.values, strict=False)}
            places = [place for place, number in enumerate(numbers, len(own)) if number is None]
            places += [own.index(key) for key in numeric if parsed(named[key]) is None]
            if places:
                value = record.values[places[0]][:40]
                bad.add(table.path, *table.place(record, places[0]), f"{value!r} is no finite number")
                continue
            yield record, named, [number for number in numbers if number is not None]


def windows(row: Row, window: int | None, step: int | None) -> Iterator[Row]:
    """A series cut into windows, which are of one group; as it is where no window is given or it is not longer.

    What is left at its end, less than a window, is left out.
    """
    if window is None or step is None or len(row.input) <= window:
        yield row
        return
    group = row.group or row.id
    for start in range(0, len(row.input) - window + 1, step):
        yield replace(row, id=f"{row.id}:{start + 1}", input=row.input[start : start + window], group=group)


class EEGConfusion:
    """Brain waves of 10 students, each watching 10 lessons: were they confused? (Wang et al. 2013.)

    100 recordings of 112 to 144 samples, about two a second, from one electrode; splits keep the recordings of a
    student together. File `eeg_confusion/EEG.csv`, with or without .gz.

    Args:
        target: self: what the student said; lesson: whether the lesson was meant to confuse, which is no matter of the
            student: recordings of one lesson all have the same label.
        channels: some of those of the file: the headset's indices Attention and Meditation, Raw, and the powers of
            eight bands, of which the model sees log10(1 + power).
    """

    task = "classification"

    def __init__(self, *, target: Literal["self", "lesson"] = "self", channels: list[str] | None = None) -> None:
        unknown = [name for name in channels or [] if name not in EEG_CHANNELS]
        if unknown or channels == []:
            raise ConfigError(f"dataset.channels: must be some of {', '.join(EEG_CHANNELS)}, got {channels}.")
        self._target, self._channels = EEG_LABELS[target], list(channels or EEG_CHANNELS)

    def read(self, data_dir: Path, seed: int) -> RawData:
        """All recordings as train. `seed` changes nothing."""
        import numpy as np

        from attnfocus.data.reading.tables import Table

        how = "Get it from github.com/JumpThanawut/Predicting_Confusion_using_EEG_Data."
        path = find_by_hand("eeg_confusion", data_dir / "eeg_confusion", ["EEG.csv"], how)[0]
        bad, found = BadRows(), dict[tuple[str, str], list[list[float]]]()
        labels = dict[tuple[str, str], str]()
        table = Table(path, ("SubjectID", "VideoID", self._target, *self._channels), "csv")
        for record in table.records(bad):
            subject, lesson, label = record.values[:3]
            key = f"{float(subject):g}", f"{float(lesson):g}"
            labels[key] = "confused" if float(label) else "not confused"
            found.setdefault(key, []).append([float(value) for value in record.values[3:]])
        bad.finish()
        is_band = np.array([name in BANDS for name in self._channels])
        rows = []
        for (subject, lesson), samples in found.items():
            signal = np.array(samples)
            signal[:, is_band] = np.log10(1 + signal[:, is_band])
            name = f"train:student-{subject}:lesson-{lesson}"
            rows.append(Row(name, signal.astype(np.float32), labels[subject, lesson], group=f"student {subject}"))
        counts = Counter(row.group for row in rows)
        return RawData(
            {"train": rows}, [f"{len(rows)} recordings of {len(counts)} students, who stay together in splits"]
        )
