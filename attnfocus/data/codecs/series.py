"""A signal of some channels, cut into steps of k samples, and its class or its number.

Shapes: signals are (samples, channels); L positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.base import Codec, Encoded, InputKind
from attnfocus.data.codecs.cells import Cells
from attnfocus.data.codecs.label import NO_LABEL, LabelCodec, saved_labels
from attnfocus.data.codecs.number import NO_NUMBER, NumberCodec, Scale
from attnfocus.data.reading.signal_files import read_signal
from attnfocus.data.reading.signal_pictures import drawn_signal
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import DataError
from attnfocus.grid import Grid, Picture


class SeriesCodec(Codec):
    """What codecs of signals have in common. Each channel is standardized by its mean and deviation in train."""

    input_kind: ClassVar[InputKind] = "signal"
    cells: Cells

    @classmethod
    def fits(cls, row: Row) -> bool:
        return not isinstance(row.input, str) and row.input.ndim in (1, 2)

    @classmethod
    def learned_cells(cls, rows: Sequence[Row]) -> Cells:
        """The scale of the channels of training rows."""
        channels = _samples(rows[0]).shape[1]
        return Cells.learned((_samples(row)[:, np.newaxis] for row in rows), (None, 1, channels), (1, 1))

    @classmethod
    def trial_grid(cls, patch_size: Any) -> Grid:
        size = patch_size if isinstance(patch_size, int) else (patch_size or [1])[0]
        return Grid(None, 1, (size, 1, 1))

    def cut(self, patch_size: Any) -> Self:
        self.cells = self.cells.recut([patch_size, 1] if isinstance(patch_size, int) else patch_size)
        return self

    @property
    def grid(self) -> Grid:
        return self.cells.grid

    @property
    def num_channels(self) -> int:
        return self.cells.shape[2]

    def _encoded(self, row: Row, target: float) -> Encoded:
        """`target`: the number of the class (int), or a number (float)."""
        problem = self.input_problem(row)
        if problem is not None:
            raise DataError(f"row {row.id} is {problem}.")
        vectors = self.cells.vectors(_samples(row)[:, np.newaxis])
        return Encoded(row.id, vectors, target, len(vectors), row)

    def _read(self, text: str, id: str) -> Row:
        return Row(id, read_signal(Path(text.strip()), self.num_channels), "")

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        """The first sample of each step, counted from 1."""
        return [str(step * self.cells.cell[0] + 1) for step, _ in enumerate(inputs)]

    def input_problem(self, row: Row) -> str | None:
        if not self.fits(row):
            return super().input_problem(row)
        samples = _samples(row)
        if samples.shape[1] != self.num_channels:
            return f"of {samples.shape[1]} channels, where the model reads {self.num_channels}"
        return None if np.isfinite(samples).all() else "a signal with a number that is not finite"

    def picture(self, row: Row) -> Picture:
        return drawn_signal(_samples(row), self.cells.cell[0], [(top, bottom) for top, _, bottom, _ in row.regions])

    def rationale(self, row: Row) -> tuple[bool, ...] | None:
        num_positions = self.cells.num_positions(len(row.input))
        return self.cells.touched(row.regions, num_positions) if row.regions else None


class SeriesLabelCodec(LabelCodec, SeriesCodec):
    """A signal (samples[, channels]) of any length, and its class."""

    kind = "series_label"

    def __init__(self, labels: Sequence[str], cells: Cells) -> None:
        super().__init__(labels)
        self.cells = cells

    @classmethod
    def for_task(cls, task: str) -> type[Codec]:
        return SeriesNumberCodec if task == "regression" else cls

    @classmethod
    def learn(cls, rows: Sequence[Row], tokenizer: TokenizerOptions) -> SeriesLabelCodec:
        return cls(cls.labels_of(rows), cls.learned_cells(rows))

    def dims(self) -> dict[str, int | None]:
        return {"vocab_size": None, "input_dim": self.grid.input_dim, "num_classes": len(self.labels)}

    def encode(self, row: Row, generator: np.random.Generator | None = None) -> Encoded:
        return self._encoded(row, self.class_of(row))

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        """`text` is the path of a signal, see `read_signal`."""
        return self._encoded(self._read(text, id), NO_LABEL)

    def save(self, directory: Path) -> None:
        self.write(directory, labels=list(self.labels), **self.cells.saved())

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> SeriesLabelCodec:
        return cls(saved_labels(content), Cells.of(content))


class SeriesNumberCodec(NumberCodec, SeriesCodec):
    """A signal (samples[, channels]) of any length, and its number."""

    kind = "series_number"

    def __init__(self, scale: Scale, cells: Cells) -> None:
        super().__init__(scale)
        self.cells = cells

    @classmethod
    def learn(cls, rows: Sequence[Row], tokenizer: TokenizerOptions) -> SeriesNumberCodec:
        return cls(cls.scale_of(rows), cls.learned_cells(rows))

    def dims(self) -> dict[str, int | None]:
        return {"vocab_size": None, "input_dim": self.grid.input_dim, "num_classes": 1}

    def encode(self, row: Row, generator: np.random.Generator | None = None) -> Encoded:
        return self._encoded(row, self.target_of(row))

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        """`text` is the path of a signal, see `read_signal`."""
        return self._encoded(self._read(text, id), NO_NUMBER)

    def save(self, directory: Path) -> None:
        self.write(directory, target_scale=list(self.scale), **self.cells.saved())

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> SeriesNumberCodec:
        return cls(Scale.saved(content), Cells.of(content))


def _samples(row: Row) -> NDArray[Any]:
    """(samples, channels)."""
    assert not isinstance(row.input, str)
    return row.input if row.input.ndim == 2 else row.input[:, np.newaxis]
