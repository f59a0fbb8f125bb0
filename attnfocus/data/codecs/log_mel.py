"""From samples to frames of log-mel energies, and masks over them in training.

numpy and scipy are here anyway; torchaudio or librosa would be a large package for these few lines. The filters and
the energies are tested against another library.

Shapes: N samples, F frames, M mel bands.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.errors import DataError

FLOOR = 1e-8  # of an energy before its logarithm: far below what 16 bits can tell from silence


@dataclass(frozen=True)
class LogMel:
    """log(max(floor, mel filters x |spectrum|^2)) of overlapping frames under a Hann window.

    Frame t begins at sample t * hop; zeros follow the last sample until the last frame is full.

    Attributes:
        sample_rate: samples a second.
        n_mels: M, triangular filters with peak 1, equally far apart on the mel scale (HTK) from 0 to half the rate.
        frame_ms, hop_ms: length of a frame, and from the beginning of one to that of the next, in milliseconds.

    Raises:
        DataError: options that do not go together.
    """

    sample_rate: int
    n_mels: int
    frame_ms: float
    hop_ms: float

    def __post_init__(self) -> None:
        if self.hop < 1 or self.frame < 2:
            raise DataError(
                f"dataset.codec.frame_ms={self.frame_ms:g} and hop_ms={self.hop_ms:g}: are less than a sample at "
                f"{self.sample_rate} samples a second. Use 25 and 10."
            )
        if self.hop > self.frame:
            raise DataError(
                f"dataset.codec.hop_ms={self.hop_ms:g}: is longer than a frame, and samples between frames would be "
                f"lost. Use {self.frame_ms:g} or less."
            )
        filters = mel_filters(self.sample_rate, self.fft_length, self.n_mels)
        if not filters.any(axis=0).all():
            raise DataError(
                f"dataset.codec.n_mels={self.n_mels}: are so many that some lie between two frequencies of a frame of "
                f"{self.frame_ms:g} ms. Use fewer, or a longer dataset.codec.frame_ms."
            )

    @property
    def frame(self) -> int:
        """Samples of a frame."""
        return round(self.sample_rate * self.frame_ms / 1000)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(self.sample_rate * self.hop_ms / 1000)

    @property
    def fft_length(self) -> int:
        """Twice a frame, to the next power of two: zeros behind a frame put frequencies closer together."""
        return 1 << (2 * self.frame - 1).bit_length()

    def num_frames(self, num_samples: int) -> int:
        """F of a recording; at least 1."""
        return 1 + max(0, -(-(num_samples - self.frame) // self.hop))

    def frames_of(self, start: int, end: int, num_frames: int) -> tuple[int, int]:
        """The frames [first, last) whose middles lie in the samples [start, end); at least one."""
        middle = self.frame // 2
        first, last = (-(-(sample - middle) // self.hop) for sample in (start, end))
        first = min(max(first, 0), num_frames - 1)
        return first, min(max(last, first + 1), num_frames)

    def of(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N,) -> (F, M)."""
        count = self.num_frames(len(samples))
        padded = np.zeros((count - 1) * self.hop + self.frame, dtype=np.float32)
        padded[: len(samples)] = samples
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.frame)[:: self.hop]  # (F, frame)
        spectrum = np.fft.rfft(frames * _window(self.frame), n=self.fft_length)
        energies = np.square(np.abs(spectrum)) @ mel_filters(self.sample_rate, self.fft_length, self.n_mels)
        return np.log(np.maximum(energies, FLOOR)).astype(np.float32)

    def saved(self) -> dict[str, Any]:
        """For a codec's file."""
        return asdict(self)


@lru_cache(maxsize=8)
def mel_filters(sample_rate: int, fft_length: int, n_mels: int) -> NDArray[np.float64]:
    """(fft_length // 2 + 1, n_mels): triangles between neighbors of equal distance in mel = 2595 log10(1 + f / 700)."""
    frequencies = np.arange(fft_length // 2 + 1) * (sample_rate / fft_length)
    highest = 2595 * np.log10(1 + sample_rate / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, highest, n_mels + 2) / 2595) - 1)
    left, peak, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequencies[:, np.newaxis] - left) / (peak - left)
    falling = (right - frequencies[:, np.newaxis]) / (right - peak)
    filters = np.maximum(0, np.minimum(rising, falling))
    filters.setflags(write=False)
    return filters


@lru_cache(maxsize=8)
def _window(size: int) -> NDArray[np.float32]:
    """The periodic Hann window."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
    window.setflags(write=False)
    return window


@dataclass(frozen=True)
class SpecAugment:
    """Bands of frames, or of mel bands, that are set to 0, the mean of train   (Park et al. 2019, sec. 2,
    arXiv:1904.08779, without time warping).

    Attributes:
        time_masks, mel_masks: how many of each; 0: none.
        time_mask: the longest, as a share of the recording's frames; the length is drawn evenly from 0 on.
        mel_mask: the widest, in mel bands.
    """

    time_masks: int = 0
    time_mask: float = 0.0
    mel_masks: int = 0
    mel_mask: int = 0

    def applied(self, frames: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
        """Standardized frames (F, M) as they are seen this time: a function of what the generator draws."""
        if not (self.time_masks and self.time_mask) and not (self.mel_masks and self.mel_mask):
            return frames
        masked, (num_frames, num_mels) = frames.copy(), frames.shape
        for _ in range(self.time_masks):
            masked[_drawn(int(self.time_mask * num_frames), num_frames, generator)] = 0
        for _ in range(self.mel_masks):
            masked[:, _drawn(min(self.mel_mask, num_mels), num_mels, generator)] = 0
        return masked

    def saved(self) -> dict[str, Any]:
        """For a codec's file."""
        return asdict(self)


def _drawn(longest: int, size: int, generator: np.random.Generator) -> slice:
    """A part of at most `longest` of `size`."""
    length = int(generator.integers(0, longest, endpoint=True))
    start = int(generator.integers(0, size - length, endpoint=True))
    return slice(start, start + length)
