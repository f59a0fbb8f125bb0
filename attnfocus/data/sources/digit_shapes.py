"""Digits that are put on a canvas: drawn ones, or the handwritten ones of MNIST; and pieces of them.

Shapes: N digits, D pieces for each. Pixels are 0 to 255, 0 where nothing is drawn.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.sources.random_numbers import Integers, RandomNumbers

# Ten digits of 7 rows, each 5 dots as the bits of a number.
_GLYPHS = (
    (14, 17, 19, 21, 25, 17, 14),
    (4, 12, 4, 4, 4, 4, 14),
    (14, 17, 1, 2, 4, 8, 31),
    (31, 2, 4, 2, 1, 17, 14),
    (2, 6, 10, 18, 31, 2, 2),
    (31, 16, 30, 1, 1, 17, 14),
    (6, 8, 16, 30, 17, 17, 14),
    (31, 1, 2, 4, 8, 8, 8),
    (14, 17, 17, 14, 17, 17, 14),
    (14, 17, 17, 15, 1, 2, 12),
)
DOTS = np.array([[[row >> bit & 1 for bit in range(4, -1, -1)] for row in glyph] for glyph in _GLYPHS], dtype=np.uint8)
DOT = 2  # pixels of a dot
PIECE_DOTS = 3  # rows and columns of a piece of a drawn digit, in dots
PIECE = 8  # of a handwritten one, in pixels (as in Mnih et al. 2014, arXiv:1406.6247, sec. 4.1)

Pixels = NDArray[np.uint8]


class Digits(NamedTuple):
    """Digits, each in the rectangle that it fills.

    Attributes:
        labels: (N,)
        shapes: of each, pixels (rows, columns).
    """

    labels: Integers
    shapes: list[Pixels]


class DigitShapes(Protocol):
    """Where digits come from. `largest`: rows and columns of a canvas that has room for each; `side`: of a piece."""

    largest: int
    side: int

    def drawn(self, numbers: RandomNumbers, split: str, count: int) -> Digits:
        """`count` digits of a split."""
        ...

    def pieces(self, numbers: RandomNumbers, split: str, count: int, distractors: int) -> Pixels:
        """(N, D, side, side): squares out of digits of a split."""
        ...


class DotDigits:
    """One shape for each digit, of 7 x 5 dots: 14 x 10 pixels."""

    largest = 7 * DOT
    side = PIECE_DOTS * DOT

    def drawn(self, numbers: RandomNumbers, split: str, count: int) -> Digits:
        labels, shapes = numbers.below(len(DOTS), count), _pixels(DOTS)
        return Digits(labels, [shapes[label] for label in labels.tolist()])

    def pieces(self, numbers: RandomNumbers, split: str, count: int, distractors: int) -> Pixels:
        glyphs, size = numbers.below(len(DOTS), count, distractors), PIECE_DOTS
        down, right = numbers.below(7 - size + 1, count, distractors), numbers.below(5 - size + 1, count, distractors)
        return _pixels(_cut(DOTS, glyphs, (down, right), size))


class WrittenDigits:
    """The images of MNIST. Valid has the last images of the training file, which train does not have.

    Args:
        splits: images (N, 28, 28) and digits of `train` and `test`.
        num_valid: images of the training file that are kept for valid.
    """

    largest = 28
    side = PIECE

    def __init__(self, splits: dict[str, tuple[Pixels, Pixels]], num_valid: int = 10_000) -> None:
        images, labels = splits["train"]
        kept = min(num_valid, len(images) // 2)
        self._splits = {
            "train": (images[:-kept], labels[:-kept]),
            "valid": (images[-kept:], labels[-kept:]),
            "test": splits["test"],
        }

    def drawn(self, numbers: RandomNumbers, split: str, count: int) -> Digits:
        images, labels = self._splits[split]
        chosen = numbers.below(len(images), count)
        return Digits(labels[chosen].astype(np.int64), [_filled(images[number]) for number in chosen.tolist()])

    def pieces(self, numbers: RandomNumbers, split: str, count: int, distractors: int) -> Pixels:
        images, _ = self._splits[split]
        chosen, room = numbers.below(len(images), count, distractors), images.shape[1] - 8 - PIECE + 1
        down, right = (4 + numbers.below(room, count, distractors) for _ in range(2))  # the rim of 4 pixels is empty
        return _cut(images, chosen, (down, right), PIECE)


def _pixels(dots: NDArray[np.uint8]) -> Pixels:
    """(..., rows, columns) of 0 and 1 as squares of pixels."""
    return np.repeat(np.repeat(dots, DOT, axis=-2), DOT, axis=-1) * np.uint8(255)


def _cut(images: NDArray[np.uint8], chosen: Integers, places: tuple[Integers, Integers], size: int) -> Pixels:
    """(N, D, size, size): a square out of each chosen image, from the row and column on that are named."""
    rows, columns = (place[..., np.newaxis, np.newaxis] for place in places)
    rows, columns = rows + np.arange(size)[:, np.newaxis], columns + np.arange(size)
    return images[chosen[..., np.newaxis, np.newaxis], rows, columns]


def _filled(image: Pixels) -> Pixels:
    """The rectangle of an image that has what is drawn; all of an empty one."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else image
