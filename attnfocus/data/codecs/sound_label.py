"""A recording, as frames of log-mel energies, and its class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.base import Encoded
from attnfocus.data.codecs.frames import Frames
from attnfocus.data.codecs.label import NO_LABEL, LabelCodec, saved_labels
from attnfocus.data.codecs.sound import SoundCodec, plain_path
from attnfocus.data.rows import Row
from attnfocus.data.tokens.tokenizer import TokenizerOptions


class SoundLabelCodec(SoundCodec, LabelCodec):
    """A recording and its class."""

    kind = "sound_label"

    @classmethod
    def of_frames(cls, frames: Frames, rows: Sequence[Row], tokenizer: TokenizerOptions) -> Self:
        codec = cls(cls.labels_of(rows))
        codec.use(frames)
        return codec

    def dims(self) -> dict[str, int | None]:
        return {"vocab_size": None, "input_dim": self.grid.input_dim, "num_classes": len(self.labels)}

    def encode(self, row: Row, generator: np.random.Generator | None = None) -> Encoded:
        vectors = self.vectors(row, generator)
        return Encoded(row.id, vectors, self.class_of(row), len(vectors), row)

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        """`text` is the path of a recording."""
        row = Row(id, plain_path(text), "")
        vectors = self.vectors(row)
        return Encoded(id, vectors, NO_LABEL, len(vectors), row)

    def save(self, directory: Path) -> None:
        self.write(directory, labels=list(self.labels), **self.saved())

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> Self:
        return cls(saved_labels(content)).load_inputs(content)
