"""A signal as a picture that weights are drawn over: time to the right, a strip for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attnfocus.grid import Picture

STRIP, GAP = 36, 4  # pixels of a channel, at most, and between two
SIZE = 256  # columns, and rows at most: what a page shows of a picture
MAX_CHANNELS = 8  # that are drawn; of more the first
LINE = 2  # pixels


def drawn_signal(samples: NDArray[Any], step: int, intervals: Sequence[tuple[int, int]] = ()) -> Picture:
    """The lines of channels, each from its least to its largest value, dark on white.

    Args:
        samples: (samples, channels), at least one sample.
        step: samples of a position.
        intervals: of samples [start, end) that hold the evidence.
    """
    count, channels = len(samples), min(samples.shape[1], MAX_CHANNELS)
    strip = min(STRIP, (SIZE - GAP) // channels - GAP)
    height = channels * (strip + GAP) + GAP
    pixels = np.full((height, SIZE), 255, dtype=np.uint8)
    for channel in range(channels):
        values = samples[:, channel].astype(np.float64)
        for column, (top, bottom) in enumerate(_spans(values, strip)):
            start = GAP + channel * (strip + GAP)
            pixels[start + top : start + bottom + LINE, column] = 0
    starts = np.arange(0, count, step)
    left, right = np.minimum(_column(starts, count), SIZE - 1), _column(np.minimum(starts + step, count), count)
    boxes = np.stack([np.zeros_like(left), left, np.full_like(left, height), np.maximum(right, left + 1)], axis=1)
    regions = tuple((0, int(_column(start, count)), height, int(_column(end, count))) for start, end in intervals)
    return Picture(pixels, boxes, regions, "signal", "steps")


def _column(sample: Any, count: int) -> Any:
    """The column at which a sample begins, of `count` samples."""
    return np.rint(np.asarray(sample) * SIZE / count).astype(np.int64)


def _spans(values: NDArray[np.float64], strip: int) -> list[tuple[int, int]]:
    """For each column the first and the last row of the line of values (samples,), which it joins with the column
    before."""
    per_column = 1 + -(-len(values) // SIZE)
    fine = np.interp(np.linspace(0, len(values) - 1, SIZE * per_column), np.arange(len(values)), values)
    low, high = fine.min(), fine.max()
    shares = (fine - low) / (high - low) if high > low else np.full(len(fine), 0.5)
    rows = np.rint((1 - shares) * (strip - LINE)).astype(int)
    before = np.concatenate([rows[:1], rows[per_column - 1 : -1 : per_column]])
    rows = np.column_stack([before, rows.reshape(SIZE, per_column)])
    return list(zip(rows.min(axis=1).tolist(), rows.max(axis=1).tolist(), strict=True))
