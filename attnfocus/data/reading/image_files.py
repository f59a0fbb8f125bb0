"""Files of images, through Pillow, as arrays of 0 to 255.

Shapes: images are (rows, columns, channels), 1 channel for gray, 3 for red, green and blue.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from attnfocus.errors import DataError
from attnfocus.regular_files import read_file

Color = Literal["auto", "gray", "rgb"]
MAX_PIXELS = 64_000_000  # of one image: what is larger is no photograph, or meant to exhaust the memory
MAX_BYTES = 2**28  # of a file
MAX_SEEN = 1_000_000  # files whose digest and size are kept: 200 bytes each
_WHITE = (255, 255, 255, 255)


class SeenImage(NamedTuple):
    """What is known of a file that was read once.

    Attributes:
        digest: of its bytes.
        shape: rows, columns and channels.
    """

    digest: bytes
    shape: tuple[int, int, int]


def seen_image(path: Path) -> SeenImage:
    """Digest and size of a file, which is read and decoded once in a process, as long as it does not change.

    Raises:
        DataError: as `read_image`.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}.") from error
    return _seen(path, status.st_size, status.st_mtime_ns)


def read_image(path: Path, color: Color, id: str = "") -> NDArray[np.uint8]:
    """The pixels of a file, turned upright as its camera says; what is transparent is white.

    Args:
        color: auto: gray if the file is.
        id: of the row, for messages.

    Raises:
        DataError: there is no such file, or it is no image that can be read whole.
    """
    where = f"row {id}: {path}" if id else str(path)
    return _decoded(_bytes(path, where), color, where)


def resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(rows, columns, channels) -> the same of `size` rows and columns, by area where it shrinks."""
    if image.shape[:2] == size:
        return image
    rows, columns = size
    channels = [
        np.asarray(Image.fromarray(channel).resize((columns, rows), Image.Resampling.BILINEAR))
        for channel in np.moveaxis(image, 2, 0)
    ]
    return np.stack(channels, axis=2)


@lru_cache(maxsize=MAX_SEEN)
def _seen(path: Path, size: int, changed: int) -> SeenImage:
    content = _bytes(path, str(path))
    image = _decoded(content, "auto", str(path))
    rows, columns, channels = image.shape
    return SeenImage(hashlib.blake2b(content, digest_size=16).digest(), (rows, columns, channels))


def _bytes(path: Path, where: str) -> bytes:
    try:
        return read_file(path, MAX_BYTES, follow_links=True)
    except OSError as error:
        raise DataError(f"{where}: {error.strerror or error}.") from error


def _decoded(content: bytes, color: Color, where: str) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of what is damaged, and of what is very large
            with Image.open(io.BytesIO(content)) as image:
                pixels = image.width * image.height
                if pixels > MAX_PIXELS:
                    raise DataError(f"{where}: has {pixels:,} pixels, and at most {MAX_PIXELS:,} are read.")
                return _upright(image, color)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{where}: is no image that Pillow knows, or a damaged one.") from None
    except (OSError, ValueError, SyntaxError, EOFError, Warning, Image.DecompressionBombError) as error:
        raise DataError(f"{where}: is damaged, or no image: {' '.join(str(error).split())[:100]}.") from error


def _upright(image: Image.Image, color: Color) -> NDArray[np.uint8]:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):  # 16 or 32 bits
        values = np.asarray(upright, dtype=np.float64)
        values = values * (255 / max(float(values.max()), 1.0) if values.max() > 65535 else 255 / 65535)
        upright = Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
    is_gray = upright.mode in ("1", "L", "LA")
    if upright.mode in ("LA", "RGBA", "PA") or "transparency" in upright.info:
        whole = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", whole.size, _WHITE), whole)
    wants_gray = color == "gray" or (color == "auto" and is_gray)
    pixels = np.array(upright.convert("L" if wants_gray else "RGB"))  # a copy that may be written to
    return pixels[:, :, np.newaxis] if wants_gray else pixels
