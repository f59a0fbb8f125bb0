"""A digit somewhere on a canvas, among pieces of others. Made on the spot, nothing is downloaded.

Shapes: N rows, D distractors of a row, S size of the canvas in pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.array_rows import ArrayRows
from attnfocus.data.rows import SPLITS, RawData
from attnfocus.data.sources.embedded import EmbeddedSource
from attnfocus.data.sources.random_numbers import Integers, RandomNumbers
from attnfocus.limits import NumRows, Range
from attnfocus.stages import stage

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
LABELS = tuple(map(str, range(len(DOTS))))
DOT = 2  # pixels of a dot
HEIGHT, WIDTH = 7 * DOT, 5 * DOT  # of a digit, in pixels
PIECE = 3  # rows and columns of a distractor, in dots
TRIES = 12  # places that are drawn for a distractor; it is left out if all lie too near to the digit
NOISE = 60  # brightness below which the ground is random
DARKEST, LIGHTEST = 140, 256  # brightness of digits and distractors


class Canvas(EmbeddedSource):
    """Which digit is drawn here? One digit at a random place, and `num_distractors` pieces of 3 x 3 dots of digits.

    The digit's rectangle is known: it is the evidence (`Row.regions`), by which attention and attributions are
    measured. Pieces lie outside of it. Valid and test are the same for every seed.

    A guess is right in one of ten.

    Args:
        size: rows and columns of the canvas, in pixels; a digit has 14 x 10.
    """

    preset: ClassVar[str] = "canvas"
    task: ClassVar[str] = "classification"

    def __init__(
        self,
        *,
        size: Annotated[int, Range(ge=20, le=512, why="all rows are made in memory")] = 40,
        num_distractors: Annotated[int, Range(ge=0, le=64, why="each is drawn by itself")] = 6,
        num_train: NumRows = 8000,
        num_valid: NumRows = 1000,
        num_test: NumRows = 1000,
    ) -> None:
        self.size, self.num_distractors = size, num_distractors
        self._num_rows = dict(zip(SPLITS, (num_train, num_valid, num_test), strict=True))

    def read(self, data_dir: Path, seed: int) -> RawData:
        """Make the rows. Nothing is read from `data_dir`."""
        splits = {split: self._rows(split, seed if split == "train" else 0) for split in SPLITS}
        share = HEIGHT * WIDTH / self.size**2
        note = f"a digit on {100 * share:.1f} % of a canvas; a guess is right in 0.1; made from the seed"
        return RawData(splits, [note])

    def _rows(self, split: str, seed: int) -> ArrayRows:
        count, size = self._num_rows[split], self.size
        numbers = RandomNumbers("Canvas", split, seed, size, self.num_distractors)
        images = numbers.below(NOISE, count, size, size).astype(np.uint8)
        labels = numbers.below(len(DOTS), count)
        tops, lefts = numbers.below(size - HEIGHT + 1, count), numbers.below(size - WIDTH + 1, count)
        light = DARKEST + numbers.below(LIGHTEST - DARKEST, count, 1 + self.num_distractors)
        pieces, places = self._pieces(numbers, tops, lefts)
        with stage(f"making {split}", count) as making:
            for row, image in enumerate(images):
                _draw(image, DOTS[labels[row]], (int(tops[row]), int(lefts[row])), int(light[row, 0]))
                for number in range(self.num_distractors):
                    top, left = places[row, number].tolist()
                    if top >= 0:
                        _draw(image, pieces[row, number], (top, left), int(light[row, number + 1]))
                making.advance(1)
        regions = np.stack([tops, lefts, tops + HEIGHT, lefts + WIDTH], axis=1)[:, np.newaxis]
        return ArrayRows(split, images, labels, LABELS, regions=regions)

    def _pieces(self, numbers: RandomNumbers, tops: Integers, lefts: Integers) -> tuple[NDArray[Any], Integers]:
        """Dots of the distractors (N, D, 3, 3), and their tops and lefts (N, D, 2), -1 where there is no room."""
        count, distractors, side = len(tops), self.num_distractors, PIECE * DOT
        glyphs = numbers.below(len(DOTS), count, distractors)
        down, right = numbers.below(7 - PIECE + 1, count, distractors), numbers.below(5 - PIECE + 1, count, distractors)
        rows = down[..., np.newaxis, np.newaxis] + np.arange(PIECE)[:, np.newaxis]
        columns = right[..., np.newaxis, np.newaxis] + np.arange(PIECE)
        pieces = DOTS[glyphs[..., np.newaxis, np.newaxis], rows, columns]
        drawn = numbers.below(self.size - side + 1, count, distractors, TRIES, 2)
        is_near: NDArray[np.bool_] = np.ones(drawn.shape[:3], dtype=bool)  # (N, D, TRIES)
        for axis, (first, length) in enumerate(((tops, HEIGHT), (lefts, WIDTH))):
            offsets = drawn[..., axis] - first[:, np.newaxis, np.newaxis]
            is_near &= (offsets > -side - 1) & (offsets < length + 1)
        chosen = np.take_along_axis(drawn, (~is_near).argmax(axis=2)[..., np.newaxis, np.newaxis], axis=2)[:, :, 0]
        return pieces, np.where(is_near.all(axis=2, keepdims=True), -1, chosen)


def _draw(image: NDArray[np.uint8], dots: NDArray[Any], place: tuple[int, int], light: int) -> None:
    """Dots (rows, columns) as squares of pixels, in the image itself."""
    top, left = place
    pixels = np.repeat(np.repeat(dots, DOT, axis=0), DOT, axis=1).astype(bool)
    image[top : top + pixels.shape[0], left : left + pixels.shape[1]][pixels] = min(light, 255)
