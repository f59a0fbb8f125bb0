"""An image, cut into patches, and its class.

Shapes: L patches, D numbers of a patch. Images are (rows, columns, channels).
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attnfocus.data.clean import CleanOptions
from attnfocus.data.codecs.augmentation import NO_AUGMENTATION, Augmentation
from attnfocus.data.codecs.base import Encoded, InputKind
from attnfocus.data.codecs.cells import PATCH_KEY, Cells, pair_of
from attnfocus.data.codecs.label import NO_LABEL, LabelCodec, saved_labels
from attnfocus.data.reading.image_files import Color, read_image, resized, seen_image
from attnfocus.data.rows import Row
from attnfocus.data.text_blocks import TextBlock
from attnfocus.data.tokens.tokenizer import TokenizerOptions
from attnfocus.errors import DataError
from attnfocus.grid import Grid, Picture
from attnfocus.limits import NonNegativeInt, PositiveInt, Probability, Range

MOST_PATCHES = 8  # on the longer side, where no size of a patch is given
NUM_SAMPLED = 2000  # training images, spread over train, that brightness is measured on
LEAST_CONTRAST = 0.25  # of 255, added to the deviation of brightness
Size = tuple[int, int]
Degrees = Annotated[float, Range(ge=0, le=180)]


class ImageLabelCodec(LabelCodec):
    """An image of one size, as an array (rows, columns[, channels]) of 0 to 255 or the path of a file; and its class.

    Each channel is standardized by the mean and deviation of the training images. In training, images are moved,
    turned, cropped and mirrored at random, as far as the options say.
    """

    kind = "image_label"
    input_kind: ClassVar[InputKind] = "image"
    is_lazy: ClassVar[bool] = True

    def __init__(
        self,
        labels: Sequence[str],
        cells: Cells,
        *,
        is_resized: bool = False,
        augmentation: Augmentation = NO_AUGMENTATION,
    ) -> None:
        super().__init__(labels)
        self.cells, self._is_resized, self._augmentation = cells, is_resized, augmentation

    # Rows as they are

    @classmethod
    def fits(cls, row: Row) -> bool:
        if isinstance(row.input, str):
            return True
        return row.input.ndim == 2 or (row.input.ndim == 3 and row.input.shape[2] in (1, 3))

    @classmethod
    def is_clean(cls, block: TextBlock, options: CleanOptions) -> bool:
        return True  # a path is what it is

    @classmethod
    def input_key(cls, row: Row) -> Hashable:
        """A digest: of thousands of images all keys are held at once."""
        if isinstance(row.input, str):
            return seen_image(Path(row.input)).digest
        image = row.input
        head = repr((image.shape, image.dtype.str)).encode()
        return hashlib.blake2b(head + image.tobytes(), digest_size=16).digest()

    @classmethod
    def sizes(cls, row: Row) -> tuple[int, ...]:
        return (1,)  # all are of one size

    @classmethod
    def fingerprint(cls, row: Row) -> bytes:
        if not isinstance(row.input, str):
            return super().fingerprint(row)
        return seen_image(Path(row.input)).digest + repr(row.target).encode("utf-8", "surrogatepass")

    @classmethod
    def learn(
        cls,
        rows: Sequence[Row],
        tokenizer: TokenizerOptions,
        *,
        size: PositiveInt | list[PositiveInt] | None = None,
        color: Color = "auto",
        shift: NonNegativeInt = 0,
        rotation: Degrees = 0.0,
        crop: Probability = 0.0,
        flip: bool = False,
    ) -> ImageLabelCodec:
        """
        Args:
            size: rows and columns that every image is resized to, one number for both; None: all have that of the
                first.
            color: gray, rgb, or as the first image is.
            shift: in training, the most pixels that an image is moved by, in each direction.
            rotation: in training, the most degrees that it is turned by, to either side.
            crop: in training, the largest share of each side that is cut away; what is left is enlarged to the whole.
            flip: in training, whether every second one is mirrored, left to right.
        """
        labels = cls.labels_of(rows)
        whole = None if size is None else pair_of("dataset.codec.size", size)
        first = _pixels(rows[0], color, whole)
        channels = first.shape[2]
        shape = (*first.shape[:2], channels)
        sampled = range(0, len(rows), -(-len(rows) // NUM_SAMPLED))
        known: Color = "rgb" if channels == 3 else "gray"
        images = (_pixels(rows[number], known, whole, shape) for number in sampled)
        cells = Cells.learned(images, shape, (_usual(shape), _usual(shape)), least=LEAST_CONTRAST)
        augmentation = Augmentation(shift, rotation, crop, flip)
        return cls(labels, cells, is_resized=size is not None, augmentation=augmentation)

    # What was learned

    @classmethod
    def trial_grid(cls, patch_size: Any) -> Grid:
        height, width = (4, 4) if patch_size is None else pair_of(PATCH_KEY, patch_size)
        return Grid(4, 4, (height, width, 1))

    def cut(self, patch_size: Any) -> ImageLabelCodec:
        self.cells = self.cells.recut(patch_size)
        return self

    @property
    def grid(self) -> Grid:
        return self.cells.grid

    def dims(self) -> dict[str, int | None]:
        return {"vocab_size": None, "input_dim": self.grid.input_dim, "num_classes": len(self.labels)}

    def lengths(self, row: Row) -> tuple[int, int]:
        return self.grid.num_positions or 0, 0

    def encode(self, row: Row, generator: np.random.Generator | None = None) -> Encoded:
        return self._encode(row, self.class_of(row), generator)

    def encode_input(self, text: str, id: str, clean: CleanOptions | None = None) -> Encoded:
        """`text` is the path of an image."""
        return self._encode(Row(id, text.strip(), ""), NO_LABEL, None)

    def _encode(self, row: Row, number: int, generator: np.random.Generator | None) -> Encoded:
        pixels = self.pixels(row).astype(np.float32)
        if generator is not None:
            pixels = self._augmentation.applied(pixels, generator)
        vectors = self.cells.vectors(pixels)
        return Encoded(row.id, vectors, number, len(vectors), row)

    def pixels(self, row: Row) -> NDArray[np.uint8]:
        """The image of a row as the model gets it, of 0 to 255: (rows, columns, channels).

        Raises:
            DataError: it cannot be read, or is of another size.
        """
        rows, columns, channels = self.cells.shape
        size = (rows or 0, columns)
        color: Color = "rgb" if channels == 3 else "gray"
        is_resized = self._is_resized
        return _pixels(row, color, size if is_resized else None, None if is_resized else (*size, channels))

    def input_tokens(self, inputs: Iterable[Any]) -> list[str]:
        return self.cells.names(len(list(inputs)))

    def input_problem(self, row: Row) -> str | None:
        if not self.fits(row):
            return super().input_problem(row)
        shape = seen_image(Path(row.input)).shape if isinstance(row.input, str) else row.input.shape
        rows, columns, _ = self.cells.shape
        if self._is_resized or shape[:2] == (rows, columns):
            return None
        return (
            f"of {shape[0]} x {shape[1]} pixels, and the model reads {rows} x {columns}; "
            f"dataset.codec.size=[{rows},{columns}] resizes all images"
        )

    def rationale(self, row: Row) -> tuple[bool, ...] | None:
        return self.cells.touched(row.regions, self.lengths(row)[0]) if row.regions else None

    def picture(self, row: Row) -> Picture:
        pixels = self.pixels(row)
        return Picture(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels, self.cells.boxes(), row.regions)

    # Files

    def save(self, directory: Path) -> None:
        self.write(
            directory,
            labels=list(self.labels),
            **self.cells.saved(),
            is_resized=self._is_resized,
            augmentation=self._augmentation._asdict(),
        )

    @classmethod
    def load(cls, directory: Path, content: dict[str, Any]) -> ImageLabelCodec:
        return cls(
            saved_labels(content),
            Cells.of(content),
            is_resized=bool(content["is_resized"]),
            augmentation=Augmentation.of(content["augmentation"]),
        )


def _usual(shape: tuple[int, int, int]) -> int:
    """The size of a patch that cuts an image into at most 8 x 8."""
    return -(-max(shape[:2]) // MOST_PATCHES)


def _pixels(row: Row, color: Color, size: Size | None, shape: tuple[int, ...] | None = None) -> NDArray[np.uint8]:
    """(rows, columns, channels) of a row, resized to `size`; `shape`: what it must have, where nothing is resized.

    Raises:
        DataError: as `read_image`; or another size.
    """
    if isinstance(row.input, str):
        image = read_image(Path(row.input), color, row.id)
    else:
        image = row.input if row.input.ndim == 3 else row.input[:, :, np.newaxis]
        if color == "rgb" and image.shape[2] == 1:
            image = np.repeat(image, 3, axis=2)
        elif color == "gray" and image.shape[2] == 3:
            image = (image @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)[:, :, np.newaxis]
    if size is not None:
        return resized(image, size)
    if shape is not None and image.shape != shape:
        raise DataError(
            f"row {row.id}: an image of {image.shape[0]} x {image.shape[1]} pixels, where {shape[0]} x {shape[1]} are "
            f"needed.\nSet dataset.codec.size=[{shape[0]},{shape[1]}], which resizes all images."
        )
    return image
