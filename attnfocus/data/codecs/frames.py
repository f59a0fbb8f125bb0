"""Frames of log-mel energies of recordings.

Shapes: F frames, M mel bands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.codecs.cells import Cells
from attnfocus.data.codecs.log_mel import LogMel, SpecAugment
from attnfocus.data.reading.sound_files import num_resampled, resampled, seen_sound, sound_of
from attnfocus.data.rows import Row
from attnfocus.errors import DataError

Normalization = Literal["train", "recording"]
NUM_SAMPLED = 2000  # training recordings, spread over train, that mean and deviation are measured on
LEAST_DEVIATION = 0.1  # added to deviations of log energies, so that what never changes can be divided by it


@dataclass(frozen=True, eq=False)
class Frames:
    """How recordings become frames: standardized log-mel energies, masked in training.

    Attributes:
        normalization: by what each mel band gets mean 0 and deviation 1: train, or before that the recording itself.
        scale: (2, M) mean and deviation in train, after the recording's own normalization.
    """

    log_mel: LogMel
    augmentation: SpecAugment
    normalization: Normalization
    scale: NDArray[np.float32]

    @classmethod
    def learned(
        cls, rows: Sequence[Row], log_mel: LogMel, augmentation: SpecAugment, normalization: Normalization
    ) -> Frames:
        """With the scale of training rows."""
        plain = np.stack([np.zeros(log_mel.n_mels), np.ones(log_mel.n_mels)]).astype(np.float32)
        frames = cls(log_mel, augmentation, normalization, plain)
        sampled = range(0, len(rows), -(-len(rows) // NUM_SAMPLED))
        arrays = (frames.of(rows[number])[:, np.newaxis] for number in sampled)
        shape = (None, 1, log_mel.n_mels)
        return replace(frames, scale=Cells.learned(arrays, shape, (1, 1), least=LEAST_DEVIATION).scale)

    def of(self, row: Row, generator: np.random.Generator | None = None) -> NDArray[np.float32]:
        """(F, M) of a row's recording. With a generator it is masked.

        Raises:
            DataError: the recording cannot be read.
        """
        frames = self.log_mel.of(resampled(sound_of(row, self.log_mel.sample_rate), self.log_mel.sample_rate))
        if self.normalization == "recording":
            frames = (frames - frames.mean(axis=0)) / (frames.std(axis=0) + LEAST_DEVIATION)
        frames = (frames - self.scale[0]) / self.scale[1]
        return frames if generator is None else self.augmentation.applied(frames, generator)

    def size(self, row: Row) -> tuple[int, int]:
        """Samples of a row's recording, and their rate; of a file it is decoded once."""
        if isinstance(row.input, str):
            seen = seen_sound(Path(row.input))
            return seen.num_samples, seen.rate
        sound = sound_of(row, self.log_mel.sample_rate)
        return len(sound.samples), sound.rate

    def num_frames(self, row: Row) -> int:
        """F of a row."""
        return self.log_mel.num_frames(num_resampled(*self.size(row), self.log_mel.sample_rate))

    def regions(self, row: Row) -> list[tuple[int, int]]:
        """The frames [first, last) of each region of a row, which is in samples of its recording."""
        if not row.regions:
            return []
        (num_samples, rate), own = self.size(row), self.log_mel.sample_rate
        num_frames = self.log_mel.num_frames(num_resampled(num_samples, rate, own))
        return [
            self.log_mel.frames_of(num_resampled(start, rate, own), num_resampled(end, rate, own), num_frames)
            for start, _, end, _ in row.regions
        ]

    def saved(self) -> dict[str, Any]:
        """For a codec's file."""
        return {
            "log_mel": self.log_mel.saved(),
            "augmentation": self.augmentation.saved(),
            "normalization": self.normalization,
            "mel_scale": self.scale.tolist(),
        }

    @classmethod
    def loaded(cls, content: Mapping[str, Any]) -> Frames:
        """From what `saved` gave.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        given = content["log_mel"]
        rate, n_mels = given["sample_rate"], given["n_mels"]
        if type(rate) is not int or type(n_mels) is not int or not (0 < rate <= 384_000 and 0 < n_mels <= 512):
            raise ValueError("sample_rate or n_mels is out of range")
        if not all(0 < float(given[name]) <= 10_000 for name in ("frame_ms", "hop_ms")):
            raise ValueError("frame_ms or hop_ms is out of range")
        if content["normalization"] not in get_args(Normalization):
            raise ValueError("normalization is not a known value")
        scale = np.array(content["mel_scale"], dtype=np.float32)
        if scale.shape != (2, n_mels) or not (np.isfinite(scale).all() and (scale[1] > 0).all()):
            raise ValueError("mel_scale is not a mean and a deviation of each mel band")
        try:
            log_mel = LogMel(rate, n_mels, float(given["frame_ms"]), float(given["hop_ms"]))
        except DataError as error:
            raise ValueError(str(error)) from error
        masks = content["augmentation"]
        augmentation = SpecAugment(
            int(masks["time_masks"]), float(masks["time_mask"]), int(masks["mel_masks"]), int(masks["mel_mask"])
        )
        return cls(log_mel, augmentation, content["normalization"], scale)
