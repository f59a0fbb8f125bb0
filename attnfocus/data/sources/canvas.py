"""A digit somewhere on a canvas, among pieces of others: drawn on the spot, or handwritten ones of MNIST.

Shapes: N rows, D distractors of a row, S size of the canvas in pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.array_rows import ArrayRows
from attnfocus.data.rows import SPLITS, RawData
from attnfocus.data.sources.digit_shapes import DigitShapes, DotDigits, WrittenDigits
from attnfocus.data.sources.embedded import EmbeddedSource
from attnfocus.data.sources.mnist import DIGITS, read_mnist
from attnfocus.data.sources.random_numbers import Integers, RandomNumbers
from attnfocus.errors import ConfigError, Problem
from attnfocus.limits import NumRows, Range
from attnfocus.stages import stage

TRIES = 12  # places that are drawn for a distractor; it is left out if all lie too near to the digit
NOISE = 60  # brightness below which the ground is random
DARKEST, LIGHTEST = 140, 256  # brightness of digits and distractors


class Canvas(EmbeddedSource):
    """Which digit is drawn here? One digit at a random place, and `num_distractors` pieces of digits.

    The digit's rectangle is known: it is the evidence (`Row.regions`), by which attention and attributions are
    measured. Pieces lie outside of it. Valid and test are the same for every seed.

    A guess is right in one of ten.

    Args:
        digits: `drawn`: ten shapes of 14 x 10 pixels, and pieces of 6 x 6. `mnist`: handwritten ones, each in the
            rectangle that it fills, at most 28 x 28, and pieces of 8 x 8: the files of `MNIST`, whose test images test.
        size: rows and columns of the canvas, in pixels.
        download: of `digits=mnist`: fetch the files if they are not in the data folder.
    """

    preset: ClassVar[str] = "canvas"
    task: ClassVar[str] = "classification"

    def __init__(
        self,
        *,
        digits: Literal["drawn", "mnist"] = "drawn",
        size: Annotated[int, Range(ge=20, le=512, why="all rows are made in memory")] = 40,
        num_distractors: Annotated[int, Range(ge=0, le=64, why="each is drawn by itself")] = 6,
        num_train: NumRows = 8000,
        num_valid: NumRows = 1000,
        num_test: NumRows = 1000,
        download: bool = True,
    ) -> None:
        self.digits, self.size, self.num_distractors, self._download = digits, size, num_distractors, download
        self._num_rows = dict(zip(SPLITS, (num_train, num_valid, num_test), strict=True))
        if digits == "mnist" and size < WrittenDigits.largest:
            least = f"dataset.size={WrittenDigits.largest}"
            text = f"dataset.size={size}: a digit of MNIST may have 28 x 28 pixels. Use {least} or more."
            raise ConfigError(Problem(text, "dataset.size", [least]))

    def read(self, data_dir: Path, seed: int) -> RawData:
        """Make the rows. Of `data_dir` only digits of MNIST are read."""
        shapes: DigitShapes = DotDigits()
        if self.digits == "mnist":
            shapes = WrittenDigits(read_mnist(data_dir, download=self._download))
        found = {split: self._rows(shapes, split, seed if split == "train" else 0) for split in SPLITS}
        share = found["train"][1]
        note = f"a digit on {100 * share:.1f} % of a canvas; a guess is right in 0.1; made from the seed"
        return RawData({split: rows for split, (rows, _) in found.items()}, [note])

    def _rows(self, shapes: DigitShapes, split: str, seed: int) -> tuple[ArrayRows, float]:
        """The rows of a split, and the share of a canvas that the rectangle of a digit has on average."""
        count, size = self._num_rows[split], self.size
        key = (split, seed, size, self.num_distractors, *(() if self.digits == "drawn" else (self.digits,)))
        numbers = RandomNumbers("Canvas", *key)
        images = numbers.below(NOISE, count, size, size).astype(np.uint8)
        digits = shapes.drawn(numbers, split, count)
        heights, widths = np.array([shape.shape for shape in digits.shapes], dtype=np.int64).T
        tops, lefts = (numbers.below(size - lengths + 1, count) for lengths in (heights, widths))
        light = DARKEST + numbers.below(LIGHTEST - DARKEST, count, 1 + self.num_distractors)
        pieces = shapes.pieces(numbers, split, count, self.num_distractors)
        boxes = np.stack([tops, lefts, tops + heights, lefts + widths], axis=1)  # (N, 4)
        places = self._places(numbers, boxes, shapes.side)
        with stage(f"making {split}", count) as making:
            for row, image in enumerate(images):
                _draw(image, digits.shapes[row], (int(tops[row]), int(lefts[row])), int(light[row, 0]))
                for number in range(self.num_distractors):
                    top, left = places[row, number].tolist()
                    if top >= 0:
                        _draw(image, pieces[row, number], (top, left), int(light[row, number + 1]))
                making.advance(1)
        rows = ArrayRows(split, images, digits.labels, DIGITS, regions=boxes[:, np.newaxis])
        return rows, float((heights * widths).mean()) / size**2

    def _places(self, numbers: RandomNumbers, boxes: Integers, side: int) -> Integers:
        """(N, D, 2): the tops and lefts of distractors outside of digits' boxes (N, 4), -1 where there is no room."""
        drawn = numbers.below(self.size - side + 1, len(boxes), self.num_distractors, TRIES, 2)
        is_near: NDArray[np.bool_] = np.ones(drawn.shape[:3], dtype=bool)  # (N, D, TRIES)
        for axis in range(2):
            first, end = (boxes[:, place, np.newaxis, np.newaxis] for place in (axis, axis + 2))
            is_near &= (drawn[..., axis] > first - side - 1) & (drawn[..., axis] < end + 1)
        chosen = np.take_along_axis(drawn, (~is_near).argmax(axis=2)[..., np.newaxis, np.newaxis], axis=2)[:, :, 0]
        return np.where(is_near.all(axis=2, keepdims=True), -1, chosen)


def _draw(image: NDArray[np.uint8], shape: NDArray[Any], place: tuple[int, int], light: int) -> None:
    """A shape (rows, columns) in this light, where it is whole or lighter than the ground; in the image itself."""
    top, left = place
    part = image[top : top + shape.shape[0], left : left + shape.shape[1]]
    value = shape.astype(np.int64) * min(light, 255) // 255
    is_drawn = (shape == 255) | (value > part)
    part[is_drawn] = value[is_drawn]
