"""metrics.jsonl: every logged event as a line of strict JSON."""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attnfocus.errors import CheckpointError
from attnfocus.events import Evaluated, Heads, Listener, Progress, RolledBack, TrainingStarted
from attnfocus.files import strict_json
from attnfocus.layout import METRICS_FILE
from attnfocus.limits import NonNegativeFloat, NonNegativeInt
from attnfocus.records import to_record, to_value
from attnfocus.regular_files import is_there, open_to_append, read_lines, replace_file

MAX_LINE_BYTES = 2**24  # a number for each measure and head of a model
_OF_EVENT = ("step", "epoch", "split", "seconds")
HEADS = "focus/heads"  # the key of the measures by attention, measure and head: lists of numbers
HEADS_OF_KIND = f"{HEADS}/"  # ... and the kind: how many heads are of it, of the examples whose maps are kept


class MetricsFile(Listener):
    """Writes `{"step", "epoch", "split", "seconds", <metric>: value, ...}` per event, each line whole and at once.

    An evaluation's line ends with `"focus/heads": {<attention>: {<measure>: [value of head 0, ...]}}`.

    A killed run leaves at most one torn line, at the end, which resuming drops.

    A new run must not have the file yet. Of a run that is resumed, what it wrote after the step of the checkpoint is
    dropped first, and so is what it wrote of the test split, which is evaluated at the end of a run: the resumed file
    then holds the same lines as that of an uninterrupted run. An evaluation of that very step goes too if the
    checkpoint does not know it: it comes again.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._append_from_step: int | None = None
        self._is_evaluated = True
        self._file: io.FileIO | None = None

    def on_start(self, event: TrainingStarted) -> None:
        self._path = event.run_dir / METRICS_FILE
        self._append_from_step, self._is_evaluated = event.resumed_from, event.is_evaluated
        self._open()

    def on_progress(self, event: Progress) -> None:
        if event.is_logged:
            self._write(event, "train", event.metrics)

    def on_evaluation(self, event: Evaluated) -> None:
        heads = {HEADS: logged_heads(event.heads)} if event.heads else {}
        self._write(event, event.split, {**event.metrics, **heads})

    def on_rollback(self, event: RolledBack) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._append_from_step, self._is_evaluated = event.step, event.is_evaluated

    def close(self) -> None:
        self._path = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> io.FileIO:
        if self._file is None:
            if self._path is None:
                raise ValueError(f"{METRICS_FILE} hears of a run between its start and its end")
            if self._append_from_step is not None and is_there(self._path):
                _drop_after(self._path, self._append_from_step, self._is_evaluated)
            self._file = open_to_append(self._path, is_new=self._append_from_step is None)
        return self._file

    def _write(self, event: Progress | Evaluated, split: str, metrics: Mapping[str, Any]) -> None:
        line = {"step": event.step, "epoch": event.epoch, "split": split, "seconds": round(event.seconds, 3)}
        line |= strict_json(metrics)
        data = (json.dumps(line, allow_nan=False) + "\n").encode()
        file = self._open()
        while data:  # a raw file may take a part
            data = data[file.write(data) or 0 :]


@dataclass(frozen=True)
class Event:
    """What every line has; the rest of it are metrics."""

    step: NonNegativeInt
    epoch: NonNegativeInt
    split: str
    seconds: NonNegativeFloat


@dataclass(frozen=True)
class _Line:
    """A line as it stands there and what it says; no event where a kill or a full disk has torn it."""

    text: bytes
    event: Event | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    heads: dict[str, dict[str, list[float]]] = field(default_factory=dict)


def logged_metrics(path: Path, step: int, split: str) -> dict[str, float] | None:
    """The metrics of a split that were logged at a step, those that are finite numbers; None: no such line.

    Raises:
        CheckpointError: a line before that one is damaged, or the file is none.
    """
    for line in _lines(path):
        event = line.event
        if event is not None and (event.step, event.split) == (step, split):
            return {name: value for name, value in line.metrics.items() if value is not None}
    return None


def logged_lines(path: Path) -> list[dict[str, Any]]:
    """Every line as step, epoch, split, seconds and its metrics; None where a metric was no finite number.

    Raises:
        CheckpointError: a line is damaged, or the file is none.
    """
    return logged(path).lines


def valid_lines(path: Path) -> list[dict[str, Any]]:
    """Those of `logged_lines` that are of valid. Raises as it does."""
    return [line for line in logged_lines(path) if line["split"] == "valid"]


def metrics_of_line(line: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a line, those that are finite numbers."""
    return {name: value for name, value in line.items() if name not in _OF_EVENT and value is not None}


def logged_head_measures(path: Path) -> dict[int, dict[str, dict[str, list[float]]]]:
    """Step -> attention -> measure -> a value for each head, of the evaluations of valid.

    Raises:
        CheckpointError: a line is damaged, or the file is none.
    """
    return logged(path).heads


@dataclass(frozen=True)
class Logged:
    """A whole file: as `logged_lines` and as `logged_head_measures`."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    heads: dict[int, dict[str, dict[str, list[float]]]] = field(default_factory=dict)


def logged(path: Path) -> Logged:
    """Both, from one reading.

    Raises:
        CheckpointError: a line is damaged, or the file is none.
    """
    found = Logged()
    for line in _lines(path):
        event = line.event
        if event is None:
            continue
        found.lines.append({**vars(event), **line.metrics})
        if event.split == "valid":
            found.heads.pop(event.step, None)  # the last line of a step counts
            found.heads.update({event.step: line.heads} if line.heads else {})
    return found


def require_metrics(path: Path) -> None:
    """Looks at every line.

    Raises:
        CheckpointError: one is damaged, or the file is none; names the line.
    """
    for _ in _lines(path):
        pass


def _drop_after(path: Path, step: int, is_evaluated: bool) -> None:
    """Keeps the lines up to `step` that are not of the test split; of `step` itself only training if not evaluated."""
    replace_file(path, (line.text for line in _lines(path) if _is_kept(line, step, is_evaluated)))


def _is_kept(line: _Line, step: int, is_evaluated: bool) -> bool:
    event = line.event
    if event is None or not line.text.endswith(b"\n") or event.split == "test":
        return False
    last = step if is_evaluated or event.split == "train" else step - 1
    return event.step <= last


def _lines(path: Path) -> Iterator[_Line]:
    """Each line, read once.

    Raises:
        CheckpointError: a line is whole, and its values are not what is logged.
    """
    try:
        for number, line in enumerate(read_lines(path, MAX_LINE_BYTES) if is_there(path) else (), 1):
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                yield _Line(line)
                continue
            try:
                event = to_record(Event, values, ignore_unknown=True)
                rest = {name: value for name, value in values.items() if name not in _OF_EVENT}
                heads = to_value(rest.pop(HEADS, {}), dict[str, dict[str, list[float]]], HEADS)
                metrics = to_value(rest, dict[str, float | None])
            except ValueError as error:
                raise CheckpointError(f"{path}:{number}: {error}. Use an undamaged copy.") from None
            yield _Line(line, event, metrics, heads)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}.") from None


PICTURED = ("effective_positions", "distance", "diagonality", "first_mass")
LOGGED = (*PICTURED, "normalized_entropy", "max_logit")
DIGITS = 4  # of each number: curves need no more


def logged_heads(heads: Heads) -> dict[str, dict[str, list[float]]]:
    """Attention -> measure -> a value for each head, of the measures that an attention has, rounded."""
    return {
        attention: {name: [round(value, DIGITS) for value in measures[name]] for name in LOGGED if name in measures}
        for attention, measures in heads.items()
    }
